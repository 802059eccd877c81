package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrMAC says that a MAC is not one that the ring made of these fields for this purpose.
var ErrMAC = errors.New("the MAC does not fit")

// MAC authenticates fields, in this order, for one purpose: "KEYID:BASE64URL", HMAC with
// SHA-256 under the key that the sealing key gives for the purpose. What one purpose is
// given for never fits another, and no two lists of fields have the same bytes. Without a
// key the answer is "", which fits nothing.
func (r *KeyRing) MAC(purpose string, fields ...string) string {
	keys, err := r.Keys(purpose)
	if err != nil || len(keys) == 0 {
		return ""
	}
	return keys[0].ID + ":" + keys[0].mac(fields)
}

// CheckMAC returns nil if [KeyRing.MAC] made mac of these fields for this purpose, with
// whichever key of the ring; else an [ErrMAC] that says why. A key that is not known is
// looked for in the file, as [KeyRing.Open] does, and is an [ErrUnknownKey] if it is not there.
func (r *KeyRing) CheckMAC(mac, purpose string, fields ...string) error {
	at := strings.LastIndexByte(mac, ':')
	if at < 0 {
		return fmt.Errorf("%w: there is none", ErrMAC)
	}
	id := mac[:at]
	key, known := r.derived(purpose, id)
	if !known && !couldBeID(id) {
		return fmt.Errorf("%w: it names no key", ErrMAC)
	}
	if !known {
		if _, err := r.lookFor(id); err != nil {
			return err
		}
		key, _ = r.derived(purpose, id)
	}
	if !hmac.Equal([]byte(mac[at+1:]), []byte(key.mac(fields))) {
		return ErrMAC
	}
	return nil
}

// derived returns the key for a purpose that comes from the ring key of that id.
func (r *KeyRing) derived(purpose, id string) (DerivedKey, bool) {
	keys, err := r.Keys(purpose)
	i := slices.IndexFunc(keys, func(k DerivedKey) bool { return k.ID == id })
	if err != nil || i < 0 {
		return DerivedKey{}, false
	}
	return keys[i], true
}

// A field's length precedes it, and their number all of them.
func (k DerivedKey) mac(fields []string) string {
	text := append(make([]byte, 0, 512), "v1 "...)
	text = strconv.AppendInt(text, int64(len(fields)), 10)
	for _, field := range fields {
		text = append(text, ' ')
		text = strconv.AppendInt(text, int64(len(field)), 10)
		text = append(text, ':')
		text = append(text, field...)
	}
	h := hmac.New(sha256.New, k.Key)
	h.Write(text) // a hash does not fail
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
