package authproxy

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	sim "sfmcp-proxy/examples/salesforcesim"
)

var cutNow = Act{By: actor.Operator("root", ""), Why: "stolen"}

// RS-10: a sign-in that was under way when everything of the user or the client ended gives neither a code nor a
// session: back from Salesforce, on the consent page of the client, and with the session not yet started.
func TestRS10SignInUnderWay(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	f.connect(t, sim.RepUsername, sim.RepPassword)
	for name, cut := range map[string]func() error{
		"user":   func() error { _, err := f.Cutoff.RevokeUser(t.Context(), "acme", sim.RepID, cutNow); return err },
		"client": func() error { _, err := f.Cutoff.RevokeClient(t.Context(), "chatgpt", cutNow); return err },
		"block": func() error {
			_, err := f.Cutoff.BlockUser(t.Context(), "acme", sim.RepID, cutNow)
			return errors.Join(err, f.Cutoff.UnblockUser(t.Context(), "acme", sim.RepID, cutNow))
		},
	} {
		b, callback := f.atCallback(t)
		browser := f.browser(f.PublicURL + "/oauth/callback")
		signingIn, err := browser.LogIn(t.Context(), f.PublicURL+"/signin?org=acme", sim.RepUsername, sim.RepPassword)
		if err != nil {
			t.Fatal(err)
		}
		asked := f.browser()
		page := f.openConsent(t, asked)
		colleague := f.browser(f.PublicURL + "/oauth/callback")
		theirs, err := colleague.LogIn(t.Context(), f.PublicURL+f.authorizePath(), sim.ManagerUsername, sim.ManagerPassword)
		if err != nil {
			t.Fatal(err)
		}
		if err := cut(); err != nil {
			t.Fatal(err)
		}
		r := f.callbackWith(t, b, callback.Query())
		if name == "client" {
			if r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
				t.Errorf("%s: back with %d to %q", name, r.status, r.header.Get("Location"))
			}
		} else if q := r.location(t).Query(); q.Get("error") != accessDenied || q.Get("error_description") != textEnded || q.Has("code") {
			t.Errorf("%s: back with %v", name, q)
		}
		if n := f.liveAtSalesforce(sim.RepUsername); n != 0 {
			if _, err := f.Links.RevokePending(t.Context()); err != nil || f.liveAtSalesforce(sim.RepUsername) != 0 {
				t.Errorf("%s: %d logins of theirs are live at Salesforce, %v", name, n, err)
			}
		}
		back, err := colleague.Get(t.Context(), theirs)
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(back.Location, "code="); has != (name != "client") {
			t.Errorf("%s: a colleague is back with %d %s", name, back.Status, back.Location)
		}
		back, err = browser.Get(t.Context(), signingIn)
		if err != nil {
			t.Fatal(err)
		}
		if signed := f.session(t, browser) != nil; signed != (name == "client") { // whose cut is not about who signs in
			t.Errorf("%s: signed in is %t: %d", name, signed, back.Status)
		} else if !signed && !strings.Contains(back.Body, "Access was ended") {
			t.Errorf("%s: told %d %s", name, back.Status, back.Body)
		}
		if next := f.decide(t, asked, page, "allow"); (next.Status >= 400) != (name == "client") {
			t.Errorf("%s: a consent that was open leads to %d %s", name, next.Status, next.URL)
		}
		if n, err := f.Grants.LiveGrants(t.Context(), "acme", sim.RepID); err != nil || n > 0 {
			t.Errorf("%s: %d connections, %v", name, n, err)
		}
	}

	// The cut comes between the return and the session.
	id, err := f.Grants.Requests.Open(t.Context(), grant.AuthorizationRequest{Kind: grant.SignIn, Org: "acme"}, "browser")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := f.Grants.Requests.Send(t.Context(), id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	req, _, err := f.Grants.Requests.Finish(t.Context(), sent.State, sent.Login)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cutoff.RevokeUser(t.Context(), "acme", sim.RepID, cutNow); err != nil {
		t.Fatal(err)
	}
	err = f.startSession(t.Context(), httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/oauth/callback", nil), req, f.personOf(t.Context(), "acme", sim.RepID))
	if !errors.Is(err, grant.ErrNoRequest) {
		t.Errorf("a session after the cut: %v", err)
	}
	if n, err := f.Sessions.EndUser(t.Context(), "acme", sim.RepID); n != 0 || err != nil {
		t.Errorf("%d sessions are left, %v", n, err)
	}
}

// RS-10: access that ends while somebody who has come back is still being made a connection leaves neither a connection nor a
// login, here or at Salesforce: before the login is stored, and after it.
func TestRS10CutBetweenReturnAndCode(t *testing.T) {
	t.Parallel()
	cut := func(f *fixture) {
		if _, err := f.Cutoff.RevokeUser(t.Context(), "acme", sim.RepID, cutNow); err != nil {
			t.Error(err)
		}
	}
	nothingIsLeft := func(when string, f *fixture) {
		t.Helper()
		if n, err := f.Grants.LiveGrants(t.Context(), "acme", sim.RepID); err != nil || n > 0 {
			t.Errorf("%s: %d connections, %v", when, n, err)
		}
		if status, err := f.Links.Status(t.Context(), "acme", sim.RepID); err == nil && status.State == link.Active {
			t.Errorf("%s: the login is %+v", when, status)
		}
		if left, err := f.Links.RevokePending(t.Context()); err != nil || left != 0 || f.liveAtSalesforce(sim.RepUsername) != 0 {
			t.Errorf("%s: %d to be revoked, %d live at Salesforce, %v", when, left, f.liveAtSalesforce(sim.RepUsername), err)
		}
	}

	f := start(t, change{})
	b, callback := f.atCallback(t)
	f.Profiles = profileHook(func() { cut(f) }) // asked once the login is stored
	u := f.callbackWith(t, b, callback.Query()).location(t)
	if q := u.Query(); q.Get("error") != accessDenied || q.Get("error_description") != textEnded || q.Has("code") {
		t.Errorf("after the login is stored: %s", u)
	}
	nothingIsLeft("after the login is stored", f)

	f = start(t, change{})
	b, callback = f.atCallback(t)
	r := httptest.NewRequest(http.MethodGet, f.PublicURL+"/oauth/callback?"+callback.RawQuery, nil)
	r.Header.Set("Cookie", cookieHeader(b, f.PublicURL+"/oauth/callback"))
	state := callback.Query().Get("state")
	login, _ := f.Cookies.Login(r, state)
	req, verifier, err := f.Grants.Requests.Finish(t.Context(), state, login)
	if err != nil {
		t.Fatal(err)
	}
	cut(f)
	stored := false
	f.Profiles = profileHook(func() { stored = true })
	if who, refused := f.Server.logIn(t.Context(), r, req, callback.Query(), verifier); refused == nil || refused.description != textEnded || who.Subject != "" || stored {
		t.Errorf("before the login is stored: %+v, %+v, stored %t", who, refused, stored)
	}
	nothingIsLeft("before the login is stored", f)
}

// SR-ST-4, RS-10: a database that is put back to before a revocation gives nothing to sign-ins that were under way then, and
// leaves alone what was begun since.
func TestSRST4PutBackDatabaseFinishesNoSignIn(t *testing.T) {
	t.Parallel()
	for name, revocation := range map[string]audit.Entry{
		"user":         {Action: audit.UserRevoke, Org: "acme", Subject: sim.RepID},
		"block":        {Action: audit.UserBlock, Org: "acme", Subject: sim.RepID},
		"client":       {Action: audit.ClientRevoke, Client: "chatgpt"},
		"another org":  {Action: audit.UserRevoke, Org: "beta", Subject: sim.RepID},
		"other client": {Action: audit.ClientRevoke, Client: "tool"},
		"refused":      {Action: audit.ClientRevoke},
	} {
		f := start(t, change{})
		b, before := f.atCallback(t)
		f.clock.Add(time.Second)
		revocation.Actor, revocation.Outcome = actor.Operator("root", ""), audit.OK
		if _, err := f.Audit.Append(t.Context(), revocation); err != nil {
			t.Fatal(err)
		}
		f.clock.Add(time.Second)
		other, since := f.atCallback(t)
		if _, err := reapplied(t, f, 0); err != nil {
			t.Fatal(err)
		}
		ends := name == "user" || name == "block" || name == "client"
		if got := f.callbackWith(t, b, before.Query()); strings.Contains(got.header.Get("Location"), "code=") == ends {
			t.Errorf("%s: begun before it: %d %s", name, got.status, got.header.Get("Location"))
		}
		signIn, err := f.Grants.Requests.Open(t.Context(), grant.AuthorizationRequest{Kind: grant.SignIn, Org: "acme"}, "browser")
		if err != nil {
			t.Fatal(err)
		}
		f.clock.Add(time.Second)
		if _, err := reapplied(t, f, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Grants.Requests.Pending(t.Context(), signIn, "browser"); err != nil {
			t.Errorf("%s: a sign-in on its first page: %v", name, err)
		}
		if name == "block" { // which everything of the user ends with, whenever it was begun
			continue
		}
		if got := f.callbackWith(t, other, since.Query()); got.status != http.StatusSeeOther {
			t.Errorf("%s: begun after it: %d", name, got.status)
		}
	}
}
