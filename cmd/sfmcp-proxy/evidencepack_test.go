package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/pack"
	"sfmcp-proxy/examples/salesforcesim"
)

// Whatever is packed verifies where nothing but the pack and the public key is.
func checkPacks(t *testing.T, d *demo, approval string) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte(d.must("audit", "key")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		output string
		args   []string
		files  map[string]string // with what they hold
	}{
		{"user", []string{"--user", rep, "--as", "Ann Auditor"}, map[string]string{"readable.jsonl": rep, "connections.json": salesforcesim.RepID, "approvals.json": approval}},
		{"approval.tar", []string{"--approval", approval}, nil},
		{"access", []string{"--control", "access", "--since", "1h"}, map[string]string{"access.csv": "block,,acme," + salesforcesim.ManagerID, "access.json": `"kind": "connection"`}},
		{"policy", []string{"--control", "policy"}, map[string]string{"changes.csv": "definition.begin"}},
		{"reviews.tar", []string{"--control", "reviews"}, nil},
		{"period.tar", []string{"--since", "1h"}, nil},
	} {
		path := filepath.Join(dir, tt.output)
		if out := d.must(append([]string{"evidence", "--output", path}, tt.args...)...); !strings.Contains(out, "evidence verify "+path) {
			t.Errorf("%s: %s", tt.output, out)
		}
		var out, errOut strings.Builder
		if status := run(t.Context(), []string{"evidence", "verify", path, "--key", key}, &out, &errOut); status != exitDone || !strings.Contains(out.String(), "sound: ") {
			t.Errorf("%s: status %d, %s%s", tt.output, status, &out, &errOut)
		}
		if tt.output == "period.tar" && !strings.Contains(out.String(), "entries 1 to ") {
			t.Errorf("not every entry: %s", &out)
		}
		for name, want := range tt.files {
			if text, err := os.ReadFile(filepath.Join(path, name)); err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s/%s lacks %q: %v\n%s", tt.output, name, want, err, text)
			}
		}
	}
	v, err := pack.Verify(filepath.Join(dir, "user"), d.must("audit", "key"))
	if err != nil || v.Manifest.Entries.ByAction[audit.ToolCall] < 5 || len(v.Manifest.Missing) > 0 {
		t.Errorf("%+v, %v", v.Manifest, err)
	}
	// Whose data was packed is on record under them, and nowhere in the clear.
	if own := d.printed("audit", "export", "--user", rep, "--action", "evidence.make"); strings.Count(own, "\n") != 4 || !strings.Contains(own, `as \"Ann Auditor\"`) {
		t.Errorf("on record: %s", own)
	}
	if raw := d.must("audit", "export", "--raw", "--action", "evidence.make"); strings.Contains(raw, rep) || strings.Contains(raw, salesforcesim.RepID) {
		t.Errorf("a person in the clear: %s", raw)
	}
	if err := os.WriteFile(filepath.Join(dir, "user", "readable.jsonl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := d.command("evidence", "verify", filepath.Join(dir, "user"), "--key", key); status != exitFailed || !strings.Contains(out, "readable.jsonl was changed") {
		t.Errorf("status %d, %s", status, out)
	}
	d.must("evidence", "verify", filepath.Join(dir, "policy"))
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--user", rep}, "--output is required"},
		{[]string{"--output", filepath.Join(dir, "x")}, "say what"},
		{[]string{"--output", filepath.Join(dir, "x"), "--user", rep, "--control", "access"}, "exclude each other"},
		{[]string{"--output", filepath.Join(dir, "x"), "--control", "keys"}, "expected access, policy or reviews"},
		{[]string{"--output", filepath.Join(dir, "x"), "--approval", approval, "--since", "1d"}, "leave since"},
		{[]string{"--output", filepath.Join(dir, "policy"), "--control", "policy"}, "is not empty; nothing was done"},
	} {
		if out, status := d.command(append([]string{"evidence"}, tt.args...)...); status != exitUsage || !strings.Contains(out, tt.want) {
			t.Errorf("%q: status %d, %s", tt.args, status, out)
		}
	}
}
