package approval

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// Approve, deny, expire, void and two spenders race for one request, in two processes.
// Whatever wins, the request ends in one state that agrees with what each caller was told,
// and at most one caller may forward the call.
func TestAP16Race(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	stores, _ := pair(t, c.now)
	seen := map[State]int{}
	least, most := 4*rounds.Count(t), 20
	if rounds.AreMany(t) {
		least, most = 20*rounds.Count(t), 500
	}
	raced := func() bool { return seen[Spent] > 0 && seen[Void] > 0 && seen[Denied] > 0 }
	for round := 0; round < least || !raced() && round < most; round++ {
		s, other := stores[round%2], stores[1-round%2]
		b := binding(fmt.Sprint("round ", round))
		r := submit(t, s, b)
		var spends, approvals, denials, voids, expiries atomic.Int32
		moves := []func(){
			func() { count(&approvals, second(s.Approve(t.Context(), r.ID, agreed(actor.User("rep"))))) },
			func() { count(&denials, second(other.Deny(t.Context(), r.ID, actor.User("rep"), ""))) },
			func() { count(&spends, second(s.Spend(t.Context(), b))) },
			func() { count(&spends, second(other.Spend(t.Context(), b))) },
			func() {
				n, err := other.Void(t.Context(), VoidFilter{GrantID: b.GrantID}, "connection revoked")
				if err != nil {
					t.Error(err)
				}
				voids.Add(int32(len(n)))
			},
			func() {
				if round%3 == 0 {
					c.add(lifetime)
				}
				n, err := s.Expire(t.Context())
				if err != nil {
					t.Error(err)
				}
				expiries.Add(int32(n))
			},
		}
		var wg sync.WaitGroup
		for i := range moves {
			wg.Go(moves[(i+round)%len(moves)])
		}
		wg.Wait()
		end := state(t, s, r.ID)
		seen[end]++
		told := map[State]bool{
			Denied: denials.Load() == 1, Spent: spends.Load() == 1, Void: voids.Load() == 1,
			Approved: approvals.Load() == 1, Expired: true, Pending: true,
		}
		switch {
		case !told[end]:
			t.Fatalf("round %d ended %s, which nobody was told", round, end)
		case spends.Load() > 1 || approvals.Load()+denials.Load() > 1:
			t.Fatalf("round %d: %d spends, %d approvals, %d denials", round, spends.Load(), approvals.Load(), denials.Load())
		case denials.Load()+spends.Load()+voids.Load()+expiries.Load() > 1:
			t.Fatalf("round %d: more than one end: %d denied, %d spent, %d void, %d expired", round, denials.Load(), spends.Load(), voids.Load(), expiries.Load())
		case spends.Load() == 1 && approvals.Load() == 0:
			t.Fatalf("round %d was spent without an approval", round)
		}
		// Nothing stays pending for the next round's flood limit.
		if _, err := s.Void(t.Context(), VoidFilter{Org: b.Org}, "end of round"); err != nil {
			t.Fatal(err)
		}
	}
	if !raced() && rounds.AreMany(t) {
		t.Errorf("the race is not one: %v", seen)
	}
}

func second(_ *Request, err error) error { return err }

func count(n *atomic.Int32, err error) {
	if err == nil {
		n.Add(1)
	}
}
