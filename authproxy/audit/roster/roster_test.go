package roster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// onlyShared skips where a database has one log.
func onlyShared(t *testing.T) {
	t.Helper()
	if !dbtest.OnPostgres() {
		t.Skip("a SQLite database has one log, and no roster")
	}
	t.Parallel()
}

// A replica that goes away is silent until it is back or its log is closed. Whoever only runs commands, and
// whoever looks, is not.
func TestSilentReplica(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b", "c")
	commands := f.start("commands")
	commands.append(1)
	commands.must(commands.roster.Join(t.Context()))
	silent := func(by *replica) int64 {
		by.must(by.roster.Look(t.Context()))
		return by.roster.Silent()
	}
	for _, r := range all {
		if n := silent(r); n != 0 {
			t.Errorf("all are there, and %s counts %d", r.name, n)
		}
	}
	f.pass(silence + time.Second)
	silent(all[1])
	if n := silent(all[0]); n != 1 {
		t.Errorf("one is away: %d", n)
	}
	silent(all[2])
	if n := silent(all[0]); n != 0 {
		t.Errorf("it is back: %d", n)
	}
	f.pass(silence + time.Second)
	silent(all[1])
	if _, err := all[0].roster.Close(t.Context(), all[2].origin(), actor.Operator("sam", ""), "gone"); err != nil {
		t.Fatal(err)
	}
	if n := silent(all[0]); n != 0 {
		t.Errorf("its log is closed: %d", n)
	}
}

func TestOneLogNeedsNoRoster(t *testing.T) {
	if dbtest.OnPostgres() {
		t.Skip("of SQLite")
	}
	_, all := newFleet(t, "a")
	logs, err := all[0].roster.Logs(t.Context())
	if err != nil || len(logs) != 1 || logs[0].Origin != all[0].origin() || logs[0].Entries != 5 || len(all[0].entries(audit.LogJoin))+len(all[0].entries(audit.LogObserve)) != 0 {
		t.Errorf("the roster has %v, %v", logs, err)
	}
	if _, err := all[0].roster.Close(t.Context(), "x", actor.Proxy, ""); err == nil {
		t.Error("a log was closed in no roster")
	}
}

// AU-05: each log is entered once, says so itself, and says what it sees of all.
func TestAU05LogsKnowEachOther(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b", "c")
	logs, err := all[1].roster.Logs(t.Context())
	if err != nil || len(logs) != 3 {
		t.Fatalf("the roster has %v, %v", logs, err)
	}
	for _, r := range all {
		keys, err := r.log.Keys()
		i := slices.IndexFunc(logs, func(l Log) bool { return l.Origin == r.origin() })
		if err != nil || i < 0 || logs[i].Host != r.name || !slices.Equal(logs[i].Verifiers, keys) || logs[i].Closed != nil || !logs[i].HeardAt.Equal(f.now()) {
			t.Errorf("%s: the roster has %+v, %v", r.name, logs, err)
		}
		if joins := r.entries(audit.LogJoin); len(joins) != 1 || joins[0].Object != r.name {
			t.Errorf("%s has recorded its entry as %+v", r.name, joins)
		}
		seen, err := r.roster.last(t.Context())
		for _, other := range all {
			if s := seen.logs[other.origin()]; err != nil || s.Entries < 6 || s.Root == "" || s.Closed {
				t.Errorf("%s sees of %s: %+v, %v", r.name, other.name, s, err)
			}
		}
	}
	if found := f.together(all, f.path("a"), f.path("b"), f.path("c")); len(found) > 0 {
		t.Errorf("three sound logs: %q", found)
	}
	// Nothing new is nothing to record; a process that starts again is the same replica.
	n := len(all[0].entries(audit.LogObserve))
	all[0].must(all[0].roster.Look(t.Context()))
	again := all[0].restart()
	again.must(again.roster.Agree(t.Context()))
	again.must(again.roster.Join(t.Context()))
	if len(again.entries(audit.LogObserve)) != n || len(again.entries(audit.LogJoin)) != 1 {
		t.Error("a look without anything new, or a start, was recorded")
	}
}

// A log that grows much is recorded with the next look; one that grows a little later; and as many
// logs as there are.
func TestObservationsAreDue(t *testing.T) {
	t.Parallel()
	before := look{at: 0, logs: map[string]Sighting{"x": {Origin: "x", Entries: 10, Root: "00"}}}
	for _, c := range []struct {
		name    string
		entries int64
		closed  bool
		other   bool
		after   time.Duration
		want    bool
	}{
		{"nothing new", 10, false, false, time.Hour, false},
		{"a little, soon", 11, false, false, observeEvery - time.Second, false},
		{"a little, later", 11, false, false, observeEvery, true},
		{"much, soon", 10 + observeAfter, false, false, time.Second, true},
		{"closed, soon", 10, true, false, time.Second, true},
		{"another one, soon", 10, false, true, time.Second, true},
	} {
		seen := []Sighting{{Origin: "x", Entries: c.entries, Root: "00", Closed: c.closed}}
		if c.other {
			seen = append(seen, Sighting{Origin: "y"})
		}
		if got := before.due(seen, c.after.Milliseconds()); got != c.want {
			t.Errorf("%s: due %t", c.name, got)
		}
	}
}

