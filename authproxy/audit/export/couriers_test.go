package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/destination"
	"sfmcp-proxy/authproxy/audit/logfile"
)

// A destination that is new gets the whole log, in order; a later run goes on where the former ended.
func TestAU12FollowsTheLog(t *testing.T) {
	t.Parallel()
	s, r := newSite(t), &taking{}
	s.append(25)
	s.run(s.couriers(to(r)), func() bool { return len(r.all()) >= 26 }) // 25, and export.begin
	whollyTaken(t, r.all(), 26)
	if n := len(r.all()); n != 26 {
		t.Errorf("%d entries came, want each once", n)
	}
	begun := s.actions("export.")
	if len(begun) != 1 || begun[0].Action != audit.ExportBegin || !strings.Contains(begun[0].Reason, "pseudonyms") {
		t.Errorf("%+v", begun)
	}
	s.append(5)
	s.run(s.couriers(to(r)), func() bool { return len(r.all()) >= 31 })
	whollyTaken(t, r.all(), 31)
	if n := len(r.all()); n != 31 {
		t.Errorf("%d entries came, want each once", n)
	}
	all, err := Positions(t.Context(), s.db)
	if err != nil || len(all) != 1 || all[0].Seq != 31 || all[0].SentAt.IsZero() {
		t.Errorf("%+v, %v", all, err)
	}
}

// Of two processes with one log one sends at a time; what it sends is in order, and the other goes on
// when it ends.
func TestOneOfTwoProcessesSends(t *testing.T) {
	t.Parallel()
	s, r := newSite(t), &taking{}
	otherDB, otherLog := s.open()
	s.append(100)
	one, other := s.couriers(to(r)), s.couriersOf(otherDB, otherLog, to(r))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { other.Run(ctx); close(ended) }()
	s.run(one, func() bool { return len(r.all()) >= 50 })
	s.append(50)
	deadline := time.Now().Add(plenty)
	for len(r.all()) < int(s.size()) && time.Now().Before(deadline) {
		if _, err := otherLog.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.LogCut, Outcome: audit.OK}); err != nil { // so that it hears of the others
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	<-ended
	whollyTaken(t, r.all(), 151)
	if seqs := kept(t, r.all()); len(seqs) != len(r.all()) {
		t.Errorf("%d of %d came twice though nobody crashed", len(r.all())-len(seqs), len(seqs))
	}
}

// S7: whoever moves a position in the database without the keys hides nothing: the destination gets
// everything again.
func TestAlteredPositionCountsAsAbsent(t *testing.T) {
	t.Parallel()
	s, r := newSite(t), &taking{}
	s.append(5)
	s.run(s.couriers(to(r)), func() bool { return len(r.all()) >= 6 })
	if _, err := s.db.Writes.Exec(`UPDATE export_positions SET position = 100`); err != nil {
		t.Fatal(err)
	}
	s.append(5)
	again := &taking{}
	s.run(s.couriers(to(again)), func() bool { return len(again.all()) >= 11 })
	whollyTaken(t, again.all(), 11)
}

// A person moves the position back and forward; whoever read it before the move does not.
func TestMovedPosition(t *testing.T) {
	t.Parallel()
	s, r := newSite(t), &taking{}
	s.append(9)
	s.run(s.couriers(to(r)), func() bool { return len(r.all()) >= 10 })
	position := func() *Position {
		all, err := Positions(t.Context(), s.db)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	stale := position()
	if err := Move(t.Context(), s.db, position(), 3); err != nil {
		t.Fatal(err)
	}
	if err := Move(t.Context(), s.db, stale, 9); !errors.Is(err, ErrMoved) {
		t.Errorf("a position that was read before: %v", err)
	}
	again := &taking{}
	s.run(s.couriers(to(again)), func() bool { return len(again.all()) >= 7 })
	if seqs := kept(t, again.all()); seqs[0] != 4 || seqs[len(seqs)-1] != 10 {
		t.Errorf("behind 3 came %v", seqs)
	}
	if err := Move(t.Context(), s.db, position(), 0); err != nil {
		t.Fatal(err)
	}
	whole := &taking{}
	s.run(s.couriers(to(whole)), func() bool { return len(whole.all()) >= 10 })
	whollyTaken(t, whole.all(), 10)
}

// A position that a person moves while a batch is on its way stays where they moved it to.
func TestMovedWhileABatchIsOnItsWay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.append(9)
	moved := false
	r := &taking{}
	r.after = func([]string) error {
		if moved {
			return nil
		}
		moved = true
		all, err := Positions(context.Background(), s.db)
		if err != nil {
			return err
		}
		return Move(context.Background(), s.db, all[0], 4)
	}
	s.run(s.couriers(to(r)), func() bool { return len(r.all()) >= 15 })
	var again []string
	if all := r.all(); len(all) > 9 {
		again = all[9:]
	}
	if seqs := kept(t, again); len(seqs) != 6 || seqs[0] != 5 {
		t.Errorf("behind 4 came %v", seqs)
	}
}

