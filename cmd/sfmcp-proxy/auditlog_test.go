package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// U4: times as people type them.
func TestU4ParseTime(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("CET", 3600)
	now := time.Date(2026, 11, 28, 3, 4, 5, 0, zone)
	at := func(s string) time.Time {
		parsed, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for text, want := range map[string]string{
		"7d": "2026-11-21T03:04:05+01:00", "2w": "2026-11-14T03:04:05+01:00", "1d12h": "2026-11-26T15:04:05+01:00", "90m": "2026-11-28T01:34:05+01:00",
		"2026-11-01": "2026-11-01T00:00:00+01:00", "2026-11-01 08:00": "2026-11-01T08:00:00+01:00", "2026-11-01T08:00:30": "2026-11-01T08:00:30+01:00",
		"2026-11-01T08:00:00Z": "2026-11-01T08:00:00Z", "2026-11-01T08:00-05:00": "2026-11-01T08:00:00-05:00", "2026-11-01 08:00:00 +02:00": "2026-11-01T08:00:00+02:00",
		" 24h ": "2026-11-27T03:04:05+01:00",
	} {
		got, err := parseTime(text, now)
		if err != nil || !got.begin.Equal(at(want)) {
			t.Errorf("%q is %v (%v), want %s", text, got.begin, err, want)
		}
		if day := text == "2026-11-01"; day != got.end.Equal(at("2026-11-02T00:00:00+01:00")) || !day && !got.end.Equal(got.begin) {
			t.Errorf("%q ends %v", text, got.end)
		}
	}
	for _, text := range []string{"", "-7d", "7", "d", "7 days", "2026-13-01", "2026-02-30", "01.11.2026", "yesterday", "2026-11-01T25:00", "99999999999d", "-24h", "9999w99999d", "5200w99999d", "99999d2000000h"} {
		if got, err := parseTime(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// U3, U4: the list says what it leaves out, has the answers in its columns, fits, and refuses
// what can be no entry's.
func TestU3U4AuditList(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	for range 30 {
		c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
	}
	held := d.approvalURL(c.call("updateSobjectRecord", map[string]any{"sobject-name": "Account", "id": "001xx000003DGb1AAG", "body": map[string]any{"Name": "x"}}))
	d.must("approval", "deny", held[strings.LastIndex(held, "/")+1:], "--as", "Sam Security with a long name")
	total := strings.Count(d.must("audit", "export"), "\n") + 1 // that it was exported is one more

	out := d.must("audit", "list")
	if want := "showing the last 50 of "; !strings.Contains(out, want) || !strings.Contains(out, "--all or --limit N shows more") || strings.Count(out, "\n") != 52 {
		t.Errorf("%d lines:\n%s", strings.Count(out, "\n"), out)
	}
	for _, whole := range [][]string{{"--all"}, {"--limit", "10000"}} {
		if out := d.must(append([]string{"audit", "list"}, whole...)...); strings.Contains(out, "showing") || strings.Count(out, "\n") != total+1 {
			t.Errorf("%v: %d lines for %d entries", whole, strings.Count(out, "\n"), total)
		}
	}
	if out := d.must("audit", "list", "--json"); strings.Contains(out, "showing") || strings.Count(out, "\n") != 50 {
		t.Errorf("--json:\n%s", out)
	}
	if out := d.must("audit", "list", "--limit", "2", "--user", rep, "--tool", "soqlQuery"); !strings.Contains(out, "showing the last 2 of 60;") {
		t.Errorf("with filters:\n%s", out)
	}
	all := d.must("audit", "list", "--all")
	for line := range strings.Lines(all) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"confirm, held", "deny, ok", "001xx000003DGb1AAG", "updateSob", "rep@acme"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}

	var e struct {
		Request string `json:"request_id"`
	}
	lines := slices.Collect(strings.Lines(d.must("audit", "export", "--tool", "updateSobjectRecord", "--outcome", "held")))
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &e) != nil || e.Request == "" {
		t.Fatalf("held: %v", lines)
	}
	for _, id := range []string{e.Request, strings.ToLower(e.Request)} {
		if out := d.must("audit", "list", "--request", id); strings.Count(out, "\n") != 2 || !strings.Contains(out, "held") || !strings.Contains(out, e.Request) {
			t.Errorf("--request %s:\n%s", id, out)
		}
	}
	var one struct{ ID, Server string }
	if err := json.Unmarshal([]byte(strings.SplitN(d.must("grant", "list", "--json"), "\n", 2)[0]), &one); err != nil || one.ID == "" {
		t.Fatalf("grant list: %+v, %v", one, err)
	}
	for entry := range strings.Lines(d.must("audit", "export", "--grant", one.ID)) {
		var e struct{ Action, Grant string }
		if err := json.Unmarshal([]byte(entry), &e); err != nil || e.Grant != one.ID {
			t.Errorf("--grant %s: %s", one.ID, entry)
		}
	}
	if out := d.must("audit", "list", "--grant", one.ID, "--action", "grant.create"); !strings.Contains(out, "grant.create") {
		t.Errorf("--grant of a connection that was made: %s", out)
	}
	approval := held[strings.LastIndex(held, "/")+1:]
	for _, mistyped := range [][3]string{
		{"--server", "sobject-al", "sobject-all"}, {"--client", d.ClientID + "x", d.ClientID}, {"--approval", approval[:len(approval)-1], approval}, {"--grant", one.ID + "x", one.ID},
		{"--tool", "soqlquery", "soqlQuery"}, {"--rule", "no rule match", "no rule matches"}, {"--action", "tool.cal", "tool.call"},
	} {
		for _, verb := range []string{"list", "export"} {
			out, status := d.command("audit", verb, mistyped[0], mistyped[1])
			if status == exitDone || !strings.Contains(out, mistyped[0]+": ") || !strings.Contains(out, `did you mean "`+mistyped[2]+`"?`) {
				t.Errorf("audit %s %v: status %d, %s", verb, mistyped, status, out)
			}
		}
	}
	for _, known := range [][2]string{ // of which no entry tells
		{"--server", "sobject-reads"}, {"--tool", "deleteSobjectRecord"}, {"--rule", "no rule matches"}, {"--approval", approval}, {"--client", d.ClientID},
	} {
		if out := d.must("audit", "list", known[0], known[1], "--json"); strings.Contains(out, "sfmcp-proxy:") {
			t.Errorf("audit list %v: %s", known, out)
		}
	}
	for _, wrong := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--outcome", "refused"}, exitUsage, "intent, ok, error, denied, held, repeated, outcome_unknown"},
		{[]string{"--action", "tool.cal"}, exitUsage, "tool.call"},
		{[]string{"--actor", "alice"}, exitUsage, "operator:NAME"},
		{[]string{"--tool", "soqlquery"}, exitFailed, "soqlQuery"},
		{[]string{"--since", "7"}, exitUsage, "7d"},
		{[]string{"--since", "2026-11-02", "--until", "2026-11-01"}, exitUsage, "nothing can be between"},
		{[]string{"--limit", "0"}, exitUsage, "--all"},
		{[]string{"--limit", "5", "--all"}, exitUsage, "all"},
	} {
		out, status := d.command(append([]string{"audit", "list"}, wrong.args...)...)
		if status != wrong.status || !strings.Contains(out, wrong.says) {
			t.Errorf("%v: status %d, %s", wrong.args, status, out)
		}
	}
}
