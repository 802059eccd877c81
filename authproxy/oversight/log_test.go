package oversight

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// AU-14: that somebody reads an entry with its arguments is recorded before they get it; where it cannot be,
// they do not.
func TestAU14ReadingIsRecorded(t *testing.T) {
	t.Parallel()
	_, log := newLog(t)
	reader := actor.Person("https://login.example", "00u-auditor")
	if _, err := log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.LogCut, Outcome: audit.OK}); err != nil {
		t.Fatal(err)
	}
	r := &Reader{Config: Config{Audit: log}}
	if e, err := r.ReadEntry(t.Context(), reader, 1); err != nil || e.Seq != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	read, _, err := log.Entry(t.Context(), 2)
	if err != nil || read.Action != audit.LogRead || read.Object != "entry 1" || read.Actor != reader {
		t.Errorf("%+v, %v", read, err)
	}
	log.Refuse(func(audit.Entry) error { return errors.New("disk full") })
	if _, err := r.ReadEntry(t.Context(), reader, 1); err == nil {
		t.Error("it is read and nobody knows")
	}
}

// newLog is a log of its own, and where it lies.
func newLog(t *testing.T) (dir string, log *audit.Log) {
	t.Helper()
	dir = t.TempDir()
	store, err := db.Open(t.Context(), db.Config{URL: "sqlite:" + filepath.Join(dir, "p.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	keys := filepath.Join(dir, "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	log, err = audit.New(audit.Config{DB: store, Ring: ring, Dir: filepath.Join(dir, "audit"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(context.Background()) })
	return dir, log
}

// Whoever asks whether the log is whole is told so, then of the first entry that is not as it was
// written, and of nothing while somebody else has it verified.
func TestVerifyLog(t *testing.T) {
	t.Parallel()
	dir, log := newLog(t)
	for range 5 {
		if _, err := log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.LogCut, Outcome: audit.OK, Object: "canary"}); err != nil {
			t.Fatal(err)
		}
	}
	r := &Reader{Config: Config{Audit: log}}
	if s := r.LogState(); s.Entries != 5 || s.Halted != nil || s.Origin == "" {
		t.Errorf("%+v", s)
	}
	verdict, err := r.VerifyLog(t.Context())
	if err != nil || verdict.Wrong != nil || !strings.HasPrefix(verdict.String(), "It is whole: entries 1 to 5 ") {
		t.Errorf("%s, %v", verdict, err)
	}
	r.verifying.Lock()
	if _, err := r.VerifyLog(t.Context()); !errors.Is(err, ErrVerifying) {
		t.Errorf("while it is verified: %v", err)
	}
	r.verifying.Unlock()
	segments, err := filepath.Glob(filepath.Join(dir, "audit", "*.log"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	text, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segments[0], []byte(strings.Replace(string(text), "log.cut", "log.cat", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if verdict, err = r.VerifyLog(t.Context()); err != nil || verdict.Wrong == nil || !strings.HasPrefix(verdict.String(), "It is not whole: audit log is broken at entry 1") {
		t.Errorf("changed: %s, %v", verdict, err)
	}
	if unread := (LogVerdict{Unread: true}); !strings.Contains(unread.String(), "'audit verify'") {
		t.Error(unread)
	}
}
