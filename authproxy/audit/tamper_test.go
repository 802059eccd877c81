package audit

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// forger can write the log's directory, knows the format, and has no key.
type forger struct {
	t        *testing.T
	rand     *rand.Rand
	dir      string
	segments []forgedSegment
	foreign  []byte // first segment of another log
	last     int64
	touched  map[string][]byte // files that were changed, and what they were; nil: they were not there
}

// forgedSegment is a file of the log as it was.
type forgedSegment struct {
	logfile.Segment
	content []byte
	head    []byte     // its first line
	groups  [][][]byte // of records, each with its line break
}

func (s forgedSegment) records() [][]byte { return slices.Concat(s.groups...) }

// written is the file of a segment with these records, in groups of some size, with checksums
// that fit.
func written(head []byte, records [][]byte) []byte {
	file := bytes.Clone(head)
	for group := range slices.Chunk(records, 100) {
		payload := bytes.Join(group, nil)
		file = fmt.Appendf(file, "#%08x %08x\n", len(payload), crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)))
		file = append(file, payload...)
	}
	return file
}

func newForger(t *testing.T, dir, other string, seed uint64) *forger {
	t.Helper()
	f := &forger{t: t, dir: dir, rand: rand.New(rand.NewPCG(seed, 0)), touched: map[string][]byte{}}
	segments, err := logfile.Segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segments {
		content := bytes.TrimRight(checkpointIn(t, s.Path), "#") // without room that was not written to
		end := bytes.IndexByte(content, '\n') + 1
		forged := forgedSegment{Segment: s, content: content, head: content[:end]}
		for rest := content[end:]; len(rest) > 0; {
			var size, crc int
			if _, err := fmt.Sscanf(string(rest[:19]), "#%x %x\n", &size, &crc); err != nil {
				t.Fatal(err)
			}
			records := slices.Collect(bytes.Lines(rest[19 : 19+size]))
			forged.groups = append(forged.groups, records)
			f.last += int64(len(records))
			rest = rest[19+size:]
		}
		f.segments = append(f.segments, forged)
	}
	f.foreign = checkpointIn(t, filepath.Join(other, logfile.SegmentName(1)))
	return f
}

// write writes a file; nil removes it.
func (f *forger) write(path string, content []byte) {
	f.t.Helper()
	if _, known := f.touched[path]; !known {
		f.touched[path] = nil
		if was, err := os.ReadFile(path); err == nil {
			f.touched[path] = was
		}
	}
	f.put(path, content)
}

