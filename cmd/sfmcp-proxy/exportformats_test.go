package main

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// AU-14: exportFormats writes one log in every format: each has every entry that the filter selects, and each was
// recorded, with whom it is about and what was asked for, before it was written.
func exportFormats(t *testing.T, d *demo) {
	want := strings.Count(d.printed("audit", "export", "--user", rep), "\n")
	rows, err := csv.NewReader(strings.NewReader(d.printed("audit", "export", "--user", rep, "--format", "csv"))).ReadAll()
	want++ // each export about somebody is an entry about them, which the next one has
	if err != nil || len(rows) != want+1 || rows[0][0] != "log" || rows[1][0] == "" {
		t.Errorf("%d rows of CSV, want %d and a head: %v", len(rows), want, err)
	}
	want++
	seen := 0
	for line := range strings.Lines(d.printed("audit", "export", "--user", rep, "--format", "ocsf")) {
		var event struct {
			Class    int `json:"class_uid"`
			Metadata struct{ UID, Version string }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Class == 0 || event.Metadata.UID == "" || event.Metadata.Version != "1.5.0" {
			t.Errorf("%s: %v", line, err)
		}
		seen++
	}
	if seen != want || want == 0 {
		t.Errorf("%d events of OCSF, want %d", seen, want)
	}
	read := slices.Collect(strings.Lines(d.must("audit", "export", "--action", "log.export")))
	for i, how := range []string{`"reason":"audit export --user"`, `"reason":"audit export --format csv --user"`, `"reason":"audit export --format ocsf --user"`} {
		if line := read[max(0, len(read)-3+i)]; !strings.Contains(line, how) || !strings.Contains(line, `"username":"`+rep+`"`) || !strings.Contains(line, `"actor":"operator`) {
			t.Errorf("%s, want %s", line, how)
		}
	}
	for _, args := range [][]string{{"--format", "xml"}, {"--format", "csv", "--raw"}, {"--format", "ocsf", "--json"}} {
		if out, status := d.command(append([]string{"audit", "export"}, args...)...); status != exitUsage {
			t.Errorf("%v: status %d, %s", args, status, out)
		}
	}
}
