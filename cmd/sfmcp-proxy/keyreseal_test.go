package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/reseal"
	"sfmcp-proxy/authproxy/seal"
)

// FT-08, FT-46: what the product has stored (logins, arguments of calls, keys of persons) is
// sealed with the newest key by one pass, all of it; the proxy goes on with that.
func TestFaultFT08WhatIsStoredIsSealedAnew(t *testing.T) {
	t.Parallel()
	d, _ := stopped(t)
	dir := d.dir
	path := filepath.Join(dir, "keys")
	for range 2 {
		if err := seal.RotateKeyFile(path); err != nil {
			t.Fatal(err)
		}
	}
	status := func() (counts []reseal.Count) {
		t.Helper()
		for line := range strings.Lines(d.must("key", "status", "--json")) {
			var c reseal.Count
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatal(err)
			}
			counts = append(counts, c)
		}
		return counts
	}
	before := status()
	if len(before) != 3 || !before[0].Seals || before[2].SealedValues < 5 || before[0].SealedValues > 1 || before[2].Rows == 0 {
		t.Fatalf("before: %+v", before)
	}
	ring, err := seal.LoadKeyRing(path)
	if err != nil {
		t.Fatal(err)
	}
	done, err := reseal.Worker{Config: reseal.Config{DB: d.database(), Ring: ring}}.Pass(t.Context())
	if err != nil || done.Left != 0 || int64(done.Sealed) < before[2].SealedValues {
		t.Errorf("%+v %v", done, err)
	}
	after := status()
	if after[1].SealedValues+after[2].SealedValues != 0 || after[0].SealedValues < before[2].SealedValues || after[2].Rows != before[2].Rows {
		t.Errorf("after: %+v", after)
	}
	// Without the second key, which nothing needs, all is as it was.
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(path, []byte(lines[0]+strings.Join(lines[2:], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	again := startDemoIn(t, dir)
	if row := again.user(rep); row.Salesforce != "active" {
		t.Errorf("the login is %s", row.Salesforce)
	}
	c := again.connect("sobject-all", rep)
	if r := c.call("getUserInfo", map[string]any{}); r.Status != 200 {
		t.Errorf("a call: %d %s", r.Status, r.body)
	}
}
