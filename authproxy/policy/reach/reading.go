package reach

import (
	"cmp"
	"math"
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
	f.Fields = append(f.Fields, Field{object, name, f.at})
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
