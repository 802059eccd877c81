package oversight

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

// TextLooked is how many of the newest entries that fit otherwise are looked through for a text,
// which no index knows.
const TextLooked = 5000

// Filter selects the entries of the audit log that somebody asks for, by the names of fields:
// person, tool, client, server, outcome, action, object, rule, approval, request, since, until,
// before. What cannot be understood, or names what there is not, is an [*InputError]. whom is who is asked for; nil: nobody is.
func (r *Reader) Filter(ctx context.Context, asked func(name string) string, now time.Time) (f audit.Filter, whom *Human, err error) {
	f = audit.Filter{Tool: asked("tool"), Client: asked("client"), Server: asked("server"), Outcome: audit.Outcome(asked("outcome")), Action: asked("action"),
		Object: asked("object"), Rule: asked("rule"), Approval: asked("approval"), Grant: asked("grant"), Request: strings.ToUpper(asked("request"))}
	if f.Since, f.Until, err = r.Span(asked("since"), asked("until"), now); err != nil {
		return f, nil, err
	}
	if before := asked("before"); before != "" {
		if f.Before, err = strconv.ParseInt(before, 10, 64); err != nil || f.Before < 1 {
			return f, nil, &InputError{"before", "expected the number of an entry"}
		}
	}
	if who := asked("person"); who != "" {
		whom, err = r.Humans().Named(ctx, who)
		_, unknown := errors.AsType[*access.UnknownUserError](err)
		_, several := errors.AsType[*InputError](err)
		switch {
		case unknown || several:
			err = &InputError{"person", err.Error()}
		case err == nil:
			f.Person = whom.Person
		}
	}
	if err != nil {
		return f, nil, err
	}
	return f, whom, r.CheckNames(ctx, f)
}

// Span is a time as people type it, from the first moment of since to the last of until; each may
// be empty, and is a zero time then. What cannot be understood is an [*InputError].
func (r *Reader) Span(since, until string, now time.Time) (begin, end time.Time, err error) {
	if since != "" {
		if begin, _, err = r.Times(since, now.UTC()); err != nil {
			return begin, end, &InputError{"since", err.Error()}
		}
	}
	if until != "" {
		if _, end, err = r.Times(until, now.UTC()); err != nil {
			return begin, end, &InputError{"until", err.Error()}
		}
	}
	if !begin.IsZero() && !end.IsZero() && !begin.Before(end) {
		return begin, end, &InputError{"since", "it is not before until: nothing can be between"}
	}
	return begin, end, nil
}

// found are the entries that a filter with a limit selects, the oldest first.
func (r *Reader) found(ctx context.Context, f audit.Filter) (found []audit.Entry, err error) {
	err = r.Audit.List(ctx, f, func(e audit.Entry) error { found = append(found, e); return nil })
	return found, err
}

// newest calls f with the newest entries that fit, at most so many, the oldest first, and reports whether
// there are older ones. With most 0 it calls f with all.
func (r *Reader) newest(ctx context.Context, f audit.Filter, most int, use func(audit.Entry)) (older bool, err error) {
	if most <= 0 {
		return false, r.Audit.List(ctx, f, func(e audit.Entry) error { use(e); return nil })
	}
	f.Limit = most + 1
	found, err := r.found(ctx, f)
	for _, e := range found[max(0, len(found)-most):] {
		use(e)
	}
	return len(found) > most, err
}

// Entries are the newest entries that fit and say the text, at most so many, the oldest first. A
// text is looked for in the newest [TextLooked] that fit otherwise. older is the number before which
// there may be more; 0: there are none.
func (r *Reader) Entries(ctx context.Context, f audit.Filter, text string, most int) (fits []audit.Entry, older int64, err error) {
	if f.Limit = most; text != "" {
		f.Limit = cmp.Or(r.textLooked, TextLooked)
	}
	found, err := r.found(ctx, f)
	if err != nil || len(found) == 0 {
		return found, 0, err
	}
	if len(found) == f.Limit {
		older = found[0].Seq
	}
	if text == "" {
		return found, older, nil
	}
	fits = slices.DeleteFunc(found, func(e audit.Entry) bool { return !says(e, text) })
	if len(fits) > most {
		fits = fits[len(fits)-most:]
		older = fits[0].Seq
	}
	return fits, older, nil
}

