package mask

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Action is what happens to a value in an answer.
type Action uint8

// The actions, mildest first.
const (
	Shown   Action = iota // it stays as it is
	Masked                // it is replaced by one of the same JSON type
	Dropped               // its member is taken out
)

// Field is a field of an object by its API names. An object of "" may be any; a name of
// [reach.Whole] stands for all fields.
type Field = reach.Ref

// Hiding says which fields are hidden in answers. It may be used by several at a time.
type Hiding struct {
	exact   map[Field]Action // in lower case, with and without namespaces
	globs   []globbed
	objects map[string]Action // objects of which any field is hidden by its exact name
	loose   looseNames        // for objects of which nobody says what record they are
	partly  bool              // parts of compounds may be hidden
	persons Action            // of fields of Account that hold those of a person
	schema  *reach.Schema     // that of the org; nil: only standard objects are known
}

// globbed is a pattern with * or ?.
type globbed struct {
	Field  // in lower case
	action Action
}

// New returns what hides the fields of these patterns, "Contact.SSN__c" or globs like
// "*.Birthdate", without regard to case and namespaces. What is in both lists is dropped.
func New(masked, dropped []string) *Hiding {
	h := &Hiding{exact: map[Field]Action{}, objects: map[string]Action{}}
	h.loose.init()
	for _, pattern := range masked {
		h.add(pattern, Masked)
	}
	for _, pattern := range dropped {
		h.add(pattern, Dropped)
	}
	return h
}

// In makes h know the formulas and compounds of an org, before it is used, and returns it.
func (h *Hiding) In(s *reach.Schema) *Hiding {
	h.schema = s
	return h
}

// Nothing reports whether no field is hidden.
func (h *Hiding) Nothing() bool { return len(h.exact) == 0 && len(h.globs) == 0 }

func (h *Hiding) add(pattern string, a Action) {
	object, name, _ := strings.Cut(strings.ToLower(pattern), ".")
	h.loose.add(object, name, a)
	_, part := reach.PartOf(name)
	h.partly = h.partly || part || strings.ContainsAny(name, "*?")
	h.addPersons(object, name, a)
	if strings.ContainsAny(pattern, "*?") {
		h.globs = append(h.globs, globbed{Field{Object: object, Name: name}, a})
		return
	}
	for _, f := range []Field{{Object: object, Name: name}, {Object: reach.Unqualified(object), Name: reach.Unqualified(name)}} {
		h.exact[f] = max(h.exact[f], a)
		h.objects[f.Object] = max(h.objects[f.Object], a)
	}
}

// addPersons notes what is hidden of fields of Account that hold those of a person.
func (h *Hiding) addPersons(object, name string, a Action) {
	wild := strings.ContainsAny(name, "*?")
	if !reach.Glob(object, "account") || !wild && !reach.IsPersonField(name) || wild && !reach.PersonsMatch(func(of string) bool { return reach.Glob(name, of) }) {
		return
	}
	h.persons = max(h.persons, a)
	if alias := reach.PersonAlias(name); alias != "" && object == "account" {
		f := Field{Object: object, Name: alias}
		h.exact[f] = max(h.exact[f], a)
	}
}

// Of says what happens to the values of a field. What shows the value of a hidden field is
// hidden with it: a part of a hidden compound, the name of a person of whom a part of the name
// is hidden and the reverse, and copies in other objects ([reach.Schema.AppendShown]). A compound of
// which only a part is hidden is not.
func (h *Hiding) Of(f Field) (a Action) {
	f = lower(f)
	for _, shown := range h.schema.AppendShown(nil, f.Object, f.Name) {
		shown = lower(shown)
		if shown.Name != reach.Whole {
			a = max(a, h.itself(shown))
			continue
		}
		// One of all fields of another object: the one of that name, or the old or new value
		// of any.
		a = max(a, h.itself(Field{Object: shown.Object, Name: f.Name}))
		if f.Name == "oldvalue" || f.Name == "newvalue" {
			a = max(a, h.any(shown.Object))
		}
	}
	return a
}

// Reaches says of a field by which a call chooses, sorts or counts records what is hidden of
// it, which is more than of one that is answered: of a compound each part counts, and of all
// fields of an object each that is hidden, and the copies that they hold.
func (h *Hiding) Reaches(f Field) (a Action) {
	f = lower(f)
	if f.Name != reach.Whole {
		return h.withParts(f, h.Of)
	}
	for _, shown := range h.schema.AppendShown(nil, f.Object, f.Name) {
		switch shown = lower(shown); shown.Name {
		case reach.Whole:
			a = max(a, h.any(shown.Object))
		case reach.Persons:
			a = max(a, h.persons)
		default:
			a = max(a, h.withParts(shown, h.itself))
		}
	}
	return a
}

// withParts is what of says of a field and, where it is a compound, of its parts.
func (h *Hiding) withParts(f Field, of func(Field) Action) Action {
	a := of(f)
	if stem, ok := reach.CompoundStem(f.Name); ok {
		for _, part := range reach.AddressParts {
			a = max(a, of(Field{Object: f.Object, Name: stem.Part(part)}))
		}
	}
	return a
}

func lower(f Field) Field {
	return Field{Object: strings.ToLower(f.Object), Name: strings.ToLower(f.Name)}
}

// itself is what happens to a field for its own sake, without copies.
func (h *Hiding) itself(f Field) Action {
	a := h.direct(f)
	switch {
	case f.Name == "name":
		for _, part := range reach.NameParts {
			a = max(a, h.direct(Field{Object: f.Object, Name: part}))
		}
	case slices.Contains(reach.NameParts, f.Name):
		a = max(a, h.direct(Field{Object: f.Object, Name: "name"}))
	}
	if stem, ok := reach.PartOf(f.Name); ok {
		a = max(a, h.direct(Field{Object: f.Object, Name: stem.Compound()}))
	}
	return a
}

// direct is what the patterns say of a field. An empty object, and Name, as which Salesforce
// answers records that a relation to several objects leads to, may be any.
func (h *Hiding) direct(f Field) (a Action) {
	if f.Object == "" || f.Object == "name" {
		for hidden, action := range h.exact {
			if hidden.Name == f.Name || hidden.Name == reach.Unqualified(f.Name) {
				a = max(a, action)
			}
		}
		f.Object = ""
	} else if a = h.exact[f]; a != Dropped {
		a = max(a, h.exact[Field{Object: reach.Unqualified(f.Object), Name: reach.Unqualified(f.Name)}])
	}
	for _, g := range h.globs {
		if g.action > a && g.matches(f) {
			a = g.action
		}
	}
	return a
}

func (g globbed) matches(f Field) bool {
	object := f.Object == "" || reach.Glob(g.Object, f.Object) || reach.Glob(reach.Unqualified(g.Object), reach.Unqualified(f.Object))
	return object && (reach.Glob(g.Name, f.Name) || reach.Glob(reach.Unqualified(g.Name), reach.Unqualified(f.Name)))
}

// any says whether any field of an object is hidden, and how.
func (h *Hiding) any(object string) (a Action) {
	if object == "" {
		for _, action := range h.exact {
			a = max(a, action)
		}
	}
	a = max(a, h.objects[object], h.objects[reach.Unqualified(object)])
	for _, g := range h.globs {
		if object == "" || reach.Glob(g.Object, object) || reach.Glob(reach.Unqualified(g.Object), reach.Unqualified(object)) {
			a = max(a, g.action)
		}
	}
	return a
}
