package party

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// known is how many parties [Budgets] remember at a time, a MiB or two. Beyond that the one
	// with most left of its budget is forgotten, of sampled ones that chance chooses: who floods
	// stays known, however many others come.
	known   = 10_000
	sampled = 64
)

// Budgets are what parties have left to begin: so many at once, and so many a second. K is
// who a party is, a network or a person. They are safe for concurrent use, and bounded
// however many parties come.
type Budgets[K comparable] struct {
	perSecond rate.Limit
	burst     int

	mu       sync.Mutex
	limiters map[K]*rate.Limiter
}

// NewBudgets returns budgets of which every party has all.
func NewBudgets[K comparable](perSecond float64, burst int) *Budgets[K] {
	return &Budgets[K]{perSecond: rate.Limit(perSecond), burst: burst, limiters: map[K]*rate.Limiter{}}
}

// Admits takes one from a party's budget, and says whether there was one.
func (b *Budgets[K]) Admits(of K, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	limiter, ok := b.limiters[of]
	if !ok {
		if len(b.limiters) >= known {
			b.forgetOne(now)
		}
		limiter = rate.NewLimiter(b.perSecond, b.burst)
		b.limiters[of] = limiter
	}
	return limiter.AllowN(now, 1)
}

// forgetOne forgets whom it costs least to forget: whoever has all of their budget is
// admitted as if they had never come. b.mu is held.
func (b *Budgets[K]) forgetOne(now time.Time) {
	var idlest K
	most, looked := -1., 0
	for of, limiter := range b.limiters { // in an order of chance
		if left := limiter.TokensAt(now); left > most || looked == 0 {
			idlest, most = of, left
		}
		if looked++; looked == sampled {
			break
		}
	}
	delete(b.limiters, idlest)
}
