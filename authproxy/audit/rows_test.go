package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// Somebody who can write the rows, knows the format and has no key does to the log what TestAU02Tampering
// has done to files. Each is found, no further away than the checkpoint before.
func TestAU02TamperedRows(t *testing.T) {
	t.Parallel()
	if dbtest.OnPostgres() {
		return // its text takes not every byte; TestAU02ChangedRows is about both
	}
	s, other := newRows(t), newFiles(t)
	s.segmentSize = 100_000
	l := s.open()
	const entries = 1000
	s.fill(l, entries)
	other.ten()
	seed := rand.Uint64()
	f := newForger(t, s.log(), other.log(), seed)
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range tamperings {
			if !yield(name) {
				return
			}
		}
	})
	for i := range max(4*rounds.Count(t), len(tamperings)) {
		name := names[i%len(names)]
		first := tamperings[name](f)
		s.push()
		_, err := l.Verify(t.Context())
		var broken *Broken
		found := errors.As(err, &broken)
		said := found && (strings.Contains(broken.Why, "no checkpoint tells whether the entries before it") || // where two rows would have one number
			strings.Contains(broken.Why, fmt.Sprintf("there is another row of entry %d", first+1))) // and the one that was there is a long group
		if !found || broken.Seq > first && !said || broken.Seq <= f.checkpointBefore(first) {
			t.Errorf("%s at entry %d (seed %d, round %d): %v", name, first, seed, i, err)
		}
		f.undo()
		if l.follow.size() != entries { // what stood behind the last entry was heard of as that of another process
			s.push()
			l = s.open()
		}
	}
	s.push()
	sound(t, l, entries)
}

// What only rows have is found as well, on both databases, and where it is at the end of the log no
// process starts.
func TestAU02ChangedRows(t *testing.T) {
	t.Parallel()
	at := func(seq int) string { return fmt.Sprint(" WHERE seq = ", seq) }
	for name, attack := range map[string]struct {
		statement string
		seq       int64 // of the first entry that is wrong
		running   bool  // whoever is running finds it with the next entry, too
	}{
		"a row is deleted":                 {`DELETE FROM audit_groups` + at(5), 5, false},
		"the last row is deleted":          {`DELETE FROM audit_groups` + at(10), 1, true},
		"the first row is deleted":         {`DELETE FROM audit_groups` + at(1), 1, false},
		"all rows are deleted":             {`DELETE FROM audit_groups`, 1, true},
		"a row has another number":         {`UPDATE audit_groups SET seq = 100` + at(5), 5, false},
		"a row ends elsewhere":             {`UPDATE audit_groups SET next_seq = 7` + at(5), 5, false},
		"the last row ends elsewhere":      {`UPDATE audit_groups SET next_seq = 12` + at(10), 10, true},
		"a row stands elsewhere":           {`UPDATE audit_groups SET place = place + 1` + at(5), 5, false},
		"a row is of another segment":      {`UPDATE audit_groups SET segment = 5` + at(5), 5, false},
		"a row begins a segment":           {`UPDATE audit_groups SET segment = 5, place = 0, head = (SELECT head FROM audit_groups WHERE seq = 1)` + at(5), 5, false},
		"a row has the content of another": {`UPDATE audit_groups SET content = (SELECT content FROM audit_groups WHERE seq = 6)` + at(5), 5, false},
		"two entries are in one row":       {`UPDATE audit_groups SET content = content || (SELECT content FROM audit_groups WHERE seq = 6), next_seq = 7` + at(5), 5, false},
		"a checksum is another":            {`UPDATE audit_groups SET content = replace(content, '#0', '#1')` + at(5), 5, false},
		"a row is empty":                   {`UPDATE audit_groups SET content = ''` + at(5), 5, false},
		"a first line is gone":             {`UPDATE audit_groups SET head = ''` + at(1), 1, false},
		"the log is that of another name":  {`UPDATE audit_groups SET log = 'x'`, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRows(t)
			l := s.ten()
			exec(t, l, attack.statement)
			var broken *Broken
			if _, err := l.Verify(t.Context()); !errors.As(err, &broken) || broken.Seq != attack.seq {
				t.Errorf("Verify = %v, want entry %d", err, attack.seq)
			}
			if _, err := l.Append(t.Context(), entry("a.a")); attack.running && err == nil {
				t.Error("whoever is running goes on")
			}
			var d *Disagreement
			if err := s.open().Agree(t.Context()); !errors.As(err, &d) {
				t.Errorf("at the next start: %v", err)
			}
		})
	}
}

