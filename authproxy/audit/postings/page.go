package postings

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"
)

// A file is a row of pages. Each ends with a MAC over its number, its content and the MAC
// of the first page, which holds the header: so a page cannot be changed, moved, or taken
// from another index, and only the pages that are used are read and checked.
const (
	pageSize = 4096
	macSize  = 16
	payload  = pageSize - macSize // a multiple of every width in the file, so that nothing straddles pages
	domain   = "sfmcp-proxy audit index 2"
)

// ErrUnusable is that an index is of no use for the segment: it was made for another one or
// for an earlier state of it, or it was changed. It has to be made again.
var ErrUnusable = errors.New("the index must be made again")

func unusable(why string) error { return fmt.Errorf("%w: %s", ErrUnusable, why) }

// sealer makes the MACs of the pages of one file.
type sealer struct {
	mac    hash.Hash
	header [macSize]byte // MAC of page 0
	sum    [sha256.Size]byte
}

func newSealer(key []byte) *sealer { return &sealer{mac: hmac.New(sha256.New, key)} }

func (s *sealer) seal(number uint32, content []byte) [macSize]byte {
	s.mac.Reset()
	s.mac.Write([]byte(domain))
	var head [4 + macSize]byte
	binary.LittleEndian.PutUint32(head[:], number)
	if number > 0 {
		copy(head[4:], s.header[:])
	}
	s.mac.Write(head[:])
	s.mac.Write(content)
	sealed := [macSize]byte(s.mac.Sum(s.sum[:0]))
	if number == 0 {
		s.header = sealed
	}
	return sealed
}

// writer writes pages one after the other.
type writer struct {
	to     io.Writer
	sealer *sealer
	number uint32
	page   []byte
}

func (w *writer) write(content []byte) error {
	for len(content) > 0 {
		n := min(len(content), payload-len(w.page))
		w.page = append(w.page, content[:n]...)
		content = content[n:]
		if len(w.page) == payload {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush ends the page that was begun, so that what follows begins a new one.
func (w *writer) flush() error {
	if len(w.page) == 0 {
		return nil
	}
	w.page = append(w.page, make([]byte, payload-len(w.page))...)
	mac := w.sealer.seal(w.number, w.page)
	w.number++
	_, err := w.to.Write(append(w.page, mac[:]...))
	w.page = w.page[:0]
	return err
}

// pages reads pages and checks them.
type pages struct {
	from   io.ReaderAt
	key    []byte
	header [macSize]byte
	last   atomic.Pointer[checked]
}

// checked is the page that was read last: whoever reads one record after the other mostly needs it again.
type checked struct {
	number  uint32
	content []byte // is not changed any more
}

// one returns the content of one page, which the caller must not change.
func (p *pages) one(number uint32) ([]byte, error) {
	if last := p.last.Load(); last != nil && last.number == number {
		return last.content, nil
	}
	content, err := p.read(number, 1)
	if err == nil {
		p.last.Store(&checked{number, content})
	}
	return content, err
}

// read returns the content of n pages, without a gap.
func (p *pages) read(first, n uint32) ([]byte, error) {
	raw := make([]byte, int(n)*pageSize)
	if _, err := p.from.ReadAt(raw, int64(first)*pageSize); errors.Is(err, io.EOF) {
		return nil, unusable("it is cut off")
	} else if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	s := newSealer(p.key)
	s.header = p.header
	for i := range n {
		page := raw[int(i)*pageSize:][:pageSize]
		mac := s.seal(first+i, page[:payload])
		if !hmac.Equal(mac[:], page[payload:]) {
			return nil, unusable(fmt.Sprintf("page %d is not as it was written", first+i))
		}
		copy(raw[int(i)*payload:], page[:payload])
	}
	if first == 0 { // while the file is opened, before anybody else reads
		p.header = s.header
	}
	return raw[:int(n)*payload], nil
}

// section is a part of the file that begins on a page of its own.
type section struct {
	page uint32
	size int64 // bytes
}

func pagesFor(size int64) int64 { return (size + payload - 1) / payload }

// part returns n bytes of a section, which the caller must not change.
func (p *pages) part(s section, offset, n int64) ([]byte, error) {
	if offset < 0 || n < 0 || offset > s.size || n > s.size-offset {
		return nil, unusable("it points outside of itself")
	}
	if n == 0 {
		return nil, nil
	}
	first, last := offset/payload, (offset+n-1)/payload
	var content []byte
	var err error
	if first == last {
		content, err = p.one(s.page + uint32(first))
	} else {
		content, err = p.read(s.page+uint32(first), uint32(last-first+1))
	}
	if err != nil {
		return nil, err
	}
	return content[offset-first*payload:][:n], nil
}
