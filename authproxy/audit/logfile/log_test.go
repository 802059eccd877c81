package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// follower keeps all that it hears; its state is how many records there were.
type follower struct {
	begun   []Head
	records []string
	last    int64
	at      map[int64]Position
}

func (f *follower) Begin(h Head) error {
	f.begun = append(f.begun, h)
	f.last = h.First - 1
	return nil
}

func (f *follower) Record(r Record) {
	if r.Seq != f.last+1 {
		panic(fmt.Sprintf("record %d after %d", r.Seq, f.last))
	}
	f.last = r.Seq
	f.records = append(f.records, string(r.Text))
	if f.at == nil {
		f.at = map[int64]Position{}
	}
	f.at[r.Seq] = r.At
}

func (f *follower) State() string { return fmt.Sprintf("records=%d", f.last) }

func open(t *testing.T, c Config) (*Log, *follower) {
	t.Helper()
	f := &follower{}
	c.Follower = f
	if c.Origin == "" {
		c.Origin = "mcp.example.com/audit/a"
	}
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, f
}

// add appends records as one group.
func add(l *Log, records ...string) error {
	return l.Append(func(g *Group) {
		for _, r := range records {
			g.Add([]byte(r))
		}
	})
}

func mustAdd(t *testing.T, l *Log, records ...string) {
	t.Helper()
	if err := add(l, records...); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, dir string) (records []string) {
	t.Helper()
	err := Scan(dir, 1, func(r Record) error {
		if r.Seq != int64(len(records)+1) {
			t.Fatalf("record %d after %d", r.Seq, len(records))
		}
		records = append(records, string(r.Text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func numbered(from, to int) (records []string) {
	for i := from; i <= to; i++ {
		records = append(records, fmt.Sprintf(`{"seq":%d,"text":"%s"}`, i, strings.Repeat("x", i%50)))
	}
	return records
}

func TestAppendAndScan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, f := open(t, Config{Dir: dir, SegmentSize: 1000})
	var want []string
	for i := 1; i <= 100; i += 3 {
		mustAdd(t, l, numbered(i, i+2)...)
		want = append(want, numbered(i, i+2)...)
	}
	if diff := cmp.Diff(want, f.records); diff != "" {
		t.Errorf("what the follower heard: %s", diff)
	}
	if diff := cmp.Diff(want, all(t, dir)); diff != "" {
		t.Errorf("what a scan reads: %s", diff)
	}
	segments, err := Segments(dir)
	if err != nil || len(segments) < 3 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	for _, s := range segments {
		head, err := ReadHead(s)
		if err != nil || head.State != fmt.Sprintf("records=%d", s.First-1) || head.Origin != "mcp.example.com/audit/a" {
			t.Errorf("%s begins with %+v, %v", s.Path, head, err)
		}
	}
	for seq, at := range f.at {
		file, err := os.Open(filepath.Join(dir, SegmentName(at.Segment)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := ReadAt(file, at.Offset)
		if file.Close(); err != nil || string(text) != want[seq-1] {
			t.Errorf("record %d at %+v reads %q, %v", seq, at, text, err)
		}
	}

	again, heard := open(t, Config{Dir: dir, SegmentSize: 1000, Origin: "another"})
	if again.Origin() != "mcp.example.com/audit/a" {
		t.Errorf("the log's name became %q", again.Origin())
	}
	last := segments[len(segments)-1]
	if diff := cmp.Diff(want[last.First-1:], heard.records); diff != "" {
		t.Errorf("what a second process heard at open: %s", diff)
	}
	var late []int64
	if err := Scan(dir, 95, func(r Record) error { late = append(late, r.Seq); return nil }); err != nil || late[0] != 95 || late[len(late)-1] != 102 {
		t.Errorf("a scan from 95 gives %v, %v", late, err)
	}
}

func TestLinesWithoutMarksAreTheExport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir})
	mustAdd(t, l, numbered(1, 3)...)
	mustAdd(t, l, numbered(4, 5)...)
	raw, err := os.ReadFile(filepath.Join(dir, SegmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	if diff := cmp.Diff(numbered(1, 5), lines); diff != "" {
		t.Error(diff)
	}
}

func TestSeveralWritersOfOneLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const writers, each = 4, 50
	var wait sync.WaitGroup
	heard := make([]*follower, writers)
	for w := range writers {
		l, f := open(t, Config{Dir: dir, SegmentSize: 2000, Room: int64(50 * w), RoomAfter: 1 + 30*(w%2)})
		heard[w] = f
		wait.Go(func() {
			for range each {
				if err := l.Append(func(g *Group) { g.Add(fmt.Appendf(nil, `{"seq":%d,"writer":%d}`, g.Next(), w)) }); err != nil {
					t.Error(err)
				}
			}
			if err := l.CatchUp(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	records := all(t, dir)
	if len(records) != writers*each {
		t.Fatalf("%d records", len(records))
	}
	for i, r := range records {
		if !strings.HasPrefix(r, fmt.Sprintf(`{"seq":%d,`, i+1)) {
			t.Fatalf("record %d is %s", i+1, r)
		}
	}
	for w, f := range heard {
		if n := len(f.records); n == 0 || !cmp.Equal(f.records, records[f.last-int64(n):f.last]) {
			t.Errorf("writer %d heard something else", w)
		}
	}
}

// Every way in which a write can end too early.
func TestFaultFT36TornTailIsCutAndSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir})
	mustAdd(t, l, numbered(1, 3)...)
	path := filepath.Join(dir, SegmentName(1))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, numbered(4, 6)...)
	l.Close()
	both, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(whole) + 1; cut < len(both); cut += 5 {
		torn := map[string][]byte{
			"cut":            both[:cut],
			"zeros":          append(bytes.Clone(both[:cut]), make([]byte, len(both)-cut)...),
			"front is zeros": append(append(bytes.Clone(whole), make([]byte, cut-len(whole))...), both[cut:]...),
		}
		for how, content := range torn {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, SegmentName(1)), content, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := all(t, dir); len(got) != 3 {
				t.Errorf("%s at %d: a scan reads %d records", how, cut, len(got))
			}
			l, f := open(t, Config{Dir: dir})
			if len(f.records) != 3 {
				t.Errorf("%s at %d: the follower heard %d records", how, cut, len(f.records))
			}
			var said int64
			if err := l.Append(func(g *Group) { said = g.Cut(); g.Add([]byte(`{"seq":4}`)) }); err != nil {
				t.Errorf("%s at %d: %v", how, cut, err)
			}
			if said != int64(len(content)-len(whole)) {
				t.Errorf("%s at %d: %d bytes are said to be cut", how, cut, said)
			}
			if got := all(t, dir); len(got) != 4 || got[3] != `{"seq":4}` {
				t.Errorf("%s at %d: then there is %v", how, cut, got)
			}
		}
	}
}

// A change in the middle is not a crash: nothing is cut, nothing is appended.
func TestDamageInTheMiddleStopsAppending(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir})
	mustAdd(t, l, numbered(1, 3)...)
	mustAdd(t, l, numbered(4, 6)...)
	l.Close()
	path := filepath.Join(dir, SegmentName(1))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	firstLine := bytes.IndexByte(before, '\n') + 1
	for at := firstLine; at < len(before)-200; at += 7 {
		changed := bytes.Clone(before)
		changed[at] ^= 1
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Config{Dir: dir, Origin: "a", Follower: &follower{}})
		var damage *Damage
		if !errors.As(err, &damage) || damage.Last || damage.Seq != 1 {
			t.Errorf("byte %d changed: %v", at, err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, changed) {
			t.Errorf("byte %d changed: the file was written", at)
		}
	}
}

func TestForeignAndChangedFiles(t *testing.T) {
	t.Parallel()
	write := func(name, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		prepare func(*testing.T, string)
		want    string
	}{
		"not a segment":        {write(SegmentName(1), "hello\n"), "does not begin as a segment"},
		"empty file":           {write(SegmentName(1), ""), "first line is not whole"},
		"another version":      {write(SegmentName(1), "#segment 9 a 1 x\n"), "version 9"},
		"another first record": {write(SegmentName(5), "#segment 1 a 4 x\n"), "names another first record"},
		"a name without sense": {write("00000000000000000000.log", "#segment 1 a 0 x\n"), "not the name of a segment"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(t, dir)
			_, err := Open(Config{Dir: dir, Origin: "a", Follower: &follower{}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("opening: %v", err)
			}
		})
	}
}

// What happens to the files under a process that has them open.
func TestFilesChangedWhileOpen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(path string) error
		want   string
	}{
		"removed":   {os.Remove, "is gone"},
		"truncated": {func(path string) error { return os.Truncate(path, 60) }, "was cut"},
		"exchanged": {func(path string) error {
			b, err := os.ReadFile(path)
			return errors.Join(err, os.Remove(path), os.WriteFile(path, b, 0o600))
		}, "put back or exchanged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l, f := open(t, Config{Dir: dir})
			mustAdd(t, l, numbered(1, 3)...)
			if err := c.change(filepath.Join(dir, SegmentName(1))); err != nil {
				t.Fatal(err)
			}
			if err := add(l, "{}"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("appending: %v", err)
			}
			if f.last != 3 {
				t.Errorf("the follower has heard %d", f.last)
			}
		})
	}
}

