package notice

import (
	"context"
	"slices"
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

// Sender sends one message. An error that wraps [receiver.ErrRefused] is for good, any other may be
// another time; [receiver.RetryAfter] says when. It never has the address, which may be a secret.
type Sender interface {
	Send(ctx context.Context, m *Message) error
}

// wants reports whether the target is told of an event.
func (t *Target) wants(e Event) bool { return slices.Contains(t.Events, e) }

// concerns reports whether the target is told of a request that waits.
func (t *Target) concerns(w Waiting) bool {
	if len(w.Roles) == 0 {
		return slices.Contains(t.Roles, Requester)
	}
	return len(t.Roles) == 0 || slices.ContainsFunc(w.Roles, func(role string) bool { return slices.Contains(t.Roles, role) })
}
