package mask

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// What stands for values that are hidden, by their kind. Null has no other value.
var (
	hiddenText   = []byte(`"(hidden)"`)
	hiddenNumber = []byte(`0`)
	hiddenBool   = []byte(`false`)
	hiddenList   = []byte(`[]`)
	null         = []byte(`null`)
)

// edit replaces a part of the text.
type edit struct {
	from, to int
	with     []byte
	did      Done
}

// appendEdited appends the text with the edits, of which those inside of others do not count.
func (w *walker) appendEdited(out []byte) []byte {
	slices.SortFunc(w.edits, func(a, b edit) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	at := 0
	for _, e := range w.edits {
		if e.from < at {
			continue
		}
		w.done.Masked += e.did.Masked
		w.done.Dropped += e.did.Dropped
		out = append(append(out, w.text[at:e.from]...), e.with...)
		at = e.to
	}
	return append(out, w.text[at:]...)
}

// mask replaces the value of a member.
func (w *walker) mask(p *part) {
	if with, n := masked(w.text[p.value:p.to]); n > 0 {
		w.edits = append(w.edits, edit{p.value, p.to, with, Done{Masked: n}})
	}
}

// masked is what stands for a value, and how many values it hides: the JSON type stays, so
// that a schema of the answer is still met. Null stays null.
func masked(v jsontext.Value) ([]byte, int64) {
	switch v[0] {
	case '"':
		return hiddenText, 1
	case 't', 'f':
		return hiddenBool, 1
	case 'n':
		return null, 0
	case '[':
		return hiddenList, 1
	case '{':
		return maskedObject(v)
	}
	return hiddenNumber, 1
}

func maskedObject(v jsontext.Value) (b []byte, n int64) {
	in := jsontext.NewDecoder(bytes.NewBuffer(v))
	in.ReadToken()
	b = append(b, '{')
	for first := true; in.PeekKind() == '"'; first = false {
		if !first {
			b = append(b, ',')
		}
		name, _ := in.ReadValue()
		b = append(append(b, name...), ':')
		value, err := in.ReadValue()
		if err != nil {
			break // it was read before without one
		}
		with, more := masked(value)
		b, n = append(b, with...), n+more
	}
	return append(b, '}'), n
}

func isDropped(p *part) bool { return p.action == Dropped }

// remove takes out members of an object, or elements of an array, with the commas that are
// too many then.
func (w *walker) remove(parts []part, gone func(*part) bool) {
	for i := 0; i < len(parts); i++ {
		if !gone(&parts[i]) {
			continue
		}
		last := i
		for last+1 < len(parts) && gone(&parts[last+1]) {
			last++
		}
		e := edit{from: parts[i].from, to: parts[last].to, did: Done{Dropped: int64(last - i + 1)}}
		if i > 0 {
			e.from = parts[i-1].to
		} else if last+1 < len(parts) {
			e.to = parts[last+1].from
		}
		w.edits = append(w.edits, e)
		i = last
	}
}
