package reach

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// arguments are the members of a call's arguments object, in their order.
type arguments struct {
	names  []string
	values []jsontext.Value
}

// get returns a member.
func (a arguments) get(name string) (jsontext.Value, bool) {
	if i := slices.Index(a.names, name); i >= 0 {
		return a.values[i], true
	}
	return nil, false
}

// parseArguments reads one strict JSON object: no duplicate names, no invalid
// UTF-8, nothing after it. nil and empty input are an empty object.
func parseArguments(raw jsontext.Value) (arguments, *Refusal) {
	if len(raw) > long && crowded(raw) {
		return arguments{}, tooManyMembers
	}
	return parse(raw)
}

// parseWithin reads an object within arguments that were read: no name in it stands twice.
func parseWithin(raw jsontext.Value) (arguments, *Refusal) {
	return parse(raw, jsontext.AllowDuplicateNames(true))
}

func parse(raw jsontext.Value, options ...jsontext.Options) (arguments, *Refusal) {
	var a arguments
	if len(raw) == 0 {
		return a, nil
	}
	d := decoders.Get().(*decoder)
	d.text = *bytes.NewBuffer(raw) // which is read in place
	d.Reset(&d.text, options...)
	defer d.release()
	if d.PeekKind() != '{' {
		return a, unreadArguments
	}
	if _, err := d.ReadToken(); err != nil {
		return a, unreadArguments
	}
	for d.PeekKind() == '"' {
		if len(a.names) >= most {
			return a, tooManyMembers
		}
		name, err := d.ReadToken()
		if err != nil {
			return a, unreadArguments
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return a, unreadArguments
		}
		end := d.InputOffset()
		if a.names == nil {
			a.names, a.values = make([]string, 0, 4), make([]jsontext.Value, 0, 4)
		}
		a.names = append(a.names, key)
		a.values = append(a.values, raw[end-int64(len(value)):end])
	}
	if _, err := d.ReadToken(); err != nil { // the closing brace
		return a, unreadArguments
	}
	if rest := raw[d.InputOffset():]; len(bytes.TrimSpace(rest)) > 0 {
		return a, unreadArguments
	}
	return a, nil
}

// alike reports whether two members have names that differ in case alone: whoever reads them may take
// either for the other.
func (a arguments) alike() bool {
	if len(a.names) <= few {
		for i, name := range a.names {
			if slices.ContainsFunc(a.names[:i], func(other string) bool { return strings.EqualFold(name, other) }) {
				return true
			}
		}
		return false
	}
	seen := make(map[string]bool, len(a.names))
	for _, name := range a.names {
		folded := strings.ToLower(strings.ToUpper(name))
		if seen[folded] {
			return true
		}
		seen[folded] = true
	}
	return false
}

// long is how many bytes of arguments are looked at before they are read: to remember the names
// of many members costs much more than to count them.
const long = 32 << 10

// crowded reports whether an object in a text, or all of them together, have more members than are
// taken. A text that is no JSON may be one or not.
func crowded(raw []byte) bool {
	const deepest = 64 // deeper ones are not counted by themselves
	const together = 10 * most
	var members [deepest]int
	depth, all := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth < deepest {
				members[depth] = 0
			}
		case '}', ']':
			depth = max(depth-1, 0)
		case ':':
			if all++; all > together {
				return true
			}
			if depth < deepest {
				if members[depth]++; members[depth] > most {
					return true
				}
			}
		}
	}
	return false
}

// decoder is one that is used again, with the buffer that it reads.
type decoder struct {
	jsontext.Decoder
	text bytes.Buffer
}

// release gives the decoder back, without the text that it read.
func (d *decoder) release() {
	d.text = bytes.Buffer{}
	d.Reset(&d.text)
	decoders.Put(d)
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

var unreadArguments = refuse("The arguments must be one JSON object without duplicate names.")

// known refuses parameters that look like one of the given but are spelled
// differently, and reports whether there are any others. Salesforce might read
// either kind; the first would be read here as absent.
func (a arguments) known(parameters ...string) (unknown bool, _ *Refusal) {
	for _, name := range a.names {
		if slices.Contains(parameters, name) {
			continue
		}
		unknown = true
		for _, p := range parameters {
			if squash(name) == squash(p) {
				return true, refuse("The parameter " + p + " is misspelled; write it exactly so.")
			}
		}
	}
	return unknown, nil
}

// squash removes what tells spellings of one parameter apart.
func squash(name string) string {
	keep := func(r rune) rune {
		if r == '-' || r == '_' || r <= ' ' {
			return -1
		}
		return r
	}
	return strings.Map(keep, strings.ToLower(name))
}

// text returns a string parameter that may have several spellings. Two spellings
// with different values are refused: nobody can tell which one Salesforce reads.
func (a arguments) text(spellings ...string) (value string, ok bool, _ *Refusal) {
	for _, name := range spellings {
		raw, present := a.get(name)
		if !present {
			continue
		}
		if raw.Kind() != '"' {
			return "", false, refuse("The parameter " + name + " must be a string.")
		}
		text, err := unquoted(raw)
		if err != nil {
			return "", false, refuse("The parameter " + name + " must be a string.")
		}
		if ok && value != text {
			return "", false, refuse("The parameters " + strings.Join(spellings, " and ") + " have different values; give only one of them.")
		}
		value, ok = text, true
	}
	return value, ok, nil
}

// unquoted returns what a JSON string says.
func unquoted(raw jsontext.Value) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 { // most queries
		return string(raw[1 : len(raw)-1]), nil
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err
}

// required is text for a parameter that must be there and not be empty.
func (a arguments) required(spellings ...string) (string, *Refusal) {
	value, _, refused := a.text(spellings...)
	if refused == nil && value == "" {
		refused = refuse("The parameter " + spellings[0] + " is missing.")
	}
	return value, refused
}

// object returns the members of an object parameter.
func (a arguments) object(name string) (members arguments, ok bool, _ *Refusal) {
	raw, present := a.get(name)
	if !present {
		return arguments{}, false, nil
	}
	if raw.Kind() != '{' {
		return arguments{}, false, refuse("The parameter " + name + " must be an object.")
	}
	members, refused := parseWithin(raw)
	return members, true, refused
}
