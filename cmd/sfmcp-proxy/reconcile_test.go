package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
	"sfmcp-proxy/examples/salesforcesim"
)

// The logs of ChatGPT and Salesforce agree with ours where they have the same calls, and a call
// that went round the proxy is named.
func checkReconcile(t *testing.T, d *demo) {
	dir := t.TempDir()
	var chatgpt []string
	csv := []string{"EVENT_TYPE,TIMESTAMP_DERIVED,USER_ID,METHOD,URI,CONNECTED_APP_NAME"}
	for entry := range strings.Lines(d.must("audit", "export", "--action", "tool.call")) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(entry), &e); err != nil {
			t.Fatal(err)
		}
		if e.Outcome == audit.Intent {
			continue
		}
		chatgpt = append(chatgpt, chatgptCall(e.Seq, e.Username, "Sales", e.Tool, e.At))
		csv = append(csv, fmt.Sprintf("RestApi,%s,%s,GET,/services/data,Proxy", e.At.Format(time.RFC3339Nano), e.Subject[:15]))
	}
	write := func(name string, lines []string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	now := time.Now()
	same, rows := write("same.jsonl", chatgpt), write("same.csv", csv)
	round := write("round.jsonl", append(chatgpt, chatgptCall(9999, rep, "Shadow", "soqlQuery", now)))
	foreign := write("foreign.csv", append(csv, fmt.Sprintf("RestApi,%s,%s,GET,/services/data/query,Proxy", now.Format(time.RFC3339Nano), "005xx0000000009")))
	empty, logins := write("empty.jsonl", nil), write("logins.jsonl", []string{`{"event_id":"1","type":"AUTH_LOG","timestamp":"2026-03-01T12:00:00Z"}`})
	none := filepath.Join(dir, "empty.csv")
	if err := os.WriteFile(none, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := write("missing.jsonl", append([]string{chatgpt[0]}, chatgpt[2:]...))
	openai := []string{"reconcile", "--client", d.ClientID, "--app", "sales"}
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{append(openai, "--openai", same, "--salesforce", rows, "--connected-app", "Proxy"), exitDone, "they agree"},
		{append(openai, "--openai", round), exitFailed, "event 9999; app Shadow"},
		{[]string{"reconcile", "--client", d.ClientID + "o", "--openai", same}, exitFailed, "did you mean \"" + d.ClientID + "\"?"},
		{append(openai, "--openai", missing), exitFailed, "only we have: 1"},
		{[]string{"reconcile", "--salesforce", foreign}, exitFailed, "005xx0000000009"},
		{append(openai, "--openai", rows), exitFailed, "cannot be read: "},
		{append(openai, "--openai", empty), exitFailed, "ChatGPT: 0 events, SHA-256"},
		{append(openai, "--openai", logins), exitFailed, "\nnothing was compared"},
		{append(openai, "--openai", logins, "--salesforce", rows), exitFailed, "\nnothing was compared"},
		{append(openai, "--openai", logins, "--salesforce", foreign), exitFailed, "\nthey do not agree"},
		{[]string{"reconcile", "--salesforce", none}, exitFailed, "the file is empty"},
		{[]string{"reconcile"}, exitUsage, "is required"},
		{append(openai, "--openai", same, "--window", "0s"), exitUsage, "--window"},
		{append(openai, "--openai", same, "--person", "x"), exitUsage, "EMAIL=USER"},
		{append(openai, "--openai", filepath.Join(dir, "none")), exitUsage, "none"},
	} {
		if out, status := d.command(tt.args...); status != tt.status || !strings.Contains(out, tt.want) {
			t.Errorf("%q: status %d, want %d with %q:\n%s", tt.args, status, tt.status, tt.want, out)
		}
	}
	other := write("other.jsonl", []string{strings.ReplaceAll(chatgpt[0], rep, "riley@elsewhere.example")})
	var r listing.Reconciled
	out, _ := d.command(append(openai, "--openai", other, "--person", "riley@elsewhere.example="+salesforcesim.RepID, "--json")...)
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.OpenAI.Matched != 1 || r.OpenAI.OnlyThere != 0 {
		t.Errorf("%v, %s", err, out)
	}
	if logged := d.must("audit", "export", "--action", "log.reconcile"); strings.Count(logged, `"matched":`) != 13 {
		t.Errorf("on record: %s", logged)
	}
}

func chatgptCall(id int64, email, app, tool string, at time.Time) string {
	return fmt.Sprintf(`{"event_id":"%d","type":"APP_LOG","actor":{"user_email":%q},"timestamp":%q,"app_name":%q,"log_type":"response","output":[{"action_name":%q}]}`,
		id, email, at.Format(time.RFC3339Nano), app, tool)
}
