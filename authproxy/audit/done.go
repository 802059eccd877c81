package audit

import (
	"context"
	"errors"
)

// UnrecordedError says that something has taken effect, and that its entry could not be stored.
type UnrecordedError struct {
	Partly bool  // not all of it was done; what failed is another error
	Err    error // of the log
}

// Error says first that it is done: whoever reads the cause alone takes the act for a failure.
func (e *UnrecordedError) Error() string {
	if e.Partly {
		return "what was done of it is not in the audit log: " + e.Err.Error()
	}
	return "done, but not in the audit log: " + e.Err.Error()
}

// Unwrap gives the error of the log.
func (e *UnrecordedError) Unwrap() error { return e.Err }

// Done stores e, about something that has taken effect (with the outcome [Failed]: in part), and returns when it is
// durable. It does not end with ctx. The error is an [UnrecordedError]: what is done stays done.
func (l *Log) Done(ctx context.Context, e Entry) error {
	if _, err := l.Append(context.WithoutCancel(ctx), e); err != nil {
		return &UnrecordedError{Partly: e.Outcome == Failed, Err: err}
	}
	return nil
}

// Unrecorded is the part of an act's error which says that something is not in the log; nil: all of it is.
func Unrecorded(err error) error {
	if e, ok := errors.AsType[*UnrecordedError](err); ok {
		return e
	}
	return nil
}

// TookEffect reports whether an act is done, all of it: its error is nil, or says nothing but that entries are
// missing ([UnrecordedError], alone or joined). Whoever tells of an act asks this, and not whether there is an error.
func TookEffect(err error) bool {
	switch e := err.(type) {
	case nil, *UnrecordedError:
		return true
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if !TookEffect(part) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	}
	return false
}