// A batch that is too much is sent in parts; an entry that is refused for itself holds up what is behind
// it, and is named, until a person moves the position.
func TestEntryThatIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.append(20)
	r := &taking{before: func(texts []string) error {
		if len(texts) > 4 || slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, `"seq":13,`) }) {
			return fmt.Errorf("%w: answered with status 413", destination.ErrTooMuch)
		}
		return nil
	}}
	k := s.couriers(to(r))
	s.run(k, func() bool { return len(r.all()) >= 12 && k.States()[0].Problem != "" })
	if seqs := kept(t, r.all()); len(seqs) != 12 || !strings.HasPrefix(k.States()[0].Problem, "entry 13: ") || k.States()[0].Behind == 0 {
		t.Errorf("%v, %+v", seqs, k.States())
	}
	all, err := Positions(t.Context(), s.db)
	if err != nil || all[0].Failures == 0 || !strings.HasPrefix(all[0].Problem, "entry 13: ") {
		t.Fatalf("%+v, %v", all[0], err)
	}
	if err := Move(t.Context(), s.db, all[0], 13); err != nil {
		t.Fatal(err)
	}
	s.run(s.couriers(to(r)), func() bool { return len(r.all()) >= 20 })
	if last := r.all()[19]; !strings.Contains(last, `"seq":21,`) {
		t.Errorf("the last is %s", last)
	}
}

// FT-55: a destination that is down for a day gets all of it; the audit log says once that it was, and
// that it is back.
func TestFaultFT55DownForADay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	down := true
	r := &taking{before: func([]string) error {
		if down {
			s.pass(time.Hour / 2)
			return errors.New("connection refused")
		}
		return nil
	}}
	s.append(10)
	k := s.couriers(to(r))
	s.run(k, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.attempts >= 48
	})
	failed := s.actions("export.")
	if len(failed) != 2 || failed[1].Action != audit.ExportFail || failed[1].Object != "siem" || failed[1].Reason != "connection refused" {
		t.Errorf("%+v", failed)
	}
	if state := k.States()[0]; state.Behind < 10 || state.Oldest.IsZero() || state.Failed < 48 || state.Problem == "" {
		t.Errorf("%+v", state)
	}
	r.mu.Lock()
	down = false
	r.mu.Unlock()
	s.append(10)
	s.run(s.couriers(to(r)), func() bool { return len(s.actions("export.heal")) == 1 && int64(len(r.all())) == s.size() })
	whollyTaken(t, r.all(), s.size())
	if healed := s.actions("export.heal"); !strings.Contains(healed[0].Reason, "failures since 2026-03-01") {
		t.Errorf("%+v", healed)
	}
}

// AU-12: nobody who appends waits for a destination that hangs.
func TestAU12NoCallWaitsForADestination(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.append(1)
	hangs, begun := make(chan struct{}), make(chan struct{}, 1)
	r := &taking{before: func([]string) error { begun <- struct{}{}; <-hangs; return errors.New("it hung") }}
	k := s.couriers(to(r))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { k.Run(ctx); close(ended) }()
	<-begun
	s.append(100) // would not return
	if state := k.States()[0]; state.Behind < 1 {
		t.Errorf("%+v", state)
	}
	cancel()
	close(hangs)
	<-ended
}

