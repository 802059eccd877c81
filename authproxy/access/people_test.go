package access

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/grant"
)

func TestMayUse(t *testing.T) {
	t.Parallel()
	f := open(t)
	for name, tt := range map[string]struct {
		person Person
		want   []string
	}{
		"by id":                      {Person{Org: "acme", Subject: alice}, []string{"sales", "pilot"}},
		"by username":                {Person{Org: "acme", Subject: bob, Username: "bob@acme.example"}, []string{"sales", "pilot"}},
		"username unknown as yet":    {Person{Org: "acme", Subject: bob}, []string{"sales"}},
		"in no group":                {Person{Org: "acme", Subject: carol, Username: "carol@acme.example"}, []string{"sales"}},
		"the same id in the sandbox": {Person{Org: "sandbox", Subject: alice}, []string{"elsewhere"}},
		"of no org":                  {Person{Org: "beta", Subject: alice}, nil},
		"of an org without a name":   {Person{Subject: alice}, nil},
		"nobody":                     {Person{}, nil},
	} {
		var got []string
		for _, s := range f.ServersOf(tt.person) {
			got = append(got, s.Name)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got): %s", name, diff)
		}
		for _, server := range []string{"nobody", "none", ""} {
			if f.MayUse(tt.person, server) {
				t.Errorf("%s may use %q", name, server)
			}
		}
	}
}

// A group's member without a name must not be everybody whose username is unknown.
func TestEmptyMemberIsNobody(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.reconfigure(t, func(c *Config) { c.Groups = []Group{{Name: "pilot", Members: []string{""}}} })
	if f.MayUse(Person{Org: "acme", Subject: alice}, "pilot") || f.MayUse(Person{Org: "acme"}, "pilot") {
		t.Error("a member without a name lets people in")
	}
}

func TestPerson(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.name(t, bob, "Bob@acme.example")
	for subject, want := range map[string]Person{
		bob:   {Org: "acme", Subject: bob, Username: "bob@acme.example", Name: "Somebody"},
		alice: {Org: "acme", Subject: alice}, // was never seen
	} {
		got, err := f.Person(t.Context(), "acme", subject)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", subject, err, diff)
		}
	}
	if _, err := f.grants.BlockUser(t.Context(), "acme", bob, "test"); err != nil {
		t.Fatal(err)
	}
	if p, err := f.Person(t.Context(), "acme", bob); !errors.Is(err, grant.ErrBlocked) || p.Name != "" {
		t.Errorf("blocked: %+v, %v", p, err)
	}
	if p, err := f.Person(t.Context(), "sandbox", bob); err != nil {
		t.Errorf("of another org: %+v, %v", p, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Person(ended, "acme", alice); err == nil || errors.Is(err, grant.ErrBlocked) {
		t.Errorf("without a database: %v", err)
	}
}
