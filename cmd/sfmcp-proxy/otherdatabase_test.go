package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// beside is the demonstration's configuration with another database and audit log, as somebody may still have it.
func (d *demo) beside(file, database, audit string) *demo {
	d.t.Helper()
	text, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		d.t.Fatal(err)
	}
	changed := strings.Replace(string(text), "sqlite:proxy.db", "sqlite:"+database, 1) + "\naudit: {dir: " + audit + "}\n"
	other := &demo{t: d.t, dir: d.dir, Setup: d.Setup}
	other.ConfigFile = filepath.Join(d.dir, file)
	if err := os.WriteFile(other.ConfigFile, []byte(changed), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return other
}

// copied is a copy of the database, as it is, in a folder of its own.
func (d *demo) copied(name string) (path string) {
	d.t.Helper()
	path = filepath.Join(d.dir, name, "proxy.db")
	text, err := os.ReadFile(filepath.Join(d.dir, "proxy.db"))
	if err == nil {
		err = os.Mkdir(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return path
}

// Whoever acts by a configuration that names a copy of the database, or one that was put back, while the proxy serves on
// another, is told that it may have reached nobody, with status 1, whatever the act is; what only looks says nothing.
func TestActsOnAnotherDatabase(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	id := strings.Fields(strings.Split(d.must("grant", "list"), "\n")[1])[0]
	d.stop()
	one, other := d.copied("one"), d.copied("other")
	d.must("stop", "writes") // after the copies were made
	acts := [][]string{{"stop", "all"}, {"stop", "off"}, {"stop", "all", "--json"}, {"grant", "revoke", id}, {"client", "block", d.ClientID}, {"client", "unblock", d.ClientID},
		{"user", "block", rep}, {"user", "unblock", rep}, {"review", "start", "--since", "1d", "--name", "copy"}}
	for _, c := range []struct {
		database string
		by       *demo
		acts     [][]string
	}{
		{one, d.beside("one.yaml", one, filepath.Join(d.dir, "audit")), acts},                    // the log of the proxy
		{other, d.beside("other.yaml", other, filepath.Join(d.dir, "other", "audit")), acts[:2]}, // a log that begins
	} {
		for _, args := range [][]string{{"user", "list"}, {"stop", "status"}, {"grant", "list"}, {"audit", "list", "--json"}, {"audit", "show", "1"}} {
			if out, status := c.by.command(args...); status != exitDone || strings.Contains(out, "this was done") {
				t.Errorf("%v on %s: status %d, %s", args, c.database, status, out)
			}
		}
		for _, args := range c.acts {
			if out, status := c.by.command(args...); status != exitFailed || !strings.Contains(out, "this was done in the database sqlite:"+c.database+", on which the proxy may not serve") || !strings.Contains(out, "disagree") {
				t.Errorf("%v on %s: status %d, %s", args, c.database, status, out)
			}
		}
	}
	if out := d.must("stop", "status"); strings.TrimSpace(out) != "writes" {
		t.Errorf("the database of the proxy: %s", out)
	}
	d.must("user", "block", rep)
	d.must("audit", "verify")
}

// doctor, which asks as a user and records that, has done nothing either.
func TestDoctorOnAnotherDatabase(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	copied := filepath.Join(d.dir, "copy.db")
	if _, err := d.database().Writes.ExecContext(t.Context(), `VACUUM INTO $1`, copied); err != nil {
		t.Fatal(err)
	}
	d.must("stop", "writes")
	d.must("stop", "off")
	d.must("audit", "verify")
	out, status := d.beside("copy.yaml", copied, filepath.Join(d.dir, "audit")).command("doctor")
	if status != exitDone || strings.Contains(out, "this was done") || !strings.Contains(out, "a query is answered") || !strings.Contains(out, "disagree") {
		t.Errorf("status %d, %s", status, out)
	}
}

// What is done on a database on which no proxy serves any more is done, and says so: a copy with its log and its keys fits in
// everything. Before the first start, while one serves and of what only looks nothing is said.
func TestActsWhereNoProxyServes(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	store := d.database()
	eventually(t, plenty, "the proxy says that it serves", func() bool {
		served, _, err := store.Served(t.Context(), time.Now())
		return err == nil && !served.IsZero()
	})
	const note = "note: no proxy has served on the database sqlite:"
	says := func(when string, want bool, args ...string) {
		t.Helper()
		if out := d.must(args...); strings.Contains(out, note) != want {
			t.Errorf("%s, %v: %s", when, args, out)
		}
	}
	says("while it serves", false, "stop", "writes")
	d.stop()
	says("just after", false, "stop", "off")
	d.change(`UPDATE meta SET value = '1767225600000' WHERE name = 'served'`)
	says("long after", true, "stop", "writes")
	for _, reads := range [][]string{{"stop", "status"}, {"audit", "show", "1"}, {"audit", "list", "--json"}, {"audit", "export"}, {"report", "--format", "md"}} {
		says("long after", false, reads...)
	}
	if out := d.must("stop", "off"); !strings.Contains(out, "since 2026-01-01T00:00:00Z: this holds once one does; if one runs now, it is on another database") {
		t.Errorf("long after: %s", out)
	}
	d.change(`DELETE FROM meta WHERE name = 'served'`)
	says("where none ever served", false, "stop", "writes")
}

// A process says that it serves while a sweep takes as long as it may.
func TestServingIsNotedWhileSweepsTakeLong(t *testing.T) {
	t.Parallel()
	p, _ := configured(t, twoOrgs)
	a := p.current.Load()
	var now atomic.Int64
	now.Store(time.Now().UnixMilli())
	a.now = func() time.Time { return time.UnixMilli(now.Load()) }
	a.sweepers = []func(context.Context) error{func(ctx context.Context) error { <-ctx.Done(); return nil }}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	tick := make(chan time.Time)
	all.Go(func() { a.sweepLoop(ctx) })
	all.Go(func() { a.noteServing(ctx, tick) })
	for range 3 {
		at := now.Add(time.Minute.Milliseconds())
		tick <- time.Time{}
		eventually(t, plenty, "it says that it serves", func() bool {
			last, _, err := a.db.Served(t.Context(), a.now())
			return err == nil && last.UnixMilli() == at
		})
	}
	cancel()
	all.Wait()
}

// What a command has not said itself is printed, whatever it is joined with.
func TestErrorsWithoutOne(t *testing.T) {
	t.Parallel()
	one, other := errors.New("one"), errors.New("other")
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""}, {reportedError(1), ""}, {one, "one"},
		{errors.Join(one, other), "one\nother"},
		{errors.Join(reportedError(1), one, errors.Join(reportedError(1), other)), "one\nother"},
		{fmt.Errorf("more: %w", errors.Join(reportedError(1), one)), "one"},
	} {
		got := ""
		if rest := without[reportedError](c.err); rest != nil {
			got = rest.Error()
		}
		if got != c.want {
			t.Errorf("%v: %q", c.err, got)
		}
	}
	if rest := without[*audit.Disagreement](errors.Join(audit.Ended("a place", "why"), other)); !errors.Is(rest, other) || strings.Contains(rest.Error(), "place") {
		t.Errorf("what was joined to a disagreement: %v", rest)
	}
}