// Processes that take themselves for the same machine write one log: none of what was acknowledged is
// missing, nothing is there twice, and the log verifies. Each begins it.
func TestOneLogOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	s := newRows(t)
	const processes, each = 3, 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	told := map[int64]string{}
	for p := range processes {
		l := s.open()
		wg.Go(func() {
			for i := range each {
				e := entry("a.a")
				e.Tool = fmt.Sprintf("%d of %d", i, p)
				seq, err := l.Append(context.Background(), e)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				if told[seq] != "" {
					t.Errorf("entry %d is %q and %q", seq, told[seq], e.Tool)
				}
				told[seq] = e.Tool
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	l := s.open()
	for _, e := range list(t, l, Filter{}) {
		if told[e.Seq] != e.Tool {
			t.Errorf("entry %d is %q, and its process was told so of %q", e.Seq, e.Tool, told[e.Seq])
		}
	}
	sound(t, l, processes*each)
}

// A replica that begins again, without anything on its disk, goes on with its log.
func TestRowsOutliveTheMachine(t *testing.T) {
	t.Parallel()
	s := newRows(t)
	first := s.ten()
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.config.Dir); !os.IsNotExist(err) {
		t.Errorf("what it had on its disk is there: %v", err)
	}
	l := s.open()
	if err := l.Agree(t.Context()); err != nil {
		t.Error(err)
	}
	appendAll(t, l, entry("a.b"))
	sound(t, l, 11)
}

// Entries behind those that were removed by age can be proven by a process that has seen none of these.
func TestProofBehindRemovedRows(t *testing.T) {
	t.Parallel()
	s := newRows(t)
	l, segments := s.long()
	second, err := firstOf(segments[len(segments)-1])
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Prune(t.Context(), second.At.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if left := s.segments(); len(left) != 1 {
		t.Fatalf("left are %v", left)
	}
	l = s.open()
	text, err := l.Published().Prove(t.Context(), second.Seq+3)
	if err != nil {
		t.Fatal(err)
	}
	_, line, err := l.Entry(t.Context(), second.Seq+3)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parseVerifiers([]string{publicKey(t, l)})
	if err != nil {
		t.Fatal(err)
	}
	var proof tree.Proof
	if err := proof.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	if _, err := proof.Verify(line, keys...); err != nil {
		t.Error(err)
	}
	// Hashes that somebody changed prove nothing.
	exec(t, l, `UPDATE audit_hashes SET hashes = 'AAAA' || substr(hashes, 5)`)
	if _, err := s.open().Published().Prove(t.Context(), second.Seq+3); !errors.Is(err, tree.ErrInconsistent) {
		t.Errorf("with another hash: %v", err)
	}
}

// Where another process has stored an older checkpoint meanwhile, a newer one is stored all the same: who takes it
// for stored would find the place put back.
func TestCheckpointBehindAnOlderOne(t *testing.T) {
	t.Parallel()
	l, writes := newRows(t).ten(), 0
	p := place{name: "a place", read: func(context.Context) ([]byte, error) { return nil, nil }, write: func(context.Context, []byte) error {
		if writes++; writes == 1 {
			return errReplaced
		}
		return nil
	}}
	if err := l.checkpoints.storeIn(t.Context(), p, 10, []byte("a checkpoint")); err != nil || writes != 2 {
		t.Errorf("%d writes, %v", writes, err)
	}
}

// A copy is not overwritten by a log that has less.
func TestCopyKeepsWhatIsGone(t *testing.T) {
	t.Parallel()
	l, dir := newRows(t).ten(), filepath.Join(t.TempDir(), "copy")
	if _, err := l.Published().Copy(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, logfile.SegmentName(1))
	before := string(checkpointOf(t, path))
	exec(t, l, `DELETE FROM audit_groups WHERE seq = 5`)
	if _, err := l.Published().Copy(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "does not have any more") {
		t.Errorf("copied: %v", err)
	}
	if after := string(checkpointOf(t, path)); after != before {
		t.Errorf("the copy has %d bytes of %d", len(after), len(before))
	}
}

// A copy of either kind is what verifies elsewhere; a later one is brought up to date, and one of another log
// is refused.
func TestCopyVerifies(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*store{"files": newFiles(t), "rows": newRows(t)} {
		l, segments := s.long()
		dir := filepath.Join(t.TempDir(), "copy")
		for range 2 {
			n, err := l.Published().Copy(t.Context(), dir)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			seen, err := VerifyFiles(t.Context(), dir, publicKey(t, l), l.Published().Newest().Signed)
			if err != nil || seen.Signed != n || seen.Last != n {
				t.Errorf("%s: %+v, %v", name, seen, err)
			}
			appendAll(t, l, entry("a.a"))
		}
		if files, err := logfile.Segments(dir); err != nil || len(files) != len(segments) {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
		if _, err := newFiles(t).ten().Published().Copy(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "expected another directory") {
			t.Errorf("%s: another log beside it: %v", name, err)
		}
	}
}
