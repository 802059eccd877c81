package roster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

// AU-05: whoever holds the database has no log forgotten, reopened or put back. Each is noticed by
// another replica at its next look, and a person who has looked puts it right.
func TestAU05RosterThatWasChanged(t *testing.T) {
	onlyShared(t)
	_, all := newFleet(t, "a", "b")
	a, b := all[0], all[1]
	operator := actor.Operator("sam", "")
	for _, c := range []struct {
		name   string
		attack func(by, on *replica)
		why    string
	}{
		{"a row is deleted", func(by, on *replica) { by.exec(`DELETE FROM audit_logs WHERE origin = $1`, on.origin()) }, "it has no row any more"},
		{"all rows are deleted", func(by, _ *replica) { by.exec(`DELETE FROM audit_logs`) }, "it has no row any more"},
		{"the own row is deleted", func(by, _ *replica) { by.exec(`DELETE FROM audit_logs WHERE origin = $1`, by.origin()) }, "it has no row any more"},
		{"a row is changed", func(by, on *replica) {
			by.exec(`UPDATE audit_logs SET host = 'elsewhere' WHERE origin = $1`, on.origin())
		}, "was changed by something else"},
		{"another key is put in", func(by, on *replica) {
			by.exec(`UPDATE audit_logs SET verifiers = (SELECT verifiers FROM audit_logs WHERE origin = $2) WHERE origin = $1`, on.origin(), by.origin())
		}, "was changed by something else"},
		{"a log is closed by hand", func(by, on *replica) {
			by.exec(`UPDATE audit_logs SET closed_at = 1, closed_why = 'x' WHERE origin = $1`, on.origin())
		}, "was changed by something else"},
		{"a row takes the place of another", func(by, on *replica) {
			by.exec(`DELETE FROM audit_logs WHERE origin = $1`, on.origin())
			by.exec(`UPDATE audit_logs SET origin = $1 WHERE origin = $2`, on.origin(), by.origin())
		}, ""},
		{"a checkpoint is deleted", func(by, on *replica) {
			by.exec(`DELETE FROM meta WHERE name = $1`, "audit_checkpoint "+on.origin())
		}, "it was put back"},
		{"a checkpoint is another log's", func(by, on *replica) {
			by.exec(`UPDATE meta SET value = (SELECT value FROM meta WHERE name = $2) WHERE name = $1`, "audit_checkpoint "+on.origin(), "audit_checkpoint "+by.origin())
		}, "not one of that log"},
	} {
		b.append(1) // whose process puts its checkpoint right
		b.must(b.log.Checkpoint(t.Context()))
		a.must(a.roster.Look(t.Context()))
		a.must(a.roster.Agree(t.Context()))
		c.attack(a, b)
		d := disagrees(t, a.roster.Look(t.Context()), c.why)
		a = a.restart()
		if disagrees(t, a.roster.Agree(t.Context()), c.why); t.Failed() {
			t.Fatal(c.name)
		}
		a.must(a.log.Acknowledge(t.Context(), d, operator))
		a.must(a.roster.Acknowledged(t.Context(), "", operator, "looked"))
		a.must(a.roster.Agree(t.Context()))
		if logs, err := a.roster.Logs(t.Context()); err != nil || len(logs) != 2 {
			t.Errorf("%s: the roster has %v, %v", c.name, logs, err)
		}
	}
}

// AU-05: a row and a checkpoint that were good once are not good again.
func TestAU05RosterThatWasPutBack(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	name := "audit_checkpoint " + b.origin()
	a.exec(`CREATE TABLE before_logs AS SELECT * FROM audit_logs`)
	a.exec(`CREATE TABLE before_meta AS SELECT * FROM meta`)
	b.append(3)
	f.lookAll(all)
	a.exec(`UPDATE meta SET value = (SELECT value FROM before_meta WHERE name = $1) WHERE name = $1`, name)
	disagrees(t, a.roster.Look(t.Context()), "it was put back")
	disagrees(t, b.log.Close(t.Context()), "it was put back")
	a.exec(`DELETE FROM meta WHERE name = $1`, name)
	a.exec(`INSERT INTO meta SELECT * FROM before_meta WHERE name = $1`, name)
	disagrees(t, c.roster.Look(t.Context()), "it was put back")

	f2, all := newFleet(t, "a", "b", "c")
	a, b, c = all[0], all[1], all[2]
	a.exec(`CREATE TABLE before_logs AS SELECT * FROM audit_logs`)
	f2.pass(silence + time.Second)
	if _, err := a.roster.Close(t.Context(), b.origin(), actor.Operator("sam", ""), "gone"); err != nil {
		t.Fatal(err)
	}
	c.must(c.roster.Look(t.Context()))
	a.exec(`DELETE FROM audit_logs WHERE origin = $1`, b.origin())
	a.exec(`INSERT INTO audit_logs SELECT * FROM before_logs WHERE origin = $1`, b.origin())
	disagrees(t, c.roster.Look(t.Context()), "it was closed then")
	operator := actor.Operator("sam", "")
	c.must(c.roster.Acknowledged(t.Context(), "", operator, "looked"))
	c.must(c.roster.Agree(t.Context()))
	logs, err := c.roster.Logs(t.Context())
	for _, l := range logs {
		if l.Origin == b.origin() && l.Closed == nil {
			t.Errorf("acknowledging has opened a closed log: %+v, %v", l, err)
		}
	}
}

