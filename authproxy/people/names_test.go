package people

import (
	"math"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/company"
)

// People read names; two with the same name are told apart, a name that something else wrote into
// the database is nobody's, and a name stays longer than any session.
func TestNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const issuer = "https://id.example"
	for _, i := range []company.Identity{
		{Issuer: issuer, Subject: "ann", Name: "Ann Okafor", Email: "ann@acme.example"},
		{Issuer: issuer, Subject: "other", Name: "Ann Okafor"},
		{Issuer: issuer, Subject: "mail", Email: "mail@acme.example"},
		{Issuer: issuer, Subject: "nobody"},
		{Issuer: issuer, Subject: "forged", Name: "Fay"},
	} {
		i.CheckedAt = f.now
		if _, err := f.Start(t.Context(), i, "", math.MaxInt64); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.DB.Writes.ExecContext(t.Context(), `UPDATE company_people SET name = 'Ann Okafor' WHERE subject = 'forged'`); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(90 * 24 * time.Hour)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	named := f.Names(t.Context())
	for _, tt := range []struct {
		who  actor.Actor
		want string
	}{
		{actor.Person(issuer, "ann"), "Ann Okafor (ann@acme.example)"},
		{actor.Person(issuer, "other"), "Ann Okafor (other)"},
		{actor.Person(issuer, "mail"), "mail@acme.example (mail)"},
		{actor.Person(issuer, "nobody"), "person https://id.example nobody"},
		{actor.Person(issuer, "forged"), "person https://id.example forged"},
		{actor.Person("https://elsewhere.example", "ann"), "person https://elsewhere.example ann"},
		{actor.User("005A"), "user 005A"},
		{actor.Operator("root", "Sam"), `operator:root as "Sam"`},
		{actor.Proxy, "proxy"},
	} {
		for range 2 { // as it is remembered, too
			if got := named(tt.who); got != tt.want {
				t.Errorf("%v is called %q, want %q", tt.who, got, tt.want)
			}
		}
	}
	f.now = f.now.Add(namesKept)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := f.Names(t.Context())(actor.Person(issuer, "ann")); got != "person https://id.example ann" {
		t.Errorf("after a year: %q", got)
	}
}
