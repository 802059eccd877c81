package budget

import (
	"context"
	"fmt"
	"time"
)

// Spent refuses a call: a limit is reached, or would be exceeded by it.
type Spent struct {
	*Counter
	Taken  int64     // of the limit
	Wanted int64     // by the call; 0: not known
	Renews time.Time // when the next window begins
}

func (e *Spent) Error() string {
	return fmt.Sprintf("over a budget of %s: %d of %d %s", e.Scope, min(e.Taken, e.Limit), e.Limit, e.Name)
}

// Charge is what a call wants of one counter.
type Charge struct {
	*Counter
	Units int64 // 0: not known before the answer, see [Taking.Add]
}

// Taking is what one call has taken. The zero value is that of a call that no budget counts.
type Taking struct {
	store *Store
	parts []part
}

// part is what was taken of one count.
type part struct {
	charge  Charge
	account *account
	start   time.Time // of the window
}

// Has reports whether a call could take the charges now, as a [Spent] if it could not. It
// takes nothing.
func (s *Store) Has(ctx context.Context, who Caller, charges []Charge) error {
	return s.take(ctx, who, charges, func(part) {}, true)
}

// Take takes the charges of a call, all or none. The error is a [Spent] where a limit does
// not allow it; any other one is that the counts cannot be read or written.
func (s *Store) Take(ctx context.Context, who Caller, charges []Charge) (Taking, error) {
	if len(charges) == 0 {
		return Taking{}, nil
	}
	t := Taking{store: s, parts: make([]part, 0, len(charges))}
	err := s.take(ctx, who, charges, func(p part) { t.parts = append(t.parts, p) }, false)
	if err != nil {
		t.GiveBack()
		return Taking{}, err
	}
	return t, nil
}

// take asks for each charge in turn, and tells taken what it got.
func (s *Store) take(ctx context.Context, who Caller, charges []Charge, taken func(part), only bool) error {
	now := s.Now()
	for _, charge := range charges {
		a, err := s.lock(charge.Counter, who)
		if err != nil {
			return err
		}
		if only {
			err = s.has(ctx, a, charge, now)
		} else {
			err = s.takeFrom(ctx, a, charge, now)
		}
		if spent, ok := err.(*Spent); ok {
			s.countRefusal(ctx, a, spent)
		}
		start := a.start
		a.mu.Unlock()
		if err != nil {
			return err
		}
		taken(part{charge, a, start})
	}
	return nil
}

// lock returns the account of a charge, locked.
func (s *Store) lock(c *Counter, who Caller) (*account, error) {
	for {
		a := s.account(c, who)
		if a == nil {
			return nil, errClosed
		}
		a.mu.Lock()
		if !a.gone {
			return a, nil
		}
		a.mu.Unlock()
	}
}

// IsZero reports whether it is that of a call that no budget counts.
func (t Taking) IsZero() bool { return t.store == nil }

// Join adds what another taking of the same call has.
func (t *Taking) Join(other Taking) {
	if other.store != nil {
		t.store, t.parts = other.store, append(t.parts, other.parts...)
	}
}

// GiveBack returns what was taken, to this process: nothing was done with it.
func (t Taking) GiveBack() {
	for _, p := range t.parts {
		p.account.mu.Lock()
		if p.account.start.Equal(p.start) {
			p.account.left += p.charge.Units
		}
		p.account.mu.Unlock()
	}
}

// Add counts what was not known before the answer. An error says that it could not be
// counted, so that nobody may get the answer.
func (t Taking) Add(ctx context.Context, units func(*Counter) int64) error {
	if len(t.parts) == 0 {
		return nil
	}
	for _, p := range t.parts {
		if p.charge.Units != 0 {
			continue
		}
		p.account.mu.Lock()
		err := t.store.add(ctx, p.account, p.charge.Counter, units(p.charge.Counter))
		p.account.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
