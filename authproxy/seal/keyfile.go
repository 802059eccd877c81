package seal

import (
	"context"
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
func CreateKeyFile(path string) error { return Source{File: path}.Create(context.Background()) }

// RotateKeyFile puts a new key in front of those of the file.
func RotateKeyFile(path string) error { return Source{File: path}.Rotate(context.Background()) }

// LoadKeyRing reads a key file; see [Source.Load].
func LoadKeyRing(path string) (*KeyRing, error) { return Source{File: path}.Load(context.Background()) }

// Create writes the key file with one new key, mode 0600. It never replaces a file.
func (s Source) Create(ctx context.Context) error {
	if err := s.CanRotate(); err != nil {
		return err
	}
	if err := MakeDirectory(filepath.Dir(s.File)); err != nil {
		return fmt.Errorf("creating key file: %w", err)
	}
	if _, err := os.Lstat(s.File); err == nil { // before the service is asked
		return s.existsAlready()
	}
	text, err := s.encrypt(ctx, []byte("# sfmcp-proxy sealing keys; the first seals, all open. Keep a copy off this host.\n"+NewKeyLine()))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return s.existsAlready()
	}
	if err != nil {
		return fmt.Errorf("creating key file: %w", err)
	}
	KeepOwner(f, filepath.Dir(s.File))
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close(), SyncDirectory(filepath.Dir(s.File)))
}

func (s Source) existsAlready() error {
	return fmt.Errorf("key file %s exists already, and is never replaced: 'key rotate' puts a new key in front", s.File)
}

// Rotate puts a new key in front of those of the key file: it seals once the file is read
// again, and the others still open. The file is replaced in one step; of several processes
// that do so at once each finds what the others wrote. Where the configuration names a key
// service, a file that was not encrypted is from then on.
func (s Source) Rotate(ctx context.Context) error {
	return s.exclusively(func() error { return s.rotate(ctx) })
}

// Reencrypt has the key file encrypted by the service of s, or by none, where another one, previous,
// or none encrypted it until now. The keys stay as they are, so that processes which have them go on.
func (s Source) Reencrypt(ctx context.Context, previous KeyService) error {
	return s.exclusively(func() error {
		text, err := s.read()
		if err != nil {
			return err
		}
		plain, err := Source{File: s.File, Service: previous}.decrypt(ctx, text)
		if err != nil {
			return err
		}
		if _, err := s.parse(plain); err != nil {
			return err
		}
		if text, err = s.encrypt(ctx, plain); err != nil {
			return err
		}
		return s.put(text)
	})
}

// exclusively changes the key file while no other process does.
func (s Source) exclusively(change func() error) error {
	if err := s.CanRotate(); err != nil {
		return err
	}
	if _, err := s.read(); err != nil { // nothing is made beside a file that is not there
		return err
	}
	// The file itself is replaced, so that a lock on it would hold nobody up.
	held, err := os.OpenFile(s.File+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("writing key file: %w", err)
	}
	KeepOwner(held, s.File) // whoever the keys belong to is to lock it next
	if err := lock(held); err != nil {
		return errors.Join(fmt.Errorf("writing key file: %w", err), held.Close())
	}
	return errors.Join(change(), held.Close())
}

func (s Source) rotate(ctx context.Context) error {
	text, err := s.read()
	if err != nil {
		return err
	}
	plain := text
	if s.Service == nil || strings.HasPrefix(string(text), envelopeHead) {
		if plain, err = s.decrypt(ctx, text); err != nil {
			return err
		}
	}
	if _, err := s.parse(plain); err != nil {
		return err
	}
	if _, _, found := cutAdded(plain); found {
		return fmt.Errorf("%s: %w", s.where(), errAdded)
	}
	if text, err = s.encrypt(ctx, append([]byte(NewKeyLine()), plain...)); err != nil {
		return err
	}
	return s.put(text)
}

// put replaces the key file in one step.
func (s Source) put(text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(s.File), ".keys-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing key file: %w", err)
	}
	KeepOwner(f, s.File)
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing key file: %w", err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), s.File); err != nil {
		return errors.Join(fmt.Errorf("writing key file: %w", err), os.Remove(f.Name()))
	}
	return SyncDirectory(filepath.Dir(s.File))
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
	return sealingKey{id: id, root: root}, nil
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
