package access

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/grant"
)

// S7: a stop that somebody removes or changes without the keys stops everything, until the
// position is set anew.
func TestS7ForgedStop(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"off":            `UPDATE stops SET value = 'off'`,
		"deleted":        `DELETE FROM stops`,
		"another's":      `UPDATE stops SET value = 'off', changed_by = 'admin'`,
		"of another row": `UPDATE stops SET value = 'off', mac = (SELECT mac FROM users LIMIT 1)`,
		"renamed":        `UPDATE stops SET name = 'was'`,
	} {
		f := open(t)
		f.token(t, alice, "sales")
		for _, stop := range []Stop{StopAll, StopWrites} {
			if err := f.SetStop(t.Context(), stop, "test"); err != nil {
				t.Fatal(err)
			}
			if _, err := f.db.Writes.Exec(statement); err != nil {
				t.Fatal(err)
			}
			if got, err := f.StopMode(t.Context()); !errors.Is(err, ErrStopAltered) || got != StopAll {
				t.Errorf("%s, from %s: %s, %v", name, stop, got, err)
			}
			if _, err := f.db.Writes.Exec(`DELETE FROM stops WHERE name = 'was'`); err != nil {
				t.Fatal(err)
			}
			if err := f.SetStop(t.Context(), StopOff, "test"); err != nil {
				t.Fatal(err)
			}
			if got, err := f.StopMode(t.Context()); err != nil || got != StopOff {
				t.Errorf("%s: set anew: %s, %v", name, got, err)
			}
		}
	}
}

// S7: whoever writes himself a username is in nobody's group, and decides nothing.
func TestS7ForgedUsername(t *testing.T) {
	t.Parallel()
	f := open(t)
	const mallory = "005xx000001Sv9ZAAS"
	f.name(t, bob, "bob@acme.example")
	f.name(t, mallory, "mallory@acme.example")
	token, _ := f.token(t, mallory, "pilot")
	var denied *DeniedError
	if _, err := f.Admit(t.Context(), token, "pilot"); !errors.As(err, &denied) {
		t.Fatalf("before: %v", err)
	}
	if _, err := f.db.Writes.Exec(`UPDATE users SET username = 'bob@acme.example' WHERE subject = $1`, mallory); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Admit(t.Context(), token, "pilot"); err == nil {
		t.Error("admitted by a username that was written in")
	}
	if p, err := f.Person(t.Context(), "acme", mallory); !errors.Is(err, grant.ErrBlocked) {
		t.Errorf("signed in as %+v, %v", p, err)
	}
}
