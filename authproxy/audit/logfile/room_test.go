package logfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// written is what was written of a segment.
func written(content []byte) []byte { return bytes.TrimRight(content, room) }

// Whoever writes much has room behind the end, which is nothing to whoever reads, and is gone when
// the log is closed, or the segment is full.
func TestRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, SegmentName(1))
	l, _ := open(t, Config{Dir: dir, Room: 1000, RoomAfter: 3, SegmentSize: 4000})
	mustAdd(t, l, numbered(1, 1)...)
	mustAdd(t, l, numbered(2, 2)...)
	if c := contentOf(t, path); len(written(c)) != len(c) {
		t.Errorf("room after two groups: %q", c)
	}
	mustAdd(t, l, numbered(3, 3)...)
	before := contentOf(t, path)
	if n := len(before) - len(written(before)); n < prefixSize || n > 1000 {
		t.Errorf("%d bytes of room", n)
	}
	mustAdd(t, l, numbered(4, 4)...)
	if after := contentOf(t, path); len(after) != len(before) {
		t.Errorf("a group in the room changes the size from %d to %d", len(before), len(after))
	}
	for line := range bytes.Lines(contentOf(t, path)) {
		if line[0] != '#' && !bytes.HasSuffix(line, []byte("\n")) {
			t.Errorf("a line without a mark: %q", line)
		}
	}
	acknowledged(t, dir, numbered(1, 4))

	again, f := open(t, Config{Dir: dir})
	acknowledged(t, dir, f.records)
	mustAdd(t, again, numbered(5, 5)...)
	again.Close() // by whoever has made none
	if c := contentOf(t, path); len(written(c)) != len(c) {
		t.Error("room is left behind")
	}
	for i := 6; i < 200; i++ {
		mustAdd(t, l, numbered(i, i)...)
	}
	l.Close()
	acknowledged(t, dir, numbered(1, 199))
	segments, err := Segments(dir)
	if err != nil || len(segments) < 3 {
		t.Fatal(segments, err)
	}
	for _, s := range segments {
		if c := contentOf(t, s.Path); len(written(c)) != len(c) {
			t.Errorf("%s ends with room", s.Path)
		}
	}
}

// A process ends without a word while others write: what it leaves is room for them.
func TestFaultFT36RoomOfAProcessThatDied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir, Room: 500, RoomAfter: 1})
	mustAdd(t, l, numbered(1, 3)...)
	other, f := open(t, Config{Dir: dir})
	for i := 4; i < 100; i++ {
		mustAdd(t, other, numbered(i, i)...)
	}
	if diff := cmp.Diff(numbered(1, 99), f.records); diff != "" {
		t.Error(diff)
	}
	acknowledged(t, dir, numbered(1, 99))
}

// Every way in which a write into room can end too early: also sectors of the group that are there
// before those in front of them.
func TestFaultFT36TornGroupInRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir, Room: 3000, RoomAfter: 1})
	path := filepath.Join(dir, SegmentName(1))
	mustAdd(t, l, numbered(1, 3)...)
	before := contentOf(t, path)
	mustAdd(t, l, numbered(4, 6)...)
	both := contentOf(t, path)
	from, to := len(written(before)), len(written(both))
	if len(before) != len(both) {
		t.Fatal("the group is not in the room")
	}
	for cut := from + 2; cut < to; cut += 3 {
		torn := map[string][]byte{
			"front":  append(bytes.Clone(both[:cut]), before[cut:]...),
			"behind": append(bytes.Clone(before[:cut]), both[cut:]...),
			"zeros":  append(append(bytes.Clone(both[:cut]), make([]byte, to-cut)...), before[to:]...),
		}
		for how, content := range torn {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, SegmentName(1)), content, 0o600); err != nil {
				t.Fatal(err)
			}
			acknowledged(t, dir, numbered(1, 3))
			l, f := open(t, Config{Dir: dir})
			if len(f.records) != 3 {
				t.Errorf("%s at %d: the follower heard %d records", how, cut, len(f.records))
			}
			var said int64
			if err := l.Append(func(g *Group) { said = g.Cut(); g.Add([]byte(numbered(4, 4)[0])) }); err != nil {
				t.Errorf("%s at %d: %v", how, cut, err)
			}
			if said < 1 || said > int64(to-from) {
				t.Errorf("%s at %d: %d bytes of %d are said to be cut", how, cut, said, to-from)
			}
			acknowledged(t, dir, numbered(1, 4))
		}
	}
}

