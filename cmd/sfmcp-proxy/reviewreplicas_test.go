package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A review, a report and a comparison are of the log of one replica. They say so, a review that another replica began
// is named, and nothing ends as unused that was used through another replica.
func TestReviewsOfReplicas(t *testing.T) {
	c := startCluster(t, 2)
	first, second := c.replicas[0], c.replicas[1]
	first.process.Process.Kill() // so that every call is the second one's
	query := map[string]any{"q": "SELECT Id FROM Account LIMIT 1"}
	for range 5 {
		c.client.call("soqlQuery", query)
	}
	at := func(r *replica, args ...string) string {
		c.ConfigFile = r.file
		out, _ := c.command(args...)
		return out
	}
	for _, step := range []struct {
		at   *replica
		args []string
		want string
	}{
		{first, []string{"review", "start", "--since", "1d", "--name", "spring"}, "the calls of other replicas are in their audit logs"},
		{first, []string{"review", "decide", "revoke", "--unused", "--reason", "nothing used"}, "nothing that is known to be unused"},
		{first, []string{"review", "proposal", "spring"}, "no tool is proposed"},
		{second, []string{"review", "status", "spring"}, "the review spring is in the audit log "},
		{second, []string{"review", "status"}, "run this command on that machine"},
		{second, []string{"review", "list"}, "the review spring is in the audit log "},
		{second, []string{"review", "start", "--since", "1d", "--name", "spring"}, "is in the audit log "},
		{second, []string{"review", "decide", "keep", "--review", "spring", "--user", rep, "--reason", "x"}, "is in the audit log "},
		{first, []string{"report", "--since", "1d", "--format", "md"}, "Other replicas have audit logs of their own"},
		{first, []string{"review", "start", "--since", "1d", "--name", "spring"}, "has begun already"},
		{second, []string{"review", "start", "--since", "1d", "--name", "autumn"}, "the review autumn has begun"},
		{first, []string{"review", "status"}, "the review autumn is in the audit log "}, // which is the newest
		{first, []string{"review", "status", "spring"}, "review spring, of what was used"},
	} {
		if out := at(step.at, step.args...); !strings.Contains(out, step.want) {
			t.Errorf("%q: %s", step.args, out)
		}
	}
	file := filepath.Join(t.TempDir(), "app.jsonl")
	if err := os.WriteFile(file, []byte(chatgptCall(1, rep, "Sales", "soqlQuery", time.Now())), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := at(first, "reconcile", "--openai", file, "--client", c.ClientID); !strings.Contains(out, "other replicas have audit logs of their own") {
		t.Errorf("reconcile: %s", out)
	}
	if r := c.client.send("tools/list", nil); r.Status != http.StatusOK {
		t.Errorf("who uses it through the other replica: status %d", r.Status)
	}
	var n int
	if err := c.store.Reads.QueryRow(`SELECT count(*) FROM meta WHERE name LIKE 'claim review %'`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d names are claimed, %v", n, err)
	}
}
