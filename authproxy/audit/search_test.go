package audit

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
)

// Whoever reads a few records has few read, one group ahead at most; an error comes behind what was read
// before it.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	ordinals := make([]uint32, 1000)
	for i := range ordinals {
		ordinals[i] = uint32(i)
	}
	for name, c := range map[string]struct {
		fails   uint32 // the group with this one cannot be read; 0: none
		groups  int    // that are taken before it is stopped; 0: all
		records int    // that are taken
		most    int64  // that are read
	}{
		"all":              {0, 0, 1000, 1000},
		"the first":        {0, 1, 1, 3},
		"three groups":     {0, 3, 7, 15},
		"not the last":     {900, 0, 767, 767},
		"not the first":    {1, 0, 1, 1},
		"before it fails":  {900, 2, 3, 7},
		"none is taken":    {0, -1, 0, 1},
		"the one behind 1": {2, 1, 1, 1},
	} {
		var read atomic.Int64
		groups, stop := readAhead(ordinals, func(some []uint32) ([]record, error) {
			if c.fails > 0 && slices.Contains(some, c.fails) {
				return nil, errUnreadable
			}
			read.Add(int64(len(some)))
			return make([]record, len(some)), nil
		})
		taken, records, failed := 0, 0, false
		for c.groups >= 0 {
			g, ok := <-groups
			if !ok {
				break
			}
			taken, records, failed = taken+1, records+len(g.records), errors.Is(g.err, errUnreadable)
			if taken == c.groups {
				break
			}
		}
		stop()
		if want := c.fails > 0 && c.groups == 0; records != c.records || failed != want || read.Load() > c.most {
			t.Errorf("%s: %d records, %d read, failed: %t", name, records, read.Load(), failed)
		}
	}
}
