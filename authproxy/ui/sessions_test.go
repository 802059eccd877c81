package ui

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// fixture is a session store on a database of its own, with a clock.
type fixture struct {
	*Sessions
	db  *sql.DB
	now time.Time
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	d := dbtest.Open(t)
	f := &fixture{db: d.Writes, now: time.UnixMilli(1_800_000_000_000)}
	f.Sessions = NewSessions(Config{DB: d, Cookies: Cookies{Secure: true}, Now: func() time.Time { return f.now }})
	return f
}

// signIn starts a session for a browser with the given cookies, and returns the new one.
func (f *fixture) signIn(t testing.TB, org, subject string, had ...*http.Cookie) *http.Cookie {
	t.Helper()
	w, r := httptest.NewRecorder(), request(had...)
	if err := f.Start(w, r, org, subject); err != nil {
		t.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("signing in set %d cookies", len(cookies))
	}
	return cookies[0]
}

func request(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", "/account", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func (f *fixture) rows(t *testing.T) int {
	t.Helper()
	var n int
	if err := f.db.QueryRow(`SELECT COUNT(*) FROM browser_sessions`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSessionLife(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cookie := f.signIn(t, "acme", "005A")
	s, err := f.Current(request(cookie))
	if err != nil || s.Org != "acme" || s.Subject != "005A" || !s.CreatedAt.Equal(f.now) || !s.ExpiresAt.Equal(f.now.Add(12*time.Hour)) {
		t.Fatalf("session is %+v, %v", s, err)
	}
	f.now = f.now.Add(12*time.Hour - time.Millisecond)
	if _, err := f.Current(request(cookie)); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	f.now = f.now.Add(time.Millisecond)
	if _, err := f.Current(request(cookie)); !errors.Is(err, ErrNoSession) {
		t.Errorf("at its end: %v", err)
	}
	if n, err := f.Sweep(context.Background()); n != 1 || err != nil || f.rows(t) != 0 {
		t.Errorf("Sweep = %d, %v; %d rows left", n, err, f.rows(t))
	}
}

func TestUI13CookieAttributes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := httptest.NewRecorder()
	browser := Cookies{Secure: true}.Browser(w, request())
	Cookies{Secure: true}.SetLogin(w, "state-1", newSecret(), 10*time.Minute)
	cookies := append(w.Result().Cookies(), f.signIn(t, "acme", "005A"))
	names := map[string]bool{}
	for _, c := range cookies {
		names[c.Name] = true
		if !strings.HasPrefix(c.Name, "__Host-sfmcp-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 || len(c.Value) != 43 {
			t.Errorf("cookie %+v", c)
		}
	}
	if !names["__Host-sfmcp-browser"] || !names["__Host-sfmcp-session"] || len(names) != 3 {
		t.Errorf("cookies are %v", names)
	}
	again := httptest.NewRecorder()
	if got := (Cookies{Secure: true}).Browser(again, request(cookies...)); got != browser || len(again.Result().Cookies()) != 1 {
		t.Error("a browser with a name got another")
	}
	plain := httptest.NewRecorder()
	Cookies{}.Browser(plain, request(cookies...))
	if c := plain.Result().Cookies(); len(c) != 1 || c[0].Name != "sfmcp-browser" || c[0].Secure || !c[0].HttpOnly {
		t.Errorf("on plain http: %+v", c)
	}
}

// Ten thousand logins: no id comes twice, each is new to the browser, and its bits are
// set as often as not.
func TestUI13SessionIDsDiffer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	logins := rounds.Sized(t, 1000, 10_000)
	if dbtest.OnPostgres() {
		logins = 1000 // the ids are made in the same way
	} else if _, err := f.db.Exec(`PRAGMA synchronous = OFF`); err != nil { // this is not about power cuts
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var set [256]int
	var browser []*http.Cookie
	for range logins {
		cookie := f.signIn(t, "acme", "005A", browser...)
		bits, err := base64.RawURLEncoding.DecodeString(cookie.Value)
		if err != nil || len(bits) != 32 || seen[cookie.Value] || !cookieValue(cookie.Value) {
			t.Fatalf("an id of %d bytes, seen before: %t, %v", len(bits), seen[cookie.Value], err)
		}
		seen[cookie.Value] = true
		browser = []*http.Cookie{cookie}
		for i := range set {
			set[i] += int(bits[i/8] >> (i % 8) & 1)
		}
	}
	for i, n := range set { // six standard deviations
		if off := n - logins/2; off*off > 36*logins/4 {
			t.Errorf("bit %d is set %d times in %d", i, n, logins)
		}
	}
	if n := f.rows(t); n != 1 {
		t.Errorf("one browser has %d sessions", n)
	}
}

func TestUI13SessionFixation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	planted := &http.Cookie{Name: "__Host-sfmcp-session", Value: newSecret()}
	if _, err := f.Current(request(planted)); !errors.Is(err, ErrNoSession) {
		t.Fatalf("an invented id: %v", err)
	}
	first := f.signIn(t, "acme", "005A", planted)
	second := f.signIn(t, "acme", "005A", first)
	if first.Value == planted.Value || second.Value == first.Value {
		t.Error("the id survived a login")
	}
	for name, c := range map[string]*http.Cookie{"planted": planted, "former": first} {
		if _, err := f.Current(request(c)); !errors.Is(err, ErrNoSession) {
			t.Errorf("the %s id works after the login: %v", name, err)
		}
	}
	if f.rows(t) != 1 {
		t.Errorf("%d sessions", f.rows(t))
	}
}

