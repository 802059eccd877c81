package policy

import "strings"

// Approvers says who must agree to a call: [Requester], or the holders of a role,
// "role:NAME". This is its one grammar: the configuration writes it so, approvals store it,
// and lists show it.
type Approvers string

// Requester is the user in whose name the call is made.
const Requester Approvers = "requester"

const rolePrefix = "role:"

// Role returns the role whose holders must agree; "" for the requester, and for what is
// not valid.
func (a Approvers) Role() string {
	role, ok := strings.CutPrefix(string(a), rolePrefix)
	if !ok || !validWord(role) {
		return ""
	}
	return role
}

// Valid reports whether a names somebody.
func (a Approvers) Valid() bool { return a == Requester || a.Role() != "" }
