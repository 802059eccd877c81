package condition

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/go-json-experiment/json/jsontext"
)

// maxValues is the most values that the arguments of a call may hold, at all depths, for a
// condition to look at them. It bounds time and memory: a megabyte of small values would take
// a tenth of a second and 50 MB.
const maxValues = 20_000

const textTooMany = "the arguments hold too many values"

// fewBytes is how long arguments may be for every condition to read its own members of them.
// Of longer ones all members are read, once for all conditions of a call.
const fewBytes = 2 << 10

// readArguments makes a value of CEL of a JSON object, or of the members that only names; nil:
// all. Whole numbers that an int holds are ints, all others doubles; a number that neither holds
// exactly enough is an error when the arguments are asked for, and so is what is no JSON object.
// Members are found by names in any case.
func readArguments(object jsontext.Value, only []string) ref.Val {
	if len(object) == 0 {
		return types.NewStringInterfaceMap(types.DefaultTypeAdapter, nil)
	}
	r := readers.Get().(*reader)
	defer r.release()
	r.read(object)
	var value any
	var err error
	if only == nil {
		value, err = r.value()
	} else {
		value, err = r.some(only)
	}
	whole, isObject := value.(*record)
	switch {
	case r.left < 0:
		return types.NewErr(textTooMany)
	case err != nil || !isObject:
		return types.NewErr("the arguments cannot be read")
	}
	return whole
}

// findArguments is readArguments of few arguments, of which any number can be read, for one who
// has read them already and finds them in any case.
func findArguments(find func(name string) (jsontext.Value, bool), wanted []string) ref.Val {
	members := make(map[string]any, len(wanted))
	for _, name := range wanted {
		written, ok := find(name)
		if !ok {
			continue
		}
		value, err := plain(written)
		if err != nil {
			return types.NewErr("the arguments cannot be read")
		}
		members[name] = value
	}
	return types.NewStringInterfaceMap(types.DefaultTypeAdapter, members)
}

// plain reads a value of JSON that is short.
func plain(written jsontext.Value) (any, error) {
	switch written.Kind() {
	case '"':
		if bytes.IndexByte(written, '\\') < 0 {
			return string(written[1 : len(written)-1]), nil
		}
	case '0':
		return number(string(written))
	case 't':
		return true, nil
	case 'f':
		return false, nil
	case 'n':
		return types.NullValue, nil
	}
	r := readers.Get().(*reader)
	defer r.release()
	r.read(written)
	return r.value()
}

// plainNumbers reports whether every number in a text of JSON is one that a double can hold: none
// has an exponent, or digits enough to be too large without. A text within it may look like one.
func plainNumbers(text []byte) bool {
	const longest = 300
	digits := 0
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9':
			if digits++; digits > longest {
				return false
			}
		case digits > 0 && c|0x20 == 'e':
			return false
		default:
			digits = 0
		}
	}
	return true
}

// reader reads values of JSON, as many as are left. It is used again, with what it needs to
// remember of names and depths.
type reader struct {
	jsontext.Decoder
	text bytes.Buffer
	left int
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// read begins with a text, which is read in place.
func (d *reader) read(text jsontext.Value) {
	d.text, d.left = *bytes.NewBuffer(text), maxValues
	d.Reset(&d.text)
}

// release gives the reader back, without the text that it read.
func (d *reader) release() {
	d.text = bytes.Buffer{}
	d.Reset(&d.text)
	readers.Put(d)
}

// some reads the members of an object that are wanted. Of the others it finds out what value
// would: whether they can be read, and are few enough.
func (d *reader) some(wanted []string) (any, error) {
	if start, err := d.ReadToken(); err != nil || start.Kind() != '{' {
		return nil, errors.New("not an object")
	}
	members := make(map[string]any, len(wanted))
	d.left--
	for d.PeekKind() != '}' {
		name, err := d.ReadValue() // as it is written: most need no string of their own
		if err != nil {
			return nil, err
		}
		if text, ok := isWanted(name, wanted); ok {
			members[text], err = d.value()
		} else {
			err = d.skip()
		}
		if err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return newRecord(members), err
}

// skip reads a value and keeps nothing of it.
func (d *reader) skip() error {
	if d.left--; d.left < 0 {
		return errors.New(textTooMany)
	}
	if d.PeekKind() == '0' {
		text, err := d.ReadValue()
		if err == nil {
			_, err = strconv.ParseFloat(string(text), 64) // fails where number would
		}
		return err
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	if kind := token.Kind(); kind == '{' || kind == '[' {
		for err == nil && d.PeekKind() != kind+2 { // the bracket that closes
			if kind == '{' {
				if _, err = d.ReadToken(); err != nil {
					break
				}
			}
			err = d.skip()
		}
		if err == nil {
			_, err = d.ReadToken()
		}
	}
	return err
}

// isWanted returns what a string of JSON, in its quotes, says, and whether that is one of the names, in
// any case.
func isWanted(quoted jsontext.Value, wanted []string) (text string, ok bool) {
	plain := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(quoted, '\\') >= 0 {
		var err error
		if plain, err = jsontext.AppendUnquote(nil, quoted); err != nil {
			return "", false
		}
	}
	for _, name := range wanted {
		if string(plain) == name {
			return name, true
		}
	}
	if slices.ContainsFunc(wanted, func(name string) bool { return strings.EqualFold(string(plain), name) }) {
		return string(plain), true
	}
	return "", false
}

func (d *reader) value() (any, error) {
	if d.left--; d.left < 0 {
		return nil, errors.New(textTooMany)
	}
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		return d.members()
	case '[':
		return d.elements()
	case '"':
		return token.String(), nil
	case '0':
		return number(token.String())
	case 't':
		return true, nil
	case 'f':
		return false, nil
	case 'n':
		return types.NullValue, nil
	}
	return nil, errors.New("not a value")
}

// members reads an object within the arguments.
func (d *reader) members() (any, error) {
	members := make(map[string]any, 8)
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if members[key], err = d.value(); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return newRecord(members), err
}

func (d *reader) elements() ([]any, error) {
	elements := []any{}
	for d.PeekKind() != ']' {
		element, err := d.value()
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	_, err := d.ReadToken()
	return elements, err
}

// number reads a number of JSON.
func number(text string) (any, error) {
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		return whole, nil
	}
	return strconv.ParseFloat(text, 64)
}