// FT-10: where a new session cannot be stored, the one there was goes on.
func TestFaultFT10SessionStaysWhereNoneCanFollow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	had := f.signIn(t, "acme", "005A")
	accept := dbtest.Refuse(t, f.Sessions.db, "browser_sessions")
	if err := f.Start(httptest.NewRecorder(), request(had), "acme", "005A"); err == nil {
		t.Fatal("a session was stored: the test tests nothing")
	}
	accept()
	if s, err := f.Current(request(had)); err != nil || s.Subject != "005A" {
		t.Errorf("the session there was: %v", err)
	}
}

func TestUI13OddCookies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	good := f.signIn(t, "acme", "005A")
	other := &http.Cookie{Name: good.Name, Value: newSecret()}
	flood := request(good)
	for range 1000 {
		flood.Header.Add("Cookie", "a=")
	}
	if _, err := f.Current(flood); err != nil {
		t.Errorf("a thousand other cookies: %v", err)
	}
	for name, r := range map[string]*http.Request{
		"two of the name":   request(other, good),
		"two, other order":  request(good, other),
		"without prefix":    request(&http.Cookie{Name: "sfmcp-session", Value: good.Value}),
		"empty":             request(&http.Cookie{Name: good.Name}),
		"too long":          request(&http.Cookie{Name: good.Name, Value: strings.Repeat("a", 4096)}),
		"not base64url":     request(&http.Cookie{Name: good.Name, Value: good.Value[:42] + "'"}),
		"hash from the row": request(&http.Cookie{Name: good.Name, Value: hash(good.Value)}),
	} {
		if _, err := f.Current(r); !errors.Is(err, ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSessionSecretsAreNotStored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cookie := f.signIn(t, "acme", "005A")
	var sessionHash, csrfHash string
	if err := f.db.QueryRow(`SELECT session_hash, csrf_hash FROM browser_sessions`).Scan(&sessionHash, &csrfHash); err != nil {
		t.Fatal(err)
	}
	for _, stored := range []string{sessionHash, csrfHash} {
		if stored == cookie.Value || stored == FormToken(cookie.Value) || stored == "" {
			t.Errorf("stored %q", stored)
		}
	}
}

func TestUI18SignedOutCookieIsDead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	mine, mineToo, others := f.signIn(t, "acme", "005A"), f.signIn(t, "acme", "005A"), f.signIn(t, "acme", "005B")
	w := httptest.NewRecorder()
	if err := f.End(w, request(mine)); err != nil {
		t.Fatal(err)
	}
	if c := w.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Name != mine.Name {
		t.Errorf("signing out set %+v", c)
	}
	if _, err := f.Current(request(mine)); !errors.Is(err, ErrNoSession) {
		t.Errorf("after signing out: %v", err)
	}
	if err := f.End(httptest.NewRecorder(), request()); err != nil {
		t.Errorf("signing out twice: %v", err)
	}
	if n, err := f.EndUser(context.Background(), "acme", "005A"); n != 1 || err != nil {
		t.Errorf("EndUser = %d, %v", n, err)
	}
	if _, err := f.Current(request(mineToo)); !errors.Is(err, ErrNoSession) {
		t.Errorf("after EndUser: %v", err)
	}
	if s, err := f.Current(request(others)); err != nil || s.Subject != "005B" {
		t.Errorf("somebody else's session: %+v, %v", s, err)
	}
}

