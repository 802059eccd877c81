package apitoken

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

var alice = actor.Operator("alice", "")

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newStore(t *testing.T) (*Store, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	return New(Config{DB: dbtest.Open(t), Roles: []string{"security", "auditor"}, Now: c.now}), c
}

func create(t *testing.T, s *Store, name, role string) (string, *Token) {
	t.Helper()
	secret, token, err := s.Create(t.Context(), Wanted{Name: name, Role: role, Lifetime: 24 * time.Hour, By: alice})
	if err != nil {
		t.Fatal(err)
	}
	return secret, token
}

// AD-20: a token is good until its end, or until somebody revokes it, and not a request longer.
func TestAD20TokenEnds(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	secret, made := create(t, s, "siem", "auditor")
	other, _ := create(t, s, "drill", "security")
	if !strings.HasPrefix(secret, Prefix) || strings.Contains(made.ID, secret) {
		t.Errorf("token %s of %+v", secret, made)
	}
	used, err := s.Use(t.Context(), secret)
	if err != nil || used.Role != "auditor" || used.Name != "siem" || used.CreatedBy != alice || used.Actor() != actor.APIToken("siem", made.ID) {
		t.Fatalf("%+v, %v", used, err)
	}
	c.at = c.at.Add(time.Hour)
	if revoked, err := s.Revoke(t.Context(), made.ID); err != nil || revoked.Name != "siem" {
		t.Errorf("revoking: %+v, %v", revoked, err)
	}
	if over, err := s.Use(t.Context(), secret); !errors.Is(err, ErrOver) || over.Name != "siem" {
		t.Errorf("revoked: %+v, %v", over, err)
	}
	if _, err := s.Revoke(t.Context(), made.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoking again: %v", err)
	}
	c.at = c.at.Add(23 * time.Hour)
	if _, err := s.Use(t.Context(), other); !errors.Is(err, ErrOver) {
		t.Errorf("at its end: %v", err)
	}
	for _, bad := range []string{"", "sft_", secret + "x", "sfa_" + secret[4:], strings.ToUpper(secret), "sft_" + strings.Repeat("A", 43)} {
		if _, err := s.Use(t.Context(), bad); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	all, err := s.List(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%d are listed, %v", len(all), err)
	}
	for _, one := range all {
		if want := map[string]string{"siem": "revoked", "drill": "expired"}[one.Name]; one.State(c.at) != want {
			t.Errorf("%s is %s", one.Name, one.State(c.at))
		}
	}
	c.at = c.at.Add(kept + time.Hour)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("after months: %d, %v", len(all), err)
	}
}

// The last use is known to the minute, at one write a minute.
func TestLastUse(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	secret, _ := create(t, s, "siem", "auditor")
	last := func() time.Time {
		all, err := s.List(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		return all[0].LastUsedAt
	}
	if !last().IsZero() {
		t.Error("used before it was")
	}
	begin := c.at
	for _, step := range []struct {
		after, want time.Duration
	}{{0, 0}, {30 * time.Second, 0}, {time.Minute, time.Minute}, {90 * time.Second, time.Minute}} {
		c.at = begin.Add(step.after)
		if _, err := s.Use(t.Context(), secret); err != nil || !last().Equal(begin.Add(step.want)) {
			t.Errorf("after %s: last used at %s, %v", step.after, last(), err)
		}
	}
}

func TestWhatCannotBeCreated(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	good := Wanted{Name: "siem", Role: "auditor", Lifetime: time.Hour, By: alice}
	for want, change := range map[string]func(*Wanted){
		"no token has a role that decides": func(w *Wanted) { w.Role = "approver" },
		"security or auditor":              func(w *Wanted) { w.Role = "" },
		"letters, digits":                  func(w *Wanted) { w.Name = "a b" },
		"1 to 40":                          func(w *Wanted) { w.Name = strings.Repeat("n", 41) },
		"beginning with a letter":          func(w *Wanted) { w.Name = "" },
		"at most 366 days":                 func(w *Wanted) { w.Lifetime = MaxLifetime + 1 },
		"more than nothing":                func(w *Wanted) { w.Lifetime = 0 },
	} {
		w := good
		change(&w)
		if _, _, err := s.Create(t.Context(), w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", w, err)
		}
	}
	create(t, s, "siem", "auditor")
	if _, _, err := s.Create(t.Context(), good); !errors.Is(err, ErrName) {
		t.Errorf("the name is taken: %v", err)
	}
	c.at = c.at.Add(25 * time.Hour)
	create(t, s, "siem", "auditor") // that one is over
}

// D15: the number of tokens is bounded, also when several are made at the same time.
func TestD15TokensAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	for i := range MaxLive - 2 {
		create(t, s, fmt.Sprint("n", i), "auditor")
	}
	var all sync.WaitGroup
	errs := make([]error, 5)
	for i := range errs {
		all.Go(func() {
			_, _, errs[i] = s.Create(t.Context(), Wanted{Name: fmt.Sprint("more", i), Role: "auditor", Lifetime: time.Hour, By: alice})
		})
	}
	all.Wait()
	refused := 0
	for _, err := range errs {
		if errors.Is(err, ErrTooMany) {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	if refused != 3 {
		t.Errorf("%d were refused", refused)
	}
}

// S7: whoever writes into the database without the keys makes no token, prolongs none, and
// gives none another role.
func TestS7ForgedTokens(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"another role":  `UPDATE api_tokens SET role = 'security'`,
		"another end":   `UPDATE api_tokens SET expires_at = expires_at + 1`,
		"another name":  `UPDATE api_tokens SET name = 'other'`,
		"not revoked":   `UPDATE api_tokens SET revoked_at = 0`,
		"no MAC":        `UPDATE api_tokens SET mac = ''`,
		"another's row": `UPDATE api_tokens SET mac = (SELECT mac FROM api_tokens WHERE name = 'other-token')`,
	} {
		s, _ := newStore(t)
		secret, token := create(t, s, "siem", "auditor")
		create(t, s, "other-token", "security")
		if name == "not revoked" {
			if _, err := s.Revoke(t.Context(), token.ID); err != nil {
				t.Fatal(err)
			}
		}
		s.DB.OnAltered(func(db.Altered) {})
		if _, err := s.DB.Writes.Exec(change + ` WHERE id = '` + token.ID + `'`); err != nil {
			t.Fatal(err)
		}
		if used, err := s.Use(t.Context(), secret); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %+v, %v", name, used, err)
		}
	}
}
