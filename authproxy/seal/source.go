package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Where a key ring can come from.
const (
	FromFile        = "file"        // [Source.File]
	FromCredential  = "credential"  // [CredentialName] in the folder that systemd names
	FromEnvironment = "environment" // [KeysVariable]
)

const (
	// CredentialName is that of the credential that has the keys: LoadCredential=sealing-keys:PATH.
	CredentialName = "sealing-keys"
	// KeysVariable is the environment variable that has the keys, as a key file has them.
	KeysVariable = "SFMCP_SEALING_KEYS"
)

// Source is where a key ring comes from.
type Source struct {
	// File is the path of the key file. What is noted about the ring lies beside it, wherever
	// the keys come from.
	File string
	// From is one of the constants above; "" is [FromFile].
	From string
	// Service encrypts what the source holds; nil: nothing does.
	Service KeyService
	// Now is for tests; nil: time.Now.
	Now func() time.Time
}

// maxKeys bounds the text of a key ring: some thousand keys.
const maxKeys = 256 << 10

// What is asked of a service has an end: at the start for as long as people wait, while the
// proxy runs for less, as somebody may wait for what is sealed.
const (
	startTime  = 15 * time.Second
	reloadTime = 5 * time.Second
)

// where names the source for people.
func (s Source) where() string {
	switch s.From {
	case FromCredential:
		return "the credential " + CredentialName
	case FromEnvironment:
		return "the environment variable " + KeysVariable
	}
	return "key file " + s.File
}

func (s Source) inFile() bool { return s.From == "" || s.From == FromFile }

// CanRotate returns an error that says what to do where the keys lie in what this program
// cannot write.
func (s Source) CanRotate() error {
	if s.inFile() {
		return nil
	}
	return fmt.Errorf("the keys come from %s, which cannot be written from here: run this with SFMCP_KEYS_FROM=file and SFMCP_KEYS_FILE=PATH for the file that it is made of, and restart the proxy", s.where())
}

// Load reads the ring: lines "ID KEY", KEY being 32 bytes in base64url without padding; empty
// lines and lines that begin with # are skipped. Where a [KeyService] encrypts the keys, such
// lines are what is encrypted. A file that others may read, a short, repeated or patterned
// key is refused; there is no default key.
func (s Source) Load(ctx context.Context) (*KeyRing, error) {
	text, err := s.read()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	plain, err := s.decrypt(ctx, text)
	if err != nil {
		return nil, err
	}
	keys, err := s.parse(plain)
	if err != nil {
		return nil, err
	}
	ring := &KeyRing{source: s, last: sha256.Sum256(text)}
	ring.now.Store(&ringKeys{keys: keys})
	return ring, nil
}

// read returns what the source holds.
func (s Source) read() ([]byte, error) {
	switch s.From {
	case FromEnvironment:
		text := os.Getenv(KeysVariable)
		if text == "" {
			return nil, fmt.Errorf("%s is not set: give it the content of a key file ('sfmcp-proxy key generate' makes one)", s.where())
		}
		return []byte(text), nil
	case FromCredential:
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return nil, fmt.Errorf("%s is not there, as systemd gave this process no credentials: LoadCredential=%s:PATH in its unit", s.where(), CredentialName)
		}
		return s.readFile(filepath.Join(dir, CredentialName), "LoadCredential="+CredentialName+":PATH in the unit gives it")
	}
	return s.readFile(s.File, "create it with 'sfmcp-proxy key generate', once, before the first start")
}

func (s Source) readFile(path, remedy string) ([]byte, error) {
	stat, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: %s", s.where(), remedy)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if !stat.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s is no file", path)
	}
	if stat.Size() > maxKeys {
		return nil, fmt.Errorf("key file %s has %d bytes, at most %d are read", path, stat.Size(), maxKeys)
	}
	if err := CheckPrivate(path); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", NameOwner(err))
	}
	return text, nil
}

// decrypt returns the lines with keys that the text of a source holds.
func (s Source) decrypt(ctx context.Context, text []byte) ([]byte, error) {
	encrypted := bytes.HasPrefix(text, []byte(envelopeHead))
	switch {
	case s.Service == nil && encrypted:
		return nil, fmt.Errorf("%s is encrypted by a key service, and the configuration names none: set key_service", s.where())
	case s.Service == nil:
		return text, nil
	case !encrypted:
		return nil, fmt.Errorf("%s is not encrypted, and the configuration wants it encrypted by %s (key_service): 'key rotate' does that", s.where(), s.Service)
	}
	plain, err := openEnvelope(ctx, s.Service, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.where(), err)
	}
	return plain, nil
}

// encrypt is the other way round.
func (s Source) encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	if s.Service == nil {
		return plain, nil
	}
	return makeEnvelope(ctx, s.Service, plain)
}

func (s Source) parse(text []byte) ([]sealingKey, error) {
	var keys []sealingKey
	seen := map[string]bool{}
	added := false
	for n, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if string(line) == addedMark {
			added = true
		}
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := parseKey(string(line))
		if err != nil || seen[key.id] {
			return nil, fmt.Errorf("%s line %d: expected a new id and 32 random bytes in base64url", s.where(), n+1)
		}
		seen[key.id], key.added, added = true, added && len(keys) > 0, false
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key", s.where())
	}
	return keys, nil
}
