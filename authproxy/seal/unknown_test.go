package seal

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// FT-46, FT-54: a value under a key that is not there yet, or that cannot be looked for at the moment, is
// told from one that was changed; the error names the key and no secret, and why the file could not be read.
func TestFaultFT46KeyIsNotThereYet(t *testing.T) {
	t.Parallel()
	behind := ring(t)
	text, err := os.ReadFile(behind.Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := RotateKeyFile(behind.Path()); err != nil {
		t.Fatal(err)
	}
	ahead, err := LoadKeyRing(behind.Path())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := ahead.Seal(place, []byte("canary"))
	if err != nil {
		t.Fatal(err)
	}
	mac, id := ahead.MAC("p", "x"), ahead.IDs()[0]
	both, err := os.ReadFile(behind.Path())
	if err != nil {
		t.Fatal(err)
	}
	looked := func(want string, unread bool) {
		t.Helper()
		_, opening := behind.Open(place, sealed)
		for _, err := range []error{opening, behind.CheckMAC(mac, "p", "x")} {
			unknown, ok := errors.AsType[*UnknownKeyError](err)
			if !ok || unknown.ID != id || (unknown.Unread != nil) != unread || errors.Is(err, ErrSealed) || errors.Is(err, ErrMAC) || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q: %v", want, err)
			}
		}
	}
	if err := os.WriteFile(behind.Path(), text, 0o600); err != nil { // its own machine has the former file
		t.Fatal(err)
	}
	looked("which is not in key file "+behind.Path(), false)
	if err := os.Remove(behind.Path()); err != nil {
		t.Fatal(err)
	}
	looked("could not be looked for: key file "+behind.Path()+" does not exist", true)
	if err := os.WriteFile(behind.Path(), both, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := behind.Open(place, sealed); err != nil || string(got) != "canary" {
		t.Errorf("the file is there: %q %v", got, err)
	}
	if err := behind.CheckMAC(mac, "p", "x"); err != nil {
		t.Errorf("the file is there: %v", err)
	}
}
