package jsonrpc

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Object is a JSON object whose members keep their order and their raw values.
// The zero Object is empty. A copy of an Object is for reading only.
type Object struct{ members []member }

type member struct {
	name  string // unescaped
	value jsontext.Value
}

// ParseObject reads the members of v. It refuses what is not one strict JSON
// object: duplicate names at any depth, invalid UTF-8, anything after it. The
// values share memory with v.
func ParseObject(v jsontext.Value) (Object, error) {
	o, _, ok := plainObject(v)
	if ok {
		return o, nil
	}
	o.members = o.members[:0]
	err := elements(v, '{', func(name string, value jsontext.Value) {
		o.members = append(o.members, member{name, value})
	})
	return o, err
}

// ParseArray reads the elements of v, as strictly as [ParseObject].
func ParseArray(v jsontext.Value) ([]jsontext.Value, error) {
	all, ok := plainArray(v)
	if ok {
		return all, nil
	}
	all = all[:0]
	err := elements(v, '[', func(_ string, value jsontext.Value) { all = append(all, value) })
	return all, err
}

var errKind = errors.New("not the JSON object or array that is needed here")

// elements calls yield for each member or element of v, which must be of the kind.
func elements(v jsontext.Value, kind jsontext.Kind, yield func(name string, value jsontext.Value)) error {
	if v.Kind() != kind {
		return errKind
	}
	d := newReader(v)
	defer d.free()
	if _, err := d.ReadToken(); err != nil {
		return notJSON(err)
	}
	for d.PeekKind() != kind+2 { // '}' is '{'+2, ']' is '['+2
		var name string
		if kind == '{' {
			quoted, err := d.ReadValue()
			if err != nil {
				return notJSON(err)
			}
			name, _ = Unquote(quoted)
		}
		value, err := d.ReadValue()
		if err != nil {
			return notJSON(err)
		}
		end := int(d.InputOffset())
		yield(name, v[end-len(value):end:end])
	}
	if _, err := d.ReadToken(); err != nil {
		return notJSON(err)
	}
	return nothingAfter(&d.Decoder, v)
}

// reader is a decoder of one text. A text is read several times on its way, and what a
// decoder needs to find duplicate names is most of its cost, so it is used again.
type reader struct {
	jsontext.Decoder
	text bytes.Buffer
}

var readers = sync.Pool{New: func() any { return new(reader) }}

func newReader(text []byte) *reader {
	r := readers.Get().(*reader)
	r.text = *bytes.NewBuffer(text)
	r.Reset(&r.text)
	return r
}

// free gives the reader back; nothing that it returned is used afterwards.
func (r *reader) free() {
	r.text = bytes.Buffer{} // keeps no text of anybody
	r.Reset(&r.text)
	readers.Put(r)
}

// Get returns the raw value of a member.
func (o Object) Get(name string) (jsontext.Value, bool) {
	if i := o.index(name); i >= 0 {
		return o.members[i].value, true
	}
	return nil, false
}

// String returns the text of a member that is a string; false if it is absent or
// something else.
func (o Object) String(name string) (string, bool) {
	v, _ := o.Get(name)
	return Unquote(v)
}

// Object returns the members of a member that is an object; false if it is absent or
// something else.
func (o Object) Object(name string) (Object, bool) {
	v, ok := o.Get(name)
	if !ok {
		return Object{}, false
	}
	inner, err := ParseObject(v)
	return inner, err == nil
}

// All returns the members in order.
func (o Object) All() iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		for _, m := range o.members {
			if !yield(m.name, m.value) {
				return
			}
		}
	}
}

// WithoutNull returns the object without the members that are null.
func (o Object) WithoutNull() Object {
	if !slices.ContainsFunc(o.members, member.isNull) {
		return o
	}
	return Object{slices.DeleteFunc(slices.Clone(o.members), member.isNull)}
}

func (m member) isNull() bool { return m.value.Kind() == 'n' }

// Len returns the number of members.
func (o Object) Len() int { return len(o.members) }

// Set replaces the value of a member in its place, or adds the member at the end.
// The value must be valid JSON.
func (o *Object) Set(name string, value jsontext.Value) {
	if i := o.index(name); i >= 0 {
		o.members[i].value = value
		return
	}
	o.members = append(o.members, member{name, value})
}

// Delete removes a member if it is there.
func (o *Object) Delete(name string) {
	if i := o.index(name); i >= 0 {
		o.members = slices.Delete(o.members, i, i+1)
	}
}

// Encode returns the object without white space, strings in their shortest form,
// numbers as written.
func (o Object) Encode() jsontext.Value {
	size := 2
	for _, m := range o.members {
		size += len(m.name) + len(m.value) + 4 // quotes, colon, comma
	}
	b := append(make([]byte, 0, size), '{')
	for i, m := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuote(b, m.name), ':')
		b = appendNormal(b, m.value)
	}
	return append(b, '}')
}

func (o Object) index(name string) int {
	return slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
}
