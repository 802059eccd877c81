package audit

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
)

// Filter selects entries; a zero field selects all.
type Filter struct {
	Person   Person    // whom they concern
	Actor    string    // who did it, as text; an operator without a person stands for all whom they named
	Tool     string    // exact name
	Server   string    // exact name
	Client   string    // client_id
	Object   string    // exactly what was acted on: a tool, a connection, an approval, …
	Rule     string    // exact name, as the decision has it
	Approval string    // id of an approval
	Grant    string    // id of a connection
	Action   string    // an [Action], or its noun and a dot: "tool."
	Outcome  Outcome   // how it ended
	Request  string    // request id: what an error page prints
	Since    time.Time // at or after
	Until    time.Time // before
	After    int64     // with a higher number
	Before   int64     // with a lower number; 0: with any
	// Limit, if positive, selects the newest so many of the entries that match.
	Limit int
}

// question is a filter with the pseudonyms of whom it names.
type question struct {
	Filter
	persons []string      // of Person.Subjects
	company []actor.Actor // Person.Company, by name and by pseudonym
	names   []string      // of Person.Usernames
	actors  []string      // of the user or person of the company who is Actor
	objects []string      // of the person of the company who is Object
}

// ask looks up whom f names.
func (p *persons) ask(ctx context.Context, f Filter) (q question, err error) {
	q.Filter = f
	if len(f.Person.Subjects) > 0 {
		if q.persons, err = p.everywhere(ctx, f.Person.Subjects); err != nil {
			return q, err
		}
	}
	for _, username := range f.Person.Usernames {
		names, err := p.names(username)
		if err != nil {
			return q, err
		}
		q.names = append(q.names, names...)
	}
	if q.company, err = p.atCompany(ctx, f.Person); err != nil {
		return q, err
	}
	by := actor.Parse(f.Actor)
	if by.IsUser() {
		q.actors, err = p.everywhere(ctx, []string{by.ID})
	} else if q.actors, err = p.ofCompany(ctx, by); err != nil {
		return q, err
	}
	if on, ok := (&Entry{Object: f.Object}).object(); ok && err == nil {
		q.objects, err = p.ofCompany(ctx, on)
		for i, id := range q.objects {
			q.objects[i] = called(on, id).String()
		}
	}
	return q, err
}

// ofCompany are the pseudonyms that a person of the company has had or would get; of somebody
// else none.
func (p *persons) ofCompany(ctx context.Context, a actor.Actor) ([]string, error) {
	issuer, subject, ok := a.PersonOf()
	if !ok || isPseudonym(subject) {
		return nil, nil
	}
	lives, _, err := p.lives(ctx, personID{issuer, subject})
	return slices.Concat(lives...), err
}

// matches says whether f selects e, whatever Limit. An entry that cannot be read has pseudonyms.
func (f question) matches(e Entry) bool {
	for _, same := range [][2]string{
		{f.Tool, e.Tool}, {f.Server, e.Server}, {f.Client, e.Client}, {f.Rule, e.Rule}, {f.Approval, e.Approval}, {f.Grant, e.Grant},
		{string(f.Outcome), string(e.Outcome)}, {f.Request, e.RequestID},
	} {
		if same[0] != "" && same[0] != same[1] {
			return false
		}
	}
	if f.Object != "" && f.Object != e.Object && !slices.Contains(f.objects, e.Object) {
		return false
	}
	return e.Seq > f.After && (f.Before == 0 || e.Seq < f.Before) && (f.Action == "" || e.Action.Matches(f.Action)) && f.matchesActor(e.Actor) &&
		(f.Since.IsZero() || !e.At.Before(f.Since)) && (f.Until.IsZero() || e.At.Before(f.Until)) &&
		(f.Person.IsZero() || f.concernedBy(e))
}

