package policy

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// What rules say of objects and fields is taken apart once, so that a call is held against
// all rules at once: for each object and field that it reaches some look-ups, however many
// rules there are. Patterns with * or ? within a name are found by their letters (likes.go).

// bits is a set of rules.
type bits []uint64

func (b bits) has(rule int) bool { return b[rule/64]&(1<<(rule%64)) != 0 }
func (b bits) add(rule int)      { b[rule/64] |= 1 << (rule % 64) }

// or adds those of another set, which may be nil.
func (b bits) or(other bits) {
	for i := range other {
		b[i] |= other[i]
	}
}

// table finds sets of rules by a name in lower case.
type table map[string]bits

func (t table) add(name string, rule, rules int) {
	set, ok := t[name]
	if !ok {
		set = newBits(rules)
		t[name] = set
	}
	set.add(rule)
}

func newBits(rules int) bits { return make(bits, (rules+63)/64) }

// index is what rules say of objects and fields, for "any of them is reached". Names are in
// lower case and without their namespace: in a packaging org ns__Secret__c and Secret__c are
// the same object.
type index struct {
	objects   table      // by name
	anyObject bits       // every object
	like      likes      // by pattern
	allOf     bits       // rules that speak of objects
	fields    table      // by object.name
	named     table      // by name: *.name
	of        table      // by object: object.*
	anyField  bits       // *.*
	likeField likes      // by patterns of either
	parts     fieldParts // by object or name alone, whatever stands beside it
	persons   bits       // rules that speak of fields of Account that hold those of a person
	standard  fieldParts // of parts, the patterns that may name a standard field, by object
	// standardPersons are those of persons that do so for a standard field.
	standardPersons bits
	allFields       bits // rules that speak of fields
}

// fieldParts are the rules with a pattern that has this object, or this name: for records
// that are answered whole, and for fields of objects that cannot be determined.
type fieldParts struct {
	objects, names     table
	anyObject, anyName bits
}

// likeRule is a pattern of a rule with * or ? within a name.
type likeRule struct {
	object, name like
	rule         int
}

func newIndex(rules int) *index {
	return &index{
		objects: table{}, fields: table{}, named: table{}, of: table{}, parts: fieldParts{table{}, table{}, newBits(rules), newBits(rules)},
		standard: fieldParts{objects: table{}, anyObject: newBits(rules)}, standardPersons: newBits(rules),
		anyObject: newBits(rules), allOf: newBits(rules), anyField: newBits(rules), persons: newBits(rules), allFields: newBits(rules),
	}
}

// add takes in what one rule says.
func (x *index) add(r *Rule, rule, rules int) {
	for _, pattern := range r.Objects {
		x.allOf.add(rule)
		switch p := newLike(pattern); {
		case p.every():
			x.anyObject.add(rule)
		case p.wild:
			x.like.add(likeRule{object: p, rule: rule}, p.literal)
		default:
			x.objects.add(p.unqualified, rule, rules)
		}
	}
	for _, pattern := range r.Fields {
		x.allFields.add(rule)
		object, name, _ := strings.Cut(pattern, ".")
		x.addField(newLike(object), newLike(name), rule, rules)
		x.addPersons(newLike(object), newLike(name), rule, rules)
	}
}

// addPersons notes what a rule says of fields of Account that hold those of a person.
func (x *index) addPersons(object, name like, rule, rules int) {
	if !object.matches([]byte("account")) || !name.wild && !reach.IsPersonField(name.unqualified) ||
		name.wild && !reach.PersonsMatch(func(of string) bool { return name.matches([]byte(of)) }) {
		return
	}
	x.persons.add(rule)
	if !reach.IsCustom(name.full) {
		x.standardPersons.add(rule)
	}
	if alias := reach.PersonAlias(name.unqualified); alias != "" && !object.wild && !name.wild {
		x.fields.add(object.unqualified+"."+alias, rule, rules)
	}
}

func (x *index) addField(object, name like, rule, rules int) {
	x.parts.addObject(object, rule, rules)
	if !reach.IsCustom(name.full) {
		x.standard.addObject(object, rule, rules)
	}
	switch {
	case name.every():
		x.parts.anyName.add(rule)
	case !name.wild:
		x.parts.names.add(name.unqualified, rule, rules)
	}
	switch {
	case object.wild && !object.every() || name.wild && !name.every():
		x.likeField.add(likeRule{object, name, rule}, name.literal)
	case object.every() && name.every():
		x.anyField.add(rule)
	case object.every():
		x.named.add(name.unqualified, rule, rules)
	case name.every():
		x.of.add(object.unqualified, rule, rules)
	default:
		x.fields.add(object.unqualified+"."+name.unqualified, rule, rules)
	}
}

func (p *fieldParts) addObject(object like, rule, rules int) {
	switch {
	case object.every():
		p.anyObject.add(rule)
	case !object.wild:
		p.objects.add(object.unqualified, rule, rules)
	}
}

// longestName bounds the names that are looked up without an allocation.
const longestName = 96

// hitObject adds the rules that speak of an object.
func (x *index) hitObject(hit bits, object string) {
	if object == reach.UnknownObject {
		hit.or(x.allOf)
		return
	}
	var b [longestName]byte
	full := reach.Lower(b[:0], object)
	hit.or(x.anyObject)
	if suffix, several := strings.CutPrefix(object, "*"); several {
		x.hitEnding(hit, suffix)
		return
	}
	hit.or(x.objects[string(reach.Unqualified(full))])
	x.like.in(full, func(l *likeRule) {
		if !hit.has(l.rule) && l.object.matches(full) {
			hit.add(l.rule)
		}
	})
}