func TestManyLogsAreSeenInParts(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b")
	for i := range 2*sightingsAtOnce + 3 {
		origin := "proxy.example/audit/" + strings.Repeat("0", 12) + string(rune('a'+i/26)) + string(rune('a'+i%26))
		all[0].must(all[0].roster.rows.insert(t.Context(), Log{Origin: origin, Host: "h", Verifiers: logKeys(t, all[0], origin), JoinedAt: f.now(), HeardAt: f.now()}))
	}
	f.lookAll(all)
	for _, r := range all {
		seen, err := r.roster.last(t.Context())
		if err != nil || len(seen.logs) != 2*sightingsAtOnce+5 {
			t.Errorf("%s sees %d logs, %v", r.name, len(seen.logs), err)
		}
		r.must(r.roster.Agree(t.Context()))
	}
}

func logKeys(t *testing.T, r *replica, origin string) []string {
	t.Helper()
	keys, err := r.log.KeysOf(origin)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// AU-05: a replica that goes away for good is closed, and its log gets nothing more.
func TestAU05ClosedLogGetsNothingMore(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	operator := actor.Operator("sam", "")
	if _, err := a.roster.Close(t.Context(), c.origin(), operator, "gone"); !errors.Is(err, ErrWritten) {
		t.Errorf("a log that is written was closed: %v", err)
	}
	if _, err := a.roster.Close(t.Context(), a.origin(), operator, "gone"); err == nil {
		t.Error("the own log was closed")
	}
	if _, err := a.roster.Close(t.Context(), "nobody/audit/1", operator, "gone"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown log was closed: %v", err)
	}
	f.pass(silence + time.Second)
	closing, err := a.roster.Close(t.Context(), c.origin(), operator, "its machine is gone")
	if err != nil || closing.Entries == 0 {
		t.Fatalf("closing: %+v, %v", closing, err)
	}
	entries := a.entries(audit.LogClose)
	intent, last := entries[len(entries)-2], entries[len(entries)-1]
	if last.Outcome != audit.OK || intent.Object != c.origin() || intent.Reason != "its machine is gone" || !strings.Contains(string(intent.Arguments), `"root":"`) {
		t.Errorf("recorded as %+v, %+v", intent, last)
	}
	if again, err := a.roster.Close(t.Context(), c.origin(), operator, "once more"); err != nil || again.Why != "its machine is gone" {
		t.Errorf("closed twice: %+v, %v", again, err)
	}
	b.must(b.roster.Look(t.Context()))
	if seen, err := b.roster.last(t.Context()); err != nil || !seen.logs[c.origin()].Closed {
		t.Errorf("b sees %+v, %v", seen, err)
	}
	// The process that was only stopped, and comes back: it hears that access has changed.
	running, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { c.roster.Run(running) })
	c.roster.Hurry()
	for end := time.Now().Add(time.Minute); c.log.Halted() == nil && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	stop()
	ended.Wait()
	if c.log.Halted() == nil {
		t.Error("a closed log goes on")
	}
	d := disagrees(t, c.roster.Look(t.Context()), "was closed at")
	c.log.Halt(d)
	if _, err := c.log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.StopSet, Outcome: audit.OK}); err == nil {
		t.Error("a closed log took an entry")
	}
	// A command on that machine.
	c = c.restart()
	c.must(c.roster.CheckOpen(t.Context()))
	if _, err := c.log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.StopSet, Outcome: audit.OK}); err == nil {
		t.Error("a closed log took an entry of a command")
	}
	// A person who has looked goes on with another log.
	d = disagrees(t, c.roster.Agree(t.Context()), "its machine is gone")
	was := c.origin()
	c.must(c.log.Acknowledge(t.Context(), d, operator))
	c.must(c.roster.Acknowledged(t.Context(), was, operator, d.Why))
	c.must(c.roster.Join(t.Context()))
	c.must(c.roster.Agree(t.Context()))
	logs, err := c.roster.Logs(t.Context())
	if err != nil || len(logs) != 4 || c.origin() == was {
		t.Errorf("the roster has %v, %v", logs, err)
	}
	b.must(b.roster.Look(t.Context()))
}
