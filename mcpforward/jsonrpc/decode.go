package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxDepth is how deep objects and arrays of a client's message may nest,
	// the message itself being 1.
	MaxDepth = 64
	// MaxAnswerDepth is the same for an answer of Salesforce, whose widget trees
	// lie deeper than anything that a client has reason to send.
	MaxAnswerDepth = 256
)

// Decode parses one message of a client. The error is always an [*Error]:
// [ParseError] if body is not one JSON value in UTF-8, [InvalidRequest] if the
// value is not one acceptable message. The result shares no memory with body.
func Decode(body []byte) (*Message, error) {
	top, text, ok := plainObject(body)
	if !ok || text.unusual {
		var err error
		if top, err = scan(body, MaxDepth, true); err != nil {
			return nil, err
		}
	}
	top, err := meant(top)
	if err != nil {
		return nil, err
	}
	m, err := message(top)
	if err != nil {
		return nil, err
	}
	if m.IsResponse() && len(m.ID) == 0 {
		return nil, invalid("a response without an id")
	}
	if lookalike(m.Params, paramNames) {
		return nil, invalid("a member name in params resembles a protocol name without being it")
	}
	m.ID = m.ID.Clone()
	m.Params = normal(m.Params)
	m.Result = normal(m.Result)
	if m.Error != nil {
		m.Error.Data = normal(m.Error.Data)
	}
	return m, nil
}

// meant returns the members that the protocol gives a meaning. Others are ignored, as MCP
// has it, unless they could be taken for one of these. A null member counts as absent, since
// many clients write what they leave out; no id is null, though.
func meant(top Object) (Object, error) {
	known := Object{top.members[:0]}
	for _, m := range top.members {
		switch {
		case topLevel[m.name] && (m.value.Kind() != 'n' || m.name == "id"):
			known.members = append(known.members, m)
		case !topLevel[m.name] && topLevelFolded[fold(m.name)]:
			return known, invalid("a member name resembles a protocol name without being it")
		}
	}
	return known, nil
}

// DecodeAnswer parses one message of Salesforce: a response, or something that
// comes on the way to it. It is as strict about the text and its structure as
// [Decode], except that unknown members are dropped, that a null member counts as
// absent (no answer of MCP is null), and that an error may have the id null. The
// result shares memory with body.
func DecodeAnswer(body []byte) (*Message, error) {
	top, reading, ok := plainAnswer(body)
	var err error
	if !ok {
		top, reading, err = readAnswer(body)
	}
	if err != nil { // token by token, to say what is wrong or to count
		reading = nil
		if top, err = scan(body, MaxAnswerDepth, false); err != nil {
			return nil, err
		}
	}
	known := Object{top.members[:0]}
	for _, m := range top.members {
		if topLevel[m.name] && (m.value.Kind() != 'n' || m.name == "id") {
			known.members = append(known.members, m)
		}
	}
	if id, ok := known.Get("id"); ok && id.Kind() == 'n' {
		if _, failed := known.Get("error"); !failed {
			return nil, invalid("id is null")
		}
		known.Delete("id")
		m, err := message(known)
		if err == nil {
			m.ID = id
		}
		return m, err
	}
	m, err := message(known)
	if err == nil && m.Result != nil {
		m.reading = reading
	}
	return m, err
}

var topLevel = map[string]bool{"jsonrpc": true, "id": true, "method": true, "params": true, "result": true, "error": true}

// topLevelFolded holds what a lookalike of such a name folds to.
var topLevelFolded = func() map[string]bool {
	set := map[string]bool{}
	for name := range topLevel {
		set[fold(name)] = true
	}
	return set
}()

// message checks the members of a message against each other and takes them over.
func message(top Object) (*Message, error) {
	if v, _ := top.String("jsonrpc"); v != "2.0" {
		return nil, invalid(`jsonrpc is not "2.0"`)
	}
	m := &Message{}
	var hasID, hasMethod, hasParams, hasResult, hasError bool
	if m.ID, hasID = top.Get("id"); hasID && !isID(m.ID) {
		return nil, invalid("id is neither a string nor an integer")
	}
	if _, hasMethod = top.Get("method"); hasMethod {
		if m.Method, _ = top.String("method"); m.Method == "" {
			return nil, invalid("method is not a string with text")
		}
	}
	if m.Params, hasParams = top.Get("params"); hasParams && m.Params.Kind() != '{' {
		return nil, invalid("params is not an object")
	}
	if m.Result, hasResult = top.Get("result"); hasResult && m.Result.Kind() != '{' {
		return nil, invalid("result is not an object")
	}
	raw, hasError := top.Get("error")
	if hasError {
		var err error
		if m.Error, err = failure(raw); err != nil {
			return nil, err
		}
	}
	switch {
	case hasMethod && (hasResult || hasError):
		return nil, invalid("both a request and a response")
	case hasMethod:
		return m, nil
	case hasResult == hasError:
		return nil, invalid("neither a request nor a response with either result or error")
	case hasParams:
		return nil, invalid("a response with params")
	case hasResult && !hasID:
		return nil, invalid("a result without an id")
	}
	return m, nil
}

