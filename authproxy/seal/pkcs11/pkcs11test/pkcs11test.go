// Package pkcs11test makes tokens of SoftHSM 2 for tests, by the tools that an administrator of a
// token uses. Where these are not installed the test is skipped; SFMCP_TEST_REQUIRE=softhsm makes
// it fail.
package pkcs11test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	// Library is that of SoftHSM in Debian.
	Library = "/usr/lib/softhsm/libsofthsm2.so"
	// Label is that of the token.
	Label = "proxy"
	// PIN is that of the token's user. It is long enough not to stand anywhere by chance.
	PIN = "canary-4417"
)

// Token is a token in a folder of its own.
type Token struct {
	t   *testing.T
	dir string
	// PINFile has the PIN.
	PINFile string
}

// New makes a token, which libraries find that are started from here on: it sets SOFTHSM2_CONF.
func New(t *testing.T) *Token {
	t.Helper()
	for _, program := range []string{Library, "/usr/bin/softhsm2-util", "/usr/bin/pkcs11-tool"} {
		if _, err := os.Stat(program); err == nil {
			continue
		}
		if slices.Contains(strings.Split(os.Getenv("SFMCP_TEST_REQUIRE"), ","), "softhsm") {
			t.Fatalf("%s is required and missing: install softhsm2 and opensc", program)
		}
		t.Skipf("%s is not installed", program)
	}
	k := &Token{t: t, dir: t.TempDir()}
	k.PINFile = k.Write("pin", PIN+"\n")
	if err := os.Mkdir(k.tokens(), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", k.Write("softhsm2.conf", "directories.tokendir = "+k.tokens()+"\n"))
	k.run("softhsm2-util", "--init-token", "--free", "--label", Label, "--so-pin", "12345678", "--pin", PIN)
	return k
}

func (k *Token) tokens() string { return filepath.Join(k.dir, "tokens") }

// Write writes a file, readable by its owner alone, in the folder of the token.
func (k *Token) Write(name, text string) (path string) {
	k.t.Helper()
	path = filepath.Join(k.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

func (k *Token) run(program string, args ...string) {
	k.t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		k.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// NewKey has the token make a key of a kind that pkcs11-tool knows, as AES:32, with options of it.
func (k *Token) NewKey(label, kind string, options ...string) {
	k.t.Helper()
	k.run("pkcs11-tool", append([]string{"--module", Library, "--token-label", Label, "--login", "--pin", PIN,
		"--keygen", "--key-type", kind, "--label", label}, options...)...)
}

// TakeOut takes the token out of its slot.
func (k *Token) TakeOut() {
	k.t.Helper()
	if err := errors.Join(os.Rename(k.tokens(), k.tokens()+".out"), os.Mkdir(k.tokens(), 0o700)); err != nil {
		k.t.Fatal(err)
	}
}

// PutIn puts it back.
func (k *Token) PutIn() {
	k.t.Helper()
	if err := errors.Join(os.Remove(k.tokens()), os.Rename(k.tokens()+".out", k.tokens())); err != nil {
		k.t.Fatal(err)
	}
}
