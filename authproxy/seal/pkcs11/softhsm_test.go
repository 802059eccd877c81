//go:build pkcs11 && cgo

package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/authproxy/seal/pkcs11/pkcs11test"
)

// token is one of SoftHSM 2, and what a service of it is configured by.
type token struct {
	*pkcs11test.Token
	t      *testing.T
	config Config
}

func newToken(t *testing.T) token {
	t.Helper()
	k := pkcs11test.New(t)
	return token{Token: k, t: t, config: Config{Module: pkcs11test.Library, Token: pkcs11test.Label, Key: "sealing", PINFile: k.PINFile}}
}

// open is a service of the token; change changes what it is configured by.
func (h token) open(change func(*Config)) seal.KeyService {
	h.t.Helper()
	c := h.config
	if change != nil {
		change(&c)
	}
	s, err := Open(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// refused asks for a data key, which has to fail with words of want and without the PIN.
func refused(t *testing.T, what string, s seal.KeyService, want ...string) {
	t.Helper()
	_, _, err := s.DataKey(t.Context())
	if err == nil {
		t.Errorf("%s: a key", what)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %v: expected %q", what, err, w)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("%s: the error has the PIN: %v", what, err)
	}
}

// FT-54: a ring that a token encrypts is made, read and rotated; with the token taken out nothing
// starts, what runs goes on; put back, it is asked anew without a restart.
func TestFaultFT54RingUnderAKeyOfAToken(t *testing.T) {
	h := newToken(t)
	h.NewKey("sealing", "AES:32", "--sensitive")
	now := time.Now()
	source := seal.Source{File: filepath.Join(t.TempDir(), "keys"), Service: h.open(nil), Now: func() time.Time { return now }}
	if err := source.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	running, err := source.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source.File)
	if err != nil || bytes.Contains(text, []byte(running.IDs()[0])) {
		t.Errorf("the file is not encrypted: %s %v", text, err)
	}
	if err := source.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if changed, err := running.Reload(); !changed || err != nil || len(running.IDs()) != 2 {
		t.Errorf("after a rotation: %t %v", changed, err)
	}
	if err := source.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}

	h.TakeOut()
	if _, err := source.Load(t.Context()); err == nil || !strings.Contains(err.Error(), `no token is there: see that "proxy" is put in`) {
		t.Errorf("a start without the token: %v", err)
	}
	if err := source.Rotate(t.Context()); err == nil {
		t.Error("a rotation without the token")
	}
	if changed, err := running.Reload(); changed || err == nil || len(running.IDs()) != 2 {
		t.Errorf("what runs: %t %v %v", changed, err, running.IDs())
	}
	h.PutIn()
	now = now.Add(time.Minute)
	if changed, err := running.Reload(); !changed || err != nil || len(running.IDs()) != 3 {
		t.Errorf("once the token is back: %t %v %v", changed, err, running.IDs())
	}
}

// FT-54: each thing that can be wrong is told by what to do about it.
func TestFaultFT54WhatIsWrongWithAToken(t *testing.T) {
	h := newToken(t)
	h.NewKey("sealing", "AES:32", "--sensitive")
	h.NewKey("twice", "AES:32", "--sensitive")
	h.NewKey("twice", "AES:32", "--sensitive")
	h.NewKey("short", "AES:16", "--sensitive")
	h.NewKey("readable", "AES:32")
	h.NewKey("loose", "AES:32", "--sensitive", "--extractable")
	h.NewKey("other", "generic:32", "--sensitive")
	label := func(key string) func(*Config) { return func(c *Config) { c.Key = key } }
	file := func(path string) func(*Config) { return func(c *Config) { c.PINFile = path } }
	module := func(path string) func(*Config) { return func(c *Config) { c.Module = path } }
	open := h.Write("open", pkcs11test.PIN)
	writable := h.Write("writable.so", "")
	if err := errors.Join(os.Chmod(open, 0o644), os.Chmod(writable, 0o666)); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"key missing":       {label("nothing"), `no secret key with the label "nothing"`},
		"key twice":         {label("twice"), "several secret keys"},
		"short key":         {label("short"), "is no key of 256 bits"},
		"key of no AES":     {label("other"), "is no AES key"},
		"readable key":      {label("readable"), "can be read out"},
		"extractable key":   {label("loose"), "can be taken out"},
		"token missing":     {func(c *Config) { c.Token = "elsewhere" }, `no token has the label "elsewhere" (key_service.token): there are "proxy"`},
		"PIN file missing":  {file("/nowhere/at/all"), "key_service.pin_file"},
		"PIN file of all":   {file(open), "may be read by others"},
		"PIN empty":         {file(h.Write("empty", "\n")), "is empty"},
		"PIN too short":     {file(h.Write("short", "1")), "key_service.pin_file"},
		"module missing":    {module("/nowhere/lib.so"), "key_service.module"},
		"module no library": {module(h.Write("text.so", "no library")), "cannot be loaded as a PKCS #11 library: 'ldd "},
		"module of no use":  {module("/bin/true"), "cannot be loaded"},
		"module of others":  {module(writable), "may be written by others"},
		"module a folder":   {module(t.TempDir()), "not the absolute path of a file"},
	} {
		refused(t, what, h.open(c.change), c.want)
	}
	s := h.open(nil)
	if key, _, err := s.DataKey(t.Context()); err != nil || len(key) != keySize {
		t.Errorf("after all that: %v", err)
	}
	if got := s.String(); !strings.Contains(got, `"proxy"`) || !strings.Contains(got, `"sealing"`) {
		t.Error(got)
	}
}

