package policy

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/soql"
)

// UnknownObject stands for an object that a call reaches and that cannot be
// determined from its arguments.
const UnknownObject = "?"

// unlimited is the bound of an answer that has none.
const unlimited = soql.Unlimited

// wholeRecord is the field of an answer that holds whole records.
const wholeRecord = "*"

// refusal is why arguments are refused: one plain sentence for the caller, which
// never repeats an argument, so that it may be logged.
type refusal struct{ text string }

func refuse(text string) *refusal { return &refusal{text} }

// footprint is what one call does and reaches, as far as its arguments tell.
type footprint struct {
	class        Class
	records      []Record       // that the arguments name, or that are made
	objects      []string       // known objects, distinct, in their usual spelling
	opaque       bool           // also reaches objects that cannot be determined
	fields       []field        // fields reached
	opaqueFields bool           // also reaches fields that cannot be determined
	rows         int            // most records in the answer of a query; 0 where no query is made
	each         int            // records for each one that its LIMIT counts; 0 where a LIMIT cannot bound it
	seen         map[field]bool // what objects (with name "") and fields hold
	visible      *visible       // for rules that deny, made when the first asks
}

// visible is what a call shows: what it reaches, and what of other objects can be seen in
// that. Every rule that denies is compared with it.
type visible struct {
	objects []apiName
	fields  []field
}

// shows returns what the call shows. The footprint must not change afterwards.
func (f *footprint) shows() *visible {
	if f.visible == nil {
		f.visible = &visible{}
		for _, o := range f.objects {
			f.visible.objects = append(f.visible.objects, nameOf(o))
			for _, other := range mirrorOf(strings.ToLower(o)).of {
				f.visible.objects = append(f.visible.objects, nameOf(other))
			}
		}
		for _, at := range f.fields {
			f.visible.fields = append(f.visible.fields, at.seenAs()...)
		}
	}
	return f.visible
}

// field is a field of an object. object is "" where it cannot be determined,
// name is wholeRecord for all fields. Both are in lower case.
type field struct{ object, name string }

// reach adds an object; UnknownObject makes the footprint opaque.
func (f *footprint) reach(object string) {
	if object == UnknownObject {
		f.opaque = true
		return
	}
	if f.first(field{object: strings.ToLower(object)}) {
		f.objects = append(f.objects, spelling(object))
	}
}

// record adds a record of an object. One that is made has no id yet.
func (f *footprint) record(c Class, object, id string) {
	f.records = append(f.records, Record{c, object, id})
}

// first reports whether something is reached for the first time.
func (f *footprint) first(at field) bool {
	if f.seen[at] {
		return false
	}
	if f.seen == nil {
		f.seen = make(map[field]bool)
	}
	f.seen[at] = true
	return true
}

// reachField adds a field of an object, which may be UnknownObject.
func (f *footprint) reachField(object, name string) {
	at := field{strings.ToLower(object), strings.ToLower(name)}
	if object == UnknownObject {
		at.object = ""
	}
	if f.first(at) {
		f.fields = append(f.fields, at)
	}
}

// reachWhole adds an object with all its fields.
func (f *footprint) reachWhole(object string) {
	f.reach(object)
	f.reachField(object, wholeRecord)
}

// names returns the objects for the decision.
func (f *footprint) names() []string {
	names := slices.Sorted(slices.Values(f.objects))
	if f.opaque {
		names = append(names, UnknownObject)
	}
	return names
}

// anyObject reports whether a deny rule for these objects matches: one is reached,
// or one that shows its records, or it cannot be determined.
func (f *footprint) anyObject(patterns []pattern) bool {
	return f.opaque || slices.ContainsFunc(f.shows().objects, func(o apiName) bool {
		return o.full == UnknownObject || slices.ContainsFunc(patterns, func(p pattern) bool { return p.denies(o) })
	})
}

// onlyObjects reports whether an allow rule for these objects matches.
func (f *footprint) onlyObjects(patterns []string) bool {
	listed := func(o string) bool { return anyGlobFold(patterns, o) }
	return !f.opaque && len(f.objects) > 0 && !slices.ContainsFunc(f.objects, func(o string) bool { return !listed(o) })
}

// anyField reports whether a deny rule for these fields matches: whole records
// contain the field, its compound contains it, its value is shown by another, or it
// may be a field of an object that cannot be determined.
func (f *footprint) anyField(patterns []string) bool {
	return f.opaqueFields || slices.ContainsFunc(f.shows().fields, func(at field) bool {
		return slices.ContainsFunc(patterns, at.denied)
	})
}

// denied reports whether a deny pattern covers the field.
func (at field) denied(pattern string) bool {
	object, name, _ := strings.Cut(pattern, ".")
	if at.object != "" && !globUnqualified(object, at.object) {
		return false
	}
	return at.name == wholeRecord || globUnqualified(name, at.name) || compoundAndPart(name, at.name)
}

// onlyFields reports whether an allow rule for these fields matches.
func (f *footprint) onlyFields(patterns []string) bool {
	if f.opaqueFields || len(f.fields) == 0 {
		return false
	}
	for _, at := range f.fields {
		if at.object == "" || !slices.ContainsFunc(patterns, at.listed) {
			return false
		}
	}
	return true
}

// listed reports whether an allow pattern covers the field. Only a pattern for
// every field covers whole records.
func (at field) listed(pattern string) bool {
	object, name, _ := strings.Cut(pattern, ".")
	if at.name == wholeRecord {
		return name == "*" && globFold(object, at.object)
	}
	return globFold(object, at.object) && globFold(name, at.name)
}

// limitFor returns the LIMIT with which the query answers at most so many records; 0 if none
// does.
func (f *footprint) limitFor(rows int) int {
	if f.each == 0 {
		return 0
	}
	return rows / f.each
}

// multiply returns a × b, or unlimited if that is too much.
func multiply(a, b int) int {
	if a == 0 || b == 0 {
		return 0
	}
	if a > unlimited/b {
		return unlimited
	}
	return a * b
}

// add returns a + b, or unlimited if that is too much.
func add(a, b int) int {
	if a > unlimited-b {
		return unlimited
	}
	return a + b
}
