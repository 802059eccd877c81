package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/seal"
)

// ten makes a log of ten entries, each in a group of its own, with a checkpoint.
func (s *store) ten() *Log {
	s.t.Helper()
	l := s.open()
	for i := range 10 {
		appendAll(s.t, l, Entry{Actor: actor.User("005A"), Action: ToolCall, Tool: fmt.Sprint("tool", i), Outcome: OK})
	}
	if err := l.Checkpoint(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	sound(s.t, l, 10)
	return l
}

// rewrite writes the log's files anew with other records, as somebody would who knows the
// format and has no key: the first line stays as it was.
func (s *store) rewrite(change func(records [][]byte) [][]byte) {
	s.t.Helper()
	var records [][]byte
	dir := s.log()
	defer s.push()
	if err := logfile.Scan(dir, 1, func(r logfile.Record) error {
		records = append(records, bytes.Clone(r.Text))
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	segment := filepath.Join(dir, logfile.SegmentName(1))
	head, err := logfile.ReadHead(logfile.Segment{First: 1, Path: segment})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.Remove(segment); err != nil {
		s.t.Fatal(err)
	}
	l, err := logfile.Open(logfile.Config{Dir: dir, Origin: head.Origin, Follower: stateOf(head.State)})
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	if err := l.Append(func(g *logfile.Group) {
		for _, r := range change(records) {
			g.Add(r)
		}
	}); err != nil {
		s.t.Fatal(err)
	}
}

// stateOf is a follower that begins a segment with a given state.
type stateOf string

func (s stateOf) Begin(logfile.Head) error { return nil }
func (s stateOf) Record(logfile.Record)    {}
func (s stateOf) State() string            { return string(s) }

// renumbered gives records the numbers that they now have.
func renumbered(records [][]byte) [][]byte {
	for i, r := range records {
		_, rest, _ := bytes.Cut(r, []byte(","))
		records[i] = append(fmt.Appendf(nil, `{"seq":%d,`, i+1), rest...)
	}
	return records
}

// Somebody who can write the files, but has no key, changes a log of ten entries and makes it
// look as one does. An edit of bytes is found where it is; of a log that was written anew it is
// said up to which checkpoint it is sound.
func TestAU02ChangedLog(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func([][]byte) [][]byte{
		"edited": func(r [][]byte) [][]byte {
			r[3] = bytes.Replace(r[3], []byte(`"ok"`), []byte(`"denied"`), 1)
			return r
		},
		"first deleted":     func(r [][]byte) [][]byte { return r[1:] },
		"deleted, closed":   func(r [][]byte) [][]byte { return renumbered(append(r[:4], r[5:]...)) },
		"inserted":          func(r [][]byte) [][]byte { return renumbered(append(r[:4], append([][]byte{r[2]}, r[4:]...)...)) },
		"two swapped":       func(r [][]byte) [][]byte { r[3], r[4] = r[4], r[3]; return r },
		"swapped, closed":   func(r [][]byte) [][]byte { r[3], r[4] = r[4], r[3]; return renumbered(r) },
		"tail cut off":      func(r [][]byte) [][]byte { return r[:8] },
		"forked":            func(r [][]byte) [][]byte { return renumbered(append(r[:8], r[0], r[1], r[2])) },
		"another beginning": func(r [][]byte) [][]byte { return renumbered([][]byte{r[5]}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			s.ten()
			s.rewrite(change)
			l := s.open()
			_, err := l.Verify(t.Context())
			var broken *Broken
			if !errors.As(err, &broken) || broken.Seq < 1 || broken.Seq > 10 {
				t.Errorf("Verify = %v", err)
			}
			key, kept := publicKey(t, l), checkpointIn(t, s.keys()+".checkpoint")
			if _, err := VerifyFiles(t.Context(), s.log(), key, kept); !errors.As(err, &broken) {
				t.Errorf("with the public key alone: %v", err)
			}
			var d *Disagreement
			if err := l.Agree(t.Context()); !errors.As(err, &d) {
				t.Errorf("at start: %v", err)
			}
		})
	}
}

func publicKey(t *testing.T, l *Log) string {
	t.Helper()
	keys, err := l.Keys()
	if err != nil {
		t.Fatal(err)
	}
	return keys[0]
}

func checkpointIn(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every byte of the file, changed alone, is noticed, and the entry is named.
func TestAU02EditedBytes(t *testing.T) {
	t.Parallel()
	s := newFiles(t)
	s.ten()
	path := filepath.Join(s.log(), logfile.SegmentName(1))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := publicKey(t, s.open())
	starts := map[int]int64{} // byte at which a group begins: number of its entry
	at, seq := bytes.IndexByte(before, '\n')+1, int64(1)
	for at < len(before) {
		starts[at] = seq
		at, seq = at+19+bytes.IndexByte(before[at+19:], '\n')+1, seq+1
	}
	want := int64(1)
	for i := range before {
		if seq, begins := starts[i]; begins {
			want = seq
		}
		if i%3 != 0 {
			continue
		}
		changed := bytes.Clone(before)
		changed[i] ^= 1
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := VerifyFiles(t.Context(), s.log(), key)
		var broken *Broken
		if !errors.As(err, &broken) && err == nil || broken != nil && broken.Seq != want {
			t.Errorf("byte %d changed: %v, want entry %d", i, err, want)
		}
	}
}

// The findings of who holds the database and the log's directory, but not the keys.
func TestS1CutAndRollback(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(*testing.T, *store, *Log){
		"A: everything is deleted": func(t *testing.T, s *store, l *Log) {
			s.remove()
			exec(t, l, `DELETE FROM meta WHERE name LIKE 'audit_%'`)
		},
		"B: an older state is put back": func(t *testing.T, s *store, l *Log) {
			restore := s.keep(l)
			appendAll(t, l, entry("user.block"))
			if err := l.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			restore()
		},
		"only the records are deleted": func(t *testing.T, s *store, _ *Log) { s.remove() },
		"only the database forgets":    func(t *testing.T, _ *store, l *Log) { exec(t, l, `DELETE FROM meta WHERE name LIKE 'audit_%'`) },
		"the database is of another time": func(t *testing.T, s *store, l *Log) {
			var old string
			if err := l.config.DB.Reads.QueryRowContext(t.Context(), `SELECT value FROM meta WHERE name LIKE 'audit_checkpoint %'`).Scan(&old); err != nil {
				t.Fatal(err)
			}
			appendAll(t, l, entry("user.block"))
			if err := l.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := l.config.DB.Writes.ExecContext(t.Context(), `UPDATE meta SET value = $1 WHERE name LIKE 'audit_checkpoint %'`, old); err != nil {
				t.Fatal(err)
			}
		},
		"another log is put there": func(t *testing.T, s *store, _ *Log) {
			other := newStore(t)
			other.ten()
			dir := s.log()
			remove(t, dir)
			if err := os.CopyFS(dir, os.DirFS(other.log())); err != nil {
				t.Fatal(err)
			}
			s.push()
		},
		"its checkpoint is edited": func(t *testing.T, s *store, l *Log) {
			if s.rows {
				exec(t, l, "UPDATE meta SET value = replace(value, '\n10\n', '\n11\n') WHERE name LIKE 'audit_checkpoint %'")
				return
			}
			path := filepath.Join(s.log(), checkpointFile)
			text := checkpointIn(t, path)
			if err := os.WriteFile(path, bytes.Replace(text, []byte("\n10\n"), []byte("\n11\n"), 1), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			l := s.ten()
			attack(t, s, l)
			l = s.open()
			var d *Disagreement
			if err := l.Agree(t.Context()); !errors.As(err, &d) {
				t.Fatalf("at start: %v", err)
			}
			if _, err := l.Verify(t.Context()); err == nil {
				t.Error("it verifies")
			}
			// Whoever must cut somebody off meanwhile can, hides nothing by it, and is told.
			if _, err := l.Append(t.Context(), entry("user.block")); err == nil {
				if err := l.Close(context.Background()); !errors.As(err, &d) {
					t.Errorf("closed after somebody was cut off: %v", err)
				}
				l = s.open()
			}
			if err := l.Agree(t.Context()); !errors.As(err, &d) {
				t.Fatalf("after somebody else has appended: %v", err)
			}
			// A person has looked, and it goes on: with a record of it, and not silently.
			if err := l.Acknowledge(t.Context(), d, actor.Operator("alice", "")); err != nil {
				t.Fatalf("Acknowledge = %v", err)
			}
			if err := l.Agree(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			got := list(t, l, Filter{Action: string(LogAcknowledge)})
			if len(got) != 1 || got[0].Actor != actor.Operator("alice", "") || !strings.HasPrefix(got[0].Reason, d.Why) {
				t.Errorf("the record of it: %+v", got)
			}
			if _, err := s.open().Verify(t.Context()); err != nil {
				t.Errorf("the log that goes on: %v", err)
			}
		})
	}
}

// keep returns what puts the log's directory and what the database knows of it back.
func (s *store) keep(l *Log) (restore func()) {
	s.t.Helper()
	copied := s.t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(s.log())); err != nil {
		s.t.Fatal(err)
	}
	var old string
	if err := l.config.DB.Reads.QueryRowContext(s.t.Context(), `SELECT value FROM meta WHERE name LIKE 'audit_checkpoint %'`).Scan(&old); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		dir := s.log()
		remove(s.t, dir)
		if err := os.CopyFS(dir, os.DirFS(copied)); err != nil {
			s.t.Fatal(err)
		}
		s.push()
		if _, err := l.config.DB.Writes.ExecContext(s.t.Context(), `UPDATE meta SET value = $1 WHERE name LIKE 'audit_checkpoint %'`, old); err != nil {
			s.t.Fatal(err)
		}
	}
}

// remove removes the records.
func (s *store) remove() {
	s.t.Helper()
	remove(s.t, s.log())
	s.push()
}

func remove(t testing.TB, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, l *Log, query string) {
	t.Helper()
	if _, err := l.config.DB.Writes.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// What is put back under a running proxy is noticed by it, and nothing more is appended.
func TestSRST4RollbackUnderARunningProxy(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(*testing.T, *store, *Log, func()){
		"all of it": func(_ *testing.T, _ *store, _ *Log, restore func()) { restore() },
		"only the database": func(t *testing.T, _ *store, l *Log, _ func()) {
			exec(t, l, `UPDATE meta SET value = 'x' WHERE name LIKE 'audit_checkpoint %'`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			l := s.ten()
			restore := s.keep(l)
			appendAll(t, l, entry("a.a"))
			if err := l.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			attack(t, s, l, restore)
			appendLate := func() error { _, err := l.Append(context.Background(), entry("a.b")); return err }
			if appendLate() == nil {
				if err := l.Checkpoint(t.Context()); err == nil {
					t.Error("the checkpoint was stored over it")
				}
				if appendLate() == nil {
					t.Error("it goes on appending")
				}
			}
		})
	}
}

// After a key rotation the log verifies with the old public key and the new one, as long as
// the ring has both. A log that was open before goes on (FT-46).
func TestVerifyAcrossKeyRotation(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	running := s.open()
	appendAll(t, running, entry("a.a"))
	oldKey := publicKey(t, running)
	old, err := os.ReadFile(s.keys())
	if err != nil {
		t.Fatal(err)
	}
	fresh := []byte(seal.NewKeyLine())
	if err := os.WriteFile(s.keys(), append(fresh, old...), 0o600); err != nil {
		t.Fatal(err)
	}
	l := s.open()
	appendAll(t, l, entry("a.b"))
	appendAll(t, running, entry("a.c"))
	for _, l := range []*Log{l, running} {
		sound(t, l, 3)
	}
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	newKey := publicKey(t, l)
	if newKey == oldKey {
		t.Error("the public key stays the same")
	}
	if seen, err := VerifyFiles(t.Context(), s.log(), oldKey); err != nil || seen.Last != 3 {
		t.Errorf("with the old public key: %+v, %v", seen, err)
	}
	if err := os.WriteFile(s.keys(), fresh, 0o600); err != nil { // the old key is lost
		t.Fatal(err)
	}
	if _, err := s.open().Verify(t.Context()); err == nil {
		t.Error("it verifies without the old key, which signed the beginning")
	}
}

// A key that somebody made up signs nothing that verifies.
func TestAU03ExchangedKey(t *testing.T) {
	t.Parallel()
	s := newFiles(t)
	real := s.ten()
	forger := newFiles(t)
	forged := forger.ten()
	if err := os.WriteFile(filepath.Join(s.log(), checkpointFile), checkpointIn(t, filepath.Join(forger.log(), checkpointFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := real.Agree(t.Context()); err == nil {
		t.Error("the checkpoint of another key is taken")
	}
	if _, err := VerifyFiles(t.Context(), s.log(), publicKey(t, forged)); err == nil {
		t.Error("the log verifies with another key")
	}

	// The whole log is computed anew, from its first entry on, and signed with the forger's key.
	if err := os.RemoveAll(s.log()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(s.log(), os.DirFS(forger.log())); err != nil {
		t.Fatal(err)
	}
	anew := s.open()
	if _, err := anew.Verify(t.Context()); err == nil {
		t.Error("a log that somebody computed anew verifies")
	}
	if err := anew.Agree(t.Context()); err == nil {
		t.Error("a log that somebody computed anew is gone on with")
	}
	if _, err := VerifyFiles(t.Context(), s.log(), publicKey(t, real), checkpointIn(t, s.keys()+".checkpoint")); err == nil {
		t.Error("a copy of it verifies with the real key")
	}
}

// A log that was damaged can be read as far as it is sound, and appends nothing until a
// person has acknowledged it: then it is ended, and another one begins.
func TestDamagedLogIsReadAndNotWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ten().Close(t.Context())
	path := filepath.Join(s.log(), logfile.SegmentName(1))
	content := checkpointIn(t, path)
	at := bytes.Index(content, []byte(`"tool5"`))
	content[at+1] = 'T'
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s.push()
	l := s.open()
	if _, err := l.Append(t.Context(), entry("a.a")); err == nil {
		t.Error("it is appended to")
	}
	if got := list(t, l, Filter{}); len(got) != 5 {
		t.Errorf("%d entries can be read", len(got))
	}
	var what *Disagreement
	if err := l.Agree(t.Context()); !errors.As(err, &what) {
		t.Fatalf("Agree = %v", err)
	}
	if err := l.Acknowledge(t.Context(), what, actor.Operator("alice", "")); err != nil {
		t.Fatalf("Acknowledge = %v", err)
	}
	got := list(t, l, Filter{})
	if len(got) != 1 || got[0].Action != LogAcknowledge || !strings.Contains(got[0].Reason, "the log was ended, its ") {
		t.Errorf("the new log: %+v", got)
	}
	if kept := s.ended(); !bytes.Equal(kept, content) {
		t.Errorf("the records of the ended log are %q", kept)
	}
	appendAll(t, l, entry("a.a"))
	sound(t, l, 2)
}

// ended is what is left of a log that was ended.
func (s *store) ended() (text []byte) {
	s.t.Helper()
	if s.rows {
		found, err := s.db().Reads.Query(`SELECT head, content FROM audit_groups WHERE log <> (SELECT value FROM meta WHERE name = $1) ORDER BY seq`, "audit_log "+machineName)
		if err != nil {
			s.t.Fatal(err)
		}
		defer found.Close()
		for found.Next() {
			var head, content string
			if err := found.Scan(&head, &content); err != nil {
				s.t.Fatal(err)
			}
			text = append(append(text, head...), content...)
		}
		return text
	}
	ended, err := filepath.Glob(filepath.Join(s.log(), "ended-*", "*.log"))
	if err != nil || len(ended) != 1 {
		s.t.Fatalf("the ended log: %v, %v", ended, err)
	}
	return checkpointOf(s.t, ended[0])
}

// A copy of the files on another machine verifies with the public key and a checkpoint that was
// kept elsewhere, without database, key file or configuration; and with nothing less.
func TestAU10VerifiedElsewhere(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.ten()
	key, kept := publicKey(t, l), checkpointIn(t, s.keys()+".checkpoint")
	elsewhere := t.TempDir()
	if err := os.CopyFS(elsewhere, os.DirFS(s.log())); err != nil {
		t.Fatal(err)
	}
	if seen, err := VerifyFiles(t.Context(), elsewhere, key, kept); err != nil || seen.Last != 10 || seen.Checkpoints < 3 {
		t.Errorf("%+v, %v", seen, err)
	}
	for name, c := range map[string]struct {
		key        string
		checkpoint []byte
	}{
		"no key":                 {"", kept},
		"a key of another kind":  {strings.Replace(key, "+A", "+B", 1), kept},
		"a key of another log":   {publicKey(t, newStore(t).ten()), kept},
		"a foreign checkpoint":   {key, checkpointIn(t, func() string { s := newStore(t); s.ten(); return s.keys() + ".checkpoint" }())},
		"an unsigned checkpoint": {key, kept[:bytes.Index(kept, []byte("\n\n"))+2]},
		"a signature by no key":  {key, withoutKey(kept)},
		"an edited checkpoint":   {key, bytes.Replace(kept, []byte("\n10\n"), []byte("\n9\n"), 1)},
		"no checkpoint at all":   {key, []byte{}},
	} {
		if seen, err := VerifyFiles(t.Context(), elsewhere, c.key, c.checkpoint); err == nil {
			t.Errorf("%s: %+v", name, seen)
		}
	}
	// The log has grown since the checkpoint was kept.
	appendAll(t, l, entry("a.a"))
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if seen, err := VerifyFiles(t.Context(), s.log(), key, kept); err != nil || seen.Last != 11 {
		t.Errorf("later: %+v, %v", seen, err)
	}
}

// withoutKey is a checkpoint whose signature names a key that nobody has: the first bytes of a
// signature are the id of its key.
func withoutKey(checkpoint []byte) []byte {
	at := bytes.LastIndexByte(checkpoint, ' ') + 1
	changed := bytes.Clone(checkpoint)
	if changed[at] = 'A'; checkpoint[at] == 'A' {
		changed[at] = 'B'
	}
	return changed
}

// Several processes store checkpoints at the same time, and one looks: nobody sees an older one
// where a newer one was.
func TestCheckpointsOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var wg sync.WaitGroup
	for range 3 {
		l := s.open()
		wg.Go(func() {
			for range 15 {
				if _, err := l.Append(context.Background(), entry("a.a")); err != nil {
					t.Error(err)
				}
				if err := l.Checkpoint(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	looking := s.open()
	for range 30 {
		if err := looking.Agree(t.Context()); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	sound(t, looking, 45)
}

// A folder of secrets is often mounted read-only. Then the log and the database have checkpoints,
// and no command fails for it.
func TestCheckpointWithoutTheKeyFolder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	path := s.keys() + "." + checkpointFile
	for _, refusal := range []error{fs.ErrPermission, syscall.EROFS} {
		p := filePlace("the directory of the key file", path)
		p.optional = true
		p.write = func(context.Context, []byte) error { return &fs.PathError{Op: "open", Path: path, Err: refusal} }
		if err := l.checkpoints.write(t.Context(), p, []byte("x")); err != nil {
			t.Errorf("%v: %v", refusal, err)
		}
		p.optional = false
		if err := l.checkpoints.write(t.Context(), p, []byte("x")); err == nil {
			t.Errorf("%v in a place that must be there is no error", refusal)
		}
	}
	appendAll(t, l, entry("a.a"))
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := s.open().Agree(t.Context()); err != nil {
		t.Errorf("without the one beside the key file: %v", err)
	}
}
