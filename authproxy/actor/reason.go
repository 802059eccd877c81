package actor

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrReason: what somebody says as a reason is not what people may say there.
var ErrReason = errors.New("the reason must be one short plain text")

// Reason is what people give a reason for. It says how long that may be, for pages, programs and commands alike.
type Reason int

const (
	// ForAct is of what takes or gives access.
	ForAct Reason = iota
	// ForDecision is of a decision in an access review, and how somebody knows what became of a call.
	ForDecision
	// ForDenial is of denying a call, which needs none.
	ForDenial
)

// Bounds are how many characters it has at least and at most, of those that can be seen.
func (r Reason) Bounds() (least, most int) {
	switch r {
	case ForDecision:
		return 1, 500
	case ForDenial:
		return 0, 500
	}
	return 1, 200
}

// String says the bounds, for people: "1 to 200 characters", "at most 500 characters".
func (r Reason) String() string {
	least, most := r.Bounds()
	if least == 0 {
		return fmt.Sprintf("at most %d characters", most)
	}
	return fmt.Sprintf("%d to %d characters", least, most)
}

// Clean is a reason as it is kept and recorded: without what cannot be seen, lines joined. An error is [ErrReason], and says
// what is wrong.
func (r Reason) Clean(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("%w: it is not UTF-8", ErrReason)
	}
	text = seen(text)
	least, most := r.Bounds()
	if n := utf8.RuneCountInString(text); n < least || n > most {
		return "", fmt.Errorf("%w: it has %d characters, expected %s", ErrReason, n, r)
	}
	return text, nil
}

// PlainName is the name of a person as names are compared: without what makes it look the same and be another. That is what
// [Reason.Clean] takes away, and other forms and pictures of the same letters.
func PlainName(name string) string { return seen(norm.NFKC.String(name), unicode.Variation_Selector) }

// seen is a text without characters that cannot be seen, and others, with one space for each run of white space and
// none around it.
func seen(text string, others ...*unicode.RangeTable) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if !unicode.IsSpace(r) && (unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) || unicode.In(r, others...)) {
			return -1
		}
		return r
	}, text)), " ")
}
