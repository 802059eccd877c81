package access

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
)

func TestAdmit(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.name(t, bob, "bob@acme.example")
	for subject, want := range map[string]policy.Principal{
		alice: {Org: "acme", Subject: alice, Client: "chatgpt", Groups: []string{"pilot"}},
		bob:   {Org: "acme", Subject: bob, Username: "bob@acme.example", Client: "chatgpt", Groups: []string{"pilot"}},
	} {
		token, id := f.token(t, subject, "pilot")
		caller, err := f.Admit(t.Context(), token, "pilot")
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		if diff := cmp.Diff(want, caller.Principal); diff != "" {
			t.Errorf("%s (-want +got): %s", subject, diff)
		}
		if caller.Server != f.Server("pilot") || caller.Grant.ID != id {
			t.Errorf("%s: server %v, grant %v", subject, caller.Server, caller.Grant)
		}
	}
}

// denied is what Admit says of a token, in one word.
func (f *fixture) denied(t *testing.T, ctx context.Context, token, server string) string {
	t.Helper()
	caller, err := f.Admit(ctx, token, server)
	if err == nil {
		return "admitted"
	}
	if diff := cmp.Diff(Caller{}, caller); diff != "" {
		t.Errorf("refused with a caller: %s", diff)
	}
	if errors.Is(err, ErrInvalidToken) {
		return "invalid"
	}
	denied, ok := errors.AsType[*DeniedError](err)
	if !ok {
		return "unchecked"
	}
	if denied.Caller.Grant == nil {
		t.Errorf("%v, and nobody knows of whom", err)
	}
	return map[Denial]string{ForeignToken: "foreign", NotInGroups: "groups", ScopeMissing: "scope"}[denied.Denial]
}