// A disk that refuses loses nothing that was acknowledged, and appending goes on when it is back.
func TestFaultFT38DiskThatRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var broken error
	l, f := open(t, Config{Dir: dir, Sync: func(file *os.File) error {
		if broken != nil {
			return broken
		}
		return syncData(file)
	}})
	mustAdd(t, l, numbered(1, 3)...)
	broken = errors.New("no space left on device")
	for range 3 {
		if err := add(l, numbered(4, 5)...); !errors.Is(err, broken) {
			t.Fatalf("appending: %v", err)
		}
	}
	if got := all(t, dir); len(got) != 3 || f.last != 3 {
		t.Errorf("%d records, %d heard", len(got), f.last)
	}
	broken = nil
	mustAdd(t, l, numbered(4, 5)...)
	if diff := cmp.Diff(numbered(1, 5), all(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestRecordsThatAreNotOneLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir})
	for _, bad := range []string{"", "#x", "a\nb", strings.Repeat("x", maxGroup+1)} {
		if err := add(l, "{}", bad); err == nil {
			t.Errorf("%.20q is taken", bad)
		}
	}
	mustAdd(t, l, "{}")
	if got := all(t, dir); len(got) != 1 {
		t.Errorf("there is %v", got)
	}
}

func TestScanSeesMissingSegments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir, SegmentSize: 100})
	for i := range 10 {
		mustAdd(t, l, numbered(i+1, i+1)...)
	}
	segments, err := Segments(dir)
	if err != nil || len(segments) < 4 {
		t.Fatal(len(segments), err)
	}
	if err := os.Remove(segments[1].Path); err != nil {
		t.Fatal(err)
	}
	var damage *Damage
	if err := Scan(dir, 1, func(Record) error { return nil }); !errors.As(err, &damage) || damage.Seq != segments[1].First {
		t.Errorf("scanning: %v", err)
	}
}

// A process that writes without a pause does not keep another one out.
func TestWritersTakeTurns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	busy, _ := open(t, Config{Dir: dir})
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := add(busy, "{}"); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	const turns = 50
	other, _ := open(t, Config{Dir: dir})
	for range turns {
		mustAdd(t, other, `{"other":true}`)
	}
	close(stop)
	wait.Wait()
	// Between two turns of one the other has had few: it did not wait for a lucky moment.
	if n := len(all(t, dir)); n > 20*turns {
		t.Errorf("%d records were written while one process wrote %d", n, turns)
	}
}