func TestUI06TokenOfAnotherSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	mine, err := f.Current(request(f.signIn(t, "acme", "005A")))
	if err != nil {
		t.Fatal(err)
	}
	other, err := f.Current(request(f.signIn(t, "acme", "005A")))
	if err != nil {
		t.Fatal(err)
	}
	if err := mine.CheckCSRF(url.Values{"csrf_token": {mine.CSRF}}); err != nil {
		t.Errorf("own token: %v", err)
	}
	for name, form := range map[string]url.Values{
		"none": {}, "empty": {"csrf_token": {""}}, "other session": {"csrf_token": {other.CSRF}}, "stored hash": {"csrf_token": {mine.csrfHash}},
	} {
		refusal, ok := errors.AsType[*Refusal](mine.CheckCSRF(form))
		if !ok || refusal.Status != http.StatusForbidden {
			t.Errorf("%s: %v", name, refusal)
		}
	}
}

func TestUI07LoginCookiesOfTwoTabs(t *testing.T) {
	t.Parallel()
	c := Cookies{Secure: true}
	one, two := newSecret(), newSecret()
	w := httptest.NewRecorder()
	c.SetLogin(w, "state-one", one, time.Minute)
	c.SetLogin(w, "state-two", two, time.Minute)
	r := request(w.Result().Cookies()...)
	for state, want := range map[string]string{"state-one": one, "state-two": two, "state-three": ""} {
		if got, ok := c.Login(r, state); got != want || ok != (want != "") {
			t.Errorf("Login(%q) = %q, %v", state, got, ok)
		}
	}
	w = httptest.NewRecorder()
	c.ClearLogin(w, "state-one")
	if cleared := w.Result().Cookies(); len(cleared) != 1 || cleared[0].MaxAge >= 0 || !strings.HasPrefix(cleared[0].Name, "__Host-sfmcp-login-") {
		t.Errorf("ClearLogin set %+v", cleared)
	}
}

// D15: a person is signed in with so many browsers; the oldest gives way, of nobody else.
func TestD15SessionsOfAPersonAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := f.signIn(t, "acme", "other")
	elsewhere := f.signIn(t, "sandbox", "one")
	var mine []*http.Cookie
	for i := range 3 * sessionsPerUser {
		if i%2 == 0 { // some in the same millisecond
			f.now = f.now.Add(time.Second)
		}
		mine = append(mine, f.signIn(t, "acme", "one"))
	}
	if n := f.rows(t); n != sessionsPerUser+2 {
		t.Errorf("%d sessions", n)
	}
	for name, c := range map[string]*http.Cookie{"another person": other, "in another org": elsewhere, "the newest": mine[len(mine)-1]} {
		if _, err := f.Current(request(c)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Current(request(mine[0])); !errors.Is(err, ErrNoSession) {
		t.Errorf("the oldest: %v", err)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { f.signIn(t, "acme", "one") })
	}
	all.Wait()
	if n := f.rows(t); n != sessionsPerUser+2 {
		t.Errorf("%d sessions after ten at a time", n)
	}
}

// S7: whoever writes into the database without the keys signs nobody in, not with a session
// that he makes, nor with one of his own that he changes.
func TestS7ForgedSessions(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"another's":     `UPDATE browser_sessions SET subject = '005B'`,
		"another org's": `UPDATE browser_sessions SET org = 'other'`,
		"prolonged":     `UPDATE browser_sessions SET expires_at = expires_at + 86400000`,
		"form secret":   `UPDATE browser_sessions SET csrf_hash = 'x'`,
		"swapped":       `UPDATE browser_sessions SET subject = '005B', mac = (SELECT o.mac FROM browser_sessions o WHERE o.subject = '005B')`,
		"made": `INSERT INTO browser_sessions (session_hash, org, subject, csrf_hash, created_at, expires_at, mac)
			SELECT '` + hash("made") + `', org, subject, csrf_hash, created_at, expires_at, mac FROM browser_sessions LIMIT 1`,
	} {
		f := newFixture(t)
		f.signIn(t, "acme", "005B")
		mine := f.signIn(t, "acme", "005A")
		if name == "made" {
			mine.Value = "made"
		} else {
			statement += ` WHERE session_hash = '` + hash(mine.Value) + `'`
		}
		if _, err := f.db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if name == "prolonged" {
			f.now = f.now.Add(DefaultSessionLifetime + time.Hour)
		}
		if session, err := f.Current(request(mine)); !errors.Is(err, ErrNoSession) {
			t.Errorf("%s: signed in as %+v, %v", name, session, err)
		}
	}
}