// concernedBy says whether e is about the person who is asked for.
func (f question) concernedBy(e Entry) bool {
	return f.Person.concernedBy(e) || f.concernsCompany(e) ||
		e.Personal != "" && (slices.Contains(f.persons, e.Subject) || e.Actor.IsUser() && slices.Contains(f.persons, e.Actor.ID))
}

// concernsCompany says whether e is about them as a person of the company, or tells what they did.
func (f question) concernsCompany(e Entry) bool {
	on, _ := e.object()
	return slices.ContainsFunc(f.company, func(who actor.Actor) bool {
		return who == e.Actor || who == on || e.Subject != "" && who == actor.Person(e.Org, e.Subject)
	})
}

func (f question) matchesActor(by actor.Actor) bool {
	if f.Actor == "" {
		return true
	}
	who := actor.Parse(f.Actor)
	if slices.ContainsFunc(f.actors, func(id string) bool { return called(who, id) == by }) {
		return true
	}
	if who.As == "" { // an operator, whoever they named
		by.As = ""
	}
	return who == by
}

// List calls f with every entry that matches, oldest first, until f fails.
func (l *Log) List(ctx context.Context, filter Filter, f func(Entry) error) error {
	return reading{l}.selected(ctx, filter, func(_ []byte, e Entry) error { return f(e) })
}

// Export writes every entry that matches as one line of JSON, oldest first, with what it says about
// people as far as that can be read.
func (l *Log) Export(ctx context.Context, filter Filter, w io.Writer) error {
	return reading{l}.selected(ctx, filter, func(text []byte, e Entry) error {
		var err error
		if namesPersons(text) { // others are written as they stand
			if text, err = e.MarshalJSON(); err != nil {
				return err
			}
		}
		_, err = w.Write(append(text, '\n'))
		return err
	})
}

// ExportRecords writes the records of the log that match, byte for byte. The leaves of the tree are
// the hashes of these lines without their line breaks.
func (l *Log) ExportRecords(ctx context.Context, filter Filter, w io.Writer) error {
	return reading{l}.selected(ctx, filter, func(text []byte, _ Entry) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// selected calls f with the entries that match, with their lines. A line that does not decode is
// an error.
func (r reading) selected(ctx context.Context, filter Filter, f func(text []byte, e Entry) error) error {
	segments, err := r.segments()
	if err != nil {
		return err
	}
	asked, err := r.log.persons.ask(ctx, filter)
	if err != nil {
		return err
	}
	if filter.Limit > 0 {
		return r.search(ctx, asked.query(), asked.matches, slices.Reverse[[]uint32], filter).newest(ctx, r.log, segments, filter.Limit, f)
	}
	return r.search(ctx, asked.query(), asked.matches, forward, filter).each(r.log, segments, func(text []byte, e Entry) error {
		return errors.Join(ctx.Err(), f(text, e))
	})
}

// each calls f with the entries that match, oldest first, until f fails.
func (q search) each(l *Log, segments []logfile.Segment, f func(text []byte, e Entry) error) error {
	for i := range segments {
		if i+1 < len(segments) && segments[i+1].First <= q.after+1 {
			continue
		}
		if _, err := q.in(l, segments, i, func(text []byte, e Entry) (bool, error) {
			return false, f(text, e)
		}); err != nil {
			return err
		}
	}
	return nil
}

// newest walks back from the end of the log until it has limit matches and then
// calls f with them in order.
func (q search) newest(ctx context.Context, l *Log, segments []logfile.Segment, limit int, f func(text []byte, e Entry) error) error {
	type found struct {
		text  []byte
		entry Entry
	}
	var last []found
	for i := len(segments) - 1; i >= 0; i-- {
		enough, err := q.in(l, segments, i, func(text []byte, e Entry) (bool, error) {
			last = append(last, found{text, e})
			return len(last) == limit, ctx.Err()
		})
		if err != nil {
			return err
		}
		if enough {
			break
		}
	}
	for _, one := range slices.Backward(last) {
		if err := f(one.text, one.entry); err != nil {
			return err
		}
	}
	return nil
}
