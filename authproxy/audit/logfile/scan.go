package logfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Position is where a record stands.
type Position struct {
	Segment int64 // number of the segment's first record
	Offset  int64 // of the record's first byte in the segment's file
}

// Damage says where a segment stops being what was written.
type Damage struct {
	Segment Segment
	Offset  int64 // of the group that is not whole
	Seq     int64 // first record that cannot be read
	Why     string
	// Last: nothing whole follows, as after a crash in the middle of a write.
	Last bool

	Torn int64 // bytes of what is not whole, without room behind it
}

func (d *Damage) Error() string {
	return fmt.Sprintf("the audit log is damaged at entry %d (%s, byte %d): %s", d.Seq, d.Segment.Path, d.Offset, d.Why)
}

// Record is one record as it is read. Text is only valid until the function that gets it
// returns.
type Record struct {
	Seq  int64
	At   Position
	Text []byte
}

// scanner reads one segment from some group on.
type scanner struct {
	segment Segment
	content Content // to look again at what is not whole; nil: nobody writes meanwhile
	reader  *bufio.Reader
	offset  int64 // of the next group
	next    int64 // number of its first record
	buffer  []byte
}

// openSegment opens a segment behind its first line.
func openSegment(s Segment) (*scanner, Head, error) {
	content, err := s.Open()
	if err != nil {
		return nil, Head{}, err
	}
	from := bufio.NewReaderSize(reader(content, 0), 256<<10)
	head, size, err := readHead(from, s)
	if err != nil {
		return nil, Head{}, errors.Join(err, content.Close())
	}
	return &scanner{segment: s, content: content, reader: from, offset: size, next: s.First}, head, nil
}

// each calls f with the records of every group up to the end of the file, or until f fails.
func (s *scanner) each(f func(Record) error) error {
	for {
		payload, err := s.group()
		if err == nil && payload == nil && s.content != nil {
			err = s.content.End()
		}
		if err != nil || payload == nil {
			return err
		}
		if err := s.records(payload, f); err != nil {
			return err
		}
		s.offset += int64(prefixSize + len(payload))
	}
}

// records calls f with each record of a group.
func (s *scanner) records(payload []byte, f func(Record) error) error {
	for at := 0; at < len(payload); {
		n := bytes.IndexByte(payload[at:], '\n')
		r := Record{Seq: s.next, At: Position{s.segment.First, s.offset + int64(prefixSize+at)}, Text: payload[at : at+n]}
		if err := f(r); err != nil {
			return err
		}
		s.next++
		at += n + 1
	}
	return nil
}

// rereads is how often a scanner looks again at what is not whole: it may have read a group while
// that was being written.
const rereads = 3

// group reads the next group; nil at the end of what was written. One that is not whole is a
// [*Damage].
func (s *scanner) group() ([]byte, error) {
	for again := 0; ; again++ {
		payload, err := s.read()
		damage, is := errors.AsType[*Damage](err)
		if !is || damage.Last || s.content == nil || again == rereads {
			return payload, err
		}
		s.reader.Reset(reader(s.content, s.offset))
	}
}

// read is group, without a second look.
func (s *scanner) read() ([]byte, error) {
	var prefix [prefixSize]byte
	n, err := io.ReadFull(s.reader, prefix[:])
	if err == io.EOF {
		return nil, nil
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	if isRoom(prefix[:n]) {
		return nil, nil
	}
	size, _, ok := parsePrefix(prefix[:n])
	if !ok {
		return nil, s.damage(prefix[:n], "a group does not begin as one does")
	}
	if whole := prefixSize + size; cap(s.buffer) < whole {
		s.buffer = make([]byte, 0, whole+whole/2)
	}
	b := append(s.buffer[:0], prefix[:]...)
	n, err = io.ReadFull(s.reader, b[prefixSize:prefixSize+size])
	b = b[:prefixSize+n]
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	payload := wholeGroup(b)
	if payload == nil {
		return nil, s.damage(b, "what is there does not fit its checksum")
	}
	return payload, nil
}

// damage is about the group that begins at s.offset, of which begun was read.
func (s *scanner) damage(begun []byte, why string) error {
	rest, err := io.ReadAll(s.reader)
	if err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	rest = append(bytes.Clone(begun), rest...)
	return &Damage{Segment: s.segment, Offset: s.offset, Seq: s.next, Why: why, Last: s.segment.Store == nil && !holdsWholeGroup(rest), Torn: withoutRoom(rest)}
}

// Scan calls f with every record from number from on, in order, until f fails. It takes no
// lock: what is appended meanwhile may or may not come. A group that is not whole
// at the end of the last segment is somebody's write under way, or a crash's, and ends the scan
// like the end of the log; any other is a [*Damage].
func Scan(dir string, from int64, f func(Record) error) error {
	segments, err := Segments(dir)
	if err != nil {
		return err
	}
	return ScanSegments(segments, from, f)
}

// ScanSegments does so with the segments of a log, in order, wherever they are.
func ScanSegments(segments []Segment, from int64, f func(Record) error) error {
	for i, s := range segments {
		last := i+1 == len(segments)
		if !last && segments[i+1].First <= from {
			continue
		}
		next, err := ScanSegment(s, func(r Record) error {
			if r.Seq < from {
				return nil
			}
			return f(r)
		})
		var damage *Damage
		switch {
		case errors.As(err, &damage) && damage.Last && last:
			return nil
		case err != nil:
			return err
		case !last && next != segments[i+1].First:
			return &Damage{Segment: s, Seq: next, Why: fmt.Sprintf("the next segment begins with entry %d", segments[i+1].First)}
		}
	}
	return nil
}

// ScanSegment calls f with every record of one segment, and returns the number that follows
// the last one.
func ScanSegment(s Segment, f func(Record) error) (next int64, err error) {
	from, _, err := openSegment(s)
	if err != nil {
		return 0, err
	}
	defer from.content.Close()
	err = from.each(f)
	return from.next, err
}

// ReadAt returns the record that stands at an offset of a segment.
func ReadAt(content io.ReaderAt, offset int64) ([]byte, error) {
	text := make([]byte, 0, 1024)
	for {
		n, err := content.ReadAt(text[len(text):cap(text)], offset+int64(len(text)))
		fresh := text[len(text) : len(text)+n]
		if end := bytes.IndexByte(fresh, '\n'); end >= 0 {
			return text[:len(text)+end], nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the audit log at byte %d: %w", offset, err)
		}
		if text = text[:len(text)+n]; len(text) > maxGroup {
			return nil, fmt.Errorf("reading the audit log at byte %d: no record ends there", offset)
		}
		text = append(text, 0)[:len(text)] // grows
	}
}
