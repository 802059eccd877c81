package party

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// S4: however many addresses come, those that flood are not forgotten.
func TestS4AddressTablesKeepTheBusy(t *testing.T) {
	t.Parallel()
	const burst = 300
	b, now := NewBudgets[netip.Prefix](10, burst), time.Now()
	admits := func(source string) bool { return b.Admits(Of(netip.MustParseAddr(source)), now) }
	busy := []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"}
	for _, source := range busy {
		for range burst {
			admits(source)
		}
	}
	for i := range 5 * known {
		if !admits(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)) {
			t.Fatalf("address %d is refused", i)
		}
	}
	for i := range 5 * known {
		if !admits(fmt.Sprintf("2001:db8:%x::1", i+1)) {
			t.Fatalf("network %d is refused", i)
		}
	}
	for _, source := range busy {
		if admits(source) {
			t.Errorf("%s was forgotten", source)
		}
	}
	if len(b.limiters) > known {
		t.Errorf("%d are remembered", len(b.limiters))
	}
}

// The people who are known are bounded, and those who ask too often stay known.
func TestD15BudgetsOfPeopleAreBounded(t *testing.T) {
	t.Parallel()
	type person struct{ org, subject string }
	b, now := NewBudgets[person](2, 120), time.Unix(1e9, 0)
	busy := person{"acme", "busy"}
	for range 10 {
		for i := range known / 2 {
			b.Admits(person{"acme", fmt.Sprint(i, now)}, now)
		}
		for range 120 {
			b.Admits(busy, now)
		}
		now = now.Add(time.Second)
		if len(b.limiters) > known {
			t.Fatalf("%d are known", len(b.limiters))
		}
	}
	for range 2 {
		b.Admits(busy, now)
	}
	if b.Admits(busy, now) {
		t.Error("who asks too often was forgotten")
	}
}

// D15: a party has so many turns at a time and waits for more, others do not, and nobody is
// remembered afterwards.
func TestD15TurnsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns[string](2)
		var mu sync.Mutex
		now, most := 0, 0
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				done, err := turns.Take(t.Context(), "busy")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				done()
			})
		}
		synctest.Wait()
		if done, err := turns.Take(t.Context(), "other"); err != nil {
			t.Errorf("another party: %v", err)
		} else {
			done()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, err := turns.Take(ctx, "busy"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who cannot wait: %v", err)
		}
		all.Wait()
		if most != 2 || len(turns.of) != 0 {
			t.Errorf("%d at a time, %d remembered", most, len(turns.of))
		}
	})
}