// A file is copied while it is written: behind what was room when it was read there are groups that
// came since. The copy is the log up to there, and goes on from there.
func TestCopyOfALogThatIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir, Room: 3000, RoomAfter: 1})
	path := filepath.Join(dir, SegmentName(1))
	mustAdd(t, l, numbered(1, 3)...)
	first := contentOf(t, path)
	from := len(written(first))
	mustAdd(t, l, numbered(4, 6)...)
	for i := 7; i < 12; i++ {
		mustAdd(t, l, numbered(i, i)...)
	}
	second := contentOf(t, path)
	for at := from + prefixSize; at < len(written(second)); at += 7 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, SegmentName(1)), append(bytes.Clone(first[:at]), second[at:]...), 0o600); err != nil {
			t.Fatal(err)
		}
		acknowledged(t, dir, numbered(1, 3))
		l, f := open(t, Config{Dir: dir, Room: 3000, RoomAfter: 1})
		acknowledged(t, dir, f.records)
		for i := 4; i < 30; i++ {
			if err := l.Append(func(g *Group) {
				if (g.Cut() > 0) != (i == 4) {
					t.Errorf("at %d: %d bytes are said to be cut with record %d", at, g.Cut(), i)
				}
				g.Add([]byte(numbered(i, i)[0]))
			}); err != nil {
				t.Fatalf("at %d: %v", at, err)
			}
		}
		acknowledged(t, dir, numbered(1, 29))
	}
}

// Room in the place of groups that were acknowledged ends the log as if they had been cut off, and in
// any segment but the last is damage.
func TestAU02RoomInTheMiddle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir, SegmentSize: 100})
	for i := 1; i < 10; i++ {
		mustAdd(t, l, numbered(i, i)...)
	}
	segments, err := Segments(dir)
	if err != nil || len(segments) < 3 {
		t.Fatal(segments, err)
	}
	content := contentOf(t, segments[1].Path)
	begin := bytes.IndexByte(content, '\n') + 1
	copy(content[begin:], bytes.Repeat([]byte(room), len(content)-begin))
	if err := os.WriteFile(segments[1].Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *Damage
	if err := Scan(dir, 1, func(Record) error { return nil }); !errors.As(err, &damage) || damage.Seq != segments[1].First {
		t.Errorf("reading: %v", err)
	}
}

// Whoever reads while others write into room reads whole groups, and all that was there when he began.
func TestScanBesideAWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir, Room: 20_000, RoomAfter: 1, SegmentSize: 200_000, Sync: func(*os.File) error { return nil }})
	mustAdd(t, l, strings.Repeat("x", 5000))
	var appended atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := int64(1); n < 4000; n++ {
			appended.Store(n)
			select {
			case <-stop:
				return
			default:
			}
			if err := add(l, strings.Repeat("x", 5000)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 40 {
		atLeast, read := appended.Load(), int64(0)
		if err := Scan(dir, 1, func(Record) error { read++; return nil }); err != nil {
			t.Fatal(err)
		}
		if read < atLeast {
			t.Fatalf("%d records read, of %d", read, atLeast)
		}
	}
	close(stop)
	<-stopped
}

// However little room a group leaves, what is left is not taken for a group that was begun.
func TestRoomThatIsNearlyUsedUp(t *testing.T) {
	t.Parallel()
	l, _ := open(t, Config{Dir: t.TempDir(), Room: 100, RoomAfter: 1})
	for i := range 300 {
		if err := l.Append(func(g *Group) {
			if g.Cut() > 0 {
				t.Errorf("group %d: %d bytes were cut", i, g.Cut())
			}
			g.Add([]byte(strings.Repeat("x", 1+i%97)))
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// What stands behind room in a segment without a group is not found, either.
func TestRoomAfterTheFirstLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, SegmentName(1))
	l, _ := open(t, Config{Dir: dir})
	mustAdd(t, l, numbered(1, 2)...)
	mustAdd(t, l, numbered(3, 3)...)
	content := contentOf(t, path)
	begin := bytes.IndexByte(content, '\n') + 1
	copy(content[begin:], strings.Repeat(room, prefixSize+5))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	again, f := open(t, Config{Dir: dir})
	for i := 1; i < 9; i++ {
		mustAdd(t, again, numbered(i, i)...)
	}
	acknowledged(t, dir, f.records)
	acknowledged(t, dir, numbered(1, 8))
}

// Whoever reads a group while it is written looks at it again.
func TestGroupThatIsBeingWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, SegmentName(1))
	l, _ := open(t, Config{Dir: dir})
	mustAdd(t, l, numbered(1, 2)...)
	mustAdd(t, l, numbered(3, 3)...)
	s, _, err := openSegment(Segment{First: 1, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.content.Close()
	seen := contentOf(t, path)[s.offset:]
	copy(seen[prefixSize+4:], strings.Repeat(room, 5))
	s.reader.Reset(bytes.NewReader(seen))
	var records []string
	if err := s.each(func(r Record) error { records = append(records, string(r.Text)); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbered(1, 3), records); diff != "" {
		t.Error(diff)
	}
}