// FT-54: a wrong PIN is given to the token once by a process, which goes on once the file has
// the right one; the last try of a token is none of ours.
func TestFaultFT54WrongPINIsNotTriedAgain(t *testing.T) {
	h := newToken(t)
	h.NewKey("sealing", "AES:32", "--sensitive")
	h.Write("pin", "canary-wrong\n")
	s := h.open(nil)
	refused(t, "wrong PIN", s, "CKR_PIN_INCORRECT", "key_service.pin_file")
	for range 3 {
		refused(t, "wrong PIN again", s, errRefusedBefore.Error())
	}
	h.Write("pin", pkcs11test.PIN)
	if _, _, err := s.DataKey(t.Context()); err != nil {
		t.Errorf("the right PIN: %v", err)
	}
	for flag, want := range map[uint]string{0: "", pkcs11.CKF_USER_PIN_COUNT_LOW: "", pkcs11.CKF_USER_PIN_FINAL_TRY: "one more try", pkcs11.CKF_USER_PIN_LOCKED: "CKR_PIN_LOCKED",
		pkcs11.CKF_USER_PIN_TO_BE_CHANGED: "changed first"} {
		if err := mayTry(flag | pkcs11.CKF_TOKEN_INITIALIZED); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("flags %#x: %v", flag, err)
		}
	}
}

// ST-03: what the key encrypted opens whole, under that key, and for that purpose alone.
func TestST03DataKeyOfAToken(t *testing.T) {
	h := newToken(t)
	h.NewKey("sealing", "AES:32", "--sensitive")
	h.NewKey("other", "AES:32", "--sensitive")
	s := h.open(nil)
	key, encrypted, err := s.DataKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Decrypt(t.Context(), encrypted); err != nil || !bytes.Equal(got, key) || bytes.Contains(encrypted, key) {
		t.Fatalf("%v", err)
	}
	if _, second, err := s.DataKey(t.Context()); err != nil || bytes.Equal(second[:nonceSize], encrypted[:nonceSize]) {
		t.Errorf("a nonce comes twice: %v", err)
	}
	for at := range encrypted {
		bad := bytes.Clone(encrypted)
		bad[at] ^= 1
		if _, err := s.Decrypt(t.Context(), bad); !errors.Is(err, errNotOurs) {
			t.Fatalf("changed at %d: %v", at, err)
		}
	}
	for _, bad := range [][]byte{nil, encrypted[:nonceSize], encrypted[:len(encrypted)-1], append(bytes.Clone(encrypted), 0)} {
		if _, err := s.Decrypt(t.Context(), bad); !errors.Is(err, errNotOurs) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if _, err := h.open(func(c *Config) { c.Key = "other" }).Decrypt(t.Context(), encrypted); !errors.Is(err, errNotOurs) {
		t.Errorf("another key: %v", err)
	}
	mine := bound
	defer func() { bound = mine }()
	bound = []byte("something else")
	if _, err := s.Decrypt(t.Context(), encrypted); !errors.Is(err, errNotOurs) {
		t.Errorf("for another purpose: %v", err)
	}
}

// FT-54: a library that does not return holds nobody up for longer than they wait, and one that
// does serves many at once, one after the other.
func TestFaultFT54LibraryThatHangs(t *testing.T) {
	h := newToken(t)
	h.NewKey("sealing", "AES:32", "--sensitive")
	s := h.open(nil).(*Service)
	release, begun := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := s.ask(ctx, func(tokenKey) ([]byte, error) { close(begun); <-release; return nil, nil })
		first <- err
	}()
	select {
	case <-begun:
	case err := <-first:
		t.Fatalf("it was not asked: %v", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("the first: %v", err)
	}
	if _, _, err := s.DataKey(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "an earlier question") {
		t.Errorf("the next: %v", err)
	}
	close(release)
	all := make(chan error)
	for range 20 {
		go func() { _, _, err := s.DataKey(t.Context()); all <- err }()
	}
	for range 20 {
		if err := <-all; err != nil {
			t.Error(err)
		}
	}
}
