package postings

import (
	"encoding/binary"
	"errors"
)

// Load reads a whole index of the segment that begins at number first, to add what was
// written since. It may cover fewer records than the segment has by now: the caller compares
// [Builder.Covers] with the segment, its last record with the hash there.
func (f File) Load(first int64) (*Builder, error) {
	x, err := f.open()
	if err != nil {
		return nil, err
	}
	b, err := x.load()
	if err == nil && b.first != first {
		err = unusable("it is of another segment")
	}
	if err = errors.Join(err, x.Close()); err != nil {
		return nil, err
	}
	return b, nil
}

func (x *Index) load() (*Builder, error) {
	h := x.header
	b := &Builder{first: h.segment.First, whole: h.whole, last: h.segment.Last, terms: make(map[Term]uint32, h.terms)}
	places, err := x.all(x.sections.places)
	if err != nil {
		return nil, err
	}
	b.offsets = uint32s(places)
	for i, start := range b.offsets[:h.segment.Records] {
		if start >= b.offsets[i+1] {
			return nil, unusable("the places are out of order")
		}
	}
	if b.offsets[h.segment.Records] != h.segment.Size {
		return nil, unusable("the last place is not the end of the segment")
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
		} else if value >= x.header.segment.Records {
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
	ordinals, err := stored.ordinals(x.header.segment.Records)
	var l list
	for _, o := range ordinals {
		l.add(o)
	}
	return l, err
}

func (x *Index) all(s section) ([]byte, error) { return x.pages.part(s, 0, s.size) }
