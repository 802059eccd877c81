package definition

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxChanges bounds a difference.
const maxChanges = 200

// Change is one place in which two definitions differ.
type Change struct {
	Path          string // of members and positions: inputSchema.properties.q.description
	Before, After string // a text as it is, other values as JSON; "" for what is not there
	Added, Gone   bool   // there was nothing before, or is nothing any more
}

// Difference returns where two definitions differ, in the order of their paths. before may
// be empty: then everything was added.
func Difference(before, after jsontext.Value) []Change {
	was, is := flat(before), flat(after)
	all := maps.Clone(was)
	maps.Copy(all, is)
	var changes []Change
	for _, path := range slices.Sorted(maps.Keys(all)) {
		b, had := was[path]
		a, has := is[path]
		if had && has && a == b {
			continue
		}
		if len(changes) == maxChanges {
			break
		}
		changes = append(changes, Change{path, leafText(b), leafText(a), !had, !has})
	}
	return changes
}

// leafText is a leaf for people.
func leafText(leaf string) string {
	if len(leaf) > 0 && leaf[0] == '"' {
		if unquoted, err := jsontext.AppendUnquote(nil, leaf); err == nil {
			return string(unquoted)
		}
	}
	return leaf
}

// flat is a JSON value as its leaves, by path. An empty object or array is a leaf.
func flat(v jsontext.Value) map[string]string {
	leaves := map[string]string{}
	if len(v) > 0 {
		flatten(jsontext.NewDecoder(bytes.NewReader(v)), "", leaves)
	}
	return leaves
}

// flatten reads one value. What cannot be read ends there: definitions were parsed before.
func flatten(d *jsontext.Decoder, path string, leaves map[string]string) bool {
	kind := d.PeekKind()
	if kind != '{' && kind != '[' {
		v, err := d.ReadValue()
		leaves[path] = string(v)
		return err == nil
	}
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	n := 0
	for ; d.PeekKind() != '}' && d.PeekKind() != ']'; n++ {
		step := strconv.Itoa(n)
		if kind == '{' {
			name, err := d.ReadToken()
			if err != nil {
				return false
			}
			step = name.String()
		}
		if path != "" {
			step = path + "." + step
		}
		if !flatten(d, step, leaves) {
			return false
		}
	}
	if n == 0 {
		leaves[path] = string(kind) + map[jsontext.Kind]string{'{': "}", '[': "]"}[kind]
	}
	_, err := d.ReadToken()
	return err == nil
}

// Around shortens two texts to where they differ, with a little of what stands before, to at
// most limit bytes each. What is left out is "...": a terminal writes a text with characters that
// cannot be seen in ASCII, and would make six characters of an ellipsis.
func Around(before, after string, limit int) (string, string) {
	const context = 30
	same := 0
	for same < len(before) && same < len(after) && before[same] == after[same] {
		same++
	}
	from := max(same-context, 0)
	cut := func(s string) string {
		at := min(from, len(s))
		for at > 0 && at < len(s) && !utf8.RuneStart(s[at]) {
			at--
		}
		end := min(at+limit, len(s))
		for end < len(s) && end > at && !utf8.RuneStart(s[end]) {
			end--
		}
		short := s[at:end]
		if at > 0 {
			short = "..." + short
		}
		if end < len(s) {
			short += "..."
		}
		return short
	}
	return cut(before), cut(after)
}
