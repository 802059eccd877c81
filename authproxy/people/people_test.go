package people

import (
	"context"
	"errors"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

func TestMain(m *testing.M) { dbtest.Main(m, "") }

const issuer = "https://id.example"

type fixture struct {
	*Store
	now time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	d, ring := dbtest.Open(t), ringOf(t)
	f := &fixture{now: time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return f.now }
	f.Store = New(Config{DB: d, Now: clock})
	f.SignIn = mustSignIn(t, company.Config{Ring: ring, Now: clock, Roles: []company.Role{
		{Role: "approver", Issuer: issuer, Groups: []string{"approvers"}}, {Role: "security", Issuer: issuer, Subjects: []string{"sam"}}}})
	return f
}

func ringOf(t *testing.T) *seal.KeyRing {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func mustSignIn(t *testing.T, c company.Config) *company.SignIn {
	t.Helper()
	c.HTTP, c.RedirectURI = &http.Client{Transport: &http.Transport{}}, "https://proxy.example/oauth/company/callback"
	s, err := company.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *fixture) start(t *testing.T, subject, previous string, groups ...string) string {
	t.Helper()
	id, err := f.Start(t.Context(), company.Identity{Issuer: issuer, Subject: subject, Groups: groups, AuthTime: f.now, ACR: "mfa", CheckedAt: f.now}, previous, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// AD-09: a session ends when it was idle, at its end, when it is ended, and when a new one
// takes its place.
func TestAD09Session(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.start(t, "ann", "", "approvers")
	p, err := f.Current(t.Context(), first)
	if err != nil || p.Subject != "ann" || p.ACR != "mfa" || !p.AuthTime.Equal(f.now) || !slices.Equal(p.Roles, []string{"approver"}) || p.Stale {
		t.Fatalf("%+v, %v", p, err)
	}
	gone := func(what, id string) {
		t.Helper()
		if p, err := f.Current(t.Context(), id); !errors.Is(err, ErrNoSession) {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
	second := f.start(t, "ann", first, "approvers")
	gone("replaced", first)
	gone("never given", "x")
	f.now = f.now.Add(DefaultIdle - time.Second)
	if _, err := f.Current(t.Context(), second); err != nil {
		t.Errorf("just before it was idle: %v", err)
	}
	f.now = f.now.Add(DefaultIdle - time.Second)
	if _, err := f.Current(t.Context(), second); err != nil {
		t.Errorf("used within the time: %v", err)
	}
	f.now = f.now.Add(DefaultIdle + time.Second)
	gone("idle", second)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	used := f.start(t, "ann", "", "approvers")
	f.now = f.now.Add(DefaultIdle / 20) // so soon after its start that nothing is written down
	if _, err := f.Current(t.Context(), used); err != nil {
		t.Error(err)
	}
	f.now = f.now.Add(DefaultIdle - DefaultIdle/20 + time.Second)
	gone("idle since its start", used)
	watched := f.start(t, "ann", "", "approvers")
	for range 2 { // an inbox in view is nobody who does anything
		f.now = f.now.Add(DefaultIdle/2 + time.Second)
		_, err = f.Look(t.Context(), watched)
	}
	if !errors.Is(err, ErrNoSession) {
		t.Errorf("looked at and idle: %v", err)
	}
	third := f.start(t, "ann", "", "approvers")
	for end := f.now.Add(DefaultLifetime); f.now.Before(end); f.now = f.now.Add(DefaultIdle / 2) {
		if _, err := f.Current(t.Context(), third); err != nil {
			t.Fatalf("before its end: %v", err)
		}
	}
	gone("at its end", third)
	fourth := f.start(t, "ann", "", "approvers")
	p, err = f.Current(t.Context(), fourth)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.EndNamed(t.Context(), p.ID); err != nil {
		t.Error(err)
	}
	gone("ended by name", fourth)
	fifth := f.start(t, "ann", "", "approvers")
	for _, id := range []string{p.ID, "", "%", p.ID[:4], p.ID + "0", strings.Repeat("%", len(p.ID)), strings.Repeat("_", len(p.ID))} {
		if err := f.EndNamed(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("ending %q: %v", id, err)
		}
	}
	if _, err := f.Current(t.Context(), fifth); err != nil {
		t.Errorf("a name of no session ended one: %v", err)
	}
}

// AD-09: roles follow the present configuration and what the provider said last; too old, or of
// nobody, there are none.
func TestAD09Roles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.start(t, "ann", "", "approvers")
	holds := func(what, human, role string, want bool) {
		t.Helper()
		if got, err := f.Holds(t.Context(), human, role); got != want || err != nil {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	ann := company.Human(issuer, "ann")
	holds("by group", ann, "approver", true)
	holds("another role", ann, "security", false)
	holds("another person", company.Human(issuer, "bob"), "approver", false)
	holds("another issuer", company.Human("https://other.example", "ann"), "approver", false)
	holds("a Salesforce user", approval.SalesforceHuman("acme", "ann"), "approver", false)
	f.start(t, "ann", "") // elsewhere, and the provider took the group away
	holds("taken away at the provider", ann, "approver", false)
	f.start(t, "ann", "", "approvers")
	f.now = f.now.Add(DefaultMaxAge + time.Second)
	holds("too old", ann, "approver", false)
	if p, err := f.Current(t.Context(), id); err != nil || !p.Stale || len(p.Roles) > 0 {
		t.Errorf("too old: %+v, %v", p, err)
	}
	f.start(t, "ann", "", "approvers")
	holds("asked again", ann, "approver", true)
	f.now = f.now.Add(-2 * time.Minute)
	holds("of a time to come", ann, "approver", false)
	f.now = f.now.Add(2 * time.Minute)
	f.SignIn = mustSignIn(t, company.Config{Ring: ringOf(t)}) // reloaded without the role
	holds("taken away here", ann, "approver", false)
}

// S7: whoever writes into the database without the keys signs nobody in, gives no group and
// makes no two people one.
func TestS7ForgedPeople(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.start(t, "ann", "", "approvers")
	if err := f.Link(t.Context(), Link{Org: "acme", Subject: "005A", Issuer: issuer, Person: "ann"}); err != nil {
		t.Fatal(err)
	}
	change := func(statement string) {
		t.Helper()
		if _, err := f.DB.Writes.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	change(`UPDATE human_links SET person = 'bob'`)
	if human, err := f.HumanOf(t.Context(), "acme", "005A"); err == nil {
		t.Errorf("a changed link: %s", human)
	}
	change(`UPDATE company_people SET groups = '["approvers","x"]'`)
	if held, err := f.Holds(t.Context(), company.Human(issuer, "ann"), "approver"); held || err != nil {
		t.Errorf("changed groups: %v, %v", held, err)
	}
	if p, err := f.Current(t.Context(), id); !errors.Is(err, ErrNoSession) {
		t.Errorf("changed groups: %+v, %v", p, err)
	}
	f.start(t, "bob", "")
	change(`UPDATE company_sessions SET subject = 'bob' WHERE subject = 'ann'`)
	if p, err := f.Current(t.Context(), id); !errors.Is(err, ErrNoSession) {
		t.Errorf("another's session: %+v, %v", p, err)
	}
}

// A Salesforce user is one human at a time, and an operator alone takes that away.
// A link that is stored is no failure because nothing can be read.
func TestLinkWhileNothingCanBeRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if err := f.DB.Reads.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Link(t.Context(), Link{Org: "acme", Subject: "005A", Issuer: issuer, Person: "ann"}); err != nil {
		t.Errorf("it is linked: %v", err)
	}
	var person string
	if err := f.DB.Writes.QueryRow(`SELECT person FROM human_links`).Scan(&person); err != nil || person != "ann" {
		t.Errorf("%q, %v", person, err)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ann := Link{Org: "acme", Subject: "005A", Issuer: issuer, Person: "ann"}
	bob := Link{Org: "acme", Subject: "005A", Issuer: issuer, Person: "bob"}
	for _, step := range []struct {
		what string
		err  error
		do   func(context.Context) error
	}{
		{"not linked", ErrNotFound, func(ctx context.Context) error { return f.Unlink(ctx, "acme", "005A") }},
		{"link", nil, func(ctx context.Context) error { return f.Link(ctx, ann) }},
		{"again", nil, func(ctx context.Context) error { return f.Link(ctx, ann) }},
		{"to another", ErrLinked, func(ctx context.Context) error { return f.Link(ctx, bob) }},
	} {
		if err := step.do(t.Context()); !errors.Is(err, step.err) {
			t.Errorf("%s: %v", step.what, err)
		}
	}
	if human, err := f.HumanOf(t.Context(), "acme", "005A"); human != company.Human(issuer, "ann") || err != nil {
		t.Errorf("%s, %v", human, err)
	}
	if all, err := f.Links(t.Context()); len(all) != 1 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	// Neighbours in one name or the other stay as they are.
	others := []Link{{Org: "acme", Subject: "005B", Issuer: issuer, Person: "bob"}, {Org: "sandbox", Subject: "005A", Issuer: issuer, Person: "cem"}}
	for _, other := range others {
		if err := f.Link(t.Context(), other); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Unlink(t.Context(), "acme", "005A"); err != nil {
		t.Error(err)
	}
	for _, other := range others {
		if human, err := f.HumanOf(t.Context(), other.Org, other.Subject); human != company.Human(issuer, other.Person) || err != nil {
			t.Errorf("beside one that was unlinked: %s, %v", human, err)
		}
	}
	if human, err := f.HumanOf(t.Context(), "acme", "005A"); human != approval.SalesforceHuman("acme", "005A") || err != nil {
		t.Errorf("%s, %v", human, err)
	}
}

// FT-10: where a new session cannot be stored, as when roles are read again on a full disk, the one there was goes on.
func TestFaultFT10SessionStaysWhereNoneCanFollow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	had := f.start(t, "ann", "", "approvers")
	accept := dbtest.Refuse(t, f.DB, "company_sessions")
	if _, err := f.Start(t.Context(), company.Identity{Issuer: issuer, Subject: "ann", CheckedAt: f.now}, had, math.MaxInt64); err == nil {
		t.Fatal("a session was stored: the test tests nothing")
	}
	accept()
	if p, err := f.Current(t.Context(), had); err != nil || p.Subject != "ann" {
		t.Errorf("the session there was: %v", err)
	}
}

// D15: a person is signed in with so many browsers; the oldest gives way.
func TestD15CompanySessionsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.start(t, "ann", "")
	f.start(t, "bob", "")
	for range sessionsPerPerson {
		f.now = f.now.Add(time.Second)
		f.start(t, "ann", "")
	}
	if all, err := f.Sessions(t.Context()); len(all) != sessionsPerPerson+1 || err != nil {
		t.Errorf("%d sessions, %v", len(all), err)
	}
	if _, err := f.Current(t.Context(), first); !errors.Is(err, ErrNoSession) {
		t.Errorf("the oldest: %v", err)
	}
}

// RS-10: a sign-in that was begun before somebody was cut off or erased keeps nothing of them, neither a session nor what the
// provider said.
func TestRS10NothingIsKeptOfWhoWasCutOff(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*fixture) error{
		"erased": func(f *fixture) error { _, err := f.Erase(t.Context(), issuer, "ann"); return err },
		"as the Salesforce user": func(f *fixture) error {
			_, err := f.EndLinked(t.Context(), "acme", "005xx000001Sv6AAAS", time.Time{})
			return errors.Join(err, f.Unlink(t.Context(), "acme", "005xx000001Sv6AAAS"))
		},
	} {
		f := newFixture(t)
		if err := f.Link(t.Context(), Link{Org: "acme", Subject: "005xx000001Sv6AAAS", Issuer: issuer, Person: "ann"}); err != nil {
			t.Fatal(err)
		}
		began, err := f.DB.LastCut(t.Context())
		if err == nil {
			err = cut(f)
		}
		if err != nil {
			t.Fatal(err)
		}
		who := company.Identity{Issuer: issuer, Subject: "ann", Name: "Ann", CheckedAt: f.now}
		if _, err := f.Start(t.Context(), who, "", began); !errors.Is(err, ErrCutOff) {
			t.Errorf("%s: %v", name, err)
		}
		var rows int
		if err := f.DB.Reads.QueryRow(`SELECT (SELECT COUNT(*) FROM company_people) + (SELECT COUNT(*) FROM company_sessions)`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%s: %d rows are kept, %v", name, rows, err)
		}
		if began, err = f.DB.LastCut(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Start(t.Context(), who, "", began); err != nil {
			t.Errorf("%s: begun after it: %v", name, err)
		}
	}
}
