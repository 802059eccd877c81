package soql

import (
	"strings"
	"sync"
)

// reader takes lexemes from the left, never back, so it takes linear time. The first mistake
// fails it and moves it to the end, where every loop stops.
type reader struct {
	lexemes []lexeme
	kept    *[]lexeme // their memory
	at      int
	begin   int // where in the text they begin
	end     int // where the text ends
	depth   int
	failed  bool
	mistake int // offset of the first mistake
}

// finish returns the error of what was read, and one if anything is left. Nothing can be read
// afterwards.
func (r *reader) finish() *Error {
	if r.at != len(r.lexemes) {
		r.fail()
	}
	r.release()
	if r.failed {
		return &Error{Offset: r.mistake, Cause: ErrSyntax}
	}
	return nil
}

// fail refuses the next lexeme.
func (r *reader) fail() { r.failAt(r.peek()) }

// failAt refuses a lexeme.
func (r *reader) failAt(l lexeme) {
	if !r.failed {
		r.failed, r.mistake = true, int(l.offset)
		if l.kind == endOfQuery {
			r.mistake = r.end
		}
	}
	r.at = len(r.lexemes)
}

func (r *reader) peek() lexeme { return r.ahead(0) }

func (r *reader) ahead(n int) lexeme {
	if r.at+n >= len(r.lexemes) {
		return lexeme{}
	}
	return r.lexemes[r.at+n]
}

// offset is the position of the next lexeme.
func (r *reader) offset() int {
	if r.at >= len(r.lexemes) {
		return r.end
	}
	return int(r.lexemes[r.at].offset)
}

// lastEnd is the position after the last lexeme that was taken, or where they begin.
func (r *reader) lastEnd() int {
	if r.failed {
		return r.end
	}
	if r.at == 0 {
		return r.begin
	}
	t := r.lexemes[r.at-1]
	return int(t.offset) + len(t.text)
}

func (r *reader) next() lexeme {
	t := r.peek()
	if t.kind == endOfQuery {
		r.fail()
		return t
	}
	r.at++
	return t
}

// is reports whether the next lexeme is the keyword.
func (r *reader) is(keyword string) bool {
	t := r.peek()
	return t.kind == word && strings.EqualFold(t.text, keyword)
}

// accept takes the next lexeme if it is the keyword.
func (r *reader) accept(keyword string) bool {
	if r.is(keyword) {
		r.at++
		return true
	}
	return false
}

// acceptBoth takes the next two lexemes if they are the keywords.
func (r *reader) acceptBoth(first, second string) bool {
	t := r.ahead(1)
	if !r.is(first) || t.kind != word || !strings.EqualFold(t.text, second) {
		return false
	}
	r.at += 2
	return true
}

func (r *reader) expect(keyword string) {
	if !r.accept(keyword) {
		r.fail()
	}
}

// oneOf takes the next lexeme if it is one of the keywords and returns that.
func (r *reader) oneOf(keywords ...string) string {
	for _, k := range keywords {
		if r.accept(k) {
			return k
		}
	}
	return ""
}

func (r *reader) isMark(m string) bool {
	t := r.peek()
	return t.kind == mark && t.text == m
}

func (r *reader) acceptMark(m string) bool {
	if r.isMark(m) {
		r.at++
		return true
	}
	return false
}

func (r *reader) expectMark(m string) {
	if !r.acceptMark(m) {
		r.fail()
	}
}

// enter goes one level deeper; leave must follow.
func (r *reader) enter() {
	r.depth++
	if r.depth > maxDepth {
		r.fail()
	}
}

func (r *reader) leave() { r.depth-- }

// rooms is the memory of lexemes that is used again, by queries of usual length.
var rooms = sync.Pool{New: func() any { return new([]lexeme) }}

// mostKept is how many lexemes are kept at most: those of some kilobytes of text.
const mostKept = 2048

// read takes the lexemes of text from one byte on.
func (r *reader) read(text string, from int) (err *Error) {
	r.begin, r.end, r.kept = from, len(text), rooms.Get().(*[]lexeme)
	if r.lexemes, err = lex(text, from, *r.kept); err != nil {
		r.release()
	}
	return err
}

// release gives the memory back, without the text that the lexemes are of.
func (r *reader) release() {
	if cap(r.lexemes) <= mostKept {
		clear(r.lexemes)
		*r.kept = r.lexemes[:0]
		rooms.Put(r.kept)
	}
	r.lexemes, r.kept = nil, nil
}
