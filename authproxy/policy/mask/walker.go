package mask

import (
	"bytes"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// maxTexts is how deep texts may stand in each other.
const maxTexts = 3

// place says where a value stands.
type place uint8

const (
	anywhere     place = iota
	inList             // an element of a list of records
	inRecord           // below a record
	inAttributes       // the attributes of a record
)

// walker reads one text from its beginning to its end and collects what has to be changed.
type walker struct {
	*jsontext.Decoder
	buffer bytes.Buffer

	r     *Reader
	text  []byte
	depth int // of texts in texts
	done  *Done
	rows  *int64
	parts []part // of the objects that are being read, the innermost last
	edits []edit
	cut   int // lists of records that are being cut
	err   error
}

// part is a member of an object, or an element of an array.
type part struct {
	name     []byte // of a member
	from, to int    // where it stands, with its name
	value    int    // where its value begins
	kind     jsontext.Kind
	own      bool   // its value is a record or a list of records: it has fields of its own
	action   Action // what happens to it
}

var walkers = sync.Pool{New: func() any { return &walker{Decoder: new(jsontext.Decoder)} }}

func newWalker(r *Reader, text []byte, done *Done, rows *int64) *walker {
	w := walkers.Get().(*walker)
	w.buffer = *bytes.NewBuffer(text)
	w.Reset(&w.buffer)
	w.r, w.text, w.done, w.rows, w.err, w.depth, w.cut = r, text, done, rows, nil, 0, 0
	w.parts, w.edits = w.parts[:0], w.edits[:0]
	return w
}

// free gives the walker back without anything of the answer.
func (w *walker) free() {
	w.buffer = bytes.Buffer{}
	w.Reset(&w.buffer)
	clear(w.parts[:cap(w.parts)])
	clear(w.edits[:cap(w.edits)])
	w.r, w.text, w.done, w.rows = nil, nil, nil, nil
	walkers.Put(w)
}

// read returns the text without what is hidden.
func (w *walker) read() (out []byte, changed bool, err error) {
	if err := w.walk(); err != nil || len(w.edits) == 0 {
		return w.text, false, err
	}
	return w.appendEdited(make([]byte, 0, len(w.text)+16*len(w.edits))), true, nil
}

// walk reads the text and collects the edits.
func (w *walker) walk() error {
	if kind := w.PeekKind(); kind != '{' && kind != '[' {
		return ErrNotJSON
	}
	w.value(anywhere)
	if w.err == nil && len(bytes.Trim(w.text[w.InputOffset():], " \t\r\n")) > 0 {
		w.err = ErrNotJSON
	}
	return w.err
}

func (w *walker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// offset is where the decoder stands.
func (w *walker) offset() int { return int(w.InputOffset()) }

// token takes a bracket and returns where it stands.
func (w *walker) token() int {
	if _, err := w.ReadToken(); err != nil {
		w.fail(ErrNotJSON)
	}
	return w.offset() - 1
}

// raw takes a whole value.
func (w *walker) raw() jsontext.Value {
	v, err := w.ReadValue()
	if err != nil {
		w.fail(ErrNotJSON)
	}
	return v
}

// value reads the value that comes next. own: it is a record, or has a list of records.
func (w *walker) value(at place) (own bool) {
	switch w.PeekKind() {
	case '{':
		return w.object(at).own
	case '[':
		below := at
		if at == inList {
			below = anywhere
		}
		return w.list(below)
	case '"':
		v := w.raw()
		if at == anywhere && w.err == nil {
			w.inner(v)
		}
	default:
		w.raw()
	}
	return false
}

// list reads an array whose elements stand at that place.
func (w *walker) list(at place) (own bool) {
	w.token()
	for w.err == nil && w.PeekKind() != ']' {
		own = w.value(at) || own
	}
	w.token()
	return own
}

// records reads a list of records, and cuts it where there are more than are allowed.
func (w *walker) records() {
	begin := w.token() + 1
	end, cutting := begin, false
	for w.err == nil && w.PeekKind() != ']' {
		before := len(w.edits)
		*w.rows++
		if limit := w.r.asked.Rows; limit > 0 && *w.rows > limit {
			if cutting = true; w.cut == 0 {
				w.done.Cut++
			}
			w.cut++
			w.element()
			w.cut--
			w.edits = w.edits[:before]
			continue
		}
		w.element()
		end = w.offset()
	}
	if close := w.token(); cutting && w.err == nil {
		w.edits = append(w.edits, edit{from: end, to: close})
	}
}

// element reads an element of a list of records. What is no record has no known fields.
func (w *walker) element() {
	if kind := w.PeekKind(); kind != '{' && kind != 0 && w.hides() {
		w.fail(ErrShape)
		return
	}
	w.value(inList)
}

// hides reports whether anything is hidden, and not only counted.
func (w *walker) hides() bool { return !w.r.hiding.Nothing() }

// inner reads a text that may be JSON, as some ways to Salesforce answer it.
func (w *walker) inner(text jsontext.Value) {
	if c := text[1]; c != '{' && c != '[' && c != ' ' && c != '\\' {
		return
	}
	begin := w.offset() - len(text)
	plain, err := jsontext.AppendUnquote(nil, text)
	if trimmed := bytes.TrimSpace(plain); err != nil || len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' || !jsontext.Value(plain).IsValid() {
		return
	}
	if w.depth == maxTexts {
		w.fail(ErrShape)
		return
	}
	did := Done{Cut: w.done.Cut}
	in := newWalker(w.r, plain, &did, w.rows)
	defer in.free()
	in.depth = w.depth + 1
	out, changed, err := in.read()
	if err != nil {
		w.fail(err)
		return
	}
	if w.done.Cut = did.Cut; changed {
		quoted, _ := jsontext.AppendQuote(nil, out)
		w.edits = append(w.edits, edit{begin, begin + len(text), quoted, did})
	}
}

// name takes the name of a member and returns it without its quotes, and where it stands.
func (w *walker) name() (name []byte, from int) {
	quoted := w.raw()
	if w.err != nil {
		return nil, 0
	}
	return w.unquoted(quoted), w.offset() - len(quoted)
}
