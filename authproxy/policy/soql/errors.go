package soql

import (
	"errors"
	"fmt"
)

// Why a text is refused.
var (
	// ErrTooLong: the text has more than [MaxLength] bytes.
	ErrTooLong = errors.New("longer than a query can be")
	// ErrCharacter: a character, number or string that the languages do not have.
	ErrCharacter = errors.New("a character, number or string that cannot be read")
	// ErrSyntax: the words are those of the language, their order is not.
	ErrSyntax = errors.New("not in the form of one plain query")
)

// Error says why a text was refused, and where. It wraps [ErrTooLong],
// [ErrCharacter] or [ErrSyntax].
type Error struct {
	// Offset is the position of the first byte that could not be read, counted from 0;
	// the length of the text where something is missing at its end.
	Offset int
	// Cause is one of the three errors of this package.
	Cause error
}

func (e *Error) Error() string {
	return fmt.Sprintf("reading query: at byte %d: %v", e.Offset, e.Cause)
}

func (e *Error) Unwrap() error { return e.Cause }
