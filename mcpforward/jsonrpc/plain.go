package jsonrpc

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Most texts are plain: few members, short names without escapes, little nesting. A plainText
// reads these in one pass and without memory of its own. It is stricter than the exact
// reader (package jsontext): whatever it does not take is given to that one, which decides
// and says what is wrong. So it must never take what the exact reader refuses, nor read
// it otherwise; FuzzPlain looks for that.

const (
	// plainDepth is how deep a plain text nests at most. It is less than what any message may.
	plainDepth = 32
	// plainMembers is how many members an object has at most: each name is compared with all
	// before it.
	plainMembers = 32
)

// plainText is one text on its way.
type plainText struct {
	text []byte
	at   int // the next byte

	// What was seen so far:
	spaced   bool // white space outside of strings
	escaped  bool // a string that is not in its shortest form, or may not be
	unusual  bool // a name with other characters than visible ASCII
	unsorted bool // an object whose names are not in order
}

// readPlain passes over v, one value. It reports false if that is not plain.
func readPlain(v []byte) (p plainText, ok bool) {
	p.text = v
	return p, p.whole(nil)
}

// isNormal reports whether the text is as [Encode] writes it.
func (p *plainText) isNormal() bool { return !p.spaced && !p.escaped }

// isCanonical reports whether the text is as [Canonical] writes it.
func (p *plainText) isCanonical() bool { return p.isNormal() && !p.unusual && !p.unsorted }

// whole passes over the one value that the text is. If that is an object, member, unless it
// is nil, reads the values of its members.
func (p *plainText) whole(member func(name []byte) bool) bool {
	ok := false
	if p.next() == '{' {
		ok = p.object(0, member)
	} else {
		ok = member == nil && p.value(0)
	}
	return ok && p.next() == 0 && p.at == len(p.text)
}

// next passes over white space and returns the byte behind it, 0 at the end.
func (p *plainText) next() byte {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case ' ', '\n', '\r', '\t':
			p.spaced = true
			p.at++
		default:
			return c
		}
	}
	return 0
}

// value passes over the value that comes next.
func (p *plainText) value(depth int) bool {
	switch p.next() {
	case '"':
		return p.string()
	case '{':
		return p.object(depth, nil)
	case '[':
		return p.array(depth, nil)
	case 't':
		return p.word("true")
	case 'f':
		return p.word("false")
	case 'n':
		return p.word("null")
	}
	return p.number()
}

// taken is the value that begins at from and was passed over.
func (p *plainText) taken(from int) jsontext.Value { return p.text[from:p.at:p.at] }

// object passes over the object that comes next; member, unless it is nil, reads the values.
func (p *plainText) object(depth int, member func(name []byte) bool) bool {
	if depth >= plainDepth {
		return false
	}
	p.at++
	if p.next() == '}' {
		p.at++
		return true
	}
	var names [plainMembers][]byte
	for n := range names {
		if p.next() != '"' || !p.name(&names, n) || p.next() != ':' {
			return false
		}
		p.at++
		p.next()
		if member == nil && !p.value(depth+1) || member != nil && !member(names[n]) {
			return false
		}
		switch p.next() { // of a text that ends here, nothing is passed over
		case ',':
			p.at++
		case '}':
			p.at++
			return true
		default:
			return false
		}
	}
	return false
}

// name reads the name that comes next, the n-th of its object, which has no other like it.
func (p *plainText) name(names *[plainMembers][]byte, n int) bool {
	begin := p.at + 1
	length := bytes.IndexByte(p.text[begin:], '"')
	if length < 0 {
		return false
	}
	name := p.text[begin : begin+length]
	for _, c := range name {
		if c < ' ' || c == '\\' {
			return false
		}
		p.unusual = p.unusual || c <= ' ' || c > '~'
	}
	if p.unusual && !utf8.Valid(name) {
		return false
	}
	for _, other := range names[:n] {
		if len(other) == len(name) && string(other) == string(name) {
			return false
		}
	}
	p.unsorted = p.unsorted || n > 0 && string(names[n-1]) > string(name)
	p.at = begin + length + 1
	names[n] = name
	return true
}

// array passes over the array that comes next; element, unless it is nil, reads the elements.
func (p *plainText) array(depth int, element func() bool) bool {
	if depth >= plainDepth {
		return false
	}
	p.at++
	if p.next() == ']' {
		p.at++
		return true
	}
	for {
		p.next()
		if element == nil && !p.value(depth+1) || element != nil && !element() {
			return false
		}
		switch p.next() {
		case ',':
			p.at++
		case ']':
			p.at++
			return true
		default:
			return false
		}
	}
}

