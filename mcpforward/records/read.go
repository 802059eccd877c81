package records

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy"
)

// Found is what an answer and its call say of records.
type Found struct {
	Rows    int64 // records in the answer, if Counted
	Counted bool  // somebody can tell how many there are
	// Named are at most [Max] records, each once. Those without an object are of one that
	// nobody said. Ids have their long form, of 18 characters.
	Named []policy.Record
	// Total is how many there were to name; beyond [Max], one that comes twice counts twice.
	Total int64
}

// Changed is f without what was only read.
func (f Found) Changed() Found {
	changed := slices.DeleteFunc(slices.Clone(f.Named), func(r policy.Record) bool { return r.Class == policy.Read })
	return Found{Named: changed, Total: int64(len(changed))}
}

// Call is what was asked for.
type Call struct {
	Class     policy.Class
	Records   []policy.Record // that policy knows it to touch
	Arguments jsontext.Value  // nil: none
}

// Read reads the result of a tool that did what it was asked for: its structuredContent, nil
// if there is none, and the texts of its content, JSON strings with their quotes. Where Salesforce says in the answer that nothing was done,
// nothing is found.
func Read(structured jsontext.Value, texts []jsontext.Value, c Call) Found {
	r := reader{call: c}
	r.arguments()
	if structured != nil {
		r.w.scanner = scanner{b: structured}
		r.walk()
	}
	if r.told {
		r.compare(texts)
	} else {
		for _, text := range texts {
			r.read(text)
		}
	}
	if r.refused > 0 && r.done == 0 && !r.counted {
		return Found{}
	}
	return r.found()
}

// compare reads the texts that stand beside a structuredContent. Both should say the same; where
// they do not, a client may read either, so the greater number of rows counts.
func (r *reader) compare(texts []jsontext.Value) {
	beside := reader{call: r.call}
	for _, text := range texts {
		beside.read(text)
	}
	r.rows, r.counted = max(r.rows, beside.rows), r.counted || beside.counted
	for _, n := range beside.named[:beside.names] {
		r.name(n.class, n.object, n.id[:])
	}
}

// reader collects what the texts of an answer say.
type reader struct {
	call          Call
	w             walker
	told          bool // some text has a known shape
	done, refused int

	rows    int64
	counted bool
	named   [Max]record
	names   int
	total   int64
}

// record is one that is named.
type record struct {
	class  policy.Class
	object string
	id     [18]byte
}

// found is what was collected.
func (r *reader) found() Found {
	f := Found{Rows: r.rows, Counted: r.counted, Total: r.total}
	if r.names == 0 {
		return f
	}
	all := make([]byte, 0, Max*18)
	for _, n := range r.named[:r.names] {
		all = append(all, n.id[:]...)
	}
	ids := string(all)
	f.Named = make([]policy.Record, r.names)
	for i, n := range r.named[:r.names] {
		f.Named[i] = policy.Record{Class: n.class, Object: n.object, ID: ids[18*i : 18*i+18]}
	}
	return f
}

// read reads a text, a JSON string: as it stands, or written out where that does not do.
func (r *reader) read(text jsontext.Value) {
	r.w.scanner = scanner{b: text[1 : len(text)-1], quoted: true}
	switch r.w.peek() {
	case '{', '[', '\\': // or so it may be, once it is written out
	default:
		return
	}
	if r.walk() || !r.w.unread {
		return
	}
	if out, err := jsontext.AppendUnquote(nil, text); err == nil {
		r.w.scanner = scanner{b: out}
		r.walk()
	}
}

// walk reads the one value that the walker's text is and takes over what it found. It
// reports false if the text cannot be read so.
func (r *reader) walk() bool {
	w := &r.w
	w.tally = tally{}
	if begins := w.peek(); begins != '{' && begins != '[' {
		return false
	}
	w.value(anywhere, 0)
	if w.peek() != 0 || w.bad {
		return false
	}
	r.told = r.told || w.counted || w.names > 0 || w.done > 0 || w.refused > 0
	r.done += w.done
	r.refused += w.refused
	r.rows += w.rows
	r.counted = r.counted || w.counted
	if w.names == 0 && !w.counted {
		r.takeLoose()
		return true
	}
	for _, n := range w.named[:w.names] {
		class, object := n.class, r.apiName(w.text(n.object))
		if class == saved {
			class = r.call.Class
		}
		if class != policy.Read && object == "" {
			object = r.madeObject()
		}
		r.name(class, object, w.text(n.id))
	}
	r.total += w.total - int64(w.names)
	return true
}

// takeLoose takes over ids of which nobody says what they are: something was done with them
// that the call does.
func (r *reader) takeLoose() {
	w := &r.w
	for _, at := range w.loose[:w.looseIDs] {
		r.name(r.call.Class, "", w.text(at))
	}
	r.total += w.looseAll - int64(w.looseIDs)
}

// arguments takes over the records that the arguments name. Where policy knows of none, they
// are ids of which nobody says what they are.
func (r *reader) arguments() {
	for _, asked := range r.call.Records {
		r.name(asked.Class, asked.Object, []byte(asked.ID))
	}
	if len(r.call.Records) == 0 && r.call.Arguments != nil {
		r.w.scanner = scanner{b: r.call.Arguments}
		if r.w.value(anywhere, 0); !r.w.bad {
			r.takeLoose()
		}
	}
}

// madeObject is what the one record is that the call makes.
func (r *reader) madeObject() string {
	if len(r.call.Records) == 1 && r.call.Records[0].ID == "" {
		return r.call.Records[0].Object
	}
	return ""
}

// name names a record, if it is not named yet and there is room.
func (r *reader) name(class policy.Class, object string, id []byte) {
	if !isID(id) {
		return
	}
	n := record{class: class, object: object}
	long(n.id[:0], id)
	if slices.ContainsFunc(r.named[:r.names], func(have record) bool { return have.id == n.id }) {
		return
	}
	if r.total++; r.names < Max {
		r.named[r.names] = n
		r.names++
	}
}

// apiName is the name of an object, or empty if it is none.
func (r *reader) apiName(b []byte) string {
	if r.names > 0 && r.named[r.names-1].object == string(b) { // most are as the one before
		return r.named[r.names-1].object
	}
	if len(b) > maxName {
		return ""
	}
	for _, c := range b {
		if !isAlphanumeric(c) && c != '_' {
			return ""
		}
	}
	return string(b)
}
