package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// service is a key service in memory. It counts what it is asked, and can be out of reach.
type service struct {
	keys  map[string][]byte
	asked int
	away  error
}

func (s *service) String() string { return "a key service" }

func (s *service) DataKey(context.Context) (key, encrypted []byte, err error) {
	s.asked++
	if s.away != nil {
		return nil, nil, s.away
	}
	key, encrypted = []byte(Secret("")[:keySize]), []byte(Secret(""))
	s.keys[string(encrypted)] = key
	return key, encrypted, nil
}

func (s *service) Decrypt(_ context.Context, encrypted []byte) ([]byte, error) {
	s.asked++
	if key := s.keys[string(encrypted)]; key != nil && s.away == nil {
		return key, nil
	}
	return nil, errors.Join(s.away, errors.New("no such key"))
}

// FT-54: the file has no key in the clear; without the service nothing starts, and what runs
// goes on with the keys that it has, and asks again once a time has passed.
func TestFaultFT54KeyServiceIsAway(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := &service{keys: map[string][]byte{}}
	source := Source{File: filepath.Join(t.TempDir(), "keys"), Service: s, Now: func() time.Time { return now }}
	if err := source.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	running, err := source.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := running.Seal(place, []byte("canary"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source.File)
	if err != nil || bytes.Contains(text, []byte(running.IDs()[0])) || !bytes.HasPrefix(text, []byte(envelopeHead)) {
		t.Errorf("the file is not encrypted: %.80q %v", text, err)
	}
	if _, err := LoadKeyRing(source.File); err == nil || !strings.Contains(err.Error(), "set key_service") {
		t.Errorf("without a service in the configuration: %v", err)
	}
	if err := source.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}

	s.away, s.asked = errors.New("no route to host"), 0
	if _, err := source.Load(t.Context()); !errors.Is(err, s.away) || !strings.Contains(err.Error(), "a key service") {
		t.Errorf("a start without it: %v", err)
	}
	if err := source.Rotate(t.Context()); !errors.Is(err, s.away) {
		t.Errorf("a rotation without it: %v", err)
	}
	if after, _ := os.ReadFile(source.File); len(after) == 0 || s.asked != 2 {
		t.Errorf("%d bytes, asked %d times", len(after), s.asked)
	}
	for range 5 {
		if changed, err := running.Reload(); changed || !errors.Is(err, s.away) {
			t.Errorf("a reload without it: %t %v", changed, err)
		}
	}
	if got, err := running.Open(place, sealed); err != nil || string(got) != "canary" || s.asked != 3 {
		t.Errorf("%q %v, asked %d times", got, err, s.asked)
	}
	s.away = nil
	now = now.Add(askAgain)
	if changed, err := running.Reload(); !changed || err != nil || len(running.IDs()) != 2 {
		t.Errorf("once it answers: %t %v %v", changed, err, running.IDs())
	}
	asked := s.asked
	if changed, err := running.Reload(); changed || err != nil || s.asked != asked {
		t.Errorf("nothing changed: %t %v, asked %d times", changed, err, s.asked-asked)
	}
}