// Each reason to refuse, alone, with what is known before and after. The token is of
// alice, for the server pilot, unless the case makes another.
func TestAdmitRefuses(t *testing.T) {
	t.Parallel()
	f := open(t)
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	unblock := func(t *testing.T) {
		t.Helper()
		if err := f.grants.UnblockUser(t.Context(), "acme", alice); !errors.Is(err, grant.ErrNotFound) {
			must(t, err)
		}
	}
	for name, tt := range map[string]struct {
		server string // "": pilot
		take   func(t *testing.T, f *fixture, token, grantID string) (other string)
		want   string
	}{
		"no token":        {"", func(*testing.T, *fixture, string, string) string { return "" }, "invalid"},
		"malformed token": {"", func(_ *testing.T, _ *fixture, token, _ string) string { return token + "A" }, "invalid"},
		"unknown token":   {"", func(*testing.T, *fixture, string, string) string { return "sfa_" + strings.Repeat("A", 43) }, "invalid"},
		"expired token":   {"", func(_ *testing.T, f *fixture, _, _ string) string { f.clock.add(15 * time.Minute); return "" }, "invalid"},
		"expired grant": {"", func(t *testing.T, f *fixture, _, id string) string {
			_, err := f.db.Writes.Exec(`UPDATE grants SET expires_at = $1 WHERE id = $2`, f.clock.Now().UnixMilli(), id)
			must(t, err)
			return ""
		}, "invalid"},
		"revoked grant": {"", func(t *testing.T, f *fixture, _, id string) string {
			_, err := f.grants.RevokeGrant(t.Context(), id, "test")
			must(t, err)
			return ""
		}, "invalid"},
		"blocked user": {"", func(t *testing.T, f *fixture, _, _ string) string {
			_, err := f.grants.BlockUser(t.Context(), "acme", alice, "test")
			must(t, err)
			return ""
		}, "invalid"},
		"user blocked though the grant lives": {"", func(t *testing.T, f *fixture, _, _ string) string {
			_, err := f.db.Writes.Exec(`UPDATE users SET blocked_at = 1 WHERE subject = $1`, alice)
			must(t, err)
			return ""
		}, "invalid"},
		"client not accepted any more": {"", func(t *testing.T, f *fixture, _, id string) string {
			_, err := f.db.Writes.Exec(`UPDATE grants SET client_id = 'gone' WHERE id = $1`, id)
			must(t, err)
			return ""
		}, "invalid"},
		"another server's token":         {"sales", func(*testing.T, *fixture, string, string) string { return "" }, "foreign"},
		"another server's token at none": {"none", func(*testing.T, *fixture, string, string) string { return "" }, "foreign"},
		"another server's token of a blocked user": {"sales", func(t *testing.T, f *fixture, _, _ string) string {
			_, err := f.grants.BlockUser(t.Context(), "acme", alice, "test")
			must(t, err)
			return ""
		}, "invalid"},
		"server is gone": {"", func(t *testing.T, f *fixture, _, _ string) string {
			f.reconfigure(t, func(c *Config) { c.Servers = c.Servers[:1] })
			return ""
		}, "invalid"},
		"server of another org now": {"", func(t *testing.T, f *fixture, _, _ string) string {
			f.reconfigure(t, func(c *Config) { c.Servers[1].Org = "sandbox" })
			return ""
		}, "invalid"},
		"another public URL now": {"", func(t *testing.T, f *fixture, _, _ string) string {
			f.reconfigure(t, func(c *Config) { c.PublicURL = "https://other.example" })
			return ""
		}, "invalid"},
		"group is emptied": {"", func(t *testing.T, f *fixture, _, _ string) string {
			f.reconfigure(t, func(c *Config) { c.Groups = c.Groups[:1] })
			return ""
		}, "groups"},
		"server of another group now": {"", func(t *testing.T, f *fixture, _, _ string) string {
			f.reconfigure(t, func(c *Config) { c.Servers[1].Groups = []string{"others"} })
			return ""
		}, "groups"},
		"server without groups": {"nobody", func(t *testing.T, f *fixture, _, _ string) string {
			token, _ := f.token(t, alice, "nobody")
			return token
		}, "groups"},
		"user in no group": {"", func(t *testing.T, f *fixture, _, _ string) string {
			token, _ := f.token(t, carol, "pilot")
			return token
		}, "groups"},
		"grant without the scope": {"", func(t *testing.T, f *fixture, _, _ string) string {
			token, _ := f.scoped(t, alice, "pilot", "offline_access mcp2 xmcp")
			return token
		}, "scope"},
	} {
		t.Run(name, func(t *testing.T) {
			unblock(t)
			f.reset(t)
			token, id := f.token(t, alice, "pilot")
			if got := f.denied(t, t.Context(), token, "pilot"); got != "admitted" {
				t.Fatalf("before: %s", got)
			}
			other := tt.take(t, f, token, id)
			if other != "" || name == "no token" {
				token = other
			}
			server := tt.server
			if server == "" {
				server = "pilot"
			}
			if got := f.denied(t, t.Context(), token, server); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	unblock(t)
	f.reset(t)
	token, _ := f.token(t, alice, "pilot")
	f.db.Reads.Close()
	if got := f.denied(t, t.Context(), token, "pilot"); got != "unchecked" {
		t.Errorf("without a database: %s", got)
	}
}

// A username that moves to somebody else takes its groups along, for the next call, though
// everything is remembered.
func TestAdmitFollowsUsernames(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.name(t, bob, "bob@acme.example")
	token, _ := f.token(t, bob, "pilot")
	f.remember(t)
	if got := f.denied(t, t.Context(), token, "pilot"); got != "admitted" {
		t.Fatal(got)
	}
	f.name(t, carol, "bob@acme.example")
	if got := f.denied(t, t.Context(), token, "pilot"); got != "groups" {
		t.Errorf("after the username moved: %s", got)
	}
}

func TestDenialsAreNamedForTheAuditLog(t *testing.T) {
	t.Parallel()
	g := &grant.Grant{Server: "sales"}
	for denial, want := range map[Denial]string{
		ForeignToken: "the token is of server sales", NotInGroups: "the user is in none of the server's groups", ScopeMissing: "the token lacks the scope",
	} {
		if got := (&DeniedError{denial, Caller{Grant: g}}).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What is remembered costs no read of the database: the only reads are package grant's.
func TestAdmitReadsNothing(t *testing.T) {
	t.Parallel()
	f := open(t)
	token, _ := f.token(t, alice, "pilot")
	f.remember(t)
	if got := f.denied(t, t.Context(), token, "pilot"); got != "admitted" {
		t.Fatal(got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()                // nothing can be read with it
	for try := 0; ; try++ { // while the machine is busy nothing is remembered for a moment
		got := f.denied(t, ended, token, "pilot")
		mode, err := f.StopMode(ended)
		if got == "admitted" && err == nil && mode == StopOff {
			return
		}
		if try == 100 {
			t.Fatalf("%s, %v, %v", got, mode, err)
		}
		time.Sleep(10 * time.Millisecond)
		f.denied(t, t.Context(), token, "pilot")
		f.StopMode(t.Context())
	}
}

// RS-20: that a caller is still admitted is not said any more once anything may have ended it.
func TestRS20StillAdmitted(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, f *fixture, id string) error{
		"the grant is revoked": func(t *testing.T, f *fixture, id string) error {
			_, err := f.grants.RevokeGrant(t.Context(), id, "test")
			return err
		},
		"the user is blocked": func(t *testing.T, f *fixture, _ string) error {
			_, err := f.grants.BlockUser(t.Context(), "acme", alice, "test")
			return err
		},
		"everything is stopped": func(t *testing.T, f *fixture, _ string) error { return f.SetStop(t.Context(), StopAll, "test") },
		"the username moved": func(t *testing.T, f *fixture, _ string) error {
			f.name(t, bob, "alice@acme.example")
			f.name(t, bob, "moved@acme.example")
			return nil
		},
		"the token expired": func(_ *testing.T, f *fixture, _ string) error { f.clock.add(15 * time.Minute); return nil },
	} {
		f := open(t)
		f.remember(t)
		token, id := f.token(t, alice, "pilot")
		var caller Caller
		eventually(t, func() bool { // on a busy machine the watcher is late now and then
			var err error
			if caller, err = f.Admit(t.Context(), token, "pilot"); err != nil {
				t.Fatal(name, err)
			}
			return f.StillAdmits(caller)
		})
		if err := lose(t, f, id); err != nil {
			t.Fatal(name, err)
		}
		if f.StillAdmits(caller) {
			t.Errorf("%s, and the caller is said to be admitted still", name)
		}
	}
	if open(t).StillAdmits(Caller{}) {
		t.Error("nobody is said to be admitted")
	}
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for range 10_000 {
		if is() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it did not come about")
}