// AU-05: copies of several logs, verified with public keys alone, tell what was done to one of them.
func TestAU05LogsThatWereRemovedOrExchanged(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b", "c")
	older := filepath.Join(f.dir, "older", "audit")
	f.copyDir(f.path("b"), older)
	all[1].append(3)
	f.lookAll(all)
	f.lookAll(all)
	a, b, c := f.path("a"), f.path("b"), f.path("c")

	stranger, others := newFleet(t, "d")
	d := stranger.path("d")
	keys := append(all, others...)
	cutBeside := filepath.Join(f.dir, "cut", "audit") // without the checkpoint beside it, which contradicts the cut
	f.copyDir(older, cutBeside)
	if err := os.Remove(filepath.Join(cutBeside, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		dirs []string
		want string // empty: all is sound
	}{
		{"all are there", []string{a, b, c}, ""},
		{"one is missing", []string{a, c}, "the log " + all[1].origin() + " is missing"},
		{"one is older", []string{a, older, c}, "are gone: entry"},
		{"one is older, and has no checkpoint", []string{a, cutBeside, c}, "are gone: entry"},
		{"one stands where another should", []string{a, a, c}, "are both of the log " + all[0].origin()},
		{"one is of nobody", []string{a, b, c, d}, "the log " + others[0].origin() + " in " + d + " is unknown"},
	} {
		found := strings.Join(f.together(keys, test.dirs...), "\n")
		if test.want == "" && found != "" || !strings.Contains(found, test.want) {
			t.Errorf("%s: found %q, want %q", test.name, found, test.want)
		}
	}
	if _, err := VerifyTogether(t.Context(), []string{t.TempDir()}, ""); err == nil {
		t.Error("an empty directory is no log")
	}
	with, err := VerifyTogether(t.Context(), []string{a}, strings.Join(logKeys(t, all[1], all[1].origin()), "\n"))
	if err != nil || with.Copies[0].Err == nil || !strings.Contains(with.Copies[0].Err.Error(), "no public key") {
		t.Errorf("a log without its key: %+v, %v", with, err)
	}
}

// AU-05: a log that was forked, with the keys: both branches verify by themselves.
func TestAU05LogThatWasForked(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b")
	branch := filepath.Join(f.dir, "branch")
	f.copyDir(f.path("b"), branch)
	all[1].append(4)
	f.lookAll(all)
	// The branch goes on where no checkpoint of this database contradicts it.
	other, _ := newFleet(t)
	other.keys = f.keys
	other.copyDir(branch, other.path("b"))
	r := other.start("b")
	for range 40 {
		_, err := r.log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.StopSet, Outcome: audit.OK, Object: "all"})
		r.must(err)
	}
	r.must(r.log.Close(t.Context()))
	found := strings.Join(f.together(all, f.path("a"), other.path("b")), "\n")
	if !strings.Contains(found, "entry") || !strings.Contains(found, "of the log "+all[0].origin()) {
		t.Errorf("a forked log: found %q", found)
	}
}

// AU-05: a log that was used after it was closed shows in copies.
func TestAU05ClosedLogThatWasUsedAgain(t *testing.T) {
	onlyShared(t)
	f, all := newFleet(t, "a", "b")
	a, b := all[0], all[1]
	b.must(b.log.Close(t.Context()))
	f.pass(silence + time.Second)
	if _, err := a.roster.Close(t.Context(), b.origin(), actor.Operator("sam", ""), "gone"); err != nil {
		t.Fatal(err)
	}
	a.must(a.roster.Look(t.Context()))
	b = f.start("b") // without CheckOpen, as by a program that was changed
	b.append(2)
	b.must(b.log.Close(t.Context()))
	if found := strings.Join(f.together([]*replica{a, b}, f.path("a"), f.path("b")), "\n"); !strings.Contains(found, "was used after it was closed") {
		t.Errorf("found %q", found)
	}
	disagrees(t, a.roster.Look(t.Context()), "somebody has used it again")
}