// Every change of an encrypted file is noticed.
func TestST03EncryptedKeyFileChanged(t *testing.T) {
	t.Parallel()
	source := Source{File: filepath.Join(t.TempDir(), "keys"), Service: &service{keys: map[string][]byte{}}}
	if err := source.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(source.File)
	if err != nil {
		t.Fatal(err)
	}
	for at := len(envelopeHead); at < len(good); at += 7 {
		bad := bytes.Clone(good)
		bad[at] ^= 4
		if err := os.WriteFile(source.File, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Load(t.Context()); err == nil {
			t.Errorf("a change at %d is not noticed", at)
		}
	}
	for name, text := range map[string]string{"head alone": envelopeHead, "cut": string(good[:len(good)-9]), "longer": string(good) + "\n", "twice": string(good) + string(good)} {
		if err := os.WriteFile(source.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Load(t.Context()); !errors.Is(err, errEnvelope) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FT-54: a file in the clear is none of a proxy whose keys are to be encrypted, until a
// rotation encrypts it. The keys stay.
func TestFaultFT54PlainFileIsRefusedAndEncrypted(t *testing.T) {
	t.Parallel()
	plain := ring(t)
	before := plain.MAC("p", "x")
	source := Source{File: plain.Path(), Service: &service{keys: map[string][]byte{}}}
	if _, err := source.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "'key rotate'") {
		t.Errorf("%v", err)
	}
	if err := source.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	encrypted, err := source.Load(t.Context())
	if err != nil || encrypted.CheckMAC(before, "p", "x") != nil || len(encrypted.IDs()) != 2 {
		t.Errorf("%v", err)
	}
}

// FT-54: a file that one service encrypted is encrypted by another, or by none, with the keys that
// it had; what runs notices nothing. Without the service that encrypted it nothing is written.
func TestFaultFT54AnotherKeyService(t *testing.T) {
	t.Parallel()
	first, second := &service{keys: map[string][]byte{}}, &service{keys: map[string][]byte{}}
	file := filepath.Join(t.TempDir(), "keys")
	of := func(k KeyService) Source { return Source{File: file, Service: k} }
	if err := of(first).Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	running, err := of(first).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, previous := range map[string]KeyService{"none": nil, "another": second} {
		if err := of(second).Reencrypt(t.Context(), previous); err == nil {
			t.Errorf("encrypted until now by %s: no error", what)
		}
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Error("the file was written")
	}
	previous := KeyService(first)
	for what, next := range map[string]KeyService{"another": second, "none": nil, "the first": first} {
		if err := of(next).Reencrypt(t.Context(), previous); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		ring, err := of(next).Load(t.Context())
		if err != nil || len(ring.IDs()) != 1 || ring.IDs()[0] != running.IDs()[0] {
			t.Fatalf("%s: %v", what, err)
		}
		if text, _ := os.ReadFile(file); bytes.HasPrefix(text, []byte(envelopeHead)) != (next != nil) {
			t.Errorf("%s: %.60q", what, text)
		}
		previous = next
	}
	if sealed, err := running.Seal(place, []byte("canary")); err != nil {
		t.Error(err)
	} else if got, err := running.Open(place, sealed); err != nil || string(got) != "canary" {
		t.Errorf("what runs: %q %v", got, err)
	}
}

// Keys come from a credential of systemd or from the environment as from a file, and are
// rotated where they were made.
func TestKeysFromElsewhere(t *testing.T) { // not in parallel: it sets the environment
	dir := t.TempDir()
	for from, set := range map[string]func(text string){
		FromEnvironment: func(text string) { t.Setenv(KeysVariable, text) },
		FromCredential: func(text string) {
			t.Setenv("CREDENTIALS_DIRECTORY", dir)
			path := filepath.Join(dir, CredentialName)
			if err := os.WriteFile(path, []byte(text), 0o444); err != nil {
				t.Fatal(err)
			}
			if err := CheckPrivate(path); !errors.Is(err, ErrNotPrivate) {
				t.Errorf("a credential that everybody reads: %v", err)
			}
			if err := os.Chmod(path, 0o440); err != nil { // as systemd has it, with an access list
				t.Fatal(err)
			}
			elsewhere := filepath.Join(t.TempDir(), "secret")
			if err := errors.Join(os.WriteFile(elsewhere, nil, 0o600), os.Chmod(elsewhere, 0o440)); err != nil {
				t.Fatal(err)
			}
			if err := CheckPrivate(elsewhere); os.Geteuid() == 0 && !errors.Is(err, ErrNotPrivate) {
				t.Errorf("the same elsewhere: %v", err)
			}
		},
	} {
		source := Source{File: filepath.Join(dir, "keys"), From: from}
		if _, err := source.Load(t.Context()); err == nil || !strings.Contains(err.Error(), source.where()) {
			t.Errorf("%s: nothing is there: %v", from, err)
		}
		line := NewKeyLine()
		set(line)
		ring, err := source.Load(t.Context())
		if err != nil || ring.IDs()[0] != strings.Fields(line)[0] {
			t.Fatalf("%s: %v", from, err)
		}
		for what, err := range map[string]error{"create": source.Create(t.Context()), "rotate": source.Rotate(t.Context())} {
			if err == nil || !strings.Contains(err.Error(), "SFMCP_KEYS_FROM=file") {
				t.Errorf("%s: %s: %v", from, what, err)
			}
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("something was written: %v", files)
	}
}

// Two processes that rotate at once lose no key of each other.
func TestFaultFT46TwoProcessesRotateAtOnce(t *testing.T) {
	const rounds, child = 15, "SEAL_ROTATE_HERE"
	if path := os.Getenv(child); path != "" {
		for range rounds {
			if err := RotateKeyFile(path); err != nil {
				t.Fatal(err)
			}
			ring, err := LoadKeyRing(path)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println("seen", ring.IDs()[0])
		}
		return
	}
	t.Parallel()
	first := ring(t)
	var out [2]bytes.Buffer
	var both [2]*exec.Cmd
	for i := range both {
		both[i] = exec.Command(os.Args[0], "-test.run=^TestFaultFT46TwoProcessesRotateAtOnce$")
		both[i].Env, both[i].Stdout, both[i].Stderr = append(os.Environ(), child+"="+first.Path()), &out[i], &out[i]
		if err := both[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range both {
		if err := both[i].Wait(); err != nil {
			t.Fatalf("%v\n%s", err, &out[i])
		}
	}
	if changed, err := first.Reload(); !changed || err != nil {
		t.Fatal(err)
	}
	if n := len(first.IDs()); n != 1+2*rounds {
		t.Errorf("%d keys, expected %d", n, 1+2*rounds)
	}
	for line := range strings.Lines(out[0].String() + out[1].String()) {
		if id, ok := strings.CutPrefix(line, "seen "); ok && !strings.Contains(strings.Join(first.IDs(), "\n")+"\n", id) {
			t.Errorf("key %s is lost", id)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(first.Path()), ".keys-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
