package audit

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/audit/logfile"
)

// inBoth runs f with a log in files and with one in rows of the database.
func inBoth(t *testing.T, f func(t *testing.T, s *store)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) *store{"files": newFiles, "rows": newRows} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

// add writes records into the log as somebody does who can write where it is: whole groups, with the numbers that come next.
func (s *store) add(records ...string) {
	s.t.Helper()
	other := s.open()
	if err := other.file.Append(func(g *logfile.Group) {
		for _, r := range records {
			g.Add([]byte(strings.ReplaceAll(r, "NEXT", fmt.Sprint(g.Next()))))
		}
	}); err != nil {
		s.t.Fatal(err)
	}
	if err := other.closeFiles(); err != nil { // without a checkpoint
		s.t.Fatal(err)
	}
}

const (
	forgedUnblock = `{"seq":NEXT,"at":"2026-10-01T12:00:00Z","actor":"operator:alice","actor_kind":"operator","action":"user.unblock","outcome":"ok","org":"acme","subject":"005A"}`
	forgedStop    = `{"seq":NEXT,"at":"2026-10-01T12:00:00Z","actor":"operator:alice","actor_kind":"operator","action":"stop.set","object":"off","outcome":"ok"}`
)

// S1, AU-02: whoever can write where the log is, knows its form and has no key adds nothing: at the next start the log and its
// checkpoints disagree, `audit verify` names the entry, and nothing of it is vouched for.
func TestAU02AddedWithoutAKey(t *testing.T) {
	t.Parallel()
	anew := func(own string) string { return strings.Replace(own, `{"seq":1,`, `{"seq":NEXT,`, 1) }
	for name, record := range map[string]func(own string) string{
		"no MAC":               func(string) string { return forgedUnblock },
		"a MAC of nobody":      func(string) string { return strings.TrimSuffix(forgedUnblock, "}") + `,"mac":"k:AAAA"}` },
		"an entry as it stood": func(own string) string { return own },
		"an entry once more":   anew,
		"another entry":        func(own string) string { return strings.Replace(anew(own), "user.unblock", "stop.set", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBoth(t, func(t *testing.T, s *store) {
				l := s.open()
				appendAll(t, l, entry("user.unblock"), entry("user.block"))
				if err := l.Checkpoint(t.Context()); err != nil {
					t.Fatal(err)
				}
				appendAll(t, l, entry("grant.revoke")) // behind the checkpoint
				_, own, err := l.Entry(t.Context(), 1)
				if err := errors.Join(err, l.closeFiles()); err != nil { // and is killed
					t.Fatal(err)
				}
				if err := s.open().Agree(t.Context()); err != nil {
					t.Fatalf("a log that a crash has left: %v", err)
				}
				s.add(record(string(own)))
				l = s.open()
				var d *Disagreement
				if err := l.Agree(t.Context()); !errors.As(err, &d) || !strings.Contains(d.Why, "entry 4 was not written with a key") {
					t.Errorf("Agree = %v", err)
				}
				if _, err := l.Verify(t.Context()); err == nil {
					t.Error("it verifies")
				}
				if err := l.Checkpoint(t.Context()); err == nil {
					t.Error("it was signed")
				}
				var seen []int64
				passed, err := l.ListVouched(t.Context(), 0, func(e Entry) error { seen = append(seen, e.Seq); return nil })
				if passed != 1 || len(seen) != 3 || err != nil {
					t.Errorf("%d passed over, %v vouched for, %v", passed, seen, err)
				}
			})
		})
	}
}

// S1, AU-02: a running process signs nothing that somebody without the keys has added meanwhile, and appends nothing behind it.
func TestAU02AddedWhileItRuns(t *testing.T) {
	t.Parallel()
	for _, meets := range []string{"the next entry", "the next checkpoint"} {
		t.Run(meets, func(t *testing.T) {
			t.Parallel()
			inBoth(t, func(t *testing.T, s *store) {
				l := s.open()
				appendAll(t, l, entry("user.block"))
				if err := l.Checkpoint(t.Context()); err != nil {
					t.Fatal(err)
				}
				beside := s.open() // a command: it has the keys
				appendAll(t, beside, entry("grant.revoke"))
				appendAll(t, l, entry("tool.call"))
				s.add(forgedUnblock, forgedStop)
				var d *Disagreement
				if meets == "the next entry" {
					if _, err := l.Append(t.Context(), entry("tool.call")); !errors.As(err, &d) || !strings.Contains(d.Why, "entry 4 ") {
						t.Errorf("Append: %v", err)
					}
				}
				if err := l.Checkpoint(t.Context()); !errors.As(err, &d) || !strings.Contains(d.Why, "entry 4 ") {
					t.Errorf("Checkpoint: %v", err)
				}
				if l.Halted() == nil || l.follow.size() != 5 {
					t.Errorf("halted %v, %d entries", l.Halted(), l.follow.size())
				}
			})
		})
	}
}

// A log of a version whose entries have no MAC is gone on with, also where a crash has left entries that nothing has signed; from
// the first one with a MAC on each has one.
func TestLogWithoutMACs(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, s *store) {
		s.add(forgedUnblock, forgedUnblock)
		l := s.open()
		if err := l.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.closeFiles(); err != nil {
			t.Fatal(err)
		}
		s.add(forgedUnblock) // and is killed
		l = s.open()
		if err := l.Agree(t.Context()); err != nil {
			t.Errorf("a log of an earlier version: %v", err)
		}
		if passed, err := l.ListVouched(t.Context(), 0, func(Entry) error { return nil }); passed != 1 || err != nil {
			t.Errorf("%d passed over, %v", passed, err)
		}
		appendAll(t, l, entry("tool.call"))
		sound(t, l, 5) // the clock went back before it
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.add(forgedUnblock)
		if err := s.open().Agree(t.Context()); err == nil {
			t.Error("an entry without a MAC behind one that has one counts")
		}
	})
}
