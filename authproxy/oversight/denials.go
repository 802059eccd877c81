package oversight

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// DenialsLooked is how many of the newest denials are counted.
const DenialsLooked = 5000

// Tally is how many denials have something in common, with the last of them.
type Tally struct {
	N    int
	Last audit.Entry
	// Others is how many different people, or of a person different reasons, are among them. Common
	// is the one of them that most have, Times how many.
	Others int
	Common audit.Entry
	Times  int

	by map[[2]string]*Tally
}

// Denials is what was denied since some time, the most frequent first.
type Denials struct {
	Reasons []Tally // with the same rule and reason
	Persons []Tally // to the same person
	// Cut says that there are more denials than were counted.
	Cut bool
}

// DenialsSince counts what was denied, of the newest [DenialsLooked].
func (r *Reader) DenialsSince(ctx context.Context, begin time.Time) (*Denials, error) {
	reasons, persons := map[[2]string]*Tally{}, map[[2]string]*Tally{}
	denied := audit.Filter{Action: string(audit.ToolCall), Outcome: audit.Denied, Since: begin}
	more, err := r.newest(ctx, denied, cmp.Or(r.denialsLooked, DenialsLooked), func(e audit.Entry) {
		reason, person := [2]string{e.Rule, e.Reason}, [2]string{e.Org, e.Subject}
		addTo(reasons, reason, person, e)
		addTo(persons, person, reason, e)
	})
	if err != nil {
		return nil, err
	}
	return &Denials{most(reasons), most(persons), more}, nil
}

// addTo counts a denial under a key, and within it under another.
func addTo(all map[[2]string]*Tally, key, within [2]string, e audit.Entry) {
	if all[key] == nil {
		all[key] = &Tally{by: map[[2]string]*Tally{}}
	}
	t := all[key]
	t.N, t.Last = t.N+1, e
	if t.by[within] == nil {
		t.by[within] = &Tally{}
	}
	t.by[within].N, t.by[within].Last = t.by[within].N+1, e
}

// most are the tallies, the most frequent first.
func most(all map[[2]string]*Tally) (sorted []Tally) {
	for _, key := range slices.SortedFunc(maps.Keys(all), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(all[b].N, all[a].N), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		t := *all[key]
		t.Others = len(t.by)
		for _, within := range slices.SortedFunc(maps.Keys(t.by), func(a, b [2]string) int {
			return cmp.Or(cmp.Compare(t.by[b].N, t.by[a].N), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
		})[:1] {
			t.Common, t.Times = t.by[within].Last, t.by[within].N
		}
		sorted = append(sorted, t)
	}
	return sorted
}
