package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy"
)

// onePerson is who is signed in with the company in every browser that has the cookie.
type onePerson struct{ is people.Person }

func (o *onePerson) Current(context.Context, string) (*people.Person, error) {
	p := o.is
	return &p, nil
}
func (o *onePerson) Look(ctx context.Context, id string) (*people.Person, error) {
	return o.Current(ctx, id)
}
func (o *onePerson) HumanOf(context.Context, string, string) (string, error) {
	return o.is.Human(), nil
}
func (o *onePerson) SessionsOf(context.Context, string, string) ([]people.Person, error) {
	other := o.is
	other.ID = "other"
	return []people.Person{o.is, other}, nil
}
func (o *onePerson) Holders(context.Context, string) ([]people.Person, error) {
	return []people.Person{o.is}, nil
}
func (o *onePerson) Names(context.Context) func(actor.Actor) string { return actor.Actor.String }
func (o *onePerson) LinksOf(context.Context, string, string) ([]people.Link, error) {
	return []people.Link{{Org: "acme", Subject: "005A", Issuer: o.is.Issuer, Person: o.is.Subject}}, nil
}

// manyPeople hold every role, nine of them.
type manyPeople struct {
	onePerson
	requester string
}

func (m *manyPeople) person(n int) people.Person {
	return people.Person{Identity: company.Identity{Issuer: "https://id.example", Subject: fmt.Sprint("p", n)}}
}
func (m *manyPeople) human(n int) string { p := m.person(n); return p.Human() }
func (m *manyPeople) HumanOf(context.Context, string, string) (string, error) {
	return m.requester, nil
}
func (m *manyPeople) Holders(context.Context, string) (all []people.Person, err error) {
	for n := range 9 {
		all = append(all, m.person(n))
	}
	return all, nil
}

// In a browser that is signed in both ways, roles that do not count until the company is asked
// again are said, with the way to ask: else calls that wait for them would be missing without a word.
func TestStaleRolesAreSaid(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	who := &onePerson{people.Person{Identity: company.Identity{Issuer: "https://id.example", Subject: "ann", Name: "Ann"}, ID: "this",
		Roles: []string{"approver"}, CreatedAt: s.now, SeenAt: s.now, ExpiresAt: s.now.Add(time.Hour)}}
	s.console.People = who
	alice := s.signIn("acme", "005A")
	h := alice.withPerson()
	const said = "no role of yours counts"
	for _, path := range []string{"/approvals", "/account"} {
		if page := s.send("GET", path, "", h); page.status != 200 || strings.Contains(page.body, said) {
			t.Errorf("%s, asked just now: %d %s", path, page.status, page.text())
		}
	}
	who.is.Stale, who.is.Roles = true, nil
	for _, path := range []string{"/approvals", "/account"} {
		page := s.send("GET", path, "", h)
		page.want(t, 200, said, "Ask it again")
		if !strings.Contains(page.body, `href="`+strings.ReplaceAll(company.SignInPath("https://id.example", path, company.Silently), "&", "&amp;")) {
			t.Errorf("%s: no way to ask: %s", path, page.body)
		}
	}
	s.send("GET", "/account", "", h).want(t, 200, "005A in org acme , known to be you", "Other browsers signed in", "none until your company is asked again")
}

// Whoever opens a call that waits for a role of theirs is asked of at the company where half the time of their roles is
// over, so that what they agree to counts for the other half at least; once asked, and who asked for the call, is not.
func TestRolesAreReadAgainBeforeADecision(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		aging, stale  bool
		confirm, from string // who has to agree, and who asked
		asks          bool
	}{
		{"asked of just now", false, false, "role:approver", "005B", false},
		{"half the time is over", true, false, "role:approver", "005B", true},
		{"all of it is over", true, true, "role:approver", "005B", false}, // they see no such call; see errStale
		{"by whoever asked", true, false, "requester", "005A", false},
		{"for another role", true, false, "role:security", "005B", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			who := &onePerson{people.Person{Identity: company.Identity{Issuer: "https://id.example", Subject: "ann", Name: "Ann"}, ID: "this",
				Roles: []string{"approver"}, CreatedAt: s.now, SeenAt: s.now, ExpiresAt: s.now.Add(time.Hour), Aging: c.aging, Stale: c.stale}}
			if c.stale {
				who.is.Roles = nil
			}
			waiting := s.signIn("acme", c.from).ask(`{"sobject-name":"Account"}`, policy.Approvers(c.confirm))
			s.console.People = who
			h := s.signIn("acme", "005A").withPerson()
			for _, page := range []string{"", "/counter", "/together"} {
				path := "/approvals/" + waiting.ID + page
				got := s.send("GET", path, "", h)
				if asked := got.status == http.StatusSeeOther && got.location == company.SignInPath("https://id.example", path, company.Silently); asked != c.asks {
					t.Errorf("%s: %d to %q", page, got.status, got.location)
				}
			}
		})
	}
}

// cookieJar takes what is set.
type cookieJar struct {
	discard
	header http.Header
}

func (c *cookieJar) Header() http.Header { return c.header }

// withPerson is header in a browser that is signed in with the company as well.
func (p *person) withPerson() http.Header {
	w := &cookieJar{header: http.Header{}}
	p.console.Cookies.SetPerson(w, strings.Repeat("x", 43), time.Hour)
	h := p.header()
	h["Cookie"] = []string{strings.Join(append(h["Cookie"], strings.SplitN(w.header.Get("Set-Cookie"), ";", 2)[0]), "; ")}
	return h
}