// hitEnding adds the rules that speak of any object whose name ends so.
func (x *index) hitEnding(hit bits, suffix string) {
	for name, rules := range x.objects {
		if strings.HasSuffix(name, suffix) {
			hit.or(rules)
		}
	}
	for i := range x.like.rules {
		if l := x.like.rules[i].object; strings.HasSuffix(suffix, l.suffix) || strings.HasSuffix(l.suffix, suffix) {
			hit.add(x.like.rules[i].rule)
		}
	}
}

// hitField adds the rules that speak of a field, of the compound that it is part of, or of
// one of its parts.
func (x *index) hitField(hit bits, at reach.Ref) {
	var objectSpace [longestName]byte
	var space [1024]byte
	object := reach.Lower(objectSpace[:0], at.Object)
	switch at.Name {
	case reach.Whole:
		x.hitWhole(hit, object)
		return
	case reach.Persons:
		hit.or(x.persons)
		return
	}
	var ends [16]int
	names, ended := related(space[:0], ends[:0], at.Name)
	begin := 0
	for _, end := range ended {
		x.hitName(hit, object, names[begin:end])
		begin = end + 1
	}
	x.likeField.in(names, func(l *likeRule) {
		if hit.has(l.rule) || len(object) > 0 && !l.object.matches(object) {
			return
		}
		begin := 0
		for _, end := range ended {
			if l.name.matches(names[begin:end]) {
				hit.add(l.rule)
				return
			}
			begin = end + 1
		}
	})
}

// related appends the names, in lower case, of a field and of those that hold its value or
// parts of it, with a dot after each, and where each ends.
func related(names []byte, ends []int, field string) ([]byte, []int) {
	names = reach.Lower(names, field)
	ends = append(ends, len(names))
	stem, others := reach.Compound(string(reach.Unqualified(names)))
	names = append(names, '.')
	for _, other := range others {
		names = append(append(names, stem...), other...)
		ends = append(ends, len(names))
		names = append(names, '.')
	}
	return names, ends
}

// hitName adds the rules that speak of a field by its name. Without an object it may be one of
// any.
func (x *index) hitName(hit bits, object, name []byte) {
	plain := reach.Unqualified(name)
	if len(object) == 0 {
		hit.or(x.parts.anyName)
		hit.or(x.parts.names[string(plain)])
		return
	}
	var b [2*longestName + 1]byte
	of := reach.Unqualified(object)
	hit.or(x.anyField)
	hit.or(x.named[string(plain)])
	hit.or(x.of[string(of)])
	hit.or(x.fields[string(append(append(append(b[:0], of...), '.'), plain...))])
}

// hitWhole adds the rules that speak of any field of an object.
func (x *index) hitWhole(hit bits, object []byte) {
	if len(object) == 0 {
		hit.or(x.allFields)
		return
	}
	hit.or(x.parts.anyObject)
	hit.or(x.parts.objects[string(reach.Unqualified(object))])
	for i := range x.likeField.rules {
		if l := &x.likeField.rules[i]; !hit.has(l.rule) && l.object.matches(object) {
			hit.add(l.rule)
		}
	}
}

// hitStandard adds the rules that speak of a standard field of an object, or of a person.
func (x *index) hitStandard(hit bits, at reach.Ref) {
	if at.Name == reach.Persons {
		hit.or(x.standardPersons)
		return
	}
	var b [longestName]byte
	object := reach.Lower(b[:0], at.Object)
	hit.or(x.standard.anyObject)
	hit.or(x.standard.objects[string(reach.Unqualified(object))])
	for i := range x.likeField.rules {
		if l := &x.likeField.rules[i]; !hit.has(l.rule) && !reach.IsCustom(l.name.full) && l.object.matches(object) {
			hit.add(l.rule)
		}
	}
}

// allowed is what an allow or confirm rule says of objects or fields, for "all that is
// reached is listed". Namespaces count.
type allowed struct {
	exact map[string]bool // in lower case; object, or object.name
	like  []likeRule
}

func newAllowed(patterns []string) allowed {
	a := allowed{exact: make(map[string]bool, len(patterns))}
	for _, pattern := range patterns {
		object, name, _ := strings.Cut(pattern, ".")
		if isPattern(pattern) {
			a.like = append(a.like, likeRule{object: newLike(object), name: newLike(name)})
		} else {
			a.exact[strings.ToLower(pattern)] = true
		}
	}
	return a
}

// listsObject reports whether an object is listed.
func (a *allowed) listsObject(object string) bool {
	var b [longestName]byte
	name := reach.Lower(b[:0], object)
	return a.exact[string(name)] || slices.ContainsFunc(a.like, func(l likeRule) bool { return l.object.matchesExactly(name) })
}

// listsField reports whether a field is listed. Only a pattern for every field lists whole
// records.
func (a *allowed) listsField(object, name string) bool {
	var b [2*longestName + 1]byte
	both := append(reach.Lower(b[:0], object), '.')
	of := both[:len(both)-1]
	both = reach.Lower(both, name)
	field := both[len(of)+1:]
	if name != reach.Whole && a.exact[string(both)] {
		return true
	}
	return slices.ContainsFunc(a.like, func(l likeRule) bool {
		return l.object.matchesExactly(of) && (name != reach.Whole && l.name.matchesExactly(field) || l.name.every())
	})
}

// listsFieldOf reports whether any field of an object is listed.
func (a *allowed) listsFieldOf(object string) bool {
	for exact := range a.exact {
		if of, _, _ := strings.Cut(exact, "."); strings.EqualFold(of, object) {
			return true
		}
	}
	var b [longestName]byte
	name := reach.Lower(b[:0], object)
	return slices.ContainsFunc(a.like, func(l likeRule) bool { return l.object.matchesExactly(name) })
}
