package tree

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// ed25519Type is the signature type of a plain Ed25519 key (C2SP signed-note, "Signature types").
const ed25519Type = 0x01

// signer signs notes with an Ed25519 key. note.NewSigner would want the secret as a text.
type signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

// NewSigner returns the Ed25519 signer that signs checkpoints of the log with this origin.
// The origin is the name of the key, so it must be one: no space, no plus sign.
func NewSigner(origin string, seed [ed25519.SeedSize]byte) (note.Signer, error) {
	if err := checkOrigin(origin); err != nil {
		return nil, err
	}
	key := ed25519.NewKeyFromSeed(seed[:])
	public := key.Public().(ed25519.PublicKey)
	return &signer{origin, keyID(origin, ed25519Type, public), key}, nil
}

func (s *signer) Name() string                        { return s.name }
func (s *signer) KeyHash() uint32                     { return s.hash }
func (s *signer) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.key, message), nil }

// VerifierKey returns the public key that belongs to this seed as people hand it on,
// "ORIGIN+ID+KEY", which [note.NewVerifier] reads.
func VerifierKey(origin string, seed [ed25519.SeedSize]byte) (string, error) {
	if err := checkOrigin(origin); err != nil {
		return "", err
	}
	return note.NewEd25519VerifierKey(origin, ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
}

// keyID is the first four bytes of the hash of the name, a newline, the signature type and
// the public key (C2SP signed-note, "Signatures").
func keyID(name string, signatureType byte, public ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(append(append([]byte(name), '\n', signatureType), public...))
	return binary.BigEndian.Uint32(sum[:])
}

// maxOrigin bounds an origin, which stands in every checkpoint and every proof.
const maxOrigin = 255

// checkOrigin returns an error for what cannot be the name of a key in a signed note.
func checkOrigin(origin string) error {
	bad := func(r rune) bool { return r < 0x20 || r == 0x7f || r == '+' || unicode.IsSpace(r) }
	if origin == "" || len(origin) > maxOrigin || !utf8.ValidString(origin) || strings.ContainsFunc(origin, bad) {
		return errOrigin
	}
	return nil
}

var errOrigin = errors.New("the origin of a log is 1 to 255 bytes of UTF-8 without spaces, control characters or \"+\", like proxy.example.com/audit/replica-1")
