package jsonrpc

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Encode writes m on one line: no white space outside of strings, strings in their
// shortest form, numbers as written, the id byte for byte. A response without an
// id gets id null. The values of m come from this package's parse or are built by
// us, so one that is not valid JSON is a mistake in the program: Encode panics
// rather than let it out. Only what [Forward] and [Relay] were given is written unread.
func Encode(m *Message) []byte { return AppendEncode(nil, m) }

// AppendEncode appends to b what [Encode] returns.
func AppendEncode(b []byte, m *Message) []byte {
	b = slices.Grow(b, 128+len(m.ID)+len(m.Method)+len(m.Params)+len(m.Result))
	b = append(b, `{"jsonrpc":"2.0"`...)
	switch {
	case len(m.ID) > 0:
		b = append(append(b, `,"id":`...), m.ID...)
	case m.IsResponse():
		b = append(b, `,"id":null`...)
	}
	if m.Method != "" {
		b = appendQuote(append(b, `,"method":`...), m.Method)
	}
	if m.Params != nil {
		b = m.appendValue(append(b, `,"params":`...), m.Params)
	}
	if m.Result != nil {
		b = m.appendValue(append(b, `,"result":`...), m.Result)
	}
	if m.Error != nil {
		b = append(b, `,"error":{"code":`...)
		b = strconv.AppendInt(b, int64(m.Error.Code), 10)
		b = appendQuote(append(b, `,"message":`...), m.Error.Message)
		if m.Error.Data != nil {
			b = appendNormal(append(b, `,"data":`...), m.Error.Data)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func (m *Message) appendValue(b []byte, v jsontext.Value) []byte {
	if m.sound && isOneLine(v) {
		return append(b, v...)
	}
	return appendNormal(b, v)
}

// OneLine returns v as [Encode] writes it in a message of [Forward].
func OneLine(v jsontext.Value) jsontext.Value {
	if isOneLine(v) {
		return v
	}
	return normal(v)
}

func isOneLine(v jsontext.Value) bool {
	return bytes.IndexByte(v, '\n') < 0 && bytes.IndexByte(v, '\r') < 0
}

// Canonical returns the form of v that digests are taken of: RFC 8785 (members
// sorted by the UTF-16 code units of their names, no white space, strings in
// their shortest form) except that numbers stay as written, because a float
// would make distinct integers equal. So 1 and 1.0 differ. It refuses what is not
// one strict JSON value.
// The result may share memory with v.
func Canonical(v jsontext.Value) (jsontext.Value, error) {
	if p, ok := readPlain(v); ok && p.isCanonical() {
		return v[:len(v):len(v)], nil
	}
	b, err := jsontext.AppendFormat(make([]byte, 0, len(v)), v, jsontext.ReorderRawObjects(true))
	if err != nil {
		return nil, notJSON(err)
	}
	return b, nil
}

// Quote returns s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func Quote(s string) jsontext.Value { return appendQuote(make([]byte, 0, len(s)+2), s) }

func appendQuote(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // the error only says that U+FFFD was put
	return b
}

// Bool returns b as JSON.
func Bool(b bool) jsontext.Value { return strconv.AppendBool(nil, b) }

// Array returns a JSON array of the items.
func Array(items []jsontext.Value) jsontext.Value {
	out := []byte{'['}
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return append(out, ']')
}

// Unquote returns the text of v if it is a JSON string.
func Unquote(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	if text := v[1:]; len(text) > 0 && plain(text[:len(text)-1]) && text[len(text)-1] == '"' {
		return string(text[:len(text)-1]), true
	}
	b, err := jsontext.AppendUnquote(nil, v)
	return string(b), err == nil
}

// plain reports whether text stands for itself inside a JSON string.
func plain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// normal returns v without white space and with strings in their shortest form.
func normal(v jsontext.Value) jsontext.Value {
	if v == nil {
		return nil
	}
	if p, ok := readPlain(v); ok && p.isNormal() {
		return v.Clone()
	}
	return appendNormal(make([]byte, 0, len(v)), v)
}

func appendNormal(b []byte, v jsontext.Value) []byte {
	if p, ok := readPlain(v); ok && p.isNormal() {
		return append(b, v...)
	}
	b, err := jsontext.AppendFormat(b, v)
	if err != nil {
		panic(fmt.Sprintf("jsonrpc: value that is not JSON: %v", notJSON(err)))
	}
	return b
}
