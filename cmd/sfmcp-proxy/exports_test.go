package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// TestAU12ExportsOfTheProduct: a webhook and a file of the configuration get every entry of the log, the
// webhook also after it was down; commands say how they are doing, and move one with a reason.
func TestAU12ExportsOfTheProduct(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	var down atomic.Bool
	taken := make(chan json.RawMessage, 10_000)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b struct{ Entries []json.RawMessage }
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &b); err != nil || down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		for _, e := range b.Entries {
			taken <- e
		}
	}))
	defer hook.Close()
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	d := startEdited(t, func(text string) string {
		return text + `
exports:
  - {name: hook, kind: webhook, url: ` + hook.URL + `, allow_addresses: [127.0.0.0/8], every: 100ms}
  - {name: lines, kind: file, path: ` + file + `, personal: true, every: 100ms}
`
	})
	d.connect("sobject-all", rep)
	has := func(what, name string, behind bool) {
		t.Helper()
		eventually(t, plenty, what, func() bool {
			var row struct{ Behind, Position int64 }
			for line := range strings.Lines(d.must("export", "status", "--json")) {
				if strings.Contains(line, `"name":"`+name+`"`) && json.Unmarshal([]byte(line), &row) != nil {
					return false
				}
			}
			return row.Position > 0 && (row.Behind > 0) == behind
		})
	}
	has("the webhook has all", "hook", false)
	down.Store(true)
	d.must("stop", "writes")
	has("the webhook is behind", "hook", true)
	eventually(t, plenty, "the failure is shown", func() bool {
		return strings.Contains(d.must("export", "status", "--json"), "answered with status 503") // a table in a pipe shortens it
	})
	if n := metricOf(d, `sfmcp_export_failing{destination="hook"}`); n != "1" {
		t.Errorf("the metric says %q", n)
	}
	if out, status := d.command("export", "test", "hook"); status != exitFailed || !strings.Contains(out, "answered with status 503") {
		t.Errorf("status %d: %s", status, out)
	}
	down.Store(false)
	has("the webhook has caught up", "hook", false)
	d.must("export", "test", "hook")
	has("the webhook has all", "hook", false)
	has("the file has all", "lines", false)
	tests, next := 0, int64(1)
	for range len(taken) {
		text := <-taken
		var e audit.Entry
		switch err := json.Unmarshal(text, &e); {
		case err != nil:
			t.Fatal(err)
		case e.Seq < 0 && e.Action == audit.ExportTest:
			tests++
		case e.Seq == next:
			next++
		case e.Seq > next:
			t.Errorf("%d came behind %d", e.Seq, next-1)
		}
		if bytes.Contains(text, []byte(rep)) {
			t.Errorf("a person is named: %s", text)
		}
	}
	lines, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(lines, []byte(rep)) || tests != 1 || next < 5 {
		t.Errorf("%v, %d tests, up to %d: %.300s", err, tests, next, lines)
	}
	for _, args := range [][]string{{"nobody", "--to", "0", "--reason", "x"}, {"lines", "--to", "99999999", "--reason", "x"}, {"lines", "--to", "0"}, {"lines", "--reason", "x"}} {
		if out, status := d.command(append([]string{"export", "move"}, args...)...); status == exitDone {
			t.Errorf("%v: %s", args, out)
		}
	}
	if out := d.must("export", "move", "lines", "--to", "0", "--reason", "the disk was lost", "--as", "Sam"); !strings.Contains(out, "goes on behind entry 0") {
		t.Errorf("%s", out)
	}
	has("the file has all again", "lines", false)
	again, err := os.ReadFile(file)
	if err != nil || len(again) < 2*len(lines) {
		t.Errorf("%d bytes, then %d: %v", len(lines), len(again), err)
	}
	moved := d.must("audit", "export", "--action", "export.move")
	if !strings.Contains(moved, "the disk was lost") || !strings.Contains(moved, `as \"Sam\"`) {
		t.Errorf("%s", moved)
	}
	if out := d.must("audit", "list", "--action", "export."); !strings.Contains(out, "export.begin") || !strings.Contains(out, "export.test") {
		t.Errorf("%s", out)
	}
	t.Run("AU14 formats", func(t *testing.T) { exportFormats(t, d) })
}
