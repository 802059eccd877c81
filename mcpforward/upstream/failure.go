package upstream

import (
	"context"
	"errors"
)

// failure is the error of one attempt, with what may be tried after it.
type failure struct {
	Error
	retry retry
	down  bool // of the server, not of the request: what opens the circuit
}

// retry is what may be tried after a failure; see [call.retry].
type retry int

const (
	noRetry            retry = iota
	renewToken               // refused for the token: also what is not repeatable
	reopenSession            // refused for the session: likewise
	repeat                   // if repeatable, or if nothing left this process
	repeatOnNewSession       // as repeat
)

// ended returns the failure of a call whose context is done. Whether it may have
// happened is for the call to say.
func ended(ctx context.Context) *failure {
	cause := context.Cause(ctx)
	if errors.Is(cause, errTimedOut) || errors.Is(cause, context.DeadlineExceeded) {
		return &failure{Error: Error{Kind: TimedOut, Reason: "no answer in time", Err: context.DeadlineExceeded}}
	}
	return &failure{Error: Error{Kind: Canceled, Reason: "call was ended", Err: cause}}
}

// tokenFailure words the error of a Target's function.
func tokenFailure(ctx context.Context, err error) *failure {
	switch {
	case errors.Is(err, ErrLoginLost):
		return &failure{Error: Error{Kind: LoginLost, Reason: "no token", Err: err}}
	case ctx.Err() != nil:
		return ended(ctx)
	}
	return &failure{Error: Error{Kind: Unavailable, Reason: "no token", Err: err}}
}

// asFailure is for errors of a call, which are [*Error], and after which nothing is tried.
func asFailure(err error) *failure {
	e, _ := errors.AsType[*Error](err)
	return &failure{Error: *e}
}

// notExecuted returns the error of something that acts on nothing at Salesforce.
func notExecuted(err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return &Error{Kind: Unavailable, Reason: "session was not opened", Err: err}
	}
	calm := *e
	calm.MayHaveHappened = false
	return &calm
}
