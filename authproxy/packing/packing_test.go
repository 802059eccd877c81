package packing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/approval/evidence"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/pack"
	"sfmcp-proxy/authproxy/seal"
)

// ann asks for packs.
var ann = approval.Decider{Actor: actor.Person("https://login.example.com", "ann")}

// bench is a maker of packs of a log with ten entries, four of them of the control policy.
type bench struct {
	*Maker
	t       *testing.T
	scratch string
	keys    string // public ones of the log
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.New(audit.Config{Dir: filepath.Join(dir, "audit"), Name: "mcp.example.com", DB: dbtest.OpenURL(t, dbtest.URL(t)), Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(context.Background()) })
	for i := range 10 {
		// Of the two kinds of the control in turn, so that they have to be put in order.
		action := []audit.Action{audit.ToolCall, audit.StopSet, audit.PolicyChange, audit.ToolCall, audit.ToolCall}[i%5]
		if _, err := log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: action, Object: fmt.Sprint("object ", i), Outcome: audit.OK}); err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{t: t, scratch: t.TempDir()}
	none := func(context.Context, []grant.User, io.Writer) error { return nil }
	c := Config{Audit: log, Grants: new(grant.Store), Version: "test", Scratch: []string{b.scratch}, Connections: none, Waited: none,
		Humans: oversight.Humans{Audit: log}, // nobody is asked for
		Record: func(_ context.Context, _ approval.Decider, id string) (*evidence.Record, error) {
			return nil, approval.ErrNotFound
		}}
	if change != nil {
		change(&c)
	}
	if b.Maker, err = New(c); err != nil {
		t.Fatal(err)
	}
	all, err := log.Keys()
	if err != nil {
		t.Fatal(err)
	}
	b.keys = strings.Join(all, "\n")
	return b
}

// recorded counts the entries about packs with an outcome.
func (b *bench) recorded(outcome audit.Outcome) (n int) {
	b.t.Helper()
	n, err := b.Audit.Count(b.t.Context(), audit.Filter{Action: string(audit.EvidenceMake), Outcome: outcome})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// left are what stands in the directory where archives are made.
func (b *bench) left() (names []string) {
	b.t.Helper()
	entries, err := os.ReadDir(b.scratch)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A pack for an answer verifies, has the entries of all that a control is shown by, each once and in
// their order, says who made it, and leaves nothing behind.
func TestArchiveOfAControl(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	made, err := b.Archive(t.Context(), Asked{Control: "policy"}, ann)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pack.tar")
	out, err := os.Create(path)
	if err == nil {
		_, err = made.WriteTo(out)
		err = errors.Join(err, out.Close(), made.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	v, err := pack.Verify(path, b.keys)
	if err != nil {
		t.Fatal(err)
	}
	m := v.Manifest
	if m.Entries.Count != 4 || m.Entries.First != 2 || m.Entries.Last != 8 || m.Entries.ByAction[audit.StopSet] != 2 || m.By != ann.Actor.String() || m.About != "control policy" || v.Bound != made.Bound {
		t.Errorf("%+v, bound %d", m, v.Bound)
	}
	if b.recorded(audit.Intent) != 1 || b.recorded(audit.OK) != 1 || len(b.left()) != 0 {
		t.Errorf("%d began, %d made, left: %v", b.recorded(audit.Intent), b.recorded(audit.OK), b.left())
	}
}

// What is too much for an answer is refused before anything is read or recorded, whether the index
// says so or it comes while the pack is made; the command line makes it.
func TestD15ArchiveIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Most = 3 })
	for _, asked := range []Asked{{Control: "policy"}, {Since: time.Now().Add(-time.Hour)}} {
		_, err := b.Archive(t.Context(), asked, ann)
		if wrong, ok := errors.AsType[*oversight.InputError](err); !ok || !strings.Contains(wrong.Error(), "more than 3 entries") {
			t.Errorf("%+v: %v", asked, err)
		}
		of, err := b.Preview(t.Context(), asked)
		if err != nil || !strings.Contains(of.TooMany, "more than 3 entries: choose a shorter time") {
			t.Errorf("%+v: %+v, %v", asked, of, err)
		}
		if b.recorded("") != 0 || len(b.left()) != 0 {
			t.Errorf("%+v: %d entries, left %v", asked, b.recorded(""), b.left())
		}
		before := b.recorded(audit.Failed)
		if _, err := b.make(t.Context(), asked, ann, filepath.Join(b.scratch, "x.tar"), b.Most); Wrong(err) == "" || b.recorded(audit.Failed) != before+1 || len(b.left()) != 0 {
			t.Errorf("%+v, while it is made: %v, %d failed, left %v", asked, err, b.recorded(audit.Failed), b.left())
		}
		path := filepath.Join(t.TempDir(), "pack")
		if made, err := b.Make(t.Context(), asked, ann, path); err != nil || made.Manifest.Entries.Count < 4 {
			t.Errorf("%+v at the command line: %v", asked, err)
		}
		b = newBench(t, func(c *Config) { c.Most = 3 })
	}
}

// The table of who had access is made of entries before the time, too: where they are too many for an
// answer, that is said before they are read, and the command line makes it.
func TestD15ArchiveOfALongHistoryIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Most = 3 })
	begin := time.Now().Add(time.Hour)
	for i := range 4 {
		made, err := b.Archive(t.Context(), Asked{Control: "access", Since: begin}, ann)
		if err != nil {
			t.Fatalf("of %d entries: %v", i, err)
		}
		made.Close()
		if _, err := b.Audit.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.GrantCreate, Grant: fmt.Sprint("g", i), Outcome: audit.OK}); err != nil {
			t.Fatal(err)
		}
	}
	before := b.recorded("")
	_, err := b.Archive(t.Context(), Asked{Control: "access", Since: begin}, ann)
	if !strings.Contains(Wrong(err), "more than 3 entries, also of before that time") || b.recorded("") != before {
		t.Errorf("%v, %d entries more", err, b.recorded("")-before)
	}
	if _, err := b.Make(t.Context(), Asked{Control: "access", Since: begin}, ann, filepath.Join(t.TempDir(), "pack")); err != nil {
		t.Errorf("at the command line: %v", err)
	}
}

