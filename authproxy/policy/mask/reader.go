package mask

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Why an answer cannot be passed on.
var (
	// ErrNotJSON: a text is not one JSON object or array without duplicate names.
	ErrNotJSON = errors.New("a text of the answer is not JSON that can be read")
	// ErrShape: it has a shape in which nobody can tell which values are of hidden fields.
	ErrShape = errors.New("the answer has a shape in which hidden fields cannot be told")
	// ErrRows: it holds more records than are allowed, and not in lists that could be cut.
	ErrRows = errors.New("the answer holds more records than are allowed")
)

// Shape is what the answer of a call must look like.
type Shape uint8

// The shapes.
const (
	Any     Shape = iota // JSON objects and arrays
	Records              // lists of records, or a record
	Schema               // descriptions of objects
	shapes
)

// Asked is what a call asked for.
type Asked struct {
	Shape Shape
	// Aliases are names in the answer of values of hidden fields, in any case.
	Aliases map[string]Action
	// Unnamed is what happens to members that Salesforce names itself (expr0, expr1, …).
	Unnamed Action
	// Rows is the most records that the answer may hold; 0 is no bound.
	Rows int64
}

// Done counts what was done to an answer.
type Done struct {
	Masked  int64 // values that were replaced
	Dropped int64 // members that were taken out, those of descriptions not counted
	Cut     int64 // records that were taken out
}

// Reader hides in the parts of one answer. It is for one caller at a time.
type Reader struct {
	hiding *Hiding
	asked  Asked
	plans  map[string]*plan  // by the type of a record, as the answer has it
	loose  map[string]Action // by member
	told   [shapes]bool      // of which shapes something was seen
	texts  Done              // of texts
	values Done              // of values that are no texts
	rows   [2]int64          // records in texts, and in values that are none
}

// NewReader returns a reader of one answer.
func (h *Hiding) NewReader(asked Asked) *Reader {
	if len(asked.Aliases) > 0 {
		aliases := make(map[string]Action, len(asked.Aliases))
		for name, a := range asked.Aliases {
			aliases[strings.ToLower(name)] = a
		}
		asked.Aliases = aliases
	}
	return &Reader{hiding: h, asked: asked, plans: map[string]*plan{}, loose: map[string]Action{}}
}

// Text returns a JSON string whose text is JSON, without what is hidden. What is not hidden
// stays byte for byte. The error is one of this package.
func (r *Reader) Text(text jsontext.Value) (jsontext.Value, error) {
	s := scratches.Get().(*scratch)
	defer s.free()
	var err error
	if s.plain, err = jsontext.AppendUnquote(slices.Grow(s.plain[:0], len(text)), text); err != nil {
		return nil, ErrNotJSON
	}
	w := newWalker(r, s.plain, &r.texts, &r.rows[0])
	defer w.free()
	if err := w.walk(); err != nil || len(w.edits) == 0 {
		return text, err
	}
	s.edited = w.appendEdited(slices.Grow(s.edited[:0], len(s.plain)))
	quoted, err := jsontext.AppendQuote(make([]byte, 0, len(text)), s.edited)
	if err != nil {
		return nil, ErrNotJSON
	}
	return quoted, nil
}

// scratch is the text of a JSON string while it is read, and what becomes of it.
type scratch struct{ plain, edited []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// maxScratch is how large buffers are that are kept for the next answer, in bytes.
const maxScratch = 256 << 10

// free gives the buffers back without anything of the answer.
func (s *scratch) free() {
	if cap(s.plain) > maxScratch || cap(s.edited) > maxScratch {
		return
	}
	clear(s.plain)
	clear(s.edited)
	scratches.Put(s)
}

// Value is [Reader.Text] for JSON that is not the text of a string: structuredContent, whose
// records are those of the texts once more.
func (r *Reader) Value(value jsontext.Value) (jsontext.Value, error) {
	out, _, err := r.read(value, &r.values, &r.rows[1])
	return out, err
}

// End says whether all of the answer had the shape that it must have, and what was done to
// it: texts and the structured value mostly say the same, so the greater counts.
func (r *Reader) End() (Done, error) {
	done := Done{max(r.texts.Masked, r.values.Masked), max(r.texts.Dropped, r.values.Dropped), max(r.texts.Cut, r.values.Cut)}
	if !r.hiding.Nothing() && r.asked.Shape != Any && !r.told[r.asked.Shape] {
		return done, ErrShape
	}
	return done, nil
}

// read hides in one JSON object or array.
func (r *Reader) read(text []byte, done *Done, rows *int64) (out []byte, changed bool, err error) {
	w := newWalker(r, text, done, rows)
	defer w.free()
	return w.read()
}

// ofMember says what happens to a member of an object of which nobody says what it is.
func (r *Reader) ofMember(name []byte) Action {
	if a, known := r.loose[string(name)]; known {
		return a
	}
	a := max(r.hiding.loose.of(string(name)), r.named(string(name)))
	if len(r.loose) < maxKnown {
		r.loose[string(name)] = a
	}
	return a
}

// named says what happens to a member for the name that the query gives it.
func (r *Reader) named(name string) Action {
	lower := strings.ToLower(name)
	a := r.asked.Aliases[lower]
	if digits, ok := strings.CutPrefix(lower, "expr"); ok && digits != "" && strings.Trim(digits, "0123456789") == "" {
		a = max(a, r.asked.Unnamed)
	}
	return a
}

// maxKnown is how many names are remembered of a type of records. Of others it is found out
// each time.
const maxKnown = 4096

// plan is what happens to the members of the records of one type.
type plan struct {
	objects []string          // that they may be
	members map[string]member // by name, as the answer has it
}

// member is what happens to one.
type member struct {
	action Action
	parts  map[string]Action // of a compound of which only parts are hidden, in lower case; nil: none
}

// planOf returns that of the records with these attributes.
func (r *Reader) planOf(kind, url []byte) *plan {
	if p, ok := r.plans[string(kind)]; ok && (len(p.objects) == 1 || string(objectIn(url)) == p.objects[1]) && (len(p.objects) == 2 || sameObject(kind, url)) {
		return p
	}
	p := &plan{objects: []string{string(kind)}, members: map[string]member{}}
	if !sameObject(kind, url) {
		p.objects = append(p.objects, string(objectIn(url)))
	}
	if len(r.plans) < maxKnown {
		r.plans[string(kind)] = p
	}
	return p
}

// sameObject reports whether the url of a record names no other object than its type does.
func sameObject(kind, url []byte) bool {
	object := objectIn(url)
	return len(object) == 0 || string(object) == string(kind)
}

// of says what happens to a member of a record.
func (r *Reader) of(p *plan, name []byte) member {
	if m, known := p.members[string(name)]; known {
		return m
	}
	m := member{action: r.named(string(name))}
	for _, object := range p.objects {
		m.action = max(m.action, r.hiding.Of(Field{Object: object, Name: string(name)}))
		if stem, ok := reach.CompoundStem(strings.ToLower(string(name))); ok && r.hiding.partly {
			for _, part := range reach.AddressParts {
				if a := r.hiding.Of(Field{Object: object, Name: stem.Part(part)}); a > Shown {
					if m.parts == nil {
						m.parts = map[string]Action{}
					}
					m.parts[part] = max(m.parts[part], a)
				}
			}
		}
	}
	if len(p.members) < maxKnown {
		p.members[string(name)] = m
	}
	return m
}
