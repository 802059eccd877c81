package grant

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// wantLive wants that many live grants of a user.
func (f *fixture) wantLive(t *testing.T, subject string, want int) {
	t.Helper()
	n, err := f.LiveGrants(t.Context(), testOrg, subject)
	if err != nil || n != want {
		t.Errorf("%d are live (%v), want %d", n, err, want)
	}
}

// D15: a user has so many grants; with more, those unused longest end, of nobody else.
func TestD15GrantsOfAUserAreBounded(t *testing.T) {
	t.Parallel()
	f := open(t)
	other := f.tokens(t, otherSubject)
	var mine []*Tokens
	for range MaxLive {
		mine = append(mine, f.tokens(t, testSubject))
		f.clock.Add(time.Second)
	}
	if ended, err := f.EndSurplus(t.Context(), testOrg, testSubject, "x"); err != nil || len(ended) != 0 {
		t.Errorf("with as many as may be: %v, %v", ended, err)
	}
	rotated, err := f.Rotate(t.Context(), rotation(mine[0].RefreshToken)) // the oldest is used
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Add(time.Second)
	fresh, _ := f.code(t, testSubject) // not redeemed yet
	more := f.tokens(t, testSubject)
	before := f.epoch(t)
	ended, err := f.EndSurplus(t.Context(), testOrg, testSubject, "too many")
	if err != nil || len(ended) != 2 || f.epoch(t) == before {
		t.Fatalf("%d ended, %v", len(ended), err)
	}
	for _, g := range ended {
		if (g.ID != mine[1].Grant.ID && g.ID != mine[2].Grant.ID) || g.RevokedWhy != "too many" {
			t.Errorf("%+v has ended", g)
		}
	}
	for i, want := range []bool{true, false, false, true} {
		tokens := mine[i]
		if i == 0 {
			tokens = rotated
		}
		f.opens(t, tokens, want)
	}
	f.opens(t, more, true)
	f.opens(t, other, true)
	if alive, err := f.Alive(t.Context(), fresh); err != nil || !alive {
		t.Errorf("the one that waits for its code to be redeemed: %v, %v", alive, err)
	}
	f.wantLive(t, testSubject, MaxLive)
}

// The same of many at a time: when all are done there are no more than may be.
func TestD15GrantsMadeAtATimeAreBounded(t *testing.T) {
	t.Parallel()
	f := open(t)
	for range MaxLive {
		f.code(t, testSubject)
	}
	var all sync.WaitGroup
	failed := make(chan error, 16)
	for range cap(failed) {
		all.Go(func() {
			r := authorizeRequest()
			r.Status, r.GrantID = Done, newGrantID()
			if _, _, err := f.CreateGrant(t.Context(), &r, testSubject); err != nil {
				failed <- fmt.Errorf("creating: %w", err)
			}
			if _, err := f.EndSurplus(t.Context(), testOrg, testSubject, "x"); err != nil {
				failed <- err
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	f.wantLive(t, testSubject, MaxLive)
}
