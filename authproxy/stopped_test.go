package authproxy

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// While everything is stopped no authorization begins or goes on, at whatever step it is:
// each answer is a page, never a redirect to a client that would come back at once. The
// same works again afterwards, and signing in works all the time.
func TestU10NoAuthorizationWhileAllIsStopped(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	set := func(stop access.Stop) {
		t.Helper()
		if err := f.Access.SetStop(t.Context(), stop, "test"); err != nil {
			t.Fatal(err)
		}
	}
	wantStopped := func(step string, r reply) {
		t.Helper()
		if r.status != http.StatusServiceUnavailable || r.header.Get("Location") != "" || !strings.Contains(r.body, "No new connection can be made now") ||
			!strings.Contains(r.body, `href="/account"`) {
			t.Errorf("%s: %d to %q: %s", step, r.status, r.header.Get("Location"), r.body)
		}
	}
	asking := f.browser()
	question := f.openConsent(t, asking)
	signedIn, callback := f.atCallback(t)
	exchanged := f.upstream(tokenPath)
	set(access.StopAll)

	for name, path := range map[string]string{"right": f.authorizePath(), "wrong resource": f.authorizePath("resource", "x"), "unknown client": f.authorizePath("client_id", "x")} {
		wantStopped(name, f.send(t, "GET", path, ""))
	}
	form := answerTo(question, "allow")
	cookies := []string{"Cookie", cookieHeader(asking, f.PublicURL+"/oauth/consent"), "Origin", f.PublicURL}
	wantStopped("allow", f.post(t, "/oauth/consent", form, cookies...))
	wantStopped("callback", f.callbackWith(t, signedIn, callback.Query()))
	if n := f.upstream(tokenPath) - exchanged; n != 0 {
		t.Errorf("%d codes were redeemed at Salesforce", n)
	}
	if n := f.count(t, `SELECT count(*) FROM grants`); n != 0 {
		t.Errorf("%d connections", n)
	}
	f.wantAudited(t, audit.LoginFinish, audit.Denied, "stopped")

	location, err := f.browser(f.PublicURL+"/account").LogIn(t.Context(), f.PublicURL+"/signin?return_to=/account", sim.RepUsername, sim.RepPassword)
	if err != nil || location != f.PublicURL+"/account" {
		t.Errorf("signing in while all is stopped leads to %q: %v", location, err)
	}

	set(access.StopWrites) // connecting and reading stay possible
	if r := f.post(t, "/oauth/consent", form, cookies...); r.status != http.StatusSeeOther {
		t.Errorf("the question that was open: %d %s", r.status, r.body)
	}
	f.code(t)
	set(access.StopOff)
	f.code(t)
}

// profileHook is done when the proxy asks who somebody is.
type profileHook func()

func (hook profileHook) Profile(context.Context, string, string) (name, username string, err error) {
	hook()
	return "", "", errors.New("no profile")
}

// All is stopped while the person is at Salesforce, and the code is being redeemed.
func TestU10StoppedWhileSigningIn(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	b, callback := f.atCallback(t)
	f.Profiles = profileHook(func() {
		if err := f.Access.SetStop(t.Context(), access.StopAll, "test"); err != nil {
			t.Error(err)
		}
	})
	if r := f.callbackWith(t, b, callback.Query()); r.status != http.StatusServiceUnavailable || !strings.Contains(r.body, "Nothing was connected") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if n := f.count(t, `SELECT count(*) FROM grants`); n != 0 {
		t.Errorf("%d connections", n)
	}
	f.wantAudited(t, audit.GrantCreate, audit.Denied, "stopped")
}

// Where the position of the kill switch cannot be read, nothing is given either.
func TestU10UnknownPosition(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	if _, err := f.db.Writes.Exec(`UPDATE stops SET value = 'sideways'`); err != nil {
		t.Fatal(err)
	}
	if r := f.send(t, "GET", f.authorizePath(), ""); r.status != http.StatusInternalServerError || strings.Contains(r.body, "<form") {
		t.Errorf("%d %s", r.status, r.body)
	}
}
