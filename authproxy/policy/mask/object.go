package mask

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// object is what an object says of itself.
type object struct {
	kind, url []byte // members type and url, as in attributes
	of, at    []byte // those of its attributes: it is a record
	own       bool   // it is a record, or has a list of records
}

// object reads an object.
func (w *walker) object(at place) (o object) {
	w.token()
	base, edits := len(w.parts), len(w.edits)
	below := anywhere
	if at != anywhere {
		below = inRecord
	}
	for w.err == nil && w.PeekKind() == '"' {
		var p part
		p.name, p.from = w.name()
		if w.err != nil {
			break
		}
		p.kind, p.value = w.PeekKind(), w.next()
		w.member(&o, &p, below)
		p.to = w.offset()
		w.parts = append(w.parts, p)
	}
	w.token()
	if w.err == nil {
		w.ended(&o, w.parts[base:], at, edits)
	}
	w.parts = w.parts[:base]
	return o
}

// member reads the value of a member into what its object says.
func (w *walker) member(o *object, p *part, below place) {
	switch {
	case p.kind == '{' && string(p.name) == "attributes":
		a := w.object(inAttributes)
		o.of, o.at = a.kind, a.url
		o.own = o.own || a.kind != nil
	case p.kind == '[' && isList(p.name):
		w.r.told[Records], o.own, p.own = true, true, true
		w.records()
	case p.kind == '"' && (string(p.name) == "type" || string(p.name) == "url"):
		text := w.unquoted(w.raw())
		if p.name[0] == 't' {
			o.kind = text
		} else {
			o.url = text
		}
	default:
		p.own = w.value(below)
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

// next is where the value of the member begins whose name was read last.
func (w *walker) next() int {
	i := w.offset()
	for i < len(w.text) && (w.text[i] <= ' ' || w.text[i] == ':') {
		i++
	}
	return i
}

// unquoted is the text of a JSON string that was read last.
func (w *walker) unquoted(v jsontext.Value) []byte {
	if w.err != nil {
		return nil
	}
	if bytes.IndexByte(v, '\\') < 0 {
		end := w.offset()
		return w.text[end-len(v)+1 : end-1]
	}
	text, _ := jsontext.AppendUnquote(nil, v)
	return text
}

// ended decides about the members of an object that was read. The edits from that index on
// are of what stands in it.
func (w *walker) ended(o *object, parts []part, at place, edits int) {
	if o.of != nil && at == anywhere { // a record by itself
		*w.rows++
		if limit := w.r.asked.Rows; limit > 0 && *w.rows > limit {
			w.fail(ErrRows)
		}
	}
	if o.own && o.of == nil && (w.done.Cut > 0 || len(w.r.asked.Aliases) > 0 || w.r.asked.Unnamed > Shown) {
		// Behind it are records of which nobody would know what they were asked for as.
		w.remove(parts, func(p *part) bool { return string(p.name) == "nextRecordsUrl" })
	}
	switch {
	case !w.hides():
	case at == inAttributes && o.kind != nil:
	case o.of != nil:
		w.r.told[Records] = true
		w.record(w.r.planOf(o.of, o.at), parts)
	case at == inList || isTable(parts):
		w.fail(ErrShape)
	case isDescription(parts):
		w.r.told[Schema] = true
		w.edits = w.edits[:edits]
		w.description(parts)
	case at == inRecord && isAddress(parts):
	default:
		w.unknown(parts)
	}
}

// record hides members of a record.
func (w *walker) record(plan *plan, parts []part) {
	dropped := false
	for i := range parts {
		p := &parts[i]
		if p.own || string(p.name) == "attributes" {
			continue
		}
		m := w.r.of(plan, p.name)
		p.action = m.action
		switch {
		case m.action == Masked:
			w.mask(p)
		case m.action == Dropped:
			dropped = true
		case m.parts != nil && p.kind == '{':
			w.compound(p, m.parts)
		}
	}
	if dropped {
		w.remove(parts, isDropped)
	}
}

// unknown hides members of an object of which nobody says what it is, unless it is one of the
// forms in which Salesforce's APIs put their answers.
func (w *walker) unknown(parts []part) {
	hidden, dropped := false, false
	for i := range parts {
		if p := &parts[i]; !p.own {
			p.action = w.r.ofMember(p.name)
			hidden, dropped = hidden || p.action > Shown, dropped || p.action == Dropped
		}
	}
	if w.isUnreadReply(parts) {
		w.fail(ErrShape)
	}
	if !hidden || isEnvelope(parts) {
		return
	}
	for i := range parts {
		if p := &parts[i]; p.action == Masked {
			w.mask(p)
		}
	}
	if dropped {
		w.remove(parts, isDropped)
	}
}

// compound hides the parts of a compound.
func (w *walker) compound(p *part, hidden map[string]Action) {
	in := jsontext.NewDecoder(bytes.NewBuffer(w.text[p.value:p.to]))
	var parts []part
	in.ReadToken()
	for in.PeekKind() == '"' {
		name, _ := in.ReadValue()
		member := part{name: bytes.ToLower(name[1 : len(name)-1]), from: p.value + int(in.InputOffset()) - len(name)}
		value, _ := in.ReadValue()
		member.to = p.value + int(in.InputOffset())
		member.value = member.to - len(value)
		if member.action = hidden[string(member.name)]; member.action == Masked {
			w.mask(&member)
		}
		parts = append(parts, member)
	}
	w.remove(parts, isDropped)
}
