package records

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
)

// scanner reads the tokens of JSON that somebody has checked, or of JSON inside of a string
// of such JSON. Of the latter it refuses what it cannot read without writing it out.
type scanner struct {
	b      []byte
	i      int  // the next byte
	quoted bool // it stands inside of a string: a quote of the text is \", a backslash \\
	bad    bool // this cannot be read so,
	unread bool // but maybe once it is written out
}

// span is where a token is in b, without its quotes.
type span struct{ from, to int }

func (s *scanner) text(at span) []byte { return s.b[at.from:at.to] }

func (s *scanner) fail() { s.bad = true }

// leave says that what comes next has to be written out.
func (s *scanner) leave() { s.bad, s.unread = true, true }

// peek returns the next byte that is not white space, 0 at the end. A quote is '"' in
// either form.
func (s *scanner) peek() byte {
	if s.i >= len(s.b) || s.b[s.i] <= ' ' || s.b[s.i] == '\\' { // short enough to stand where it is called
		return s.peekOn()
	}
	return s.b[s.i]
}

// peekOn is peek of whatever is next.
func (s *scanner) peekOn() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			s.i++
		case !s.quoted || c != '\\':
			return c
		case s.i+1 == len(s.b):
			return 0
		case s.b[s.i+1] == '"':
			return '"'
		case s.b[s.i+1] == 'n' || s.b[s.i+1] == 't' || s.b[s.i+1] == 'r':
			s.i += 2
		default: // not JSON, or written out of the ordinary
			s.unread = true
			return c
		}
	}
	return 0
}

// take passes over the next byte if it is c.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

// string passes over a string, at whose quote the scanner stands.
func (s *scanner) string() span {
	if s.quoted {
		return s.quotedString()
	}
	s.i++
	begin, quote := s.i, -1
	for {
		if quote < s.i { // none, or it was escaped
			n := bytes.IndexByte(s.b[min(s.i, len(s.b)):], '"')
			if n < 0 {
				s.fail()
				return span{}
			}
			quote = s.i + n
		}
		n := bytes.IndexByte(s.b[s.i:quote], '\\')
		if n < 0 {
			s.i = quote + 1
			return span{begin, quote}
		}
		s.i += n + 2
	}
}

// quotedString is the same inside of a string.
func (s *scanner) quotedString() span {
	s.i += 2
	begin := s.i
	for !s.bad {
		at := s.i + backslash(s.b[s.i:]) + 1
		if at >= len(s.b) {
			s.fail()
			break
		}
		s.i = at + 1
		switch s.b[at] {
		case '"':
			return span{begin, at - 1}
		case '\\':
			s.escaped()
		case '/':
		case 'u':
			if s.ordinary() {
				s.leave()
			}
		default: // a control character, which no string has
			s.leave()
		}
	}
	return span{}
}

// backslash returns how many bytes text has before its first backslash, or at all. Most are near, so
// package bytes would take more time to begin than to look: eight bytes at a time are looked at here.
func backslash(text []byte) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; len(text)-i >= 8; i += 8 {
		word := binary.LittleEndian.Uint64(text[i:]) ^ each*'\\'
		if zero := (word - each) &^ word & high; zero != 0 { // the lowest byte that is marked is 0
			return i + bits.TrailingZeros64(zero)/8
		}
	}
	for i < len(text) && text[i] != '\\' {
		i++
	}
	return i
}

// escaped passes over what a backslash of the text escapes.
func (s *scanner) escaped() {
	if s.i < len(s.b) && s.b[s.i] == '\\' {
		s.i++
		if s.i < len(s.b) && s.b[s.i] == 'u' {
			s.leave()
		}
	}
	s.i = min(s.i+1, len(s.b))
}

// ordinary reports whether the four digits that come next stand for a character that would
// be read otherwise if it were not written so: a quote, a backslash, or what names and ids
// consist of.
func (s *scanner) ordinary() bool {
	if s.i+4 > len(s.b) {
		return true
	}
	r, err := strconv.ParseUint(string(s.b[s.i:s.i+4]), 16, 32)
	return err != nil || r < ' ' || r == '"' || r == '\\' || r == '/' || r == '_' || r < 0x80 && isAlphanumeric(byte(r))
}

// word passes over a number, true, false or null.
func (s *scanner) word() span {
	begin := s.i
	for s.i < len(s.b) {
		if c := s.b[s.i]; !isAlphanumeric(c) && c != '-' && c != '+' && c != '.' {
			break
		}
		s.i++
	}
	if s.i == begin {
		s.fail()
	}
	return span{begin, s.i}
}

// skip passes over the value that comes next, however deep it is.
func (s *scanner) skip() {
	for depth := 0; !s.bad; {
		switch c := s.peek(); c {
		case '{', '[':
			depth++
			s.i++
		case '}', ']':
			depth--
			s.i++
		case ',', ':':
			s.i++
			continue // within an object or array: the scanner stood at a value
		case '"':
			s.string()
		default:
			s.word()
		}
		if depth <= 0 {
			return
		}
	}
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}
