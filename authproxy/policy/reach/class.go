package reach

import "slices"

// Class is the effect that a call has in Salesforce.
type Class string

// The effect classes. SideEffect is a query that leaves traces (SOQL FOR VIEW,
// UPDATE TRACKING); Unknown is everything that is not known to be another class
// and counts as a write; Admin is what changes users, permissions, metadata, code or
// credentials, whatever else it is.
const (
	Read       Class = "read"
	SideEffect Class = "side_effect"
	Create     Class = "create"
	Update     Class = "update"
	Delete     Class = "delete"
	Unknown    Class = "unknown"
	Admin      Class = "admin"
)

// Classes lists every class, mildest first: the order of [Worse].
var Classes = []Class{Read, SideEffect, Create, Update, Delete, Unknown, Admin}

// Worse returns the graver of two classes; a class that does not exist is Unknown.
func Worse(a, b Class) Class {
	i, j := slices.Index(Classes, a), slices.Index(Classes, b)
	if i < 0 || j < 0 {
		return Unknown
	}
	return Classes[max(i, j)]
}
