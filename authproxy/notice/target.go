package notice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// PerMinute is how many messages a target gets in a minute at most; the others wait.
const PerMinute = 30

// Requester stands for requests that wait for whoever asked, among Target.Roles.
const Requester = "requester"

// Target is a place that messages go to.
type Target struct {
	Name   string
	Events []Event
	// Roles are those whose requests are told of; empty: every role, but not what waits for
	// the requester, which needs the role [Requester] here.
	Roles []string
	Send  Sender
}

// Sender sends one message. An error that wraps [ErrRefused] is for good, any other may be
// another time; [RetryAfter] says when. It never has the address, which may be a secret.
type Sender interface {
	Send(ctx context.Context, m *Message) error
}

// ErrRefused: the target will not take this message, however often it is sent.
var ErrRefused = errors.New("refused for good")

// RetryAfter is an error with the time after which the target wants to be asked again.
type RetryAfter struct {
	After time.Duration
	Err   error
}

// Error is that of Err.
func (r *RetryAfter) Error() string {
	return fmt.Sprintf("%v, to be tried again after %v", r.Err, r.After)
}

// Unwrap returns Err.
func (r *RetryAfter) Unwrap() error { return r.Err }

// wants reports whether the target is told of an event.
func (t *Target) wants(e Event) bool { return slices.Contains(t.Events, e) }

// concerns reports whether the target is told of a request that waits.
func (t *Target) concerns(w Waiting) bool {
	if len(w.Roles) == 0 {
		return slices.Contains(t.Roles, Requester)
	}
	return len(t.Roles) == 0 || slices.ContainsFunc(w.Roles, func(role string) bool { return slices.Contains(t.Roles, role) })
}
