package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
)

// SR-AD-2: an incident in one command: a person, then a program, each step looked at again and said.
func TestU2IncidentContain(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c, other := d.connect("sobject-all", rep), d.connect("sobject-reads", manager)
	c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
	d.approvalURL(c.call("createSobjectRecord", account("waits")))

	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][]string{{}, {"--user", rep, "--client", d.ClientID}, {"--user", rep, "--evidence", full}, {"--user", rep, "--reason", ""}} {
		if out, status := d.command(append([]string{"incident", "contain"}, wrong...)...); status != exitUsage || !strings.Contains(out, "nothing was done") {
			t.Errorf("%v: status %d %s", wrong, status, out)
		}
	}
	if out, status := d.command("incident", "contain", "--client", "nobody"); status != exitFailed || !strings.Contains(out, "no client") {
		t.Errorf("no such client: status %d %s", status, out)
	}

	dir := filepath.Join(t.TempDir(), "evidence")
	out := d.must("incident", "contain", "--user", rep, "--evidence", dir, "--reason", "laptop stolen")
	for _, want := range []string{salesforcesim.RepID + " in org acme:\n", "confirmed      they are refused", "1 connection ended", "1 waiting or approved call ended", "1 browser session ended",
		"confirmed      their Salesforce login is ended here", "the audit log says", "  within 1 s     every process", "no refresh token of theirs", "what is known is in " + dir} {
		if !strings.Contains(out, want) {
			t.Errorf("not said: %q\n%s", want, out)
		}
	}
	if r := c.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the next call: status %d", r.Status)
	}
	if r := other.send("tools/list", nil); r.Status != http.StatusOK {
		t.Errorf("somebody else's call: status %d", r.Status)
	}
	files := readAll(t, dir)
	if len(files) != 5 || !strings.Contains(string(files["manifest.json"]), `"did": "incident contain"`) || !strings.Contains(string(files["audit.jsonl"]), "laptop stolen") {
		t.Errorf("evidence: %s", files["manifest.json"])
	}
	if again := d.must("incident", "contain", "--user", rep); !strings.Contains(again, "0 connections ended") {
		t.Errorf("a second time: %s", again)
	}

	// Salesforce cannot be told: that alone is not confirmed, and the exit status says so.
	d.control("PUT", "/faults", map[string]any{"revoke_down": true}, nil)
	dir = filepath.Join(t.TempDir(), "client")
	out, status := d.command("incident", "contain", "--client", d.ClientID, "--evidence", dir, "--json")
	if status != exitFailed || strings.Count(out, `"confirmed":false`) != 1 || !strings.Contains(out, `"step":"salesforce","text":"no refresh token is left at Salesforce of those who have no other connection","confirmed":false,"problem":"1 could not be told yet`) {
		t.Errorf("while Salesforce is down: status %d\n%s", status, out)
	}
	if r := other.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the client's next call: status %d", r.Status)
	}
	files = readAll(t, dir)
	if !strings.Contains(string(files["manifest.json"]), `"client": "`+d.ClientID+`"`) || !strings.Contains(string(files["manifest.json"]), rep) || !strings.Contains(string(files["audit.jsonl"]), `"action":"client.block"`) {
		t.Errorf("evidence of the client: %s", files["manifest.json"])
	}
	d.control("PUT", "/faults", map[string]any{}, nil)
	d.clientIsBlocked(other)
}

// clientIsBlocked looks that nobody can connect the demonstration's client, until it is unblocked.
func (d *demo) clientIsBlocked(c *mcpClient) {
	t := d.t
	t.Helper()
	if list := d.must("client", "list", "--json"); !strings.Contains(list, `"blocked":true`) {
		t.Errorf("the list: %s", list)
	}
	page, err := d.browser().Get(t.Context(), d.authorizeURL("sobject-reads"))
	if err != nil || page.Status != http.StatusBadRequest || !strings.Contains(page.Body, "has blocked the program") {
		t.Errorf("to connect it: %v, status %d %s", err, page.Status, page.Body)
	}
	resp, err := http.PostForm(d.PublicURL+"/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a refresh: status %d", resp.StatusCode)
	}
	d.must("client", "unblock", d.ClientID)
	if out, status := d.command("client", "unblock", d.ClientID); status != exitFailed || !strings.Contains(out, "is not blocked") {
		t.Errorf("unblocking twice: status %d %s", status, out)
	}
	d.connect("sobject-reads", manager)
}
