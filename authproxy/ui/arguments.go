package ui

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of the arguments that a page shows: so many bytes of JSON, so many lines, and so many
// bytes of their paths and values together, in which names repeat. Nobody reads more, and
// making a page of it would cost far more than the call did.
const (
	maxArgumentJSON  = 100_000
	maxArgumentLines = 2_000
	maxArgumentBytes = 2 << 20
)

// ErrUnreadable says that arguments are more than a person can read on a page.
var ErrUnreadable = errors.New("more than a person can read")

// Arguments takes the JSON arguments of a call apart into one line per leaf, in the
// order they stand there. Numbers keep their spelling. Nil or empty arguments
// give no line; anything but one valid JSON value is an error. [ErrUnreadable]: they are too
// many, or too long.
func Arguments(canonical []byte) ([]Argument, error) {
	if len(bytes.TrimSpace(canonical)) == 0 {
		return nil, nil
	}
	if len(canonical) > maxArgumentJSON {
		return nil, ErrUnreadable
	}
	w := argumentWalk{decoder: jsontext.NewDecoder(bytes.NewReader(canonical))}
	if err := w.value(nil); err != nil {
		return nil, fmt.Errorf("reading arguments: %w", err)
	}
	if rest := bytes.TrimSpace(canonical[w.decoder.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("reading arguments: more than one value")
	}
	return w.lines, nil
}

type argumentWalk struct {
	decoder *jsontext.Decoder
	lines   []Argument
	bytes   int // of all lines, see maxArgumentBytes
}

// add adds a line whose value is so long in JSON.
func (w *argumentWalk) add(line Argument, length int) error {
	for _, step := range line.Path {
		length += len(step.Name)
	}
	w.bytes += length
	if len(w.lines) == maxArgumentLines || w.bytes > maxArgumentBytes {
		return ErrUnreadable
	}
	w.lines = append(w.lines, line)
	return nil
}

func (w *argumentWalk) value(path []Step) error {
	switch kind := w.decoder.PeekKind(); kind {
	case '{', '[':
		return w.inside(path, kind)
	default:
		raw, err := w.decoder.ReadValue()
		if err != nil {
			return err
		}
		return w.leaf(path, raw)
	}
}

// inside walks an object or array. The top-level object, when empty, means that the
// call has no arguments and gives no line.
func (w *argumentWalk) inside(path []Step, open jsontext.Kind) error {
	if _, err := w.decoder.ReadToken(); err != nil {
		return err
	}
	n := 0
	for ; w.decoder.PeekKind() != '}' && w.decoder.PeekKind() != ']'; n++ {
		step := Step{Name: strconv.Itoa(n + 1), Index: true}
		if open == '{' {
			name, err := w.decoder.ReadToken()
			if err != nil {
				return err
			}
			step = Step{Name: name.String()}
		}
		if err := w.value(append(path[:len(path):len(path)], step)); err != nil {
			return err
		}
	}
	if n == 0 && len(path) > 0 {
		kind := "empty list"
		if open == '{' {
			kind = "empty object"
		}
		if err := w.add(Argument{Path: path, Kind: kind, Plain: true}, len(kind)); err != nil {
			return err
		}
	}
	_, err := w.decoder.ReadToken()
	return err
}

func (w *argumentWalk) leaf(path []Step, raw jsontext.Value) error {
	line := Argument{Path: path, Plain: true}
	switch raw.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return err
		}
		line.Kind, line.Value = "text", Visible(string(text))
		line.Plain = strings.ReplaceAll(line.Value, "↵\n", "\n") == string(text)
		line.Mixed = Visible(MixedScripts(string(text)))
		if line.Value == "" {
			line.Kind = "empty text"
		}
	case '0':
		line.Kind, line.Value = "number", string(raw)
	case 'n':
		line.Kind = "null"
	default:
		line.Kind, line.Value = "true or false", string(raw)
	}
	return w.add(line, len(raw))
}
