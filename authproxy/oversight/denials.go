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
	found, err := r.found(ctx, audit.Filter{Action: string(audit.ToolCall), Outcome: audit.Denied, Since: begin, Limit: DenialsLooked})
	if err != nil {
		return nil, err
	}
	reasons, persons := map[[2]string]*Tally{}, map[[2]string]*Tally{}
	for _, e := range found {
		addTo(reasons, [2]string{e.Rule, e.Reason}, e)
		addTo(persons, [2]string{e.Org, e.Subject}, e)
	}
	return &Denials{most(reasons), most(persons), len(found) == DenialsLooked}, nil
}

func addTo(all map[[2]string]*Tally, key [2]string, e audit.Entry) {
	if all[key] == nil {
		all[key] = &Tally{}
	}
	all[key].N++
	all[key].Last = e
}

// most are the tallies, the most frequent first.
func most(all map[[2]string]*Tally) (sorted []Tally) {
	for _, key := range slices.SortedFunc(maps.Keys(all), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(all[b].N, all[a].N), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		sorted = append(sorted, *all[key])
	}
	return sorted
}
