package oversight

import (
	"context"
	"errors"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/shared"
)

// ErrNotFound says that there is nothing of that name.
var ErrNotFound = errors.New("not found")

// InputError is what is wrong with what somebody asked for, in a sentence for them.
type InputError struct {
	Field string // by name, which of what was asked for is wrong; "": the sentence says it
	Text  string
}

// Error is the sentence, behind the name of the field.
func (e *InputError) Error() string {
	if e.Field == "" {
		return e.Text
	}
	return e.Field + ": " + e.Text
}

// Config is what a [Reader] reads. All fields are required but Company, Roster and Now.
type Config struct {
	Access      *access.Control
	Grants      *grant.Store
	Links       *link.Store
	Clients     *client.Store
	Approvals   *approval.Store
	Definitions *definition.Store
	Audit       *audit.Log
	// Company knows who signed in with the company; nil: nobody.
	Company *people.Store
	// Times reads a time as people type it, such as 7d or 2026-03-01: its first and last moment.
	Times func(text string, now time.Time) (begin, end time.Time, err error)
	// Verdict is what an entry of a decision says; 0: none. Lifetime is how long a call waits.
	Verdict  func(audit.Entry) insights.Verdict
	Lifetime time.Duration
	// Roster knows the audit logs of other replicas; nil: there are none.
	Roster *roster.Roster
	Now    func() time.Time // nil: time.Now
}

// Reader reads. It is safe for concurrent use.
type Reader struct {
	Config
	counted   shared.Answer[counts]
	used      lastCalls
	verifying sync.Mutex // held while the log is verified

	textLooked, denialsLooked int // of tests, instead of TextLooked and DenialsLooked
}

// New returns the reader of c, or an error that names what is missing.
func New(c Config) (*Reader, error) {
	if c.Access == nil || c.Grants == nil || c.Links == nil || c.Clients == nil || c.Approvals == nil || c.Definitions == nil ||
		c.Audit == nil || c.Times == nil || c.Verdict == nil || c.Lifetime <= 0 {
		return nil, errors.New("oversight: all stores, audit, times, verdict and lifetime are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Reader{Config: c}, nil
}

// Humans finds out who somebody is.
func (r *Reader) Humans() Humans {
	return Humans{Access: r.Access, Grants: r.Grants, Audit: r.Audit, Company: r.Company}
}

// ServerNames are the names of all endpoints.
func (r *Reader) ServerNames() (names []string) {
	for _, s := range r.Access.Servers() {
		names = append(names, s.Name)
	}
	return names
}

// LastStop is the newest entry of the kill switch; its number is 0 if there is none.
func (r *Reader) LastStop(ctx context.Context) (last audit.Entry, err error) {
	err = r.Audit.List(ctx, audit.Filter{Action: string(audit.StopSet), Limit: 1}, func(e audit.Entry) error { last = e; return nil })
	return last, err
}
