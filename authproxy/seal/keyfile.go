package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

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
	stat, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("key file %s does not exist: create it with 'sfmcp-proxy key generate', once, before the first start", path)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if !stat.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s is no file", path)
	}
	if err := CheckPrivate(path); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
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
