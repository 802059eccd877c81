package console

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/access"
)

// What a signed-in person may ask for, over all browsers: a page costs a few reads of the
// database, and a decision an entry of the audit log. People do not come near it.
const (
	pagesAtOnce    = 120
	pagesPerSecond = 2

	// knownPeople is from how many on those are forgotten who have all of their budget.
	knownPeople = 10_000
)

// budgets are what people have left to ask for.
type budgets struct {
	mu     sync.Mutex
	people map[access.Person]*rate.Limiter
}

func newBudgets() *budgets { return &budgets{people: map[access.Person]*rate.Limiter{}} }

// admits takes a page from a person's budget.
func (b *budgets) admits(p access.Person, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	limiter, known := b.people[p]
	if !known {
		if len(b.people) >= knownPeople {
			b.forget(now)
		}
		limiter = rate.NewLimiter(pagesPerSecond, pagesAtOnce)
		b.people[p] = limiter
	}
	return limiter.AllowN(now, 1)
}

// forget forgets who has all of their budget: they are admitted as if they had never come.
// There are no more of the others than people of the orgs who were here a minute ago.
func (b *budgets) forget(now time.Time) {
	for p, limiter := range b.people {
		if limiter.TokensAt(now) >= pagesAtOnce {
			delete(b.people, p)
		}
	}
}
