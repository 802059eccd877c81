package ui

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzCookies sends any Cookie header, with "{session}", "{browser}" and "{login}" replaced
// by what a browser was given. Nobody is signed in, bound or brought back from a login but
// by exactly one cookie of the name with that value.
func FuzzCookies(f *testing.F) {
	const session, browser, login = "__Host-sfmcp-session", "__Host-sfmcp-browser", "__Host-sfmcp-{name}"
	for _, header := range []string{
		session + "={session}", browser + "={browser}", login + "={login}", session + "={session}; " + browser + "={browser}; " + login + "={login}",
		session + "={session}; " + session + "={session}", session + "=x; " + session + "={session}", session + "={session}; " + session + "=", "sfmcp-session={session}",
		session + `="{session}"`, session + "={session},", session + " ={session}", session + "= {session}", " " + session + "={session}", strings.ToLower(session) + "={session}",
		session + "={browser}", session + "={session}x", session + "=x{session}", "a=b;" + session + "={session}", "a=b," + session + "={session}", "a=\"b;" + session + "={session}\"",
		session + "={session}\x00", session + "={session}\r\n", ";;;=;=", "=", strings.Repeat("a=b; ", 5000), session, session + "='{session}'", "\xff=\xff", session + "=%7Bsession%7D",
		browser + "={browser}; " + browser + "={browser}", login + "={login}; " + login + "=", login + "={session}",
	} {
		f.Add(header, "state-1")
	}
	f.Add(login+"={login}", "state-2")
	f.Add(login+"={login}", "")
	fixture := newFixture(f)
	cookies := Cookies{Secure: true}
	given := fixture.signIn(f, "acme", "005A").Value
	w := httptest.NewRecorder()
	name, secret := cookies.Browser(w, request()), newSecret()
	fill := strings.NewReplacer("{session}", given, "{browser}", name, "{login}", secret, "{name}", loginName("state-1"))
	f.Fuzz(func(t *testing.T, header, state string) {
		header = fill.Replace(header)
		r := httptest.NewRequest("GET", "/account", nil)
		r.Header["Cookie"] = []string{header}

		s, err := fixture.Current(r)
		if want := one(header, session, given); err == nil && (!want || s.Org != "acme" || s.Subject != "005A") || err != nil && !errors.Is(err, ErrNoSession) {
			t.Fatalf("%q: %+v, %v", header, s, err)
		}
		if err == nil && s.CheckCSRF(url.Values{"csrf_token": {state}}) == nil {
			t.Fatalf("%q passes as the token of a form", state)
		}
		if got, ok := cookies.ReadBrowser(r); ok && !one(header, browser, got) || !ok && got != "" {
			t.Fatalf("%q names the browser %q", header, got)
		}
		if got, ok := cookies.Login(r, state); ok && !one(header, "__Host-sfmcp-"+loginName(state), got) || got == secret && state != "state-1" && !strings.Contains(header, loginName(state)) || !ok && got != "" {
			t.Fatalf("%q has the login %q for %q", header, got, state)
		}

		w := httptest.NewRecorder()
		again := cookies.Browser(w, r)
		cookies.SetLogin(w, state, again, time.Minute)
		for _, c := range w.Result().Cookies() {
			if c.Value != again || !cookieValue(c.Value) || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Fatalf("%q sets %+v", header, c)
			}
		}
		if len(w.Result().Cookies()) != 2 {
			t.Fatalf("%q sets %v", header, w.Header())
		}
	})
}

// one says whether the header has exactly one cookie of the name, and with that value, as
// RFC 6265 4.1.1 writes it. Quotes around a value are as if they were not there, and a value
// with other characters than a cookie may have is none.
func one(header, name, value string) bool {
	var found []string
	for pair := range strings.SplitSeq(header, ";") {
		n, v, ok := strings.Cut(strings.Trim(pair, " \t\r\n"), "=")
		if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
			v = v[1 : len(v)-1]
		}
		if ok && strings.Trim(n, " \t\r\n") == name && !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\`, r) }) {
			found = append(found, v)
		}
	}
	return len(found) == 1 && found[0] == value
}
