package logrows

import (
	"bytes"
	"fmt"
	"io"

	"sfmcp-proxy/authproxy/audit/logfile"
)

// content is a segment, put together from its rows when it is read first.
type content struct {
	log     inLog
	segment logfile.Segment
	read    bool
	bytes   []byte
	next    int64 // number of the record behind the last
	end     error
}

// ReadAt implements [io.ReaderAt].
func (c *content) ReadAt(b []byte, at int64) (int, error) {
	if err := c.load(); err != nil {
		return 0, err
	}
	return bytes.NewReader(c.bytes).ReadAt(b, at)
}

// Close implements [io.Closer].
func (c *content) Close() error {
	c.bytes, c.read = nil, false
	return nil
}

// End implements [logfile.Content].
func (c *content) End() error {
	if err := c.load(); err != nil {
		return err
	}
	return c.end
}

// Size implements [logfile.Content]. It reads the last row alone.
func (c *content) Size() (size int64, err error) {
	if c.read {
		return int64(len(c.bytes)), nil
	}
	ctx, cancel := limited()
	defer cancel()
	next, err := c.log.behind(ctx, c.segment.First)
	if err != nil {
		return 0, err
	}
	var last int64
	if err := c.log.DB.Reads.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM audit_groups WHERE log = $1 AND seq >= $2 AND seq < $3`,
		c.log.origin, c.segment.First, next).Scan(&last); err != nil {
		return 0, fmt.Errorf("reading the audit log: %w", err)
	}
	err = c.log.groups(ctx, last, last+1, func(g group) error {
		size = g.end()
		return nil
	})
	return size, err
}

// load reads the rows as far as each goes on from the one before it.
func (c *content) load() error {
	if c.read {
		return nil
	}
	ctx, cancel := limited()
	defer cancel()
	until, err := c.log.behind(ctx, c.segment.First)
	if err != nil {
		return err
	}
	c.bytes, c.end, c.next = nil, nil, c.segment.First
	err = c.log.groups(ctx, c.segment.First, until, func(g group) error {
		if g.head != "" && g.segment > c.segment.First { // the next segment was begun after until was read
			return io.EOF
		}
		if why := c.wrong(g); why != "" {
			c.end = &logfile.Damage{Segment: c.segment, Offset: int64(len(c.bytes)), Seq: c.next, Why: why}
			return io.EOF
		}
		c.bytes = append(append(c.bytes, g.head...), g.content...)
		c.next = g.next
		return nil
	})
	if err == io.EOF {
		err = nil
	}
	c.read = err == nil
	return err
}

// wrong says why a row does not go on from those before it; "": it does.
func (c *content) wrong(g group) string {
	switch {
	case g.seq > c.next:
		return fmt.Sprintf("its row is missing: the next one begins with entry %d", g.seq)
	case g.seq < c.next:
		return fmt.Sprintf("there is another row of entry %d", g.seq)
	}
	return g.wrong(c.segment.First, int64(len(c.bytes)))
}

// wrong says why a row is not one that stands at a place of its segment; "": it is.
func (g group) wrong(segment, place int64) string {
	switch {
	case g.segment != segment || g.place != place || (g.head != "") != (place == 0):
		return "its row was moved"
	case int64(bytes.Count([]byte(g.content), []byte("\n"))) != g.next-g.seq+1:
		return "its row has another number of entries than it says"
	}
	return ""
}
