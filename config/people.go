package config

import (
	"fmt"
	"slices"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/salesforce"
)

func (v *validator) groups() {
	seen := map[string]bool{}
	for i, g := range v.c.Groups {
		if g.Name == "" || g.Name == access.Everyone || seen[g.Name] {
			v.add(fmt.Sprintf("groups[%d].name", i), quote(g.Name), "a name of its own, not \"*\"")
		}
		seen[g.Name] = true
		if len(g.Members) == 0 {
			v.add(fmt.Sprintf("groups[%d].members", i), "nothing", "at least one member")
		}
		for j, m := range g.Members {
			v.person(fmt.Sprintf("groups[%d].members[%d]", i, j), m)
		}
	}
}

// person checks what names a user. An id whose checksum is wrong is one that was mistyped:
// it would quietly stand for nobody.
func (v *validator) person(key, who string) {
	if username.MatchString(who) {
		return
	}
	if _, err := salesforce.ParseUserID(who); err != nil {
		v.add(key, quote(who)+" ("+err.Error()+")", "a Salesforce user id (005…, as Salesforce writes it) or username (name@company.example)")
	}
}

func (v *validator) hasGroup(name string) bool {
	return slices.ContainsFunc(v.c.Groups, func(g Group) bool { return g.Name == name })
}
