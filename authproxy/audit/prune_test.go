package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// long makes a log of several segments, whose entries are a second apart.
func (s *store) long() (*Log, []logfile.Segment) {
	s.t.Helper()
	s.segmentSize = 1 << 20
	l := s.open()
	big := strings.Repeat("x", maxReason)
	for range 5 {
		for range 150 {
			s.enqueue(l, Entry{Actor: actor.User("005A"), Subject: "005A", Action: ToolCall, Outcome: OK, Reason: big})
		}
		l.Flush()
	}
	if err := l.Checkpoint(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	segments := s.segments()
	if len(segments) < 2 {
		s.t.Fatalf("%d segments", len(segments))
	}
	return l, segments
}

// Old segments go, what is left verifies, and the log says what went.
func TestAU11PrunedLogVerifies(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l, segments := s.long()
	second, err := firstOf(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Prune(t.Context(), second.At); err != nil { // not before: nothing goes
		t.Fatal(err)
	}
	if left := s.segments(); len(left) != len(segments) {
		t.Fatal("a segment went whose entries are not all older")
	}
	if err := l.Prune(t.Context(), second.At.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if left := s.segments(); left[0].First != segments[1].First {
		t.Fatalf("left are %v", left)
	}
	seen, err := l.Verify(t.Context())
	if err != nil || seen.First != segments[1].First {
		t.Errorf("Verify = %+v, %v", seen, err)
	}
	if seen, err := VerifyFiles(t.Context(), s.log(), publicKey(t, l)); err != nil || seen.First != segments[1].First {
		t.Errorf("with the public key alone: %+v, %v", seen, err)
	}
	got := list(t, l, Filter{Action: string(LogPrune)})
	if len(got) != 2 || got[0].Outcome != Intent || got[1].Outcome != OK || got[0].Object != fmt.Sprintf("entries 1 to %d", segments[1].First-1) {
		t.Errorf("the record of it: %+v", got)
	}
	if err := s.open().Agree(t.Context()); err != nil {
		t.Errorf("at the next start: %v", err)
	}
}

// Segments that somebody else removed are missed: no entry says that they went.
func TestAU02FrontCutOff(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l, _ := s.long()
	if err := os.Remove(filepath.Join(s.log(), logfile.SegmentName(1))); err != nil {
		t.Fatal(err)
	}
	s.push()
	var broken *Broken
	if _, err := l.Verify(t.Context()); !errors.As(err, &broken) || broken.Seq != 1 {
		t.Errorf("Verify = %v", err)
	}
	if _, err := VerifyFiles(t.Context(), s.log(), publicKey(t, l)); !errors.As(err, &broken) || broken.Seq != 1 {
		t.Errorf("with the public key alone: %v", err)
	}
}

// The index of a full segment lies beside it, finds what is there, and is made again when
// it is gone, foreign or changed.
func TestIndexFiles(t *testing.T) {
	t.Parallel()
	if dbtest.OnPostgres() {
		return // it is about files
	}
	s := newFiles(t)
	l, segments := s.long()
	l.indexes.writing.Wait()
	index := strings.TrimSuffix(segments[0].Path, ".log") + ".idx"
	whole, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	want := len(list(t, l, Filter{Person: Person{Subjects: []string{"005A"}}}))
	for name, change := range map[string]func() error{
		"as it is": func() error { return nil },
		"gone":     func() error { return os.Remove(index) },
		"cut":      func() error { return os.Truncate(index, int64(len(whole)/2)) },
		"empty":    func() error { return os.Truncate(index, 0) },
		"foreign":  func() error { return os.WriteFile(index, []byte(strings.Repeat("x", len(whole))), 0o600) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		fresh := s.open()
		if got := len(list(t, fresh, Filter{Person: Person{Subjects: []string{"005A"}}})); got != want {
			t.Errorf("%s: %d entries, want %d", name, got, want)
		}
		if now, err := os.ReadFile(index); err != nil || len(now) != len(whole) {
			t.Errorf("%s: the index has %d bytes, had %d, %v", name, len(now), len(whole), err)
		}
	}
	if n, err := l.Reindex(); err != nil || n != len(segments) {
		t.Errorf("Reindex = %d, %v", n, err)
	}
}
