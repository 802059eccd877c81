package link_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const otherOrgID = "00Dxx0000002gPGEAY"

// CL-09: the name of an org stands for one org as long as anything of it is stored: a login
// that is alive, one that is lost, one whose revocation waits. Nothing of another name
// counts, and once nothing is left the name is free.
func TestCL09NameOfAnOrg(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p := newFiles(t).start(t, f, nil)
	bind := func(org, id string) string {
		t.Helper()
		if err := p.Bind(t.Context(), org, id); err != nil {
			return err.Error()
		}
		return ""
	}
	if why := bind("sandbox", otherOrgID) + bind("acme", orgID) + bind("acme", orgID); why != "" {
		t.Fatalf("at first: %s", why)
	}
	if why := bind("acme", otherOrgID) + bind("acme", orgID); why != "" {
		t.Errorf("before anybody has signed in: %s", why)
	}
	p.signIn(t, f)
	refused := func(when string) {
		t.Helper()
		if why := bind("acme", otherOrgID); !strings.Contains(why, orgID) || !strings.Contains(why, otherOrgID) {
			t.Errorf("%s, the name moves: %q", when, why)
		}
		if why := bind("acme", orgID); why != "" {
			t.Errorf("%s, it is not what it was: %s", when, why)
		}
		if why := bind("sandbox", orgID) + bind("sandbox", otherOrgID); why != "" {
			t.Errorf("%s, a name without logins cannot move: %s", when, why)
		}
	}
	refused("with a login")
	f.set(func() { f.revoke = answer(http.StatusServiceUnavailable, "down") })
	if err := p.Revoke(t.Context(), "acme", alice, "test"); err != nil {
		t.Fatal(err)
	}
	refused("with a revocation that waits")
	f.set(func() { f.revoke = nil })
	f.clock.pass(time.Hour)
	p.drain(t)
	if why := bind("acme", otherOrgID); why != "" {
		t.Errorf("with nothing left: %s", why)
	}
}

// Logins that are over, or of another org, are neither to be opened nor to be worried about.
func TestOpenable(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs, others := newFiles(t), newFiles(t)
	p := fs.start(t, f, nil)
	p.signIn(t, f)
	if err := p.Replace(t.Context(), "acme", f.signIn(bob)); err != nil {
		t.Fatal(err)
	}
	if err := p.Revoke(t.Context(), "acme", bob, "test"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name         string
		p            *process
		org          string
		open, closed []string
	}{
		{"its own org", p, "acme", []string{alice}, nil},
		{"another org", p, "sandbox", nil, nil},
		{"another key", files{others.dir, fs.url}.start(t, f, nil), "acme", nil, []string{alice}},
	} {
		open, closed, err := tt.p.Openable(t.Context(), tt.org)
		if err != nil || !slices.Equal(open, tt.open) || !slices.Equal(closed, tt.closed) {
			t.Errorf("%s: %v open, %v closed, %v", tt.name, open, closed, err)
		}
	}
}
