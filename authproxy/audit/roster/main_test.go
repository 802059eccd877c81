package roster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

func TestMain(m *testing.M) { dbtest.Main(m, "") }

// fleet is several replicas on one database.
type fleet struct {
	t    testing.TB
	dir  string
	url  string
	keys []byte

	mu sync.Mutex
	at time.Time
}

// replica is one of them, with its own directory and key file, as on a machine of its own.
type replica struct {
	f      *fleet
	name   string
	db     *db.DB
	log    *audit.Log
	roster *Roster
}

// newFleet begins replicas of these names, each of which has looked at all others.
func newFleet(t testing.TB, names ...string) (*fleet, []*replica) {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), url: dbtest.URL(t), at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	key := filepath.Join(f.dir, "keys")
	err := seal.CreateKeyFile(key)
	if err == nil {
		f.keys, err = os.ReadFile(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []*replica
	for _, name := range names {
		r := f.start(name)
		r.must(r.roster.Agree(t.Context()))
		r.must(r.roster.Join(t.Context()))
		r.append(5)
		all = append(all, r)
	}
	f.lookAll(all)
	f.lookAll(all)
	return f, all
}

func (f *fleet) now() time.Time       { f.mu.Lock(); defer f.mu.Unlock(); return f.at }
func (f *fleet) pass(d time.Duration) { f.mu.Lock(); defer f.mu.Unlock(); f.at = f.at.Add(d) }
func (f *fleet) path(name string) string {
	return filepath.Join(f.dir, name, "audit")
}

// start opens a replica as a process does that starts, without looking at anything.
func (f *fleet) start(name string) *replica {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Join(f.dir, name), 0o700); err != nil {
		f.t.Fatal(err)
	}
	keys := filepath.Join(f.dir, name, "keys")
	if err := os.WriteFile(keys, f.keys, 0o600); err != nil {
		f.t.Fatal(err)
	}
	d, err := db.Open(context.Background(), db.Config{URL: f.url})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { d.Close() })
	d.OnAltered(func(db.Altered) {})
	ring, err := seal.LoadKeyRing(keys)
	if err == nil {
		err = d.Claim(context.Background(), ring)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	l, err := audit.New(audit.Config{Dir: f.path(name), Name: "proxy.example", DB: d, Ring: ring, Now: f.now, Log: quiet})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { l.Close(context.Background()) })
	return &replica{f, name, d, l, New(Config{Log: l, DB: d, Host: name, Now: f.now, Warn: quiet})}
}

// restart ends a replica, one whose log is halted too, and opens it anew.
func (r *replica) restart() *replica {
	r.f.t.Helper()
	if err := r.log.Close(context.Background()); !errors.As(err, new(*audit.Disagreement)) {
		r.must(err)
	}
	return r.f.start(r.name)
}

// lookAll has every replica store a checkpoint and, ten minutes later, look.
func (f *fleet) lookAll(all []*replica) {
	f.t.Helper()
	for _, r := range all {
		r.must(r.log.Checkpoint(f.t.Context()))
	}
	f.pass(observeEvery)
	for _, r := range all {
		r.must(r.roster.Look(f.t.Context()))
	}
}

func (r *replica) must(err error) {
	r.f.t.Helper()
	if err != nil {
		r.f.t.Fatalf("%s: %v", r.name, err)
	}
}

func (r *replica) append(n int) {
	r.f.t.Helper()
	for range n {
		_, err := r.log.Append(r.f.t.Context(), audit.Entry{Actor: actor.Operator("sam", ""), Action: audit.StopSet, Outcome: audit.OK, Object: "off"})
		r.must(err)
	}
}

func (r *replica) origin() string { origin, _ := r.log.Heard(); return origin }

func (r *replica) exec(query string, args ...any) {
	r.f.t.Helper()
	_, err := r.db.Writes.Exec(query, args...)
	r.must(err)
}

// entries are those of an action.
func (r *replica) entries(action audit.Action) (all []audit.Entry) {
	r.f.t.Helper()
	r.must(r.log.List(r.f.t.Context(), audit.Filter{Action: string(action)}, func(e audit.Entry) error { all = append(all, e); return nil }))
	return all
}

// disagrees fails the test unless err is a disagreement that says so.
func disagrees(t testing.TB, err error, why string) *audit.Disagreement {
	t.Helper()
	d := (*audit.Disagreement)(nil)
	if !errors.As(err, &d) || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want a disagreement that says %q", err, why)
	}
	return d
}

// together verifies copies of these replicas' logs.
func (f *fleet) together(replicas []*replica, dirs ...string) (found []string) {
	f.t.Helper()
	var keys []string
	for _, r := range replicas {
		of, err := r.log.Keys()
		r.must(err)
		keys = append(keys, of...)
	}
	t, err := VerifyTogether(f.t.Context(), dirs, strings.Join(keys, "\n"))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, c := range t.Copies {
		if c.Err != nil {
			found = append(found, fmt.Sprintf("%s: %v", filepath.Base(filepath.Dir(c.Dir)), c.Err))
		} else if len(dirs) > 1 && c.Verified.Observed == 0 {
			found = append(found, c.Dir+" is seen by nobody")
		}
	}
	return append(found, t.Findings...)
}

// copyDir copies a log's files.
func (f *fleet) copyDir(from, to string) {
	f.t.Helper()
	if err := os.RemoveAll(to); err != nil {
		f.t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		f.t.Fatal(err)
	}
}
