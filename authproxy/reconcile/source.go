package reconcile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// File is what was read of a file.
type File struct {
	SHA256 string    `json:"sha256"`
	Events int       `json:"events"` // in the file, whatever they are of
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"` // of the last event
	// Others counts events that are not compared, by why: of another type, another app, …
	Others map[string]int `json:"others,omitempty"`
	// Unreadable is how many lines or rows could not be read, FirstUnreadable why the first could not.
	Unreadable      int    `json:"unreadable"`
	FirstUnreadable string `json:"first_unreadable,omitempty"`
	// UnknownColumns are headings that this version does not know; nothing is read of them.
	UnknownColumns []string `json:"unknown_columns,omitempty"`
	Calls          []Call   `json:"-"`
}

func (f *File) other(why string) {
	if f.Others == nil {
		f.Others = map[string]int{}
	}
	const kinds = 100
	if _, known := f.Others[why]; !known && len(f.Others) >= kinds {
		why = "others"
	}
	f.Others[why]++
}

// unreadable notes a line that says nothing.
func (f *File) unreadable(line int, err error) {
	if f.Unreadable++; f.FirstUnreadable == "" {
		f.FirstUnreadable = fmt.Sprintf("line %d: %v", line, err)
	}
}

// saw widens the time of a file.
func (f *File) saw(at time.Time) {
	if f.From.IsZero() || at.Before(f.From) {
		f.From = at
	}
	if at.After(f.Until) {
		f.Until = at
	}
}

// add takes a call in.
func (f *File) add(c Call) error {
	if len(f.Calls) >= bounds.events {
		return fmt.Errorf("more than %d calls: compare a shorter time, one file a day", bounds.events)
	}
	f.Calls = append(f.Calls, c)
	return nil
}

// hashed reads a file within its bound, and makes its digest on the way.
type hashed struct {
	from io.Reader
	sum  hash.Hash
	left int64
}

func newHashed(r io.Reader) *hashed { return &hashed{r, sha256.New(), bounds.bytes} }

// Read implements [io.Reader].
func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.sum.Write(p[:n])
	if h.left -= int64(n); h.left < 0 {
		return 0, fmt.Errorf("the file has more than %d bytes: compare a shorter time", bounds.bytes)
	}
	return n, err
}

// digest is that of the whole file.
func (h *hashed) digest() (string, error) {
	if _, err := io.Copy(io.Discard, h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.sum.Sum(nil)), nil
}

var byteOrderMark = []byte("\uFEFF")

// text is a reader of UTF-8, without a byte order mark. A file in another encoding is told by its
// first bytes.
func text(r io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	begin, err := b.Peek(1024)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(begin, []byte{0xFF, 0xFE}), bytes.HasPrefix(begin, []byte{0xFE, 0xFF}), bytes.IndexByte(begin, 0) >= 0:
		return nil, errors.New("the file is not UTF-8: it looks like UTF-16; save it as UTF-8")
	case bytes.HasPrefix(begin, []byte{0x1F, 0x8B}):
		return nil, errors.New("the file is compressed: unpack it first")
	case bytes.HasPrefix(begin, byteOrderMark):
		b.Discard(len(byteOrderMark))
	}
	return b, nil
}

// short is text as a field of a call has it.
func short(text string) string {
	const most = 200
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	end := most
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
