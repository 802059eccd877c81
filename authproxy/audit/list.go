package audit

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
)

// pageSize is how many rows are read at a time: no query stays open while the
// caller's function runs.
const pageSize = 500

// Filter selects entries; a zero field selects all.
type Filter struct {
	Person  Person    // whom they concern
	Actor   string    // who did it, as text; an operator without a person stands for all whom they named
	Tool    string    // exact name
	Server  string    // exact name
	Client  string    // client_id
	Action  string    // an [Action], or its noun and a dot: "tool."
	Outcome Outcome   // how it ended
	Request string    // request id: what an error page prints
	Since   time.Time // at or after
	Until   time.Time // before
	// Limit, if positive, selects the newest so many of the entries that match.
	Limit int
}

// inContent says whether the filter asks for more than the columns of the table hold.
func (f Filter) inContent() bool {
	return !f.Person.isZero() || f.Actor != "" || f.Server != "" || f.Client != "" || f.Outcome != "" || f.Request != ""
}

// matches compares what the columns do not hold.
func (f Filter) matches(e Entry) bool {
	same := func(want, have string) bool { return want == "" || want == have }
	return same(f.Server, e.Server) && same(f.Client, e.Client) && same(string(f.Outcome), string(e.Outcome)) && same(f.Request, e.RequestID) &&
		f.matchesActor(e.Actor) && (f.Person.isZero() || f.Person.concernedBy(e))
}

func (f Filter) matchesActor(by actor.Actor) bool {
	if f.Actor == "" {
		return true
	}
	who := actor.Parse(f.Actor)
	if who.As == "" { // an operator, whoever they named
		by.As = ""
	}
	return who == by
}

// row is one stored entry.
type row struct {
	seq, at                        int64
	actor, action, tool, text, mac string
}

// List calls f with every entry that matches, oldest first, until f fails.
func (l *Log) List(ctx context.Context, filter Filter, f func(Entry) error) error {
	return l.selected(ctx, filter, func(_ row, e Entry) error { return f(e) })
}

// Export writes every entry that matches as one line of JSON, oldest first: the
// stored entry, byte for byte, with the member "mac" added at its end.
func (l *Log) Export(ctx context.Context, filter Filter, w io.Writer) error {
	return l.selected(ctx, filter, func(r row, _ Entry) error {
		_, err := fmt.Fprintf(w, "%s,\"mac\":%q}\n", strings.TrimSuffix(r.text, "}"), r.mac)
		return err
	})
}

// selected calls f with the rows that match in full.
func (l *Log) selected(ctx context.Context, filter Filter, f func(row, Entry) error) error {
	l.Flush()
	match := func(r row) error {
		e, err := decode(r.text)
		if err != nil {
			return fmt.Errorf("audit entry %d: %w", r.seq, err)
		}
		if !filter.matches(e) {
			return nil
		}
		return f(r, e)
	}
	if filter.Limit <= 0 {
		return l.each(ctx, filter, match)
	}
	return l.newest(ctx, filter, match)
}

// newest walks back from the end of the log until it has filter.Limit matches and
// then calls f with them in order.
func (l *Log) newest(ctx context.Context, filter Filter, f func(row) error) error {
	var found []row
	for before := int64(math.MaxInt64); len(found) < filter.Limit; {
		page, err := l.page(ctx, filter, math.MinInt64, before, "DESC")
		if err != nil {
			return err
		}
		for _, r := range page {
			before = r.seq
			if e, err := decode(r.text); err == nil && !filter.matches(e) {
				continue
			}
			if found = append(found, r); len(found) == filter.Limit {
				break
			}
		}
		if len(page) < pageSize {
			break
		}
	}
	slices.Reverse(found)
	for _, r := range found {
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// each calls f with the rows that match by their columns, in order.
func (l *Log) each(ctx context.Context, filter Filter, f func(row) error) error {
	for after := int64(math.MinInt64); ; {
		page, err := l.page(ctx, filter, after, math.MaxInt64, "ASC")
		if err != nil {
			return err
		}
		for _, r := range page {
			after = r.seq
			if err := f(r); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
	}
}
