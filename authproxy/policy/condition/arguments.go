package condition

import (
	"bytes"
	"errors"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/go-json-experiment/json/jsontext"
)

// readArguments makes a value of CEL of a JSON object. Whole numbers that an int holds are
// ints, all others doubles; a number that neither holds exactly enough is an error when the
// arguments are asked for, and so is what is no JSON object.
func readArguments(object jsontext.Value) ref.Val {
	if len(object) == 0 {
		return types.DefaultTypeAdapter.NativeToValue(map[string]any{})
	}
	d := jsontext.NewDecoder(bytes.NewReader(object))
	value, err := readValue(d)
	members, isObject := value.(map[string]any)
	if err != nil || !isObject {
		return types.NewErr("the arguments cannot be read")
	}
	return types.DefaultTypeAdapter.NativeToValue(members)
}

func readValue(d *jsontext.Decoder) (any, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		return readMembers(d)
	case '[':
		return readElements(d)
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

func readMembers(d *jsontext.Decoder) (map[string]any, error) {
	members := map[string]any{}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if members[key], err = readValue(d); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return members, err
}

func readElements(d *jsontext.Decoder) ([]any, error) {
	elements := []any{}
	for d.PeekKind() != ']' {
		element, err := readValue(d)
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
