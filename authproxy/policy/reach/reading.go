package reach

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Refusal is why arguments are refused: one plain sentence for the caller, which
// never repeats an argument, so that it may be logged.
type Refusal struct {
	Text string
	kind string // without the place in the arguments; "": Text has none
}

// Error is the same for all refusals of one kind.
func (r *Refusal) Error() string { return Refused + ": " + cmp.Or(r.kind, r.Text) }

// Refused is how the reason of a denial begins whose arguments could not be read.
const Refused = "arguments refused"

func refuse(text string) *Refusal { return &Refusal{Text: text} }

// most bounds what one call may reach, and the members of one object in its arguments: more
// is never needed for one call, and every rule is asked about all of it.
const most = 2000

var (
	tooManyFields  = refuse("The call names too many fields; make several calls of at most 2000 fields.")
	tooManyMembers = refuse("An object in the arguments has too many members; at most 2000 are taken, and 20000 in all objects together.")
)

// reading is one call being read.
type reading struct {
	Value
	at             Place            // where what is reached stands
	seen           map[reached]bool // made when there are more than few
	objects        map[string]bool  // the same of objects, by name in lower case
	recordArgument string           // that holds a record; "": body
	full           bool             // more than most was reached
	done           Class            // what a call of the class Admin does; "" or Unknown: nobody knows
	narrowed       []Class          // of which classes a call may be whose class nobody knows, as far as it says

	room struct { // for what most calls reach
		objects [4]Object
		fields  [8]Field
	}
}

// newReading returns a reading of which nothing is reached yet.
func newReading(s *Schema) *reading {
	f := &reading{Value: Value{schema: s}}
	f.Objects, f.Fields = f.room.objects[:0], f.room.fields[:0]
	return f
}

// reached is a field in one clause, in lower case.
type reached struct {
	object, name string
	clause       Clause
	refers       bool
}

// few is how many are compared one by one, without a map.
const few = 24

// in says where what is reached next stands.
func (f *reading) in(clause Clause, argument string, offset int, names ...string) {
	f.at = Place{clause, argument, names, offset}
}

// nowhere is the offset of what stands outside of queries.
const nowhere = -1

// unknown marks that objects, and with fields their fields, are reached that cannot be
// determined, and where.
func (f *reading) unknown(fields bool) {
	f.Opaque = true
	f.OpaqueFields = f.OpaqueFields || fields
	if len(f.Unknown) < few && f.at.Clause != "" {
		f.Unknown = append(f.Unknown, f.at)
	}
}

// reach adds an object; UnknownObject makes the value opaque.
func (f *reading) reach(object string) {
	if object == UnknownObject {
		f.unknown(false)
		return
	}
	if len(f.Objects) >= most {
		f.full = true
		return
	}
	if f.firstObject(object) {
		f.Objects = append(f.Objects, Object{spelling(object), f.at})
	}
}

func (f *reading) firstObject(object string) bool {
	if f.objects == nil {
		for i := range f.Objects {
			if strings.EqualFold(f.Objects[i].Name, object) {
				return false
			}
		}
		if len(f.Objects) < few {
			return true
		}
		f.objects = make(map[string]bool)
		for i := range f.Objects {
			f.objects[strings.ToLower(f.Objects[i].Name)] = true
		}
	}
	object = strings.ToLower(object)
	if f.objects[object] {
		return false
	}
	f.objects[object] = true
	return true
}

// record adds a record of an object. One that is made has no id yet.
func (f *reading) record(c Class, object, id string) {
	f.Records = append(f.Records, Record{c, object, id})
}

// reachField adds a field of an object, which may be UnknownObject.
func (f *reading) reachField(object, name string) {
	if object == UnknownObject {
		object = ""
	}
	if !f.first(object, name) {
		return
	}
	if len(f.Fields) >= most {
		f.full = true
		return
	}
	f.Fields = append(f.Fields, Field{Object: object, Name: name, At: f.at})
}

// reachAll adds what FIELDS(…) answers of an object: all its fields, or the standard ones.
func (f *reading) reachAll(object string, standard bool) {
	for i := range f.Fields {
		if of := &f.Fields[i]; of.Name == Whole && of.At.Clause == f.at.Clause && strings.EqualFold(of.Object, object) {
			of.Standard = of.Standard && standard
			return
		}
	}
	before := len(f.Fields)
	if f.reachField(object, Whole); len(f.Fields) > before && object != UnknownObject {
		f.Fields[before].Standard = standard && withStandardFields(object)
	}
}

// withStandardFields reports whether it is known which fields of an object count as standard: of
// sObjects of the org, not of objects of other systems.
func withStandardFields(object string) bool {
	name := strings.ToLower(object)
	return !strings.Contains(name, "__") || strings.HasSuffix(name, "__c")
}

// HoldsStandard reports whether what a field shows is all of a record but for custom fields: of its own
// object, or of the contact and the account that one person is.
func (f *Field) HoldsStandard(shown Ref) bool {
	return f.Standard && (shown.Name == Whole || shown.Name == Persons) &&
		(strings.EqualFold(shown.Object, f.Object) || isPerson(f.Object) && isPerson(shown.Object))
}

// IsCustom reports whether every field is custom that has a name, or matches a pattern, that ends like
// this: fields of the org's own and of packages, those of persons, and parts of addresses and places among them.
func IsCustom(name string) bool {
	return slices.ContainsFunc([]string{"__c", "__pc", "__s"}, func(suffix string) bool {
		return len(name) > len(suffix) && strings.EqualFold(name[len(name)-len(suffix):], suffix)
	})
}

// first reports whether a field is reached for the first time in this clause.
func (f *reading) first(object, name string) bool {
	refers := f.at.Refers()
	if f.seen == nil {
		for i := range f.Fields {
			if at := &f.Fields[i]; at.At.Clause == f.at.Clause && strings.EqualFold(at.Name, name) && strings.EqualFold(at.Object, object) && at.At.Refers() == refers {
				return false
			}
		}
		if len(f.Fields) < few {
			return true
		}
		f.seen = make(map[reached]bool)
		for _, at := range f.Fields {
			f.seen[reached{strings.ToLower(at.Object), strings.ToLower(at.Name), at.At.Clause, at.At.Refers()}] = true
		}
	}
	key := reached{strings.ToLower(object), strings.ToLower(name), f.at.Clause, refers}
	if f.seen[key] {
		return false
	}
	f.seen[key] = true
	return true
}

// reachWhole adds an object with all its fields.
func (f *reading) reachWhole(object string) {
	f.reach(object)
	f.reachField(object, Whole)
}

// multiply returns a × b, or Unlimited if that is too much.
func multiply(a, b int) int {
	if a == 0 || b == 0 {
		return 0
	}
	if a > math.MaxInt/b {
		return Unlimited
	}
	return a * b
}

// add returns a + b, or Unlimited if that is too much.
func add(a, b int) int {
	if a > math.MaxInt-b {
		return Unlimited
	}
	return a + b
}
