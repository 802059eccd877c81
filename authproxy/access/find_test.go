package access

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
)

func TestFindUsers(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.name(t, bob, "bob@acme.example")
	f.nameIn(t, "sandbox", carol, "carol@acme.example.sandbox")
	f.name(t, carol, "carol@acme.example")
	found := func(users []grant.User) (got []string) {
		for _, u := range users {
			got = append(got, u.Org+" "+u.Subject)
		}
		return got
	}
	for who, want := range map[string]struct{ here, toCome []string }{
		"carol@acme.example.sandbox": {[]string{"sandbox " + carol, "acme " + carol}, []string{"sandbox " + carol, "acme " + carol}},
		"BOB@acme.example":           {[]string{"acme " + bob}, []string{"acme " + bob, "sandbox " + bob}},
		"carol@acme.example":         {[]string{"acme " + carol, "sandbox " + carol}, []string{"acme " + carol, "sandbox " + carol}}, // by any of their usernames
		bob[:15]:                     {[]string{"acme " + bob}, []string{"acme " + bob, "sandbox " + bob}},
		bob:                          {[]string{"acme " + bob}, []string{"acme " + bob, "sandbox " + bob}},
		alice[:15]:                   {nil, []string{"acme " + alice, "sandbox " + alice}}, // was never seen: blocked wherever they come
	} {
		users, err := f.FindUsers(t.Context(), who)
		if diff := cmp.Diff(want.here, found(users)); (err != nil) != (want.here == nil) || diff != "" {
			t.Errorf("%q: %v (-want +got): %s", who, err, diff)
		}
		users, err = f.FindUsersToCome(t.Context(), who)
		if diff := cmp.Diff(want.toCome, found(users)); err != nil || diff != "" {
			t.Errorf("%q to come: %v (-want +got): %s", who, err, diff)
		}
	}
}

// U1: a name that was mistyped reaches nobody, and says so with whom it may have meant.
func TestU1MistypedUsers(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.name(t, bob, "bob@acme.example")
	for who, want := range map[string]string{
		strings.ToLower(bob):      "checksum",
		strings.ToLower(bob[:15]): "", // could be an id, but for one that differs in case alone
		bob[:17] + "X":            "checksum",
		"O05" + bob[3:15]:         "begin with 005",
		"001xx000003DGb1AAG":      "begin with 005",
		"001xx000003DGb1AAM":      "checksum",
		bob[:14]:                  "neither a Salesforce user id",
		bob + "x":                 "neither a Salesforce user id",
		"bob":                     "neither a Salesforce user id",
		"":                        "neither a Salesforce user id",
		" " + bob:                 "neither a Salesforce user id",
		"005xx000001Sv6\u0412":    "",
		"bob@acme.exmaple":        "",
		"b0b@acme.example":        "",
		"nobody@other.example":    "",
	} {
		_, err := f.FindUsers(t.Context(), who)
		unknown, ok := errors.AsType[*UnknownUserError](err)
		if !ok || !strings.Contains(unknown.Wrong, want) {
			t.Errorf("%q: %v, want %q", who, err, want)
			continue
		}
		meant := slices.ContainsFunc(unknown.Similar, func(u grant.User) bool { return u.Subject == bob })
		if far := who == "" || who == "bob" || strings.HasPrefix(who, "001") || strings.HasPrefix(who, "nobody"); meant == far {
			t.Errorf("%q: similar %+v", who, unknown.Similar)
		}
		if users, err := f.FindUsersToCome(t.Context(), who); err == nil {
			t.Errorf("%q names %+v", who, users)
		}
		if _, err := f.Principal(t.Context(), "acme", who, "c"); want != "" && err == nil {
			t.Errorf("%q has rules", who)
		}
	}
}

// Whoever has not signed in is blocked by their id: the error about a username says so.
func TestBlockedBeforeSignIn(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, err := f.FindUsersToCome(t.Context(), "carol@acme.example")
	if want := `no user "carol@acme.example" has signed in; whoever has not is blocked by the Salesforce user id (005…); 'user list' shows everybody`; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if _, err := f.FindUsers(t.Context(), "carol@acme.example"); err == nil || strings.Contains(err.Error(), "005…") {
		t.Errorf("where nothing is to come: %v", err)
	}
	if users, err := f.FindUsersToCome(t.Context(), alice[:15]); err != nil || len(users) == 0 {
		t.Errorf("by the id: %+v, %v", users, err)
	}
}

func TestPrincipal(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.name(t, bob, "bob@acme.example")
	for who, want := range map[string]policy.Principal{
		bob[:15]:             {Org: "acme", Subject: bob, Username: "bob@acme.example", Client: "c", Groups: []string{"pilot"}},
		"Bob@acme.example":   {Org: "acme", Subject: bob, Username: "bob@acme.example", Client: "c", Groups: []string{"pilot"}},
		alice[:15]:           {Org: "acme", Subject: alice, Client: "c", Groups: []string{"pilot"}},
		"Carol@acme.example": {Org: "acme", Username: "carol@acme.example", Client: "c"},
	} {
		got, err := f.Principal(t.Context(), "acme", who, "c")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got): %s", who, err, diff)
		}
	}
	if p, err := f.Principal(t.Context(), "sandbox", bob, "c"); err != nil || p.Username != "" {
		t.Errorf("of an org where he was not seen: %+v, %v", p, err)
	}
}
