package records

import (
	"slices"
	"strings"
)

// User is the person who reads and writes. The zero value of the permissions sees and
// may do everything.
type User struct {
	ID       string // 18 characters, 005…
	Username string
	Name     string
	Email    string
	Profile  string
	Role     string
	Manager  string // the manager's name
	Timezone string // IANA name
	Frozen   bool   // shown in the User record; who calls is not checked here

	ReadOnly      bool     // no object may be created, changed or deleted
	HiddenObjects []string // API names of objects that the user cannot see
	HiddenFields  []string // "Object.Field", or "Field" of any object, that field-level security hides from the user
}

// canSee reports whether the user has read permission on the object.
func canSee(u *User, s *objectSchema) bool {
	return !slices.ContainsFunc(u.HiddenObjects, func(n string) bool { return strings.EqualFold(n, s.Name) })
}

// canSeeField reports whether field-level security lets the user read the field.
func canSeeField(u *User, s *objectSchema, f *fieldSchema) bool {
	return !slices.ContainsFunc(u.HiddenFields, func(n string) bool {
		return strings.EqualFold(n, s.Name+"."+f.Name) || strings.EqualFold(n, f.Name)
	})
}

// visibleObject finds an object that the user may know of. An object that is hidden and
// one that does not exist are the same to the user.
func (v *View) visibleObject(name string) (*objectSchema, *Error) {
	if s := v.d.schema.object(name); s != nil && canSee(v.u, s) {
		return s, nil
	}
	return nil, Refuse("NOT_FOUND", "The requested resource does not exist")
}

// visibleField finds a field of the object that the user may know of; nil means there is none.
func visibleField(u *User, s *objectSchema, name string) *fieldSchema {
	if f := s.field(name); f != nil && canSeeField(u, s, f) {
		return f
	}
	return nil
}

// visibleFields are the fields that a describe shows to the user.
func visibleFields(u *User, s *objectSchema) []*fieldSchema {
	return slices.DeleteFunc(slices.Clone(s.Fields), func(f *fieldSchema) bool { return !canSeeField(u, s, f) })
}

// shownName is the name of a record for a user who may see the name field; null for others.
func (v *View) shownName(r *record) any {
	if visibleField(v.u, r.object, r.object.NameField) == nil {
		return nil
	}
	return orNull(v.d.nameOf(r))
}

// writable checks that the user has create, edit and delete permission on the object.
func writable(u *User, s *objectSchema) *Error {
	if u.ReadOnly || s.SetupOnly {
		return Refuse("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object %s", s.Name)
	}
	return nil
}
