package jsonrpc

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// Reading is a result as it was read on its way through [DecodeAnswer], so that nobody reads
// a long text again. Its values share memory with the result.
type Reading struct {
	Members Object
	// Texts are the members text, if strings, of the objects in the member content, as they
	// stand: with their quotes. MCP has content blocks there, in the results of tools.
	Texts []jsontext.Value
	// NoBlocks: there is a member content, and it is no array of objects.
	NoBlocks bool
}

// Reading returns the result of m as it was read. That of a message which [DecodeAnswer] did
// not return is read now, as strictly as by [ParseObject].
func (m *Message) Reading() (Reading, error) {
	if m.reading != nil {
		return *m.reading, nil
	}
	if m.Result.Kind() != '{' {
		return Reading{}, errKind
	}
	a := answerReader{newReader(m.Result), m.Result, 0, &Reading{}}
	defer a.free()
	_, err := a.result()
	if err == nil {
		err = nothingAfter(&a.Decoder, m.Result)
	}
	return *a.reading, err
}

// Answering returns the response m under another id.
func (m *Message) Answering(id jsontext.Value) *Message {
	return &Message{ID: id, Result: m.Result, Error: m.Error, reading: m.reading}
}

// plainAnswer reads the members of a message, and its result along with them, if it is plain.
func plainAnswer(body []byte) (top Object, r *Reading, ok bool) {
	p := plainText{text: body}
	all := make([]member, 0, 4)
	ok = p.whole(func(name []byte) bool {
		begin, ok := p.at, false
		if string(name) == "result" && p.next() == '{' {
			r = &Reading{}
			ok = p.result(r)
		} else {
			ok = p.value(1)
		}
		all = append(all, member{known(name), p.taken(begin)})
		return ok
	})
	return Object{all}, r, ok
}

// result reads the object that comes next, a result, into r.
func (p *plainText) result(r *Reading) bool {
	r.Members.members = make([]member, 0, 4)
	return p.object(1, func(name []byte) bool {
		begin, ok := p.at, false
		if string(name) == "content" && p.next() == '[' {
			ok = p.content(r)
		} else {
			r.NoBlocks = r.NoBlocks || string(name) == "content"
			ok = p.value(2)
		}
		r.Members.members = append(r.Members.members, member{known(name), p.taken(begin)})
		return ok
	})
}

// content reads the array of blocks that comes next.
func (p *plainText) content(r *Reading) bool {
	return p.array(2, func() bool {
		if p.next() != '{' {
			r.NoBlocks = true
			return p.value(3)
		}
		return p.object(3, func(name []byte) bool {
			begin, isText := p.at, p.next() == '"' && string(name) == "text"
			ok := p.value(4)
			if ok && isText {
				r.Texts = append(r.Texts, p.taken(begin))
			}
			return ok
		})
	})
}

// answerReader reads one text from its beginning to its end, once.
type answerReader struct {
	*reader
	text    []byte
	nest    int // what a value may nest, if that matters
	reading *Reading
}

// errDeep: a value may nest deeper than is allowed; to know, somebody has to count.
var errDeep = errors.New("maybe nested too deep")

// readAnswer reads the members of a message, and its result along with them.
func readAnswer(body []byte) (top Object, _ *Reading, err error) {
	if jsontext.Value(body).Kind() != '{' {
		return top, nil, errKind
	}
	a := answerReader{newReader(body), body, MaxAnswerDepth - 5, nil}
	defer a.free()
	top.members = make([]member, 0, 4)
	err = a.each('}', func() error {
		name, err := a.name()
		if err != nil {
			return err
		}
		var value jsontext.Value
		if name == "result" && a.PeekKind() == '{' {
			a.reading = &Reading{}
			value, err = a.result()
		} else {
			value, err = a.value()
		}
		top.members = append(top.members, member{name, value})
		return err
	})
	if err == nil {
		err = nothingAfter(&a.Decoder, body)
	}
	return top, a.reading, err
}

// result reads the object that comes next into the reading.
func (a answerReader) result() (jsontext.Value, error) {
	r := a.reading
	r.Members.members = make([]member, 0, 4)
	return a.whole('}', func() error {
		name, err := a.name()
		if err != nil {
			return err
		}
		var value jsontext.Value
		if name == "content" && a.PeekKind() == '[' {
			value, err = a.content()
		} else {
			r.NoBlocks = r.NoBlocks || name == "content"
			value, err = a.value()
		}
		r.Members.members = append(r.Members.members, member{name, value})
		return err
	})
}

// content reads the array of blocks that comes next.
func (a answerReader) content() (jsontext.Value, error) {
	return a.whole(']', func() error {
		if a.PeekKind() != '{' {
			a.reading.NoBlocks = true
			_, err := a.value()
			return err
		}
		return a.each('}', func() error {
			name, err := a.name()
			if err != nil {
				return err
			}
			value, err := a.value()
			if name == "text" && value.Kind() == '"' {
				a.reading.Texts = append(a.reading.Texts, value)
			}
			return err
		})
	})
}

// each calls f for each member or element of the object or array that comes next and ends
// with that bracket; f reads it.
func (a answerReader) each(end jsontext.Kind, f func() error) error {
	_, err := a.whole(end, f)
	return err
}

// whole is each, and returns the object or array.
func (a answerReader) whole(end jsontext.Kind, f func() error) (jsontext.Value, error) {
	if _, err := a.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	begin := a.InputOffset() - 1
	for a.PeekKind() != end {
		if err := f(); err != nil {
			return nil, err
		}
	}
	if _, err := a.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	return a.text[begin:a.InputOffset():a.InputOffset()], nil
}

func (a answerReader) name() (string, error) {
	quoted, err := a.ReadValue()
	if err != nil {
		return "", notJSON(err)
	}
	switch string(quoted) { // most are these, and need no memory
	case `"jsonrpc"`:
		return "jsonrpc", nil
	case `"id"`:
		return "id", nil
	case `"result"`:
		return "result", nil
	case `"content"`:
		return "content", nil
	case `"structuredContent"`:
		return "structuredContent", nil
	case `"isError"`:
		return "isError", nil
	case `"_meta"`:
		return "_meta", nil
	case `"type"`:
		return "type", nil
	case `"text"`:
		return "text", nil
	}
	name, _ := Unquote(quoted)
	return name, nil
}

// value reads the value that comes next.
func (a answerReader) value() (jsontext.Value, error) {
	v, err := a.ReadValue()
	if err != nil {
		return nil, notJSON(err)
	}
	if a.nest > 0 && (v[0] == '{' || v[0] == '[') && bytes.Count(v, []byte{'{'})+bytes.Count(v, []byte{'['}) > a.nest {
		return nil, errDeep
	}
	end := int(a.InputOffset())
	return a.text[end-len(v) : end : end], nil
}
