package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

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

// WellFormed says whether text could be what [Secret] returns for prefix: 43 characters
// follow it that are the one base64url spelling of 32 bytes.
func WellFormed(text, prefix string) bool {
	random, ok := strings.CutPrefix(text, prefix)
	// The decoder skips CR and LF, so the length is checked on what it read.
	if !ok || len(random) != 43 {
		return false
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(random)
	return err == nil && len(decoded) == 32
}
