package salesforcesim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// apiError is a refusal as Salesforce's REST API words it: a sentence and a code.
type apiError struct {
	Message string   `json:"message"`
	Code    string   `json:"errorCode"`
	Fields  []string `json:"fields,omitempty"`
}

// Error returns the code and the sentence.
func (e *apiError) Error() string { return e.Code + ": " + e.Message }

// status is the HTTP status that the REST API sends with the error.
func (e *apiError) status() int {
	switch e.Code {
	case "NOT_FOUND", "ENTITY_IS_DELETED":
		return http.StatusNotFound
	case "INSUFFICIENT_ACCESS_OR_READONLY", "FUNCTIONALITY_NOT_ENABLED":
		return http.StatusForbidden
	case "METHOD_NOT_ALLOWED":
		return http.StatusMethodNotAllowed
	}
	return http.StatusBadRequest
}

func refuse(code, format string, args ...any) *apiError {
	return &apiError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// canSee reports whether the user has read permission on the object.
func canSee(u *User, s *objectSchema) bool {
	return !slices.ContainsFunc(u.HiddenObjects, func(n string) bool { return strings.EqualFold(n, s.Name) })
}

// canSeeField reports whether field-level security lets the user read the field.
// HiddenFields names a field as Object.Field, or as Field for every object that has one
// of this name.
func canSeeField(u *User, s *objectSchema, f *fieldSchema) bool {
	return !slices.ContainsFunc(u.HiddenFields, func(n string) bool {
		return strings.EqualFold(n, s.Name+"."+f.Name) || strings.EqualFold(n, f.Name)
	})
}

// visibleObject finds an object that the user may know of. An object that is hidden and
// one that does not exist are the same to the user.
func (d *dataset) visibleObject(u *User, name string) (*objectSchema, *apiError) {
	if s := d.schema.object(name); s != nil && canSee(u, s) {
		return s, nil
	}
	return nil, refuse("NOT_FOUND", "The requested resource does not exist")
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
func shownName(u *User, r *record) any {
	if visibleField(u, r.object, r.object.NameField) == nil {
		return nil
	}
	return orNull(r.name())
}

// writable checks that the user has create, edit and delete permission on the object.
func writable(u *User, s *objectSchema) *apiError {
	if u.ReadOnly || s.SetupOnly {
		return refuse("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object %s", s.Name)
	}
	return nil
}