// failure reads the error member of a response.
func failure(v jsontext.Value) (*Error, error) {
	o, err := ParseObject(v)
	if err != nil {
		return nil, invalid("error is not an object")
	}
	raw, _ := o.Get("code")
	code, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil {
		return nil, invalid("error.code is not an integer")
	}
	text, ok := o.String("message")
	if !ok {
		return nil, invalid("error.message is not a string")
	}
	data, _ := o.Get("data")
	return &Error{Code: Code(code), Message: text, Data: data}, nil
}

// isID reports whether v is a string or a number without fraction and exponent:
// other numbers have no exact echo in readers that keep numbers as floats.
func isID(v jsontext.Value) bool {
	switch v.Kind() {
	case '"':
		return true
	case '0':
		return !bytes.ContainsAny(v, ".eE")
	}
	return false
}

// scan reads all tokens of body once and returns the members of its object: it is one
// JSON value, in UTF-8, without duplicate names, not too deep. With client, names must
// be free of control characters and of invisible ones at their ends. The values share
// memory with body.
func scan(body []byte, depth int, client bool) (Object, error) {
	d := newReader(body)
	defer d.free()
	top := Object{make([]member, 0, 4)}
	name, begun := "", -1 // of the member that is being read, and where its name ends
	for first := true; ; first = false {
		text, err := token(&d.Decoder)
		at := d.StackDepth()
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return top, invalid("duplicate member name")
		case err != nil:
			return top, notJSON(err)
		case at > depth:
			return top, invalid(fmt.Sprintf("nested deeper than %d", depth))
		case first && text.Kind() != '{':
			return top, invalid("a message is a JSON object, and batches are not supported")
		case at == 0:
			return top, nothingAfter(&d.Decoder, body)
		}
		switch isName := text.Kind() == '"' && isName(&d.Decoder); {
		case isName && client && isInvisible(text):
			return top, invalid("control or invisible characters in a member name")
		case isName && at == 1:
			name, _ = Unquote(text)
			begun = int(d.InputOffset())
		case at == 1 && begun >= 0:
			end := int(d.InputOffset())
			value := bytes.TrimLeft(body[begun:end:end], " \t\r\n:")
			top.members = append(top.members, member{name, value})
			begun = -1
		}
	}
}

// token reads a bracket, or a name or value that is none as it is written.
func token(d *jsontext.Decoder) (jsontext.Value, error) {
	if i := bytes.IndexByte(brackets, byte(d.PeekKind())); i >= 0 {
		_, err := d.ReadToken()
		return brackets[i : i+1 : i+1], err
	}
	return d.ReadValue()
}

var brackets = jsontext.Value("{}[]")

// isInvisible reports whether a name, quoted, has characters that a person cannot see.
func isInvisible(quoted jsontext.Value) bool {
	if text := quoted[1 : len(quoted)-1]; plain(text) && (len(text) == 0 || text[0] != ' ' && text[len(text)-1] != ' ') {
		return false
	}
	name, _ := Unquote(quoted)
	return unprintable(name)
}

// nothingAfter refuses all but white space after the value that d has read.
func nothingAfter(d *jsontext.Decoder, body []byte) error {
	if len(bytes.Trim(body[d.InputOffset():], " \t\r\n")) > 0 {
		return &Error{Code: ParseError, Message: "something follows the JSON value"}
	}
	return nil
}

// isName reports whether the token that d read last is a member name.
func isName(d *jsontext.Decoder) bool {
	kind, length := d.StackIndex(d.StackDepth())
	return kind == '{' && length%2 == 1
}

// notJSON words a syntax error by its place alone; the decoder's own text quotes
// the body.
func notJSON(err error) *Error {
	text := "not one JSON value in UTF-8"
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		text += fmt.Sprintf(", at byte %d", s.ByteOffset)
	}
	return &Error{Code: ParseError, Message: text}
}

func invalid(text string) *Error {
	return &Error{Code: InvalidRequest, Message: "invalid message: " + text}
}
