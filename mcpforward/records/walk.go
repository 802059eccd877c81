package records

import (
	"bytes"
	"strconv"

	"sfmcp-proxy/authproxy/policy"
)

const (
	// Max is how many ids of records are kept.
	Max = 20
	// maxDepth is how deep a reply is read. What lies deeper is passed over.
	maxDepth = 48
	// maxName is the length of an object's API name.
	maxName = 80
)

// saved stands for the class of what a save has come to, until it is known.
const saved policy.Class = "saved"

// place says where a value stands.
type place uint8

const (
	anywhere place = iota
	inList         // an element of a list of records
	inRecord       // a member of a record
)

// seen is a record that was found.
type seen struct {
	class  policy.Class
	object span // empty: nobody said it
	id     span
}

// walker reads one text.
type walker struct {
	scanner
	tally
	named  [Max]seen
	differ [Max]uint64 // the distinction of each
	loose  [Max]span   // ids of which nobody knows what they are
}

// tally counts. What turns out not to count is taken back by putting back the tally.
type tally struct {
	rows               int64
	counted            bool // somebody can tell how many rows there are
	names, total       int64
	looseIDs, looseAll int64
	done, refused      int // saves and runs that were done, and that were not
}

// object is what an object says of itself.
type object struct {
	id, kind, url         span // members that are strings
	of, at                span // kind and url of its attributes
	hasReference          bool
	hasError              bool
	success, isNew        answer
	status                int
	hasTable, hasRowCount bool
	tableRows             int64
}

// answer is true, false, or nothing.
type answer int8

const (
	yes answer = 1
	no  answer = -1
)

// value reads the value that comes next.
func (w *walker) value(at place, depth int) {
	switch w.peek() {
	case '{':
		if depth >= maxDepth {
			w.skip()
			return
		}
		w.object(at, depth)
	case '[':
		if depth >= maxDepth {
			w.skip()
			return
		}
		w.list(at, depth)
	case '"':
		w.maybeID(w.string())
	default:
		w.word()
	}
}

// list reads an array whose elements stand at that place, and returns how many there are.
func (w *walker) list(at place, depth int) (n int64) {
	w.i++
	for !w.bad && !w.take(']') {
		if n > 0 && !w.take(',') {
			w.fail()
			return n
		}
		w.value(at, depth+1)
		n++
	}
	return n
}

// object reads an object.
func (w *walker) object(at place, depth int) (o object) {
	before := w.tally
	w.i++
	for first := true; !w.bad && !w.take('}'); first = false {
		if !first && !w.take(',') || w.peek() != '"' {
			w.fail()
			return o
		}
		name := w.string()
		if !w.take(':') {
			w.fail()
			return o
		}
		w.member(&o, w.text(name), at, depth)
	}
	w.ended(&o, before, at)
	return o
}

// member reads the value of a member into what its object says.
func (w *walker) member(o *object, name []byte, at place, depth int) {
	below := anywhere
	if at != anywhere {
		below = inRecord
	}
	switch kind := w.peek(); {
	case kind == '"':
		value := w.string()
		if !o.take(name, value) {
			w.maybeID(value)
		}
	case kind == '[' && isList(name) && depth < maxDepth:
		w.counted = true
		w.rows += w.list(inList, depth+1)
	case kind == '[' && string(name) == "data" && depth < maxDepth:
		o.hasTable, o.tableRows = true, w.list(below, depth+1)
	case kind == '{' && string(name) == "attributes" && depth < maxDepth:
		a := w.object(below, depth+1)
		o.of, o.at = a.kind, a.url
	case kind == '{' || kind == '[':
		w.value(below, depth+1)
	default:
		o.takeWord(name, w.text(w.word()))
	}
}

// isList reports whether an array of that name is a list of records.
func isList(name []byte) bool {
	switch string(name) {
	case "records", "searchRecords", "recentItems", "rows":
		return true
	}
	return false
}

// take notes a member that is a string, and reports whether it is one that means something.
func (o *object) take(name []byte, value span) bool {
	switch string(name) {
	case "Id", "id":
		o.id = value
	case "type":
		o.kind = value
	case "url":
		o.url = value
	case "referenceId":
		o.hasReference = true
	case "errorCode":
		o.hasError = true
	default:
		return false
	}
	return true
}

// takeWord notes a member that is a number, true, false or null.
func (o *object) takeWord(name, value []byte) {
	is := no
	if string(value) == "true" {
		is = yes
	}
	switch string(name) {
	case "success", "isSuccess":
		o.success = is
	case "created":
		o.isNew = is
	case "status_code", "httpStatusCode", "statusCode":
		o.status, _ = strconv.Atoi(string(value))
	case "rowCount":
		o.hasRowCount = true
	}
}

// ended counts an object that was read. before is the tally from before it.
func (w *walker) ended(o *object, before tally, at place) {
	switch {
	case w.bad:
	case o.of != span{}:
		if at == anywhere { // a record by itself
			w.counted = true
			w.rows++
		}
		if !isID(w.text(o.id)) {
			o.id = w.lastStep(o.at)
		}
		w.name(seen{policy.Read, o.of, o.id})
	case o.success == no || o.status >= 400 || o.hasError:
		w.tally = before
		w.refused++
	case at == inList: // a record of which nobody says what it is
		w.name(seen{policy.Read, span{}, o.id})
	case at == inRecord:
	case o.hasTable && o.hasRowCount:
		w.counted = true
		w.rows += o.tableRows
	case o.success == yes || o.hasReference && o.status == 0:
		w.done++
		class := saved
		switch o.isNew {
		case yes:
			class = policy.Create
		case no:
			class = policy.Update
		}
		w.name(seen{class, span{}, o.id})
	case o.status == 201:
		for i := before.names; i < w.names; i++ {
			if w.named[i].class == saved {
				w.named[i].class = policy.Create
			}
		}
	default:
		w.maybeID(o.id)
	}
}

// lastStep is the last part of a path.
func (w *walker) lastStep(url span) span {
	if i := bytes.LastIndexByte(w.text(url), '/'); i >= 0 {
		return span{url.from + i + 1, url.to}
	}
	return span{}
}

// name keeps a record, if it has an id and is not kept yet.
func (w *walker) name(r seen) {
	id := w.text(r.id)
	if !isID(id) {
		return
	}
	differs := distinction(id)
	for i, other := range w.differ[:w.names] {
		if other == differs && bytes.Equal(w.text(w.named[i].id), id) {
			return
		}
	}
	if w.total++; w.names < Max {
		w.named[w.names], w.differ[w.names] = r, differs
		w.names++
	}
}

// maybeID keeps a text that is an id by its checksum.
func (w *walker) maybeID(at span) {
	if at.to-at.from != 18 {
		return
	}
	id := w.text(at)
	if !isID(id) {
		return
	}
	for i := range w.looseIDs {
		if bytes.Equal(w.text(w.loose[i]), id) {
			return
		}
	}
	if checksum(id) != [3]byte(id[15:]) {
		return
	}
	if w.looseAll++; w.looseIDs < Max {
		w.loose[w.looseIDs] = at
		w.looseIDs++
	}
}
