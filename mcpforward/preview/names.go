package preview

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Bounds of what is asked about the records that values name: so many ids, and so many objects
// that they are of, each of which takes a query.
const (
	maxNamed        = 20
	maxNamedObjects = 3
	maxValues       = 2000 // that are looked at
)

// Reference is the id of a record, and the field that holds it, the first of several.
type Reference struct{ ID, Field string }

// Object is the object of whose records the id is, by its first characters, or by where the org says
// that the field of an object leads, which tells of its own; "": it is not known.
func (r Reference) Object(of string, known *reach.Schema) string {
	if object := reach.ObjectOf(r.ID); object != "" {
		return object
	}
	if stem, ok := strings.CutSuffix(strings.ToLower(r.Field), "__c"); ok {
		if to := known.ParentsOf(of, stem+"__r"); len(to) == 1 && apiName.MatchString(to[0]) {
			return to[0]
		}
	}
	return ""
}

// IsCustom reports whether only the org can say of which object the record is.
func (r Reference) IsCustom() bool {
	return reach.ObjectOf(r.ID) == "" && strings.HasSuffix(strings.ToLower(r.Field), "__c")
}

// References are the ids of records among the values that arguments have, and among further values, as
// people know them by their fields: each once, in the order of the fields' names. A text is one if
// its field holds ids by its name, and if it begins as those of an object that is known do or ends
// with the right check of its letters.
func References(arguments []byte, further map[string]json.RawMessage) []Reference {
	w := idWalk{seen: map[string]bool{}}
	var whole any
	if json.Unmarshal(arguments, &whole) == nil {
		w.value("", whole)
	}
	for _, name := range slices.Sorted(maps.Keys(further)) {
		var value any
		if json.Unmarshal(further[name], &value) == nil {
			w.value(name, value)
		}
	}
	return w.found
}

type idWalk struct {
	values int
	seen   map[string]bool
	found  []Reference
}

func (w *idWalk) value(field string, value any) {
	if w.values++; w.values > maxValues || len(w.found) == maxNamed {
		return
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			w.value(name, value[name])
		}
	case []any:
		for _, one := range value {
			w.value(field, one)
		}
	case string:
		if holdsIDs(field) && IsID(value) && !w.seen[value[:15]] {
			w.seen[value[:15]] = true
			w.found = append(w.found, Reference{value, field})
		}
	}
}

// holdsIDs reports whether a field holds ids by its name, as lookups do.
func holdsIDs(field string) bool {
	field = strings.ToLower(field)
	return strings.HasSuffix(field, "id") || strings.HasSuffix(field, "ids") || strings.HasSuffix(field, "__c")
}

// IsID reports whether a text is the id of a record beyond doubt: of an object that is known, or
// in the long form, whose end says which letters of the rest are capital.
func IsID(text string) bool {
	return recordID.MatchString(text) && (reach.ObjectOf(text) != "" || len(text) == 18 && text[15:] == letterCheck(text))
}

// letterCheck is the end of the long form of an id.
// (Salesforce Help, "Convert 15 digit Id to 18 digit Id")
func letterCheck(id string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	var check [3]byte
	for i := range check {
		bits := 0
		for j := range 5 {
			if c := id[5*i+j]; 'A' <= c && c <= 'Z' {
				bits |= 1 << j
			}
		}
		check[i] = alphabet[bits]
	}
	return string(check[:])
}

// NamesOf are the questions for what records are called to which an object refers: one for each object,
// of those that are asked for most often first. Those whose records have no name, or of which nobody
// knows the object, are in none.
func NamesOf(references []Reference, of string, known *reach.Schema) (all []Question) {
	for _, r := range references[:min(len(references), maxNamed)] {
		object := r.Object(of, known)
		name := nameField(object)
		if object == "" || name == "" {
			continue
		}
		i := slices.IndexFunc(all, func(q Question) bool { return q.Object == object })
		if i < 0 {
			i = len(all)
			all = append(all, Question{Object: object, Name: name})
		}
		all[i].IDs = append(all[i].IDs, r.ID)
	}
	slices.SortStableFunc(all, func(a, b Question) int { return len(b.IDs) - len(a.IDs) })
	return all[:min(len(all), maxNamedObjects)]
}

// Joined are the questions of both, each object and each id once, within the bounds of one call.
func Joined(all, more []Question) []Question {
	ids := 0
	for _, q := range all {
		ids += len(q.IDs)
	}
	for _, q := range more {
		i := slices.IndexFunc(all, func(o Question) bool { return o.Object == q.Object })
		if i < 0 {
			if len(all) == maxNamedObjects || ids == maxNamed {
				continue
			}
			i = len(all)
			all = append(all, Question{Object: q.Object, Name: q.Name})
		}
		for _, id := range q.IDs {
			if ids < maxNamed && !slices.ContainsFunc(all[i].IDs, func(known string) bool { return reach.SameID(known, id) }) {
				all[i].IDs = append(all[i].IDs, id)
				ids++
			}
		}
	}
	return all
}
