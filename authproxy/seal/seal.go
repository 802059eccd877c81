package seal

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// keySize is that of AES-256.
const keySize = 32

// ErrSealed says that a sealed value does not open: wrong place, or changed.
var ErrSealed = errors.New("sealed value does not open")

// KeyRing holds the sealing keys. The first seals, all open; so a new key is put in
// front and an old one stays until nothing needs it. It is safe for concurrent use.
type KeyRing struct {
	source  Source
	reading sync.Mutex // of the source, so that an older content never replaces a newer one
	now     atomic.Pointer[ringKeys]

	// While reading is held:
	last   [sha256.Size]byte // of what the source held when it was read last
	failed reloadFailure
}

// ringKeys is what the file held when it was read last.
type ringKeys struct {
	keys    []sealingKey
	derived sync.Map // purpose to []DerivedKey
}

type sealingKey struct {
	id    string
	root  []byte
	added bool // it opens only, see [Source.AddKey]
}

// Place is where a sealed value lives; it is authenticated with the value
// (associated data), so that ciphertext moved to another row, user, or column does
// not open.
type Place struct {
	Table, Row, Org, Subject, Purpose string
}

// A part's length precedes it, so that no two places have the same bytes.
func (p Place) associatedData() []byte {
	var b bytes.Buffer
	for _, s := range []string{"v1", p.Table, p.Row, p.Org, p.Subject, p.Purpose} {
		fmt.Fprintf(&b, "%d:%s", len(s), s)
	}
	return b.Bytes()
}

// reloadFailure is that a text of the source was no good, so that a service is not asked about
// the same one again and again.
type reloadFailure struct {
	text [sha256.Size]byte
	at   time.Time
	err  error
}

// askAgain is how long a text that a service could not decrypt is not tried again.
const askAgain = 10 * time.Second

// Path is the key file, beside which lies what is noted about the ring.
func (r *KeyRing) Path() string { return r.source.File }

// IDs are those of the keys, the one that seals first.
func (r *KeyRing) IDs() []string {
	var ids []string
	for _, k := range r.now.Load().keys {
		ids = append(ids, k.id)
	}
	return ids
}

// Reload reads the source again and reports whether it holds other keys than before. One that
// cannot be read, or that lacks the key that seals now, leaves the ring as it is: so does a key
// service that does not answer, which is asked only about what has changed.
func (r *KeyRing) Reload() (changed bool, err error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	text, err := r.source.read()
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(text)
	if sum == r.last {
		return false, nil
	}
	if now := r.source.time(); r.failed.text == sum && now.Sub(r.failed.at) < askAgain {
		return false, r.failed.err
	}
	if changed, err = r.replace(text); err != nil {
		r.failed = reloadFailure{sum, r.source.time(), err}
		return false, err
	}
	r.last = sum
	return changed, nil
}

func (s Source) time() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// replace takes the keys of a text into use.
func (r *KeyRing) replace(text []byte) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), reloadTime)
	defer cancel()
	plain, err := r.source.decrypt(ctx, text)
	if err != nil {
		return false, err
	}
	keys, err := r.source.parse(plain)
	if err != nil {
		return false, err
	}
	previous := r.now.Load().keys
	same := func(a, b sealingKey) bool { return a.id == b.id && bytes.Equal(a.root, b.root) }
	if slices.EqualFunc(previous, keys, same) {
		return false, nil
	}
	if !slices.ContainsFunc(keys, func(k sealingKey) bool { return same(k, previous[0]) }) {
		return false, fmt.Errorf("%s lacks the key that seals now", r.source.where())
	}
	r.now.Store(&ringKeys{keys: keys})
	return true, nil
}

// find returns the key with that id.
func (r *KeyRing) find(id string) (sealingKey, bool) {
	keys := r.now.Load().keys
	i := slices.IndexFunc(keys, func(k sealingKey) bool { return k.id == id })
	if i < 0 {
		return sealingKey{}, false
	}
	return keys[i], true
}

func (k sealingKey) aead(purpose string) (cipher.AEAD, error) {
	return NewAEAD(k.root, "sfmcp-proxy seal "+purpose)
}

// NewAEAD is AES-256-GCM with random nonces under a key derived from root for what
// label says (HKDF, SHA-256). root must have at least 128 random bits.
func NewAEAD(root []byte, label string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, root, nil, label, keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts and authenticates plaintext for its place (AES-256-GCM under a key
// derived for the purpose). The result is text: "v1.KEYID.BASE64URL".
func (r *KeyRing) Seal(p Place, plaintext []byte) (string, error) {
	k := r.now.Load().keys[0]
	aead, err := k.aead(p.Purpose)
	if err != nil {
		return "", fmt.Errorf("sealing: %w", err)
	}
	return "v1." + k.id + "." + base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, plaintext, p.associatedData())), nil
}

// Open returns what Seal was given for the same place, or [ErrSealed]. A key that is not
// known is looked for in the file: another process may have read it there first. One that is not
// there either, or cannot be looked for now, is an [ErrUnknownKey].
func (r *KeyRing) Open(p Place, sealed string) ([]byte, error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 3 || parts[0] != "v1" || strings.ContainsAny(parts[2], "\r\n") { // which the decoder skips
		return nil, ErrSealed
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return nil, ErrSealed
	}
	k, known := r.find(parts[1])
	if !known && !couldBeID(parts[1]) {
		return nil, ErrSealed
	}
	if !known {
		if k, err = r.lookFor(parts[1]); err != nil {
			return nil, err
		}
	}
	aead, err := k.aead(p.Purpose)
	if err != nil {
		return nil, ErrSealed
	}
	plaintext, err := aead.Open(nil, nil, box, p.associatedData())
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// Keys derives one key a purpose from every key of the ring, the sealing one first.
// Whoever makes lasting MACs (the audit chain) uses the first and verifies with all, and
// asks each time: the ring may have got a new one.
func (r *KeyRing) Keys(purpose string) ([]DerivedKey, error) {
	now := r.now.Load()
	if known, ok := now.derived.Load(purpose); ok {
		return known.([]DerivedKey), nil
	}
	var out []DerivedKey
	for _, k := range now.keys {
		key, err := hkdf.Key(sha256.New, k.root, nil, "sfmcp-proxy key "+purpose, keySize)
		if err != nil {
			return nil, fmt.Errorf("deriving key: %w", err)
		}
		out = append(out, DerivedKey{ID: k.id, Key: key})
	}
	now.derived.Store(purpose, out)
	return out, nil
}

// DerivedKey is a 32-byte key for one purpose and the id of the ring key it comes from.
type DerivedKey struct {
	ID  string
	Key []byte
}