func (f *forger) put(path string, content []byte) {
	f.t.Helper()
	var err error
	if content == nil {
		err = os.RemoveAll(path)
	} else {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *forger) undo() {
	for path, content := range f.touched {
		f.put(path, content)
	}
	clear(f.touched)
}

// any is a segment and the ordinal of one of its records.
func (f *forger) any() (s forgedSegment, i int) {
	s = f.segments[f.rand.IntN(len(f.segments))]
	return s, f.rand.IntN(len(s.records()))
}

// rewrite writes the records of a segment anew, and says that the first one that is another
// is the i-th.
func (f *forger) rewrite(s forgedSegment, i int, records [][]byte) int64 {
	f.write(s.Path, written(s.head, records))
	return s.First + int64(i)
}

// numberedFrom gives records the numbers from first on.
func numberedFrom(first int64, records [][]byte) [][]byte {
	records = slices.Clone(records)
	for i, r := range records {
		_, rest, _ := bytes.Cut(r, []byte(","))
		records[i] = append(fmt.Appendf(nil, `{"seq":%d,`, first+int64(i)), rest...)
	}
	return records
}

// edited is a record in which one byte is another.
func (f *forger) edited(record []byte) []byte {
	record = bytes.Clone(record)
	at := bytes.IndexByte(record, ',') + 1
	i := at + f.rand.IntN(len(record)-1-at)
	record[i] = 'a' + (record[i]+1)%20
	return record
}

// tamperings are what a forger does to a log. Each returns the first entry that is then wrong
// or missing.
var tamperings = map[string]func(*forger) int64{
	"a byte is another": func(f *forger) int64 {
		s := f.segments[f.rand.IntN(len(f.segments))]
		changed := bytes.Clone(s.content)
		at := f.rand.IntN(len(changed))
		changed[at] ^= byte(1 + f.rand.IntN(255))
		f.write(s.Path, changed)
		seq, end := s.First, len(s.head)
		for _, g := range s.groups {
			if end += 19 + len(bytes.Join(g, nil)); at < end || at < len(s.head) {
				return seq
			}
			seq += int64(len(g))
		}
		return seq
	},
	"an entry is edited": func(f *forger) int64 {
		s, i := f.any()
		records := slices.Clone(s.records())
		records[i] = f.edited(records[i])
		return f.rewrite(s, i, records)
	},
	"an entry is taken out": func(f *forger) int64 {
		s, i := f.any()
		return f.rewrite(s, i, slices.Delete(slices.Clone(s.records()), i, i+1))
	},
	"an entry is taken out, those behind it renumbered": func(f *forger) int64 {
		s, i := f.any()
		return f.rewrite(s, i, numberedFrom(s.First, slices.Delete(slices.Clone(s.records()), i, i+1)))
	},
	"an entry is put in": func(f *forger) int64 {
		s, i := f.any()
		_, j := f.any()
		records := s.records()
		return f.rewrite(s, i, numberedFrom(s.First, slices.Insert(slices.Clone(records), i, f.edited(records[j%len(records)]))))
	},
	"two entries are swapped": func(f *forger) int64 {
		s, i := f.any()
		records := slices.Clone(s.records())
		j := (i + 1 + f.rand.IntN(len(records)-1)) % len(records)
		records[i], records[j] = records[j], records[i]
		return f.rewrite(s, min(i, j), records)
	},
	"two entries are swapped and renumbered": func(f *forger) int64 {
		s, i := f.any()
		records := slices.Clone(s.records())
		j := (i + 1 + f.rand.IntN(len(records)-1)) % len(records)
		records[i], records[j] = f.edited(records[j]), f.edited(records[i])
		return f.rewrite(s, min(i, j), numberedFrom(s.First, records))
	},
	"a number is another": func(f *forger) int64 {
		s, i := f.any()
		records := slices.Clone(s.records())
		records[i] = numberedFrom(s.First+int64(f.rand.IntN(len(records))), records[i:i+1])[0]
		if bytes.Equal(records[i], s.records()[i]) {
			records[i] = f.edited(records[i])
		}
		return f.rewrite(s, i, records)
	},
	"the end is cut off": func(f *forger) int64 {
		n := f.rand.IntN(len(f.segments))
		for _, s := range f.segments[n+1:] {
			f.write(s.Path, nil)
		}
		s := f.segments[n]
		i := f.rand.IntN(len(s.records()))
		return f.rewrite(s, i, s.records()[:i])
	},
	"the end is cut off within a group": func(f *forger) int64 {
		s := f.segments[len(f.segments)-1]
		at := len(s.head) + f.rand.IntN(len(s.content)-len(s.head))
		f.write(s.Path, s.content[:at])
		seq, end := s.First, len(s.head)
		for _, g := range s.groups {
			if end += 19 + len(bytes.Join(g, nil)); at < end {
				return seq
			}
			seq += int64(len(g))
		}
		return seq
	},
	"groups are made room": func(f *forger) int64 {
		s := f.segments[f.rand.IntN(len(f.segments))]
		i, at, seq := f.rand.IntN(len(s.groups)), len(s.head), s.First
		for _, g := range s.groups[:i] {
			at, seq = at+19+len(bytes.Join(g, nil)), seq+int64(len(g))
		}
		changed := bytes.Clone(s.content)
		end := at + 19 + len(bytes.Join(s.groups[i], nil))
		if f.rand.IntN(2) == 0 {
			end = len(changed) // all that follow, too
		}
		copy(changed[at:], bytes.Repeat([]byte("#"), end-at))
		f.write(s.Path, changed)
		return seq
	},
	"a segment is gone": func(f *forger) int64 {
		s := f.segments[f.rand.IntN(len(f.segments))]
		f.write(s.Path, nil)
		return s.First
	},
	"a segment is empty": func(f *forger) int64 {
		s := f.segments[f.rand.IntN(len(f.segments))]
		f.write(s.Path, []byte{})
		return s.First
	},
	"two segments are exchanged": func(f *forger) int64 {
		i := f.rand.IntN(len(f.segments) - 1)
		a, b := f.segments[i], f.segments[i+1]
		f.write(a.Path, b.content)
		f.write(b.Path, a.content)
		return a.First
	},
	"two segments are exchanged under their first lines": func(f *forger) int64 {
		i := f.rand.IntN(len(f.segments) - 1)
		a, b := f.segments[i], f.segments[i+1]
		f.write(a.Path, written(a.head, numberedFrom(a.First, b.records())))
		f.write(b.Path, written(b.head, numberedFrom(b.First, a.records())))
		return a.First
	},
	"a first line is that of another segment": func(f *forger) int64 {
		i := f.rand.IntN(len(f.segments))
		s, other := f.segments[i], f.segments[(i+1)%len(f.segments)]
		fields, of := bytes.SplitN(s.head, []byte(" "), 6), bytes.SplitN(other.head, []byte(" "), 6)
		n := 4 + f.rand.IntN(2) // its checkpoint, or its edge
		fields[n] = of[n]
		f.write(s.Path, written(bytes.Join(fields, []byte(" ")), s.records()))
		return s.First
	},
	"a segment is of another log": func(f *forger) int64 {
		s := f.segments[f.rand.IntN(len(f.segments))]
		head, rest, _ := bytes.Cut(f.foreign, []byte("\n"))
		fields := bytes.SplitN(head, []byte(" "), 5)
		fields[3] = fmt.Append(nil, s.First)
		f.write(s.Path, slices.Concat(bytes.Join(fields, []byte(" ")), []byte("\n"), rest))
		return s.First
	},
	"a segment stands where there is none": func(f *forger) int64 {
		s, i := f.any()
		first := s.First + int64(i)
		if i == 0 {
			first++
		}
		f.write(filepath.Join(f.dir, logfile.SegmentName(first)), bytes.Replace(f.foreign, []byte(" 1 "), fmt.Appendf(nil, " %d ", first), 1))
		return first
	},
	"the log is forked": func(f *forger) int64 {
		n := f.rand.IntN(len(f.segments))
		i := f.rand.IntN(len(f.segments[n].records()))
		for j, s := range f.segments[n:] {
			from := 0
			if j == 0 {
				from = i
			}
			records := slices.Clone(s.records())
			for k := from; k < len(records); k++ {
				records[k] = f.edited(records[k])
			}
			f.write(s.Path, written(s.head, records))
		}
		return f.segments[n].First + int64(i)
	},
	"the log is forked and longer": func(f *forger) int64 {
		n := f.rand.IntN(len(f.segments))
		s := f.segments[n]
		i := f.rand.IntN(len(s.records()))
		for _, s := range f.segments[n+1:] {
			f.write(s.Path, nil)
		}
		records := slices.Clone(s.records()[:i])
		for seq := s.First + int64(i); seq <= f.last+10; seq++ {
			records = append(records, numberedFrom(seq, [][]byte{f.edited(f.segments[0].groups[0][0])})...)
		}
		return f.rewrite(s, i, records)
	},
}

// Somebody who knows the format and has no key does one of many things to a log, at a random
// place. Each is found, and the entry that is named is not behind the first one that is wrong:
// with the tiles of the tree it is that one, without them it is no further away than the
// checkpoint before.
func TestAU02Tampering(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	if dbtest.OnPostgres() {
		return // it is about files
	}
	times, entries := max(4*rounds.Count(t), 2*len(tamperings)), 20_000 // each kind with the tiles and without them
	if times >= 400 {
		times, entries = 1000, 100_000
	}
	s, other := newFiles(t), newFiles(t)
	l := s.open()
	s.fill(l, entries)
	other.ten()
	key, kept := publicKey(t, l), l.Published().Newest()
	tiles := filepath.Join(s.log(), tilesDirectory)
	if _, err := l.Published().Prove(t.Context(), 1); err != nil { // the tiles are there now
		t.Fatal(err)
	}
	seed := rand.Uint64()
	f := newForger(t, s.log(), other.log(), seed)
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range tamperings {
			if !yield(name) {
				return
			}
		}
	})
	for i := range times {
		name, withTiles := names[i%len(names)], i/len(names)%2 == 0
		if !withTiles {
			if err := os.Rename(tiles, tiles+".away"); err != nil {
				t.Fatal(err)
			}
		}
		first := tamperings[name](f)
		_, err := VerifyFiles(t.Context(), s.log(), key, kept.Signed)
		var broken *Broken
		switch near := f.checkpointBefore(first) + 1; {
		case !errors.As(err, &broken):
			t.Errorf("%s at entry %d (seed %d, round %d): %v", name, first, seed, i, err)
		case broken.Seq > first, broken.Seq < near, withTiles && broken.Seq != first:
			t.Errorf("%s at entry %d (seed %d, round %d, tiles %t): %v", name, first, seed, i, withTiles, err)
		}
		f.undo()
		if !withTiles {
			if err := os.Rename(tiles+".away", tiles); err != nil {
				t.Fatal(err)
			}
		}
	}
	if seen, err := VerifyFiles(t.Context(), s.log(), key, kept.Signed); err != nil || seen.Signed != int64(entries) {
		t.Errorf("as it was: %+v, %v", seen, err)
	}
}

// checkpointBefore is the size of the last checkpoint that is there whatever happens to an
// entry and what follows: the one in the first line of a segment goes with the segment.
func (f *forger) checkpointBefore(seq int64) (size int64) {
	for _, s := range f.segments {
		if s.First < seq {
			size = s.First - 1
		}
	}
	return size
}