// Archives that are not taken yet do not fill the disk: there are a few, and another one when one of
// them is closed, once or twice.
func TestFewArchivesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var open []*Archive
	for range mostOpen {
		made, err := b.Archive(t.Context(), Asked{Control: "reviews"}, ann)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, made)
	}
	for range 2 {
		before := b.recorded("")
		if _, err := b.Archive(t.Context(), Asked{Control: "reviews"}, ann); !errors.Is(err, ErrBusy) || b.recorded("") != before || len(b.left()) != mostOpen {
			t.Fatalf("beside %d others: %v, %d entries more, left %v", mostOpen, err, b.recorded("")-before, b.left())
		}
		for range 2 {
			if err := open[0].Close(); err != nil {
				t.Fatal(err)
			}
		}
		made, err := b.Archive(t.Context(), Asked{Control: "reviews"}, ann)
		if err != nil {
			t.Fatalf("after one was closed: %v", err)
		}
		open = append(open[1:], made)
	}
	for _, one := range open {
		one.Close()
	}
	if len(b.left()) > 0 {
		t.Errorf("left: %v", b.left())
	}
}

// One pack is made at a time; who comes meanwhile is told, and waits for nothing.
func TestOneArchiveAtATime(t *testing.T) {
	t.Parallel()
	var b *bench
	var second error
	b = newBench(t, func(c *Config) {
		c.Record = func(ctx context.Context, _ approval.Decider, _ string) (*evidence.Record, error) {
			_, second = b.Archive(ctx, Asked{Control: "policy"}, ann)
			return nil, errors.New("the database is gone")
		}
	})
	if _, err := b.Audit.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.ToolCall, Outcome: audit.Held, Approval: "apr_1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Archive(t.Context(), Asked{Approval: "apr_1"}, ann); err == nil || !errors.Is(second, ErrBusy) || len(b.left()) != 0 {
		t.Errorf("the first: %v; the second: %v; left %v", err, second, b.left())
	}
	made, err := b.Archive(t.Context(), Asked{Control: "reviews"}, ann)
	if err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	made.Close()
}

// What a killed process left is removed, and nothing that may be in use or is not ours.
func TestLeftArchivesAreRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	hours := time.Now().Add(-2 * leftAfter)
	for name, at := range map[string]time.Time{scratchPrefix + "old": hours, scratchPrefix + "new": time.Now(), "other": hours} {
		path := filepath.Join(b.scratch, name)
		if err := errors.Join(os.MkdirAll(filepath.Join(path, "deep"), 0o700), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	made, err := b.Archive(t.Context(), Asked{Control: "policy"}, ann)
	if err != nil {
		t.Fatal(err)
	}
	made.Close()
	if got := strings.Join(b.left(), " "); got != "other "+scratchPrefix+"new" {
		t.Errorf("left: %s", got)
	}
}

// Where one directory cannot be written the next is taken; where none can, the error names the fix.
func TestArchiveWhereNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	b := newBench(t, func(c *Config) { c.Scratch = append([]string{missing}, c.Scratch...) })
	made, err := b.Archive(t.Context(), Asked{Control: "policy"}, ann)
	if err != nil {
		t.Fatal(err)
	}
	made.Close()
	b = newBench(t, func(c *Config) { c.Scratch = []string{missing} })
	if _, err := b.Archive(t.Context(), Asked{Control: "policy"}, ann); err == nil || !strings.Contains(err.Error(), "TMPDIR") || b.recorded("") != 0 {
		t.Errorf("%v, %d entries", err, b.recorded(""))
	}
}

// What cannot be packed is said in a sentence, and nothing is done.
func TestAskedForNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	now := time.Now()
	for _, tt := range []struct {
		asked Asked
		want  string
	}{
		{Asked{}, "say what"}, {Asked{Until: now}, "say what"}, {Asked{User: "a", Control: "access"}, "exclude each other"},
		{Asked{Control: "keys"}, "expected access, policy or reviews"}, {Asked{Approval: "apr_1", Since: now}, "a time of its own"},
		{Asked{Since: now, Until: now}, "nothing can be between"}, {Asked{Approval: "apr_none"}, "has no entry of that id"},
	} {
		if _, err := b.Archive(t.Context(), tt.asked, ann); !strings.Contains(Wrong(err), tt.want) {
			t.Errorf("%+v: %v, expected %q", tt.asked, err, tt.want)
		}
	}
	if b.recorded("") != 0 || len(b.left()) != 0 {
		t.Errorf("%d entries, left %v", b.recorded(""), b.left())
	}
}
