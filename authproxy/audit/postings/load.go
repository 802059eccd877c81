package postings

import (
	"encoding/binary"
	"errors"
)

// Load reads a whole index of the segment that begins with the record of number first, to add
// what was written since: it also returns what the index was made of, which the segment must
// still begin with. It is refused with [ErrUnusable] if it is of another segment.
func (f File) Load(first int64) (*Builder, Segment, error) {
	x, err := f.open()
	if err != nil {
		return nil, Segment{}, err
	}
	b, err := x.load()
	if err == nil && b.first != first {
		err = unusable("it is of another segment")
	}
	if err = errors.Join(err, x.Close()); err != nil {
		return nil, Segment{}, err
	}
	return b, x.header.segment, nil
}

func (x *Index) load() (*Builder, error) {
	h := x.header
	b := &Builder{first: h.segment.First, whole: h.whole, terms: make(map[Term]uint32, h.terms)}
	places, err := x.all(x.sections.places)
	if err != nil {
		return nil, err
	}
	b.offsets = uint32s(places)
	for i, at := range b.offsets {
		if i > 0 && at <= b.offsets[i-1] || int64(at) >= h.segment.Size {
			return nil, unusable("the places are out of order")
		}
	}
	if b.times, err = x.times(); err != nil {
		return nil, err
	}
	return b, x.loadTerms(b)
}

func (x *Index) loadTerms(b *Builder) error {
	table, err := x.all(x.sections.terms)
	if err != nil {
		return err
	}
	lists, err := x.all(x.sections.lists)
	if err != nil {
		return err
	}
	for ; len(table) > 0; table = table[termWidth:] {
		t, value := Term(binary.LittleEndian.Uint64(table)), binary.LittleEndian.Uint32(table[8:])
		if value&isList != 0 {
			l, err := x.loadList(lists[min(int(value&^isList), len(lists)):])
			if err != nil {
				return err
			}
			value = isList | uint32(len(b.lists))
			b.lists = append(b.lists, l)
		} else if value >= x.records() {
			return unusable("a term has a record that is not there")
		}
		b.terms[t] = value
	}
	return nil
}

// loadList decodes the list at the beginning of raw into one that can grow.
func (x *Index) loadList(raw []byte) (list, error) {
	stored, _, _, err := decodeList(raw)
	if err != nil {
		return list{}, err
	}
	ordinals, err := stored.ordinals(x.records())
	var l list
	for _, o := range ordinals {
		l.add(o)
	}
	return l, err
}

func (x *Index) all(s section) ([]byte, error) { return x.pages.part(s, 0, s.size) }
