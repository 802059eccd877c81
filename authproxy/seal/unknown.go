package seal

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnknownKey says that a value was sealed, or authenticated, with a key that the ring does not
// have, also after its source was read again. Whether the value is genuine cannot be known: another
// process may have the key already. Errors that match it are [*UnknownKeyError], and are neither
// [ErrSealed] nor [ErrMAC].
var ErrUnknownKey = errors.New("the key is not in the key ring")

// UnknownKeyError is an [ErrUnknownKey] that names the key.
type UnknownKeyError struct {
	// ID is what the value says that its key is called. Somebody else than the proxy may have written it.
	ID string
	// Unread is why the source of the ring could not be read now; nil: it was read, and lacks the key.
	Unread error
	where  string
}

// Error names the key and where it was looked for.
func (e *UnknownKeyError) Error() string {
	if e.Unread != nil {
		return fmt.Sprintf("it names key %q, and that could not be looked for: %v", e.ID, e.Unread)
	}
	return fmt.Sprintf("it names key %q, which is not in %s", e.ID, e.where)
}

// Is makes errors.Is(err, ErrUnknownKey) true.
func (e *UnknownKeyError) Is(target error) bool { return target == ErrUnknownKey }

// Unwrap returns why the source could not be read.
func (e *UnknownKeyError) Unwrap() error { return e.Unread }

// maxID bounds what is taken for the name of a key that the ring does not have.
const maxID = 64

// couldBeID says whether a text that no key of the ring is called can name one at all. What cannot
// was not written by this program.
func couldBeID(id string) bool {
	return id != "" && len(id) <= maxID && strings.IndexFunc(id, func(c rune) bool { return c <= ' ' || c > '~' || c == '.' }) < 0
}

// lookFor returns the key of that id, which the ring did not have when it was asked for: another process
// may have read it in the source first.
func (r *KeyRing) lookFor(id string) (sealingKey, error) {
	_, err := r.Reload() // that nothing changed may mean that somebody beside us read it
	k, known := r.find(id)
	if !known {
		return sealingKey{}, &UnknownKeyError{ID: id, Unread: err, where: r.source.where()}
	}
	return k, nil
}

// SealedWith is the id of the key that a sealed value names; "": it names none.
func SealedWith(sealed string) string {
	parts := strings.Split(sealed, ".")
	if len(parts) != 3 || parts[0] != "v1" {
		return ""
	}
	return parts[1]
}
