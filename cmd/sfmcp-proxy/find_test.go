package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// SR-AD-2: somebody who is named by the username of one org is cut off in every org that has their id, and let in
// again in every one; somebody who is not there is not said to have been reached.
func TestCutOffByUsernameIsInEveryOrg(t *testing.T) {
	t.Parallel()
	d, _ := startOrgs(t)
	in := map[string]*mcpClient{}
	connect := func() {
		for _, o := range simulatedOrgs[:2] {
			in[o.Name] = d.connect(o.server, o.username())
		}
	}
	answers := func(when string, want int) {
		t.Helper()
		for org, c := range in {
			if r := c.send("tools/list", nil); r.Status != want {
				t.Errorf("%s, org %s: status %d, want %d", when, org, r.Status, want)
			}
		}
	}
	says := func(out string, want ...string) {
		t.Helper()
		for _, text := range want {
			if !strings.Contains(out, text) {
				t.Errorf("not said: %q\n%s", text, out)
			}
		}
	}
	connect()
	says(d.must("user", "block", rep), "in org acme: 1 connection", "in org acme-sandbox: 1 connection", "in org acme-scratch: they have not signed in here yet")
	answers("blocked", http.StatusUnauthorized)
	says(d.must("user", "unblock", rep+".acme-sandbox"), "in org acme:", "in org acme-sandbox:", "in org acme-scratch:")
	if out, status := d.command("user", "unblock", rep); status != exitFailed || !strings.Contains(out, "reached nobody: ") {
		t.Errorf("unblocked twice: status %d %s", status, out)
	}

	connect()
	answers("connected anew", http.StatusOK)
	says(d.must("user", "revoke", rep), "in org acme: 1 connection", "in org acme-sandbox: 1 connection", "has no connection and no login in org acme-scratch")
	answers("revoked", http.StatusUnauthorized)
	if out, status := d.command("user", "revoke", rep); status != exitFailed || !strings.Contains(out, "reached nobody: ") {
		t.Errorf("revoked twice: status %d %s", status, out)
	}

	connect()
	says(d.must("incident", "contain", "--user", rep), " in org acme:\n", " in org acme-sandbox:\n", " in org acme-scratch, who has not come here:\n", "nothing there  0 connections ended")
	answers("contained", http.StatusUnauthorized)

	// Who was renamed is not taken for somebody whose username is like the earlier one.
	d.must("user", "unblock", rep)
	connect()
	d.renamed("acme", salesforcesim.RepID, "renamed@acme.example")
	for _, args := range [][]string{{"user", "block"}, {"user", "revoke"}, {"user", "show"}, {"incident", "contain", "--user"}} {
		if out, status := d.command(append(args, rep)...); status != exitFailed || !strings.Contains(out, "renamed@acme.example ("+salesforcesim.RepID+") in org acme") || strings.Contains(out, "did you mean") {
			t.Errorf("%v: status %d %s", args, status, out)
		}
	}
	answers("named by an earlier name", http.StatusOK)

	// An export of two people who have one username is on the record of both.
	const other = "005xx000001Sv6BAAS"
	d.renamed("acme-sandbox", other, "renamed@acme.example")
	d.must("audit", "export", "--user", "renamed@acme.example")
	for _, subject := range []string{salesforcesim.RepID, other} {
		if out := d.must("audit", "list", "--action", "log.export", "--user", subject, "--json"); !strings.Contains(out, `"subject":"`+subject+`"`) {
			t.Errorf("not on the record of %s: %s", subject, out)
		}
	}
}

// renamed has a user be called otherwise, as their next sign-in would.
func (d *demo) renamed(org, subject, username string) {
	d.t.Helper()
	c, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	s, err := openStores(d.t.Context(), c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	defer closing(s.close)
	if err := s.grants.SeeUser(d.t.Context(), org, subject); err != nil {
		d.t.Fatal(err)
	}
	if err := s.grants.NameUser(d.t.Context(), org, subject, username, ""); err != nil {
		d.t.Fatal(err)
	}
}

// U12: whoever never came is refused from now on, and is not said to have been reached.
func TestU12NobodyIsReached(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-reads", rep)
	const nobody, url = "005xx000001Sv8A", "https://evil.example/none"
	if out, status := d.command("incident", "contain", "--user", nobody); status != exitFailed || !strings.Contains(out, "confirmed      they are refused") ||
		strings.Contains(out, "confirmed      0 ") || !strings.Contains(out, "reached nobody: "+nobody) {
		t.Errorf("a user: status %d %s", status, out)
	}
	if out, status := d.command("incident", "contain", "--client", url); status != exitFailed || strings.Contains(out, "confirmed      0 ") || !strings.Contains(out, "reached nobody: ") {
		t.Errorf("a client: status %d %s", status, out)
	}
	if out := d.must("client", "block", url); !strings.Contains(out, "nobody was reached") {
		t.Errorf("to block a client: %s", out)
	}
	typed := d.ClientID[:len(d.ClientID)-1]
	for _, args := range [][]string{{"client", "revoke"}, {"client", "block"}, {"incident", "contain", "--client"}} {
		if out, status := d.command(append(args, typed)...); status != exitFailed || !strings.Contains(out, `did you mean "`+d.ClientID+`"?`) {
			t.Errorf("%v: status %d %s", args, status, out)
		}
	}
	var acts []string
	for line := range strings.Lines(d.must("audit", "list", "--action", "client.", "--json")) {
		var e struct{ Action, Client string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		acts = append(acts, e.Action+" "+e.Client)
	}
	if got := strings.Join(acts, ", "); got != "client.block "+url+", client.block "+url {
		t.Errorf("in the log: %s", got)
	}
}
