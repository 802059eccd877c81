package packing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/pack"
	"sfmcp-proxy/authproxy/reports"
)

// Asked is what a pack is to be of: one of User, Approval and Control, or a time alone.
type Asked struct {
	User     string    // a human, as [oversight.Humans.Named] finds them
	Approval string    // the id of a call that waited; it has a time of its own
	Control  string    // one of [Controls]
	Since    time.Time // zero: from the first entry on
	Until    time.Time // before then; zero: up to now
}

// control is something that auditors ask for again and again: the entries that show it, and what is
// made of them.
type control struct {
	name    string
	actions []string
	files   func(*packing, *pack.Builder) error
	history bool // its files are made of entries before the time, too
}

var controls = []control{
	{"access", reports.AccessActions, (*packing).accessFiles, true},
	{"policy", reports.PolicyActions, (*packing).changeFiles, false},
	{"reviews", []string{"review."}, nil, false},
}

// Controls are the names of what [Asked.Control] can be.
func Controls() (names []string) {
	for _, c := range controls {
		names = append(names, c.name)
	}
	return names
}

// Check says what is wrong with what is asked for, as an [*oversight.InputError].
func (a Asked) Check() error {
	named := slices.DeleteFunc([]string{a.User, a.Approval, a.Control}, func(s string) bool { return s == "" })
	text := ""
	switch {
	case len(named) > 1:
		text = "user, approval and control exclude each other"
	case a.Approval != "" && !(a.Since.IsZero() && a.Until.IsZero()):
		text = "an approval has a time of its own: leave since and until out"
	case a.Control != "" && !slices.Contains(Controls(), a.Control):
		text = fmt.Sprintf("control: expected access, policy or reviews, found %q", a.Control)
	case len(named) == 0 && a.Since.IsZero():
		text = "say what: a user, an approval, a control, or since when for every entry of a time"
	case !a.Since.IsZero() && !a.Until.IsZero() && !a.Since.Before(a.Until):
		text = "since is not before until: nothing can be between"
	default:
		return nil
	}
	return &oversight.InputError{Text: text}
}

// plan is what goes into a pack.
type plan struct {
	Asked
	about   string
	filters []audit.Filter   // all entries that one of them selects
	human   *oversight.Human // of a pack about one
	history []audit.Filter   // entries that files are made of: also those before the time
	person  audit.Entry      // of a pack about a user: whom the entries about it name
	files   func(*packing, *pack.Builder) error
}

// historyOf selects what says who had access, up to the end of the time: what ends within it may
// have begun long before.
func (a Asked) historyOf() (all []audit.Filter) {
	for _, action := range reports.HistoryActions {
		all = append(all, audit.Filter{Action: string(action), Until: a.Until})
	}
	return all
}

// when selects the entries of the time that is asked for.
func (a Asked) when() audit.Filter { return audit.Filter{Since: a.Since, Until: a.Until} }

// plan finds which entries are asked for.
func (m *Maker) plan(ctx context.Context, asked Asked) (*plan, error) {
	if err := asked.Check(); err != nil {
		return nil, err
	}
	p := &plan{Asked: asked}
	switch {
	case asked.User != "":
		return p, m.planUser(ctx, p)
	case asked.Approval != "":
		p.about, p.filters = "approval "+asked.Approval, []audit.Filter{{Approval: asked.Approval}}
	case asked.Control != "":
		c := controls[slices.IndexFunc(controls, func(c control) bool { return c.name == asked.Control })]
		p.about, p.files = "control "+c.name, c.files
		for _, action := range c.actions {
			f := asked.when()
			f.Action = action
			p.filters = append(p.filters, f)
		}
		if c.history {
			p.history = asked.historyOf()
		}
	default:
		p.about, p.filters = aboutPeriod, []audit.Filter{asked.when()}
	}
	return p, nil
}

// aboutPeriod is what a pack of a time alone is of.
const aboutPeriod = "period"

func (m *Maker) planUser(ctx context.Context, p *plan) error {
	human, err := m.Humans.Named(ctx, p.User)
	if err != nil {
		return err
	}
	p.human = human
	if users := human.Users; len(users) > 0 {
		p.person = audit.Entry{Org: users[0].Org, Subject: users[0].Subject, Username: users[0].Username}
	}
	f := p.when()
	f.Person = human.Person
	p.about, p.filters, p.files = "user "+p.User, []audit.Filter{f}, (*packing).userFiles
	return nil
}

// Preview is what a pack would hold.
type Preview struct {
	About   string
	Whom    string   // of a pack about a human: who they are, at Salesforce and at the company
	Unsure  []string // what keeps it from being known who else they are
	Entries int      // of the audit log, as it is now; making the pack adds one or two
	TooMany string   // what is more than Config.Most, too many for an answer, and what to do; empty: nothing
}

// Preview counts what a pack would hold. Nothing is read but the index, and nothing is recorded.
func (m *Maker) Preview(ctx context.Context, asked Asked) (Preview, error) {
	p, err := m.plan(ctx, asked)
	if err != nil {
		return Preview{}, err
	}
	of := Preview{About: p.about}
	if p.human != nil {
		of.Whom, of.Unsure = p.human.String(), p.human.Unsure
	}
	if of.Entries, err = m.count(ctx, p.filters); err != nil {
		return of, err
	}
	older, err := m.count(ctx, p.history)
	switch {
	case err != nil:
		return of, err
	case of.Entries > m.Most:
		of.TooMany = tooMany(m.Most).Error()
	case older > m.Most:
		of.TooMany = fmt.Sprintf("more than %d entries, also of before that time, say who had access: have it made at the command line, where `sfmcp-proxy evidence` reads them all", m.Most)
	}
	if asked.Approval != "" && of.Entries == 0 {
		return of, approval.ErrNotFound
	}
	return of, nil
}

// count is how many entries all of these select.
func (m *Maker) count(ctx context.Context, filters []audit.Filter) (all int, err error) {
	for _, f := range filters {
		n, err := m.Audit.Count(ctx, f)
		if err != nil {
			return all, err
		}
		all += n
	}
	return all, nil
}

// Wrong is what is wrong with what was asked for, in a sentence for whoever asked; "" if the error
// is of another kind.
func Wrong(err error) string {
	if input, ok := errors.AsType[*oversight.InputError](err); ok {
		return input.Error()
	}
	if _, ok := errors.AsType[*access.UnknownUserError](err); ok {
		return "user: " + err.Error()
	}
	if errors.Is(err, approval.ErrNotFound) {
		return "approval: the audit log of the process that answers has no entry of that id; each replica has a log of its own"
	}
	return ""
}
