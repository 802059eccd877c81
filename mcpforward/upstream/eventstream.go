package upstream

import (
	"bytes"
	"io"
	"strconv"
	"time"
)

// event is one dispatched event of an event stream.
type event struct {
	name string // "" where the stream gives none
	data []byte // the event's own, its reader does not write there again
}

// eventReader reads an event stream (WHATWG HTML, 9.2.6). It honours the fields event,
// data and retry; id serves resumption, which nobody offers here.
//
// What is read goes into one buffer and stays there: lines are found in it, several
// data lines are moved together in it, and an event's data is a part of it. Bytes are
// copied once more only where an event outgrows the buffer, which then doubles.
type eventReader struct {
	retry time.Duration // last one that the stream asked for, 0: none

	r       io.Reader
	err     error // of r, after what it came with
	max     int   // bytes of one event and its comments
	started bool
	afterCR bool // a LF that comes next belongs to the line before

	buf []byte // read and not given out yet, from the beginning of an event on
	at  int    // in buf: where the next line begins
	lf  int    // in buf: the first LF from at on, or the end of what was searched
}

// firstBuffer holds most events whole.
const firstBuffer = 4 << 10

// newEventReader returns a reader of r. An event of more than limit bytes is errTooLarge.
func newEventReader(r io.Reader, limit int64) *eventReader {
	return &eventReader{r: r, max: int(limit), lf: -1}
}

// next returns the next event that has data. At the end of the stream it returns
// io.EOF; an event that no empty line has ended by then is discarded.
func (r *eventReader) next() (event, error) {
	var name string
	from, to := 0, -1 // the data in buf; to < 0: none yet
	for {
		begin, end, err := r.readLine()
		if err != nil {
			return event{}, err
		}
		line := r.buf[begin:end]
		field, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(field) { // a comment has the empty field name, as has an empty line
		case "event":
			name = string(value)
		case "retry":
			r.setRetry(value)
		case "data":
			if to < 0 {
				from, to = end-len(value), end
				break
			}
			r.buf[to] = '\n' // where the line before ended
			to += 1 + copy(r.buf[to+1:], value)
		}
		switch {
		case len(line) == 0 && to >= 0:
			e := event{name: name, data: r.buf[from:to:to]}
			r.release()
			return e, nil
		case len(line) == 0:
			name = ""
			r.release()
		case to < 0: // what was read of it is understood
			r.release()
		}
	}
}

// setRetry takes over a number of milliseconds; anything else is ignored.
func (r *eventReader) setRetry(value []byte) {
	if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
		r.retry = time.Duration(ms) * time.Millisecond
	}
}

// readLine returns where in buf the next line is, without its end: LF, CR or CRLF. It
// never waits for what comes after a CR, so an event ended by CR is dispatched at once.
// A last line without an end is discarded.
func (r *eventReader) readLine() (begin, end int, err error) {
	for searched := r.at; ; {
		if r.afterCR && r.at < len(r.buf) {
			r.afterCR = false
			if r.buf[r.at] == '\n' {
				r.at++
				searched = r.at
			}
		}
		if end = r.lineEnd(searched); end >= 0 {
			break
		}
		searched = len(r.buf)
		if err = r.fill(); err != nil {
			return 0, 0, err
		}
	}
	begin = r.at
	r.at, r.afterCR = end+1, r.buf[end] == '\r'
	if !r.started {
		r.started = true
		begin = end - len(bytes.TrimPrefix(r.buf[begin:end], []byte("\ufeff")))
	}
	return begin, end, nil
}

// lineEnd returns the index of the first CR or LF of buf from i on, or -1. The place of
// the next LF is kept, so that no byte is looked at more than twice, whatever the lines
// end with.
func (r *eventReader) lineEnd(i int) int {
	if r.lf < i || r.lf < len(r.buf) && r.buf[r.lf] != '\n' {
		r.lf = len(r.buf)
		if n := bytes.IndexByte(r.buf[i:], '\n'); n >= 0 {
			r.lf = i + n
		}
	}
	if n := bytes.IndexByte(r.buf[i:r.lf], '\r'); n >= 0 {
		return i + n
	}
	if r.lf < len(r.buf) {
		return r.lf
	}
	return -1
}

// release gives up buf as far as it was read.
func (r *eventReader) release() {
	r.buf = r.buf[r.at:]
	r.lf -= r.at
	r.at = 0
}

// fill reads on, into a larger buffer if need be. Where an event was given out nothing
// is written again.
func (r *eventReader) fill() error {
	if len(r.buf) > r.max {
		return errTooLarge
	}
	if len(r.buf) == cap(r.buf) {
		grown := make([]byte, len(r.buf), max(firstBuffer, 2*len(r.buf)))
		copy(grown, r.buf)
		r.buf = grown
	}
	for range 100 { // as package bufio, against a reader that reads nothing
		if r.err != nil {
			return r.err
		}
		var n int
		n, r.err = r.r.Read(r.buf[len(r.buf):min(cap(r.buf), r.max+1)])
		if r.buf = r.buf[:len(r.buf)+n]; n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}