// What was removed by age before it was taken is said, and the rest is sent.
func TestRemovedByAge(t *testing.T) {
	t.Parallel()
	s, r := newSite(t), &taking{}
	s.append(2)
	s.run(s.couriers(to(r)), func() bool { return len(r.all()) >= 3 })
	all, err := Positions(t.Context(), s.db)
	if err != nil {
		t.Fatal(err)
	}
	if err := Move(t.Context(), s.db, all[0], 1); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 500)
	for segments := 1; segments < 2; {
		if _, err := s.log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.LogCut, Outcome: audit.OK, Reason: strings.Repeat(big, 4), Object: big, Tool: big, Server: big, Client: big, Rule: big}); err != nil {
			t.Fatal(err)
		}
		there, err := logfile.Segments(filepath.Join(s.dir, "audit"))
		if err != nil {
			t.Fatal(err)
		}
		segments = len(there)
	}
	s.pass(time.Hour)
	if err := s.log.Prune(t.Context(), s.now()); err != nil {
		t.Fatal(err)
	}
	after := &taking{}
	s.run(s.couriers(to(after)), func() bool { return len(s.actions("export.skip")) == 1 && len(after.all()) > 2 })
	if skipped := s.actions("export.skip"); !strings.Contains(skipped[0].Reason, "entries 2 to ") || skipped[0].Outcome != audit.Failed {
		t.Errorf("%+v", skipped)
	}
	kept(t, after.all())
}

// What a destination gets of people is what the configuration gives it. Who was erased is not in what
// is sent again either.
func TestPeopleInExports(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.append(3)
	for _, tt := range []struct {
		personal, arguments bool
		name, canary        bool
	}{{false, false, false, false}, {true, false, true, false}, {true, true, true, true}} {
		for _, format := range Formats() {
			r := &taking{}
			e := to(r)
			e.Name, e.Format, e.Personal, e.Arguments = fmt.Sprint(tt.personal, tt.arguments, format), format, tt.personal, tt.arguments
			s.run(s.couriers(e), func() bool { return len(r.all()) >= 4 })
			got := strings.Join(r.all()[:3], "\n")
			if strings.Contains(got, "rep@acme.example") != tt.name || strings.Contains(got, "192.0.2.7") != tt.name || strings.Contains(got, "005xx000001Sv6AAAS") != tt.name ||
				strings.Contains(got, "canary") != tt.canary || strings.Contains(got, "sealed") {
				t.Errorf("%+v, %s: %s", tt, format, got)
			}
		}
	}
	refused := errors.New("not yet")
	r := &taking{before: func([]string) error { return refused }}
	e := to(r)
	e.Name, e.Personal = "late", true
	var sent []string
	r.before = func(texts []string) error {
		if sent = append(sent, texts...); len(sent) == len(texts) {
			return refused
		}
		return nil
	}
	k := s.couriers(e)
	k.all[0].pauses = [2]time.Duration{time.Hour, time.Hour}
	s.run(k, func() bool { return k.States()[0].Problem != "" })
	if _, err := s.log.Persons().Erase(t.Context(), "acme", "005xx000001Sv6AAAS", audit.Erasure{By: actor.Operator("alice", "")}, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s.run(s.couriers(e), func() bool { return len(r.all()) > 0 })
	if got := strings.Join(r.all(), "\n"); strings.Contains(got, "rep@acme.example") || !strings.Contains(got, `"personal":"erased"`) || !strings.Contains(strings.Join(sent, ""), "rep@acme.example") {
		t.Errorf("after erasure came %s", got)
	}
}

// A log that is begun anew is sent from its beginning, under its own name.
func TestAnotherLogOfOneDestination(t *testing.T) {
	t.Parallel()
	s, r := newSite(t), &taking{}
	s.append(4)
	s.run(s.couriers(to(r)), func() bool { return len(r.all()) >= 5 })
	if err := os.Rename(filepath.Join(s.dir, "audit"), filepath.Join(s.dir, "ended")); err != nil {
		t.Fatal(err)
	}
	d, l := s.open()
	if _, err := l.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.LogCut, Outcome: audit.OK}); err != nil {
		t.Fatal(err)
	}
	fresh := &taking{}
	s.run(s.couriersOf(d, l, to(fresh)), func() bool { return len(fresh.all()) >= 2 })
	whollyTaken(t, fresh.all(), 2)
	all, err := Positions(t.Context(), d)
	if err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}
