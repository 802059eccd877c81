package main

import (
	"context"
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// AD-11: touch stops everything on this machine within a second, also a call that is under way
// while the database does not answer; it is said where one looks, and ends with the file.
func TestAD11StopFileWithoutADatabase(t *testing.T) {
	t.Parallel()
	d, p := startOpen(t, func(text string) string { return text })
	c := d.connect("sobject-all", rep)
	c.call("getUserInfo", map[string]any{}) // opens the session
	d.control("PUT", "/faults", map[string]any{"answer_delay": "1h"}, nil)
	answered := make(chan reply, 1)
	go func() {
		r, _ := c.post(t.Context(), "tools/call", map[string]any{"name": "soqlQuery", "arguments": map[string]any{"q": "SELECT Id FROM Account LIMIT 1"}}, false)
		answered <- r
	}()
	eventually(t, plenty, "the call is at Salesforce", func() bool { return len(d.recorded("tool=soqlQuery")) > 0 })

	release := takeConnections(t, p.current.Load().db.Reads)
	file := filepath.Join(d.dir, "STOP")
	begun := time.Now()
	if err := os.WriteFile(file, []byte("drill of the night shift\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-answered:
		t.Logf("the call ended after %s: %s", time.Since(begun), r.body)
		if !r.Result.IsError && r.Error == nil && r.Status == http.StatusOK {
			t.Errorf("the call was answered: %s", r.body)
		}
	case <-time.After(plenty):
		t.Fatal("the call goes on")
	}
	if out := d.must("stop", "status"); !strings.Contains(out, "all\n") || !strings.Contains(out, "drill of the night shift") {
		t.Errorf("stop status: %s", out)
	}
	if status, text := d.private("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(text, "drill of the night shift") {
		t.Errorf("readyz without the database: %d %s", status, text)
	}
	release()
	d.control("PUT", "/faults", map[string]any{}, nil)
	if status, text := d.private("/readyz"); status != http.StatusOK || !strings.Contains(text, "everything is stopped on this machine") {
		t.Errorf("readyz: %d %s", status, text)
	}
	if r := c.call("getUserInfo", map[string]any{}); !r.Result.IsError {
		t.Errorf("a call: %s", r.body)
	}
	if out, status := d.command("stop", "off"); status != exitFailed || !strings.Contains(out, "remove the file") || strings.Contains(out, "nothing is stopped") {
		t.Errorf("stop off: %d %s", status, out)
	}
	eventually(t, plenty, "the entry", func() bool {
		return strings.Contains(d.must("audit", "list", "--action", "stop.here", "--json"), "drill of the night shift")
	})
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if r := c.call("getUserInfo", map[string]any{}); r.Result.IsError {
		t.Errorf("after it was lifted: %s", r.body)
	}
	eventually(t, plenty, "the entry of its end", func() bool {
		return strings.Contains(d.must("audit", "list", "--action", "stop.here", "--json"), `"object":"off"`)
	})
}

// takeConnections has every query wait: what a database looks like that does not answer.
func takeConnections(t *testing.T, pool *sql.DB) (release func()) {
	t.Helper()
	var taken []*sql.Conn
	for range pool.Stats().MaxOpenConnections - 1 { // the watcher keeps one
		conn, err := pool.Conn(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, conn)
	}
	return func() {
		for _, conn := range taken {
			conn.Close()
		}
	}
}

// AD-11: the signal makes the file, so that it holds after a restart too.
func TestAD11StopSignal(t *testing.T) {
	t.Parallel()
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	c := d.connect("sobject-all", rep)
	if err := process.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	eventually(t, plenty, "calls are refused", func() bool { return c.call("getUserInfo", map[string]any{}).Result.IsError })
	if out := d.must("stop", "status"); !strings.Contains(out, "signal user defined signal 1") {
		t.Errorf("stop status: %s", out)
	}
	if _, text := d.private("/readyz"); !strings.Contains(text, "STOP") {
		t.Errorf("readyz: %s", text)
	}
}
