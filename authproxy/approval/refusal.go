package approval

import (
	"errors"
	"fmt"
)

// ErrUndo says that a call cannot be taken back, or not now. It is a [RefusalError], which says why.
var ErrUndo = errors.New("this cannot be undone here")

// ErrProposal says that a proposal cannot be made of these arguments. It is a [RefusalError], which says why.
var ErrProposal = errors.New("this cannot be proposed")

// RefusalError is [ErrUndo] or [ErrProposal], with why.
type RefusalError struct {
	Kind  error
	Why   string // in words for people, without a full stop
	cause error  // nil: none
}

// Refuse is a refusal of that kind; the rest are as of [fmt.Errorf].
func Refuse(kind error, format string, args ...any) error {
	why := fmt.Errorf(format, args...)
	return &RefusalError{Kind: kind, Why: why.Error(), cause: errors.Unwrap(why)}
}

// Error says what is refused, and why.
func (e *RefusalError) Error() string { return e.Kind.Error() + ": " + e.Why }

// Unwrap are the kind, and the cause if there is one.
func (e *RefusalError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.cause}
}

// WhyRefused is why something was refused; "" if err is no [RefusalError].
func WhyRefused(err error) string {
	if refused, ok := errors.AsType[*RefusalError](err); ok {
		return refused.Why
	}
	return ""
}
