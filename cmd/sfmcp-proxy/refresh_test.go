package main

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// FT-16: the token endpoint is broken in every way there is. While the access token is
// good nobody notices; then the client is told to come back, never to sign in again, and
// that nothing was done; and it heals by itself.
func TestFaultFT16TokenEndpointBroken(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	for _, tc := range []struct {
		name   string
		faults map[string]any
	}{
		{"503", map[string]any{"token_errors": -1}},
		{"500", map[string]any{"token_errors": -1, "token_status": 500}},
		{"429", map[string]any{"token_errors": -1, "token_status": 429}},
		{"page with 200", map[string]any{"token_errors": -1, "token_status": 200}},
		{"setting", map[string]any{"token_refusal": "invalid_client_id: client identifier invalid"}},
		{"rate", map[string]any{"token_refusal": "invalid_grant: login rate exceeded"}},
	} {
		d.control("PUT", "/faults", tc.faults, nil)
		if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
			t.Errorf("%s, with a good token: %d %s", tc.name, r.Status, r.body)
		}
		d.expireLogins()
		d.control("DELETE", "/requests", nil, nil)
		begun := time.Now()
		for range 3 {
			r := c.call("updateSobjectRecord", map[string]any{"sobject-name": "Account", "id": "001xx0000000001AAA", "body": map[string]any{"Name": "x"}})
			if r.Status != http.StatusOK || !r.Result.IsError && r.Error == nil || strings.Contains(r.body, "/approvals/") {
				t.Errorf("%s, without one: %d %s", tc.name, r.Status, r.body)
			}
			r = c.call("getUserInfo", map[string]any{})
			if r.Status != http.StatusOK || !r.Result.IsError || !strings.Contains(r.text(), "can be repeated") || !strings.Contains(r.text(), "Try again in ") || strings.Contains(r.body, d.SalesforceURL) {
				t.Errorf("%s, without one: %d %s", tc.name, r.Status, r.body)
			}
		}
		// On a slow machine a pause of 10 s may be over meanwhile.
		if n := len(d.recorded("path=/services/oauth2/token")); n < 1 || n > 1+int(time.Since(begun)/(10*time.Second)) {
			t.Errorf("%s: Salesforce was asked %d times in %s", tc.name, n, time.Since(begun))
		}
		if row := d.user(rep); row.Salesforce != "active" || row.LoginWhy == "" || row.LoginClass == "" || row.LoginFix == "" {
			t.Errorf("%s: the security team sees %+v", tc.name, row)
		}
		d.control("PUT", "/faults", map[string]any{}, nil)
		d.change(`UPDATE links SET lease_until = 1`) // the pause is over
		if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
			t.Errorf("%s, when it is over: %d %s", tc.name, r.Status, r.body)
		}
	}
}

// FT-19: a client refreshes, a call needs a refresh at Salesforce, and the security team
// revokes the user, all at once. Revoked wins, here and there.
func TestFaultFT19RevokedWins(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	for range 5 {
		c := d.connect("sobject-reads", rep)
		d.expireLogins()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				mine := *c
				mine.post(t.Context(), "tools/call", map[string]any{"name": "getUserInfo", "arguments": map[string]any{}}, false)
			})
			all.Go(func() {
				resp, err := http.PostForm(d.PublicURL+"/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}})
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})
		}
		all.Go(func() { d.must("user", "revoke", rep) })
		all.Wait()
		if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusUnauthorized {
			t.Errorf("after the revocation: %d %s", r.Status, r.body)
		}
		eventually(t, plenty, "nothing of the user lives at Salesforce", func() bool { return d.refreshTokens()["live"] == 0 })
		if out := d.must("grant", "list", "--json"); out != "" {
			t.Errorf("connections are left: %s", out)
		}
	}
}

// FT-20: a process that renews a login is killed with the request on its way. Another one
// takes over once the lease has run out, and its caller gets an answer.
func TestFaultFT20KilledDuringRefresh(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startEdited(t, func(text string) string { return text })
	c := d.connect("sobject-reads", rep)
	d.control("PUT", "/faults", map[string]any{"token_delay": "1h"}, nil)
	d.control("DELETE", "/requests", nil, nil)
	d.expireLogins()
	doomed := exec.Command(os.Args[0], "doctor", "--config", d.ConfigFile) // renews what is due
	doomed.Env = append(os.Environ(), runAsProgram+"=1")
	if err := doomed.Start(); err != nil {
		t.Fatal(err)
	}
	asked := func() int { return len(d.recorded("path=/services/oauth2/token")) }
	eventually(t, plenty, "the request is on its way", func() bool { return asked() == 1 })
	if err := doomed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	doomed.Wait()
	d.control("PUT", "/faults", map[string]any{}, nil)

	killed := time.Now()
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("after the kill: %d %s", r.Status, r.body)
	}
	if took := time.Since(killed); took > 45*time.Second { // the lease lasts 10 s, a call a minute
		t.Errorf("taken over after %s", took)
	}
	if n := asked(); n != 2 {
		t.Errorf("Salesforce was asked %d times", n)
	}
	var tokens []struct{ Reused int }
	d.control("GET", "/tokens", nil, &tokens)
	for _, token := range tokens {
		if token.Reused != 0 {
			t.Errorf("a spent token was presented %d times", token.Reused)
		}
	}
	if row := d.user(rep); row.Salesforce != "active" {
		t.Errorf("the login is %+v", row)
	}
}
