//go:build pkcs11 && cgo

package pkcs11

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"sfmcp-proxy/authproxy/seal"
)

// Built says whether this program can speak with tokens.
const Built = true

// keySize is that of the data keys, for AES-256.
const keySize = 32

// Service is a key of a token.
type Service struct {
	config Config
	// refused is the hash of the PIN that the token refused last: a token locks itself after a few.
	refused atomic.Pointer[[sha256.Size]byte]
}

// Open looks at nothing yet.
func Open(c Config) (seal.KeyService, error) { return &Service{config: c}, nil }

func (s *Service) String() string { return s.config.String() }

// DataKey returns a fresh key of 32 bytes, and the same encrypted by the key in the token. What
// was encrypted is decrypted once before it counts: tokens differ in who chooses the nonce.
func (s *Service) DataKey(ctx context.Context) (key, encrypted []byte, err error) {
	key = make([]byte, keySize)
	rand.Read(key)
	encrypted, err = s.ask(ctx, func(k tokenKey) ([]byte, error) {
		encrypted, err := k.encrypt(key)
		if err != nil {
			return nil, err
		}
		again, err := k.decrypt(encrypted)
		if err != nil {
			return nil, fmt.Errorf("decrypting what it has encrypted: %w", err)
		}
		if subtle.ConstantTimeCompare(again, key) != 1 {
			return nil, errors.New("it decrypts what it has encrypted to something else")
		}
		return encrypted, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return key, encrypted, nil
}

// Decrypt returns the key that DataKey returned encrypted.
func (s *Service) Decrypt(ctx context.Context, encrypted []byte) ([]byte, error) {
	return s.ask(ctx, func(k tokenKey) ([]byte, error) {
		key, err := k.decrypt(encrypted)
		if err != nil {
			return nil, err
		}
		if len(key) != keySize {
			return nil, fmt.Errorf("what it decrypts has %d bytes, expected %d", len(key), keySize)
		}
		return key, nil
	})
}

// turn is had by who asks a token: being initialized and logged in are states of the whole
// process, whichever [Service] brought them about.
var turn = make(chan struct{}, 1)

// ask has the key do something. A call into a library cannot be called off: one that does not
// return keeps the turn, and others say so when their time is over.
func (s *Service) ask(ctx context.Context, what func(tokenKey) ([]byte, error)) ([]byte, error) {
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("an earlier question to a token has not been answered yet: %w", ctx.Err())
	}
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		defer func() { <-turn }()
		text, err := s.with(what)
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		return a.text, explained(a.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("the token does not answer: %w", ctx.Err())
	}
}

// with opens the library, the token and the key for one question, and closes all of it: a token
// may be taken out and put back between two, and its PIN changed.
func (s *Service) with(what func(tokenKey) ([]byte, error)) ([]byte, error) {
	pin, err := s.pin()
	if err != nil {
		return nil, err
	}
	library, err := load(s.config.Module)
	if err != nil {
		return nil, err
	}
	if err := library.Initialize(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.config.Module, err)
	}
	// How the ends go does not matter to the answer, and the last one is an end of all.
	defer library.Finalize()
	slot, err := slotOf(library, s.config.Token)
	if err != nil {
		return nil, err
	}
	session, err := openSession(library, slot)
	if err != nil {
		return nil, err
	}
	defer library.CloseSession(session)
	if err := s.login(library, slot, session, pin); err != nil {
		return nil, err
	}
	defer library.Logout(session)
	key, err := findKey(library, session, s.config.Key)
	if err != nil {
		return nil, err
	}
	return what(key)
}

// pin reads the PIN, of a file that is this user's alone.
func (s *Service) pin() (string, error) {
	if err := seal.CheckPrivate(s.config.PINFile); err != nil {
		return "", fmt.Errorf("PIN file (key_service.pin_file): %w", err)
	}
	text, err := os.ReadFile(s.config.PINFile)
	if err != nil {
		return "", fmt.Errorf("PIN file (key_service.pin_file): %w", err)
	}
	if text = bytes.TrimRight(text, "\r\n"); len(text) == 0 {
		return "", fmt.Errorf("PIN file %s (key_service.pin_file) is empty", s.config.PINFile)
	}
	return string(text), nil
}

// checkModule refuses a library that others could write: what is in it runs in this process.
func checkModule(path string) error {
	stat, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("library (key_service.module): %w", err)
	}
	if !filepath.IsAbs(path) || !stat.Mode().IsRegular() {
		return fmt.Errorf("library %s (key_service.module) is not the absolute path of a file", path)
	}
	if mode := stat.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("library %s (key_service.module) may be written by others (mode %04o), and runs in this process: chmod 644 it", path, mode)
	}
	return nil
}
