package mask

import (
	"slices"
	"strings"
)

// Action is what happens to a value in an answer.
type Action uint8

// The actions, mildest first.
const (
	Shown   Action = iota // it stays as it is
	Masked                // it is replaced by one of the same JSON type
	Dropped               // its member is taken out
)

// Field is a field of an object by its API names.
type Field struct{ Object, Name string }

// Every is the name of a [Field] that stands for all fields of the object.
const Every = "*"

// Copies says of which other fields a field shows the values: ContactHistory.NewValue those
// of every field of Contact, Account.PersonEmail that of Contact.Email. An empty object
// stands for any.
type Copies func(Field) []Field

// Hiding says which fields are hidden in answers. It may be used by several at a time.
type Hiding struct {
	copies  Copies
	exact   map[Field]Action // in lower case, with and without namespaces
	globs   []globbed
	objects map[string]Action // objects of which any field is hidden by its exact name
	loose   looseNames        // for objects of which nobody says what record they are
	partly  bool              // parts of compounds may be hidden
}

// globbed is a pattern with * or ?.
type globbed struct {
	Field  // in lower case
	action Action
}

// New returns what hides the fields of these patterns, "Contact.SSN__c" or globs like
// "*.Birthdate", without regard to case and namespaces. What is in both lists is dropped.
// copies may be nil.
func New(masked, dropped []string, copies Copies) *Hiding {
	h := &Hiding{copies: copies, exact: map[Field]Action{}, objects: map[string]Action{}}
	h.loose.init()
	for _, pattern := range masked {
		h.add(pattern, Masked)
	}
	for _, pattern := range dropped {
		h.add(pattern, Dropped)
	}
	return h
}

// Nothing reports whether no field is hidden.
func (h *Hiding) Nothing() bool { return len(h.exact) == 0 && len(h.globs) == 0 }

func (h *Hiding) add(pattern string, a Action) {
	object, name, _ := strings.Cut(strings.ToLower(pattern), ".")
	h.loose.add(object, name, a)
	_, part := compoundOf(name)
	h.partly = h.partly || part || strings.ContainsAny(name, "*?")
	if strings.ContainsAny(pattern, "*?") {
		h.globs = append(h.globs, globbed{Field{object, name}, a})
		return
	}
	for _, f := range []Field{{object, name}, {unqualified(object), unqualified(name)}} {
		h.exact[f] = max(h.exact[f], a)
		h.objects[f.Object] = max(h.objects[f.Object], a)
	}
}

// Of says what happens to the values of a field. What shows the value of a hidden field is
// hidden with it: a part of a hidden compound, the name of a person of whom a part of the name
// is hidden and the reverse, and copies in other objects. A compound of which only a part is
// hidden is not; see [Hiding.part].
func (h *Hiding) Of(f Field) Action {
	f = Field{strings.ToLower(f.Object), strings.ToLower(f.Name)}
	a := h.itself(f)
	if h.copies == nil || a == Dropped {
		return a
	}
	for _, other := range h.copies(f) {
		other = Field{strings.ToLower(other.Object), strings.ToLower(other.Name)}
		a = max(a, h.itself(other))
		if other.Name == Every {
			a = max(a, h.itself(Field{other.Object, f.Name}))
		}
		if other.Name == Every && (f.Name == "oldvalue" || f.Name == "newvalue") {
			a = max(a, h.any(other.Object))
		}
	}
	return a
}

// Reaches says of a field by which a call chooses, sorts or counts records what is hidden of
// it, which is more than of one that is answered: of a compound each part counts, and of
// [Every] field of an object each that is hidden.
func (h *Hiding) Reaches(f Field) Action {
	f = Field{strings.ToLower(f.Object), strings.ToLower(f.Name)}
	if f.Name == Every {
		a := h.any(f.Object)
		if h.copies != nil {
			for _, other := range h.copies(f) {
				a = max(a, h.any(strings.ToLower(other.Object)))
			}
		}
		return a
	}
	a := h.Of(f)
	if stem, ok := compoundStem(f.Name); ok {
		for _, part := range stem.parts() {
			a = max(a, h.Of(Field{f.Object, part}))
		}
	}
	return a
}

// itself is what happens to a field for its own sake, without copies.
func (h *Hiding) itself(f Field) Action {
	a := h.direct(f)
	switch {
	case f.Name == "name":
		for _, part := range nameParts {
			a = max(a, h.direct(Field{f.Object, part}))
		}
	case slices.Contains(nameParts, f.Name):
		a = max(a, h.direct(Field{f.Object, "name"}))
	}
	if compound, ok := compoundOf(f.Name); ok {
		a = max(a, h.direct(Field{f.Object, compound}))
	}
	return a
}

// direct is what the patterns say of a field. An empty object, and Name, as which Salesforce
// answers records that a relation to several objects leads to, may be any.
func (h *Hiding) direct(f Field) (a Action) {
	if f.Object == "" || f.Object == "name" {
		for hidden, action := range h.exact {
			if hidden.Name == f.Name || hidden.Name == unqualified(f.Name) {
				a = max(a, action)
			}
		}
		f.Object = ""
	} else if a = h.exact[f]; a != Dropped {
		a = max(a, h.exact[Field{unqualified(f.Object), unqualified(f.Name)}])
	}
	for _, g := range h.globs {
		if g.action > a && g.matches(f) {
			a = g.action
		}
	}
	return a
}

func (g globbed) matches(f Field) bool {
	object := f.Object == "" || glob(g.Object, f.Object) || glob(unqualified(g.Object), unqualified(f.Object))
	return object && (glob(g.Name, f.Name) || glob(unqualified(g.Name), unqualified(f.Name)))
}

// any says whether any field of an object is hidden, and how.
func (h *Hiding) any(object string) (a Action) {
	if object == "" {
		for _, action := range h.exact {
			a = max(a, action)
		}
	}
	a = max(a, h.objects[object], h.objects[unqualified(object)])
	for _, g := range h.globs {
		if object == "" || glob(g.Object, object) || glob(unqualified(g.Object), unqualified(object)) {
			a = max(a, g.action)
		}
	}
	return a
}
