package approval

import (
	"fmt"
	"testing"
	"time"
)

// A list goes on behind a request, the oldest first, until each was there once; how many there are is
// counted apart, however many a list has.
func TestListGoesOnBehind(t *testing.T) {
	t.Parallel()
	s, clock := newStore(t)
	var want []string
	for i := range 5 {
		b := binding(fmt.Sprint("call ", i))
		b.GrantID = fmt.Sprint("g", i%2)
		want = append(want, submit(t, s, b).ID)
		if i != 1 { // two of one moment
			clock.add(time.Second)
		}
	}
	for limit := 1; limit <= 6; limit++ {
		f := Filter{State: Pending, OldestFirst: true, Limit: limit}
		var got []string
		for {
			some, err := s.List(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range some {
				got = append(got, r.ID)
				f.Behind = Place{r.CreatedAt, r.ID}
			}
			if len(some) < limit {
				break
			}
		}
		if want[1] > want[2] { // in the order of their ids
			want[1], want[2] = want[2], want[1]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d at once: %v, want %v", limit, got, want)
		}
	}
	for _, tt := range []struct {
		filter Filter
		want   int
	}{{Filter{}, 5}, {Filter{Limit: 1}, 5}, {Filter{GrantID: "g1"}, 2}, {Filter{State: Denied}, 0}, {Filter{Org: "acme", Subject: "005B"}, 0}} {
		if n, err := s.Count(t.Context(), tt.filter); err != nil || n != tt.want {
			t.Errorf("%+v: %d, %v; want %d", tt.filter, n, err, tt.want)
		}
	}
	clock.add(lifetime + time.Second)
	if n, err := s.Count(t.Context(), Filter{State: Pending}); err != nil || n != 0 {
		t.Errorf("%d wait after their time, %v", n, err)
	}
}
