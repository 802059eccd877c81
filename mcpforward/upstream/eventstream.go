package upstream

import (
	"bufio"
	"bytes"
	"io"
)

// event is one dispatched event of an event stream.
type event struct {
	name string // "" where the stream gives none
	data []byte
}

// eventReader reads an event stream (WHATWG HTML, 9.2.6). It honours the fields
// event and data; id and retry serve reconnection, which Salesforce does not
// offer. How much an event may hold is for the underlying reader to bound.
type eventReader struct {
	r       *bufio.Reader
	line    []byte
	started bool
	afterCR bool // a LF that comes next belongs to the line before
}

func newEventReader(r io.Reader) *eventReader { return &eventReader{r: bufio.NewReader(r)} }

// next returns the next event that has data. At the end of the stream it returns
// io.EOF; an event that no empty line has ended by then is discarded.
func (r *eventReader) next() (event, error) {
	var e event
	var any bool
	for {
		line, err := r.readLine()
		if err != nil {
			return event{}, err
		}
		if len(line) == 0 {
			if any {
				e.data = e.data[:len(e.data)-1] // the last data line's LF
				return e, nil
			}
			e = event{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(field) { // a comment has the empty field name
		case "event":
			e.name = string(value)
		case "data":
			any = true
			e.data = append(append(e.data, value...), '\n')
		}
	}
}

// readLine returns a line without its end: LF, CR or CRLF. It never waits for what
// comes after a CR, so an event ended by CR is dispatched at once. A last line
// without an end is discarded. The line is valid until the next call.
func (r *eventReader) readLine() ([]byte, error) {
	r.line = r.line[:0]
	for {
		b, err := r.r.ReadByte()
		if err != nil {
			return nil, err
		}
		if r.afterCR && b == '\n' {
			r.afterCR = false
			continue
		}
		r.afterCR = b == '\r'
		if b != '\r' && b != '\n' {
			r.line = append(r.line, b)
			continue
		}
		if !r.started {
			r.started = true
			return bytes.TrimPrefix(r.line, []byte("\ufeff")), nil
		}
		return r.line, nil
	}
}