// says reports whether a text stands anywhere in an entry, in capitals or not.
func says(e audit.Entry, text string) bool {
	line, err := json.Marshal(e)
	return err == nil && strings.Contains(strings.ToLower(string(line)), strings.ToLower(text))
}

// endedLooked is how many entries behind a page are looked through for the ends of what begins on it.
const endedLooked = 200

// Ended are entries as [Reader.Entries] has them, each deed once: an intent is left out if the entry
// of how it ended fits too. Where so many deeds were under way at once that the end stands far from
// its intent, behind where the search began, the intent stays. So a search for intents finds what was begun
// and never ended.
func (r *Reader) Ended(ctx context.Context, f audit.Filter, text string, most int) (found []audit.Entry, older int64, err error) {
	if f.Outcome == audit.Intent {
		return r.unended(ctx, f, text, most)
	}
	ended, err := r.endedBehind(ctx, f, text)
	if err != nil {
		return nil, 0, err
	}
	for {
		some, older, err := r.Entries(ctx, f, text, most)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range slices.Backward(some) {
			if ended[e.IntentSeq] = true; e.Outcome != audit.Intent || !ended[e.Seq] {
				found = append(found, e)
			}
			if len(found) == most {
				slices.Reverse(found)
				return found, found[0].Seq, nil
			}
		}
		if older == 0 || text != "" && len(some) < most { // a text is looked for in so many at once
			slices.Reverse(found)
			return found, older, nil
		}
		f.Before = older
	}
}

// unended are the intents that fit and say the text, of which no entry of the end fits otherwise: looked
// for in as many entries at once as a text is.
func (r *Reader) unended(ctx context.Context, f audit.Filter, text string, most int) (found []audit.Entry, older int64, err error) {
	f.Outcome = ""
	ended, err := r.endedBehind(ctx, f, "")
	if err != nil {
		return nil, 0, err
	}
	all, older, err := r.Entries(ctx, f, "", cmp.Or(r.textLooked, TextLooked))
	if err != nil {
		return nil, 0, err
	}
	for _, e := range slices.Backward(all) {
		if ended[e.IntentSeq] = true; e.Outcome == audit.Intent && !ended[e.Seq] && says(e, text) {
			found = append(found, e)
		}
		if len(found) == most {
			older = e.Seq
			break
		}
	}
	slices.Reverse(found)
	return found, older, nil
}

// endedBehind are the intents whose end fits f, says the text and stands behind where f begins to look.
func (r *Reader) endedBehind(ctx context.Context, f audit.Filter, text string) (map[int64]bool, error) {
	ended := map[int64]bool{}
	if f.Before == 0 {
		return ended, nil
	}
	looked := 0
	f.After, f.Before = f.Before-1, 0
	err := r.Audit.List(ctx, f, func(e audit.Entry) error {
		if text == "" || says(e, text) {
			ended[e.IntentSeq] = true
		}
		if looked++; looked == endedLooked {
			return errLooked
		}
		return nil
	})
	if errors.Is(err, errLooked) {
		err = nil
	}
	return ended, err
}

var errLooked = errors.New("looked through enough")

// ReadEntry is one entry, whole, with its arguments; that somebody reads it is recorded first.
// Without such an entry the error is [ErrNotFound].
func (r *Reader) ReadEntry(ctx context.Context, by actor.Actor, seq int64) (audit.Entry, error) {
	e, _, err := r.Audit.Entry(ctx, seq)
	if errors.Is(err, audit.ErrNoEntry) {
		return e, ErrNotFound
	}
	if err != nil {
		return e, err
	}
	_, err = r.Audit.Append(ctx, audit.Entry{Actor: by, Action: audit.LogRead, Outcome: audit.OK, Object: "entry " + strconv.FormatInt(seq, 10)})
	return e, err
}

// SameRequest are entries of the same request, at most so many, the oldest first.
func (r *Reader) SameRequest(ctx context.Context, id string, most int) ([]audit.Entry, error) {
	return r.found(ctx, audit.Filter{Request: id, Limit: most})
}
