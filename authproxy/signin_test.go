package authproxy

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/ui"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// session reads who a browser is signed in as.
func (f *fixture) session(t *testing.T, b *sim.Browser) *ui.Session {
	t.Helper()
	r := httptest.NewRequest("GET", f.PublicURL+"/account", nil)
	r.Header.Set("Cookie", cookieHeader(b, f.PublicURL))
	s, err := f.Sessions.Current(r)
	if err != nil {
		return nil
	}
	return s
}

func (f *fixture) signInAt(t *testing.T, b *sim.Browser, path string) *sim.Page {
	t.Helper()
	page, err := b.Get(t.Context(), f.PublicURL+path)
	for range 4 {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(page.URL, f.sim.BaseURL()) {
			return page
		}
		form := page.Forms[0]
		if _, login := form.Fields["password"]; login {
			page, err = b.Submit(t.Context(), page, form, url.Values{"username": {sim.RepUsername}, "password": {sim.RepPassword}})
		} else {
			page, err = b.Choose(t.Context(), page, "decision", "allow")
		}
	}
	return page
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	page := f.signInAt(t, b, "/signin?return_to=/account/x%3Fa%3D1")
	if page.URL != f.PublicURL+"/account/x?a=1" {
		t.Errorf("signed in at %s", page.URL)
	}
	s := f.session(t, b)
	if s == nil || s.Org != "acme" || s.Subject != sim.RepID {
		t.Fatalf("session: %+v", s)
	}
	f.wantAudited(t, "session.create", "ok", "")
	// Nobody without connections keeps a login at Salesforce.
	if status, err := f.Links.Status(t.Context(), "acme", sim.RepID); err != nil || status.State != "revoked" {
		t.Errorf("login: %+v, %v", status, err)
	}
	u, err := f.Grants.User(t.Context(), "acme", sim.RepID)
	if err != nil || u.Username != sim.RepUsername {
		t.Errorf("user: %+v, %v", u, err)
	}
}

func TestAuthorizationSignsIn(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	f.logIn(t, b)
	if s := f.session(t, b); s == nil || s.Subject != sim.RepID {
		t.Errorf("session: %+v", s)
	}
	f.wantAudited(t, "session.create", "ok", "") // with it approvals can be given
	f.signInAt(t, b, "/signin")
	if status, err := f.Links.Status(t.Context(), "acme", sim.RepID); err != nil || status.State != "active" {
		t.Errorf("login of a user with a connection: %+v, %v", status, err)
	}
}

func TestUI11ReturnTo(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, target := range []string{"//evil.example", `/\evil.example`, "/\t/evil.example", "/%09/evil.example", "/%2f%2fevil.example", "https:evil.example", "https://evil.example/", "//evil.example/..",
		"/..//evil.example", "javascript:alert(1)", `\\evil.example`, "evil.example", "", "/a\r\nLocation: https://evil.example", "/%5cevil.example", "/.//evil.example", "http:///evil.example"} {
		b := f.browser("https://evil.example")
		page := f.signInAt(t, b, "/signin?"+url.Values{"return_to": {target}}.Encode())
		if !strings.HasPrefix(page.URL, f.PublicURL+"/") || strings.Contains(page.URL, "evil") {
			t.Errorf("%q leads to %s", target, page.URL)
		}
	}
	r := f.send(t, "GET", "/signin?return_to=/a&return_to=https://evil.example", "")
	if r.status != http.StatusSeeOther || !strings.HasPrefix(r.header.Get("Location"), f.sim.BaseURL()) {
		t.Errorf("%d %q", r.status, r.header.Get("Location"))
	}
}

func TestSignInWithSeveralOrgs(t *testing.T) {
	t.Parallel()
	f := start(t, change{beta: true})
	b := f.browser()
	page, err := b.Get(t.Context(), f.PublicURL+"/signin?return_to=/account/y")
	if err != nil || len(page.Forms) != 2 || f.upstream("/services/") != 0 {
		t.Fatalf("%+v, %v", page, err)
	}
	for _, tampered := range []url.Values{{"org": {"https://evil.example"}}, {"org": {"login.salesforce.com.evil"}}, {"org": {""}}, {"org": {"ACME"}}} {
		next, err := b.Submit(t.Context(), page, page.Forms[1], tampered)
		if err != nil || next.Status != http.StatusBadRequest {
			t.Errorf("org %q: %+v, %v", tampered.Get("org"), next, err)
		}
	}
	if next, err := b.Submit(t.Context(), page, page.Forms[1], url.Values{"csrf_token": {"x"}}); err != nil || next.Status != http.StatusForbidden {
		t.Errorf("forged: %+v, %v", next, err)
	}
	next, err := b.Submit(t.Context(), page, page.Forms[1], nil)
	if err != nil || !strings.HasPrefix(next.URL, f.beta.LoginURL("beta")) {
		t.Fatalf("%+v, %v", next, err)
	}
	form := next.Forms[0]
	next, err = b.Submit(t.Context(), next, form, url.Values{"username": {sim.RepUsername}, "password": {sim.RepPassword}})
	if err == nil && next.Location == "" && strings.HasPrefix(next.URL, f.beta.BaseURL()) {
		next, err = b.Choose(t.Context(), next, "decision", "allow")
	}
	if err != nil || next.URL != f.PublicURL+"/account/y" {
		t.Fatalf("%+v, %v", next, err)
	}
	if s := f.session(t, b); s == nil || s.Org != "beta" {
		t.Errorf("session: %+v", s)
	}
}

func TestUI18SignOut(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b := f.browser()
	f.logIn(t, b)
	old := cookieHeader(b, f.PublicURL)
	s := f.session(t, b)
	if r := f.post(t, "/signout", url.Values{"csrf_token": {"x"}}, "Cookie", old); r.status != http.StatusForbidden {
		t.Errorf("forged: %d", r.status)
	}
	if r := f.post(t, "/signout", url.Values{"csrf_token": {s.CSRF}}, "Cookie", old, "Origin", "https://evil.example"); r.status != http.StatusForbidden {
		t.Errorf("from elsewhere: %d", r.status)
	}
	if f.session(t, b) == nil {
		t.Fatal("a forgery ended the session")
	}
	r := f.post(t, "/signout", url.Values{"csrf_token": {s.CSRF}}, "Cookie", old)
	if r.status != http.StatusOK || f.session(t, b) != nil {
		t.Errorf("sign-out: %d; the old cookie still counts: %t", r.status, f.session(t, b) != nil)
	}
	f.wantAudited(t, "session.end", "ok", "")
	if r := f.post(t, "/signout", url.Values{}, "Cookie", old); r.status != http.StatusOK {
		t.Errorf("again: %d", r.status)
	}
}
