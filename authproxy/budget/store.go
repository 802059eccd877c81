package budget

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
)

// Caller is who calls: a Salesforce user of an org through an OAuth client.
type Caller struct{ Org, Subject, Client string }

// Counter is one budget where it holds.
type Counter struct {
	policy.Budget
	Scope string // what it holds for: see [PolicyScope], [OrgScope]
	Name  string // what is counted, in words
	Limit int64
}

// PolicyScope and OrgScope are the scopes of budgets of a policy and of an org.
func PolicyScope(policy string) string { return "policy " + policy }

// OrgScope is for what all policies of an org count together.
func OrgScope(org string) string { return orgScope + org }

const orgScope = "org "

// NewCounter returns the counter of a budget that is valid.
func NewCounter(scope string, b policy.Budget) *Counter {
	return &Counter{Budget: b, Scope: scope, Name: b.String(), Limit: int64(b.Limit)}
}

// OfOrg reports whether it counts requests to an org, whatever they are.
func (c *Counter) OfOrg() bool { return strings.HasPrefix(c.Scope, orgScope) }

// key is whose count is meant.
func (c *Counter) key(who Caller) key {
	switch c.Who {
	case policy.EachUser:
		return key{c.Scope, c.Name, who.Org, who.Subject}
	case policy.EachClient:
		return key{c.Scope, c.Name, "", who.Client}
	}
	return key{scope: c.Scope, budget: c.Name}
}

// key names a row of budget_counts.
type key struct{ scope, budget, org, party string }

// Config is what a Store works with.
type Config struct {
	DB *db.DB
	// OnAlarm is told once in a window of each party that the level of the alarm was reached,
	// and once that the limit was. It is called while a call waits. nil: nobody is told.
	OnAlarm func(context.Context, Alarm)
	Now     func() time.Time // nil: time.Now
}

// Store counts. It is safe for concurrent use.
type Store struct {
	Config
	mu       sync.Mutex
	accounts map[key]*account
	refused  map[policy.Measure]int64
	closed   bool
}

// New returns a store in which nothing is allotted to this process yet.
func New(c Config) (*Store, error) {
	if c.DB == nil {
		return nil, errors.New("budgets: the database is missing")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{Config: c, accounts: map[key]*account{}, refused: map[policy.Measure]int64{}}, nil
}

// account returns what this process knows of a count, nil after Close.
func (s *Store) account(c *Counter, who Caller) *account {
	k := c.key(who)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[k]
	if a == nil && !s.closed {
		a = &account{key: k}
		s.accounts[k] = a
	}
	return a
}

// errClosed refuses what comes after Close.
var errClosed = errors.New("budgets: closed")

// Close returns to the database what is allotted to this process and was not used. What is
// asked for afterwards is refused.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	all := s.accounts
	s.accounts = map[key]*account{}
	s.mu.Unlock()
	var err error
	for _, a := range all {
		a.mu.Lock()
		err = errors.Join(err, s.returnLeft(ctx, a))
		a.gone = true
		a.mu.Unlock()
	}
	return err
}

// Sweep forgets windows that are over, and deletes counts whose window ended a week ago:
// until then a clock that is put back finds them.
func (s *Store) Sweep(ctx context.Context) error {
	now := s.Now()
	s.mu.Lock()
	for k, a := range s.accounts {
		if a.mu.TryLock() { // else it is in use
			if now.After(a.end) {
				a.gone = true
				delete(s.accounts, k)
			}
			a.mu.Unlock()
		}
	}
	s.mu.Unlock()
	_, err := db.Affected(ctx, s.DB.Writes, `DELETE FROM budget_counts WHERE ends_at < $1`, db.Millis(now.Add(-7*24*time.Hour)))
	return err
}

// Refused returns how many calls were refused since the start for budgets of a measure.
func (s *Store) Refused(what policy.Measure) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused[what]
}
