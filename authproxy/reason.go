package authproxy

import (
	"fmt"
	"unicode/utf8"

	"sfmcp-proxy/authproxy/approval"
)

// MaxReason is how many characters the reason of an act may have: see [Act.Why].
const MaxReason = 200

// CleanReason is why somebody takes or gives access as it is recorded, whether a page, a program or a command says
// it: without what cannot be seen, lines joined; see [approval.CleanReason]. Nothing, or more than
// [MaxReason] characters, is an [approval.ErrReason].
func CleanReason(reason string) (string, error) {
	why, err := approval.CleanReason(reason)
	switch n := utf8.RuneCountInString(why); {
	case err != nil:
		return "", err
	case n == 0 || n > MaxReason:
		return "", fmt.Errorf("%w: it has %d characters, expected 1 to %d", approval.ErrReason, n, MaxReason)
	}
	return why, nil
}
