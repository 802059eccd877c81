package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// otherMachine opens the log of a machine of that name in the database of s, with a copy of its key file.
func (s *store) otherMachine(name string) *Log {
	s.t.Helper()
	text, err := os.ReadFile(s.keys())
	file := filepath.Join(s.t.TempDir(), "keys")
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	var ring *seal.KeyRing
	if err == nil {
		ring, err = seal.LoadKeyRing(file)
	}
	var l *Log
	if err == nil {
		at := start
		l, err = New(Config{DB: dbtest.OpenURL(s.t, s.url), Machine: name, Ring: ring, segmentSize: 2000,
			Now: func() time.Time { at = at.Add(time.Hour); return at }})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// AU-05, AU-11: of replicas whose logs are in one database each verifies the logs of all. What is old of one that is
// closed can be removed by another, whose log says so to all of them; removed without that, it is found.
func TestAU05LogsOfOthersInTheDatabase(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		return // replicas share no other database
	}
	s := newRows(t)
	l, other := s.open(), s.otherMachine("other")
	appendAll(t, l, entry("tool.call"))
	for range 60 {
		appendAll(t, other, entry("tool.call"))
	}
	keys, err := other.Keys()
	if err == nil {
		err = other.Close(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	origin, _ := other.Heard()
	verify := func() (Verified, error) {
		seen, has, err := l.Others().Verify(t.Context(), origin, keys)
		if !has && err == nil {
			t.Fatal("there are no rows")
		}
		return seen, err
	}
	if seen, err := verify(); err != nil || seen.Last != 60 || seen.Signed != 60 {
		t.Fatalf("the log of the other machine: %+v, %v", seen, err)
	}
	if _, has, err := l.Others().Verify(t.Context(), "nobody/audit/1", nil); has || err != nil {
		t.Errorf("a log that is not there: %t, %v", has, err)
	}
	segments, err := l.Others().rows().SegmentsOf(t.Context(), origin)
	if err != nil || len(segments) < 4 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	second, err := firstOf(segments[2])
	if err != nil {
		t.Fatal(err)
	}
	n, err := l.Others().Prune(t.Context(), origin, second.At.Add(time.Minute))
	if err != nil || n != second.Seq-1 {
		t.Fatalf("%d entries were removed, %v, want %d", n, err, second.Seq-1)
	}
	if seen, err := verify(); err != nil || seen.First != second.Seq || seen.Last != 60 {
		t.Errorf("what is left: %+v, %v", seen, err)
	}
	var object string
	for _, e := range list(t, l, Filter{Action: string(LogPrune), Outcome: OK}) {
		object = e.Object
	}
	if object != prunedOf(origin, 1, second.Seq-1) {
		t.Errorf("the log says %q", object)
	}
	third := s.otherMachine("third")
	own, _ := l.Heard()
	if seen, _, err := third.Others().Verify(t.Context(), origin, keys, own); err != nil || seen.First != second.Seq {
		t.Errorf("on a third machine, by what the log of the second says: %+v, %v", seen, err)
	}
	var broken *Broken
	if _, _, err := third.Others().Verify(t.Context(), origin, keys); !errors.As(err, &broken) {
		t.Errorf("where no log says it: %v", err)
	}
	for range 60 {
		appendAll(t, third, entry("tool.call"))
	}
	if err := third.Prune(t.Context(), start.AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := third.Others().Verify(t.Context(), origin, keys); err != nil {
		t.Errorf("where whoever said it would have removed that by age: %v", err)
	}
	if err := third.Close(context.Background()); err != nil {
		t.Error(err)
	}
	rows := l.Others().rows()
	if err := rows.RemoveOf(t.Context(), origin, segments[2:3], segments[3].First); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(); !errors.As(err, &broken) {
		t.Errorf("without a segment of which nobody says that it was removed: %v", err)
	}
	sound(t, l, 3)
	// All of it is gone: the machine that writes it is still known, until somebody removes that as well.
	fourth := s.otherMachine("fourth")
	appendAll(t, fourth, entry("tool.call"))
	keys, err = fourth.Keys()
	if err == nil {
		err = fourth.Close(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	origin, _ = fourth.Heard()
	exec(t, l, `DELETE FROM audit_groups WHERE log = '`+origin+`'`)
	if _, err := verify(); !errors.As(err, &broken) || broken.Seq != 1 {
		t.Errorf("without any row: %v", err)
	}
	exec(t, l, `DELETE FROM meta WHERE value = '`+origin+`'`)
	if _, has, err := l.Others().Verify(t.Context(), origin, keys); has || err != nil {
		t.Errorf("nothing says that it was in the database: %t, %v", has, err)
	}
}