// ordinary has the characters of ASCII that stand for themselves in a string.
var ordinary = func() (set [256]bool) {
	for c := range utf8.RuneSelf {
		set[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return set
}()

// string passes over the string that comes next.
func (p *plainText) string() bool {
	text, i := p.text, ordinaryWords(p.text, p.at+1)
	for {
		for i < len(text) && ordinary[text[i]] {
			i++
		}
		if i == len(text) {
			return false
		}
		switch c := text[i]; {
		case c == '"':
			p.at = i + 1
			return true
		case c == '\\' && i+1 < len(text) && text[i+1] == '"': // most escapes: a text of JSON
			i = ordinaryWords(text, i+2)
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				return false
			}
			i += size
		default:
			size := p.escape(text[i:])
			if size == 0 {
				return false
			}
			i += size
		}
	}
}

// ordinaryWords returns where the ordinary characters and the escaped quotes end that stand in
// text from i on, or a place before that: eight bytes are looked at together, and the rest is
// for the caller. A long text is one of JSON mostly, whose quotes are a few bytes apart, so to
// stop at each would cost more than to look byte by byte.
func ordinaryWords(text []byte, i int) int {
	const (
		each  = 0x0101010101010101
		high  = 0x80 * each
		carry = 0x7f * each // makes the high bit of every byte that is not 0
	)
	escaping := uint64(0) // the byte before was a backslash
	for ; len(text)-i >= 8; i += 8 {
		word := binary.LittleEndian.Uint64(text[i:])
		printable := word + (0x80-' ')*each
		// No sum runs over into the next byte where no byte has its high bit.
		quotes := ^(word ^ '"'*each + carry) & high
		backslashes := ^(word ^ '\\'*each + carry) & high
		if word&high != 0 || printable&high != high || quotes != backslashes<<8|escaping {
			break
		}
		escaping = backslashes >> 56
	}
	if escaping != 0 {
		return i - 1
	}
	return i
}

// escape returns the length of the escape that text begins with; 0: that is none.
func (p *plainText) escape(text []byte) int {
	if len(text) < 2 || text[0] != '\\' {
		return 0
	}
	switch text[1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2
	case '/':
		p.escaped = true
		return 2
	case 'u':
		p.escaped = true
		if isCharacter(text[2:]) {
			return 6
		}
	}
	return 0
}

// isCharacter reports whether text begins with four hexadecimal digits, which are not half of
// a character.
func isCharacter(text []byte) bool {
	if len(text) < 4 {
		return false
	}
	for _, c := range text[:4] {
		if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f') {
			return false
		}
	}
	return text[0]|0x20 != 'd' || text[1] < '8'
}

func (p *plainText) word(word string) bool {
	if len(p.text)-p.at < len(word) || string(p.text[p.at:p.at+len(word)]) != word {
		return false
	}
	p.at += len(word)
	return true
}

// number passes over the number that comes next (RFC 8259 6).
func (p *plainText) number() bool {
	p.skip('-')
	if !p.skip('0') && !p.digits() {
		return false
	}
	if p.skip('.') && !p.digits() {
		return false
	}
	if p.skip('e') || p.skip('E') {
		_ = p.skip('+') || p.skip('-')
		return p.digits()
	}
	return true
}

// skip passes over the next byte if it is c.
func (p *plainText) skip(c byte) bool {
	if p.at == len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *plainText) digits() bool {
	begin := p.at
	for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at > begin
}

// plainObject reads the members of v, if it is a plain object.
func plainObject(v []byte) (o Object, p plainText, ok bool) {
	p.text = v
	all := make([]member, 0, 4)
	ok = p.whole(func(name []byte) bool {
		begin := p.at
		ok := p.value(1)
		all = append(all, member{known(name), p.taken(begin)})
		return ok
	})
	return Object{all}, p, ok
}

// plainArray reads the elements of v, if it is a plain array.
func plainArray(v []byte) (all []jsontext.Value, ok bool) {
	p := plainText{text: v}
	if p.next() != '[' {
		return nil, false
	}
	ok = p.array(0, func() bool {
		begin := p.at
		ok := p.value(1)
		all = append(all, p.taken(begin))
		return ok
	})
	return all, ok && p.next() == 0 && p.at == len(v)
}

// known returns name as a string, without memory for those that are in every message.
func known(name []byte) string {
	for _, k := range [...]string{"jsonrpc", "id", "method", "params", "result", "content", "type", "text", "isError", "name", "arguments", "_meta", "structuredContent"} {
		if string(name) == k {
			return k
		}
	}
	return string(name)
}
