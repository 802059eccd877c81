package db

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// keySize is that of AES-256.
const keySize = 32

// ErrSealed says that a sealed value does not open: wrong key, wrong place, or changed.
var ErrSealed = errors.New("sealed value does not open")

// KeyRing holds the sealing keys. The first seals, all open; so a new key is put in
// front and an old one stays until nothing needs it. It is safe for concurrent use.
type KeyRing struct {
	path string
	now  atomic.Pointer[ringKeys]
}

// ringKeys is what the file held when it was read last.
type ringKeys struct {
	keys    []sealingKey
	derived sync.Map // purpose to []DerivedKey
}

type sealingKey struct {
	id   string
	root []byte
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

// NewKeyLine returns a fresh key as a line of a key file.
func NewKeyLine() string {
	key := make([]byte, keySize)
	rand.Read(key)
	return "k" + strings.ToLower(rand.Text()[:8]) + " " + base64.RawURLEncoding.EncodeToString(key) + "\n"
}

// CreateKeyFile writes a key file with one new key, mode 0600. It never replaces a file.
func CreateKeyFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("creating key file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("key file %s exists already, and is never replaced: 'key rotate' puts a new key in front", path)
	}
	if err != nil {
		return fmt.Errorf("creating key file: %w", err)
	}
	_, err = f.WriteString("# sfmcp-proxy sealing keys; the first seals, all open. Keep a copy off this host.\n" + NewKeyLine())
	return errors.Join(err, f.Sync(), f.Close())
}

// RotateKeyFile puts a new key in front of those of the file: it seals once the file is
// read again, and the others still open. The file is replaced in one step.
func RotateKeyFile(path string) error {
	if _, err := LoadKeyRing(path); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("rotating key file: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return fmt.Errorf("rotating key file: %w", err)
	}
	_, err = f.WriteString(NewKeyLine() + string(text))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("rotating key file: %w", err), os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
}

// LoadKeyRing reads a key file: lines "ID KEY", KEY being 32 bytes in base64url
// without padding; empty lines and lines that begin with # are skipped. A file that
// others may read, a short, repeated or patterned key is refused; there is no
// default key.
func LoadKeyRing(path string) (*KeyRing, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key file %s does not exist: create it with 'sfmcp-proxy key generate', once, before the first start", path)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s is no file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file %s may be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	var keys []sealingKey
	seen := map[string]bool{}
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := parseKey(line)
		if err != nil || seen[key.id] {
			return nil, fmt.Errorf("key file %s line %d: expected a new id and 32 random bytes in base64url", path, n+1)
		}
		seen[key.id] = true
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("key file %s holds no key", path)
	}
	ring := &KeyRing{path: path}
	ring.now.Store(&ringKeys{keys: keys})
	return ring, nil
}

// Reload reads the key file again and reports whether it holds other keys than before. A
// file that cannot be read, or that lacks the key that seals now, leaves the ring as it is.
func (r *KeyRing) Reload() (changed bool, err error) {
	fresh, err := LoadKeyRing(r.path)
	if err != nil {
		return false, err
	}
	former, keys := r.now.Load().keys, fresh.now.Load().keys
	same := func(a, b sealingKey) bool { return a.id == b.id && bytes.Equal(a.root, b.root) }
	if slices.EqualFunc(former, keys, same) {
		return false, nil
	}
	if !slices.ContainsFunc(keys, func(k sealingKey) bool { return same(k, former[0]) }) {
		return false, fmt.Errorf("key file %s lacks the key that seals now", r.path)
	}
	r.now.Store(fresh.now.Load())
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

func parseKey(line string) (sealingKey, error) {
	id, text, _ := strings.Cut(line, " ")
	root, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil || id == "" || strings.Contains(id, ".") || len(root) != keySize {
		return sealingKey{}, errors.New("malformed key")
	}
	if !looksRandom(root) {
		return sealingKey{}, errors.New("key is not random")
	}
	return sealingKey{id, root}, nil
}

// looksRandom recognizes what people write where a key is asked for: zeros and other
// repetitions, 00 01 02 … as in examples, a sentence. Random keys are refused less than
// once in 10^13.
func looksRandom(key []byte) bool {
	values, steps, printable := map[byte]bool{}, map[byte]bool{}, true
	for i, b := range key {
		values[b] = true
		if i > 0 {
			steps[b-key[i-1]] = true
		}
		printable = printable && b >= ' ' && b <= '~'
	}
	return len(values) >= 16 && len(steps) >= 16 && !printable
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
// known is looked for in the file: another process may have read it there first.
func (r *KeyRing) Open(p Place, sealed string) ([]byte, error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 3 || parts[0] != "v1" {
		return nil, ErrSealed
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return nil, ErrSealed
	}
	k, known := r.find(parts[1])
	if !known {
		if changed, err := r.Reload(); err != nil || !changed {
			return nil, ErrSealed
		}
		if k, known = r.find(parts[1]); !known {
			return nil, ErrSealed
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

// Hash is SHA-256 of a bearer secret in base64url: what the *_hash columns hold. The
// secrets are random with at least 128 bits, so no salt and no stretching is needed.
func Hash(secret string) string {
	var in [64]byte // every request hashes some, so they stay off the heap
	var out [43]byte
	sum := sha256.Sum256(append(in[:0], secret...))
	base64.RawURLEncoding.Encode(out[:], sum[:])
	return string(out[:])
}

// Secret returns prefix and 256 random bits in base64url.
func Secret(prefix string) string {
	b := make([]byte, 32)
	rand.Read(b)
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}
