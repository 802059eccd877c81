package upstream

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what went wrong, as far as a caller acts on it.
type Kind int

// The kinds.
const (
	// LoginLost: the Salesforce login is gone. The user has to sign in again.
	LoginLost Kind = iota + 1
	// ServerInactive: Salesforce has no such server, or it is not activated. An
	// administrator has to look at it.
	ServerInactive
	// Forbidden: the user may not use the server.
	Forbidden
	// Limited: a limit of the org is reached; see RetryAfter.
	Limited
	// Unavailable: Salesforce could not be reached or reported an error of its own.
	Unavailable
	// TimedOut: no answer within the time of the call.
	TimedOut
	// Broken: the answer is none: wrong type, truncated, not for this request,
	// too large.
	Broken
	// Canceled: the caller went away, or the user was forgotten ([ErrForgotten]),
	// or the pool closed ([ErrClosed]).
	Canceled
	// NotOffered: the server has no stream to listen to. Calls are not affected.
	NotOffered
)

var kindNames = map[Kind]string{
	LoginLost: "login_lost", ServerInactive: "server_inactive", Forbidden: "forbidden", Limited: "limited",
	Unavailable: "unavailable", TimedOut: "timed_out", Broken: "broken", Canceled: "canceled",
	NotOffered: "not_offered",
}

// String returns the kind's name for logs and the audit log.
func (k Kind) String() string { return kindNames[k] }

var (
	// ErrLoginLost is what the functions of a [Target] wrap to say that there is
	// no token and none can be had without the user.
	ErrLoginLost = errors.New("salesforce login lost")
	// ErrNotAsked: the answer has no open request of that id.
	ErrNotAsked = errors.New("salesforce did not ask this, or it has been answered")
	// ErrForgotten is the cause of a call ended by [Pool.Forget].
	ErrForgotten = errors.New("user's sessions were ended")
	// ErrClosed is the cause of a call ended by [Pool.Close].
	ErrClosed = errors.New("session pool is closed")

	errTimedOut = errors.New("time of the call is up")
)

// Error is why a call has no answer. It holds no text of Salesforce's and no token.
type Error struct {
	Kind Kind
	// MayHaveHappened is false only if Salesforce provably did not act: nothing
	// of the request left this process, or Salesforce refused it unread.
	MayHaveHappened bool
	// Status is the HTTP status, 0 if there was none.
	Status int
	// RetryAfter is what Salesforce asked for, or for how long the circuit of the server
	// is open; 0: neither.
	RetryAfter time.Duration
	// Reason is one of this package's phrases.
	Reason string
	// Err is a cause on our side, such as the failure of a Target's function.
	Err error
}

// Error says the reason and, if any, the HTTP status and our own cause.
func (e *Error) Error() string {
	text := "calling salesforce: " + e.Reason
	if e.Status != 0 {
		text += fmt.Sprintf(" (HTTP %d)", e.Status)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns our own cause.
func (e *Error) Unwrap() error { return e.Err }
