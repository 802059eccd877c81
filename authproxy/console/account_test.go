package console

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestSignedOutVisitorsAreSentToSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, returnTo := range map[string]string{
		"/account": "/account", "/approvals": "/approvals", "/approvals/apr_x": "/approvals/apr_x", "/approvals/apr_x?decision=approve": "/approvals/apr_x",
		"/approvals/%2f%2fevil.example": "/account",
	} {
		got := s.send("GET", path, "", nil)
		if want := "/signin?return_to=" + url.QueryEscape(returnTo); got.status != http.StatusSeeOther || got.location != want {
			t.Errorf("GET %s = %d to %q, want 303 to %q", path, got.status, got.location, want)
		}
	}
	for _, path := range []string{"/account/disconnect", "/approvals/apr_x"} {
		got := s.send("POST", path, "decision=approve", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		got.want(t, http.StatusUnauthorized, "You are not signed in")
	}
}

func TestAP17BearerTokensOpenNoPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	id, token := alice.connect()
	waiting := alice.ask(`{"a":1}`, "requester")
	bearer := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/x-www-form-urlencoded"}}
	for _, path := range []string{"/account", "/approvals", "/approvals/" + waiting.ID} {
		s.send("GET", path, "", bearer).want(t, http.StatusUnauthorized)
	}
	s.send("POST", "/approvals/"+waiting.ID, "decision=approve&csrf_token="+token, bearer).want(t, http.StatusUnauthorized)
	s.send("POST", "/account/disconnect", "grant="+id, bearer).want(t, http.StatusUnauthorized)
	// Not as a cookie either.
	bearer = http.Header{"Cookie": {alice.cookie.Name + "=" + token}, "Content-Type": {"application/x-www-form-urlencoded"}}
	s.send("POST", "/approvals/"+waiting.ID, "decision=approve", bearer).want(t, http.StatusUnauthorized)
	if got := s.state(waiting.ID); got != "pending" {
		t.Errorf("the approval is %s", got)
	}
}

func TestAccountShowsOwnConnectionsOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice, bob := s.signIn("acme", "005A"), s.signIn("acme", "005B")
	mine, _ := alice.connect()
	theirs, _ := bob.connect()
	if err := s.grants.NameUser(t.Context(), "acme", "005A", "alice@acme.example", "Alice <b>A</b>"); err != nil {
		t.Fatal(err)
	}
	alice.ask(`{"a":1}`, "requester")
	page := alice.get("/account")
	page.want(t, 200, "Alice <b>A</b>", "alice@acme.example", "005A", "acme.my.salesforce.com", "ChatGPT", "Sales, confirmed writes",
		"chatgpt.com", "1 May 2026, 10:00 UTC", "never", "One call waits")
	if !strings.Contains(page.body, mine) || strings.Contains(page.body, theirs) {
		t.Error("the page shows the wrong connections")
	}
	s.signIn("other", "005A").get("/account").want(t, 200, "No assistant is connected")
}

func TestUI16Disconnect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice, bob := s.signIn("acme", "005A"), s.signIn("acme", "005B")
	mine, token := alice.connect()
	theirs, theirToken := bob.connect()
	if _, err := s.grants.Authenticate(t.Context(), token, "sales"); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]answer{
		"another user's":  alice.post("/account/disconnect", url.Values{"grant": {theirs}}),
		"an invented one": alice.post("/account/disconnect", url.Values{"grant": {"grt_none"}}),
		"none":            alice.post("/account/disconnect", url.Values{}),
		"other org":       s.signIn("other", "005A").post("/account/disconnect", url.Values{"grant": {mine}}),
	} {
		if got.status != http.StatusNotFound {
			t.Errorf("disconnecting %s = %d", name, got.status)
		}
	}
	for name, got := range map[string]answer{
		"no token":         alice.postRaw("/account/disconnect", "grant="+mine, nil),
		"another's token":  alice.postRaw("/account/disconnect", "grant="+mine+"&csrf_token="+bob.csrf, nil),
		"foreign page":     alice.postRaw("/account/disconnect", "grant="+mine+"&csrf_token="+alice.csrf, http.Header{"Origin": {"https://evil.example"}}),
		"token in address": alice.postRaw("/account/disconnect?csrf_token="+alice.csrf, "grant="+mine, nil),
	} {
		if got.status != http.StatusForbidden {
			t.Errorf("disconnecting with %s = %d", name, got.status)
		}
	}
	if _, err := s.grants.Authenticate(t.Context(), token, "sales"); err != nil {
		t.Fatalf("a refused form ended the connection: %v", err)
	}
	done := alice.post("/account/disconnect", url.Values{"grant": {mine}})
	if done.status != http.StatusSeeOther || done.location != "/account?disconnected" {
		t.Fatalf("disconnecting = %d to %q", done.status, done.location)
	}
	alice.get(done.location).want(t, 200, "The client is disconnected", "No assistant is connected")
	if _, err := s.grants.Authenticate(t.Context(), token, "sales"); err == nil {
		t.Error("the token still works")
	}
	if _, err := s.grants.Authenticate(t.Context(), theirToken, "sales"); err != nil {
		t.Errorf("the other user's token: %v", err)
	}
}

func TestBlockedUserIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	alice.connect()
	waiting := alice.ask(`{"a":1}`, "requester")
	if _, err := s.grants.BlockUser(t.Context(), "acme", "005A", "test"); err != nil {
		t.Fatal(err)
	}
	alice.get("/account").want(t, http.StatusForbidden, "Your access is blocked")
	alice.get("/").want(t, http.StatusForbidden, "Your access is blocked")
	alice.post("/approvals/"+waiting.ID, url.Values{"decision": {"approve"}}).want(t, http.StatusForbidden, "Your access is blocked")
	if got := s.state(waiting.ID); got == "approved" {
		t.Errorf("the approval is %s", got)
	}
}

func TestLanding(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.send("GET", "/", "", nil).want(t, 200, "Salesforce for your assistant", "Sign in")
	s.signIn("acme", "005A").get("/").want(t, 200, "Your account", "Sign out")
}

func TestUI09PagesAndErrorsForbidFraming(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"a":1}`, "requester")
	for name, got := range map[string]answer{
		"account": alice.get("/account"), "approvals": alice.get("/approvals"), "approval": alice.get("/approvals/" + waiting.ID), "missing": alice.get("/approvals/apr_none"),
		"forged": alice.postRaw("/approvals/"+waiting.ID, "", nil), "signed out": s.send("POST", "/account/disconnect", "", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}),
		"landing": s.send("GET", "/", "", nil),
	} {
		if got.header.Get("X-Frame-Options") != "DENY" || !strings.Contains(got.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, got.header)
		}
	}
}

func TestNewNamesNothingMissing(t *testing.T) {
	t.Parallel()
	if c, err := New(Config{}); err == nil {
		t.Errorf("New without anything = %v", c)
	}
}

// U14: connections of one client are told apart by those who hear the page, too, and one whose
// code no client has redeemed is none.
func TestU14ConnectionsAreToldApart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	alice.connect()
	alice.connect()
	alice.connect()
	never, _ := alice.consent()
	page := alice.get("/account")
	if strings.Contains(page.body, never) {
		t.Error("a connection that was never used is listed")
	}
	labels := regexp.MustCompile(`aria-label="(Connection [^"]*)"`).FindAllStringSubmatch(page.body, -1)
	seen := map[string]bool{}
	for _, label := range labels {
		seen[label[1]] = true
	}
	if len(labels) != 3 || len(seen) != 3 {
		t.Errorf("landmarks %v", labels)
	}
}

// FW-30: people see what they have used of budgets, and nobody else's.
func TestFW30AccountShowsBudgets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.used = map[[2]string]int64{{"acme", "005A"}: 3, {"acme", "005B"}: 7, {"other", "005C"}: 1}
	alice, bob, carol := s.signIn("acme", "005A"), s.signIn("acme", "005B"), s.signIn("acme", "005C")
	page := alice.get("/account")
	page.want(t, http.StatusOK, "deletes a day, of objects Account", "3 of 5 used", "2 May 2026, 00:00 UTC")
	if strings.Contains(page.text(), "nothing is left") {
		t.Error("something is left")
	}
	bob.get("/account").want(t, http.StatusOK, "5 of 5 used, nothing is left")
	if text := carol.get("/account").text(); strings.Contains(text, "Limits of your organization") {
		t.Errorf("who has used nothing: %s", text)
	}
}
