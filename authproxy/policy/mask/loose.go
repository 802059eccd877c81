package mask

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// looseNames are the names by which members of objects are hidden of which nobody says what
// record they are, such as what an Apex action answers: SSN__c of Contact hides ssn, SSN__c
// and contactSsn.
type looseNames struct {
	exact map[string]Action
	globs []looseGlob
}

type looseGlob struct {
	pattern string
	action  Action
}

func (l *looseNames) init() { l.exact = map[string]Action{} }

func (l *looseNames) add(object, name string, a Action) {
	names := []string{looseName(name)}
	switch {
	case name == "name":
		names = append(names, reach.NameParts...)
	case slices.Contains(reach.NameParts, name):
		names = append(names, "name")
	}
	if stem, ok := strings.CutSuffix(name, "address"); ok {
		for _, part := range reach.AddressParts {
			names = append(names, stem+part)
		}
	}
	for _, n := range names {
		for _, pattern := range []string{n, looseName(object) + n} {
			if strings.ContainsAny(pattern, "*?") {
				l.globs = append(l.globs, looseGlob{pattern, a})
			} else {
				l.exact[pattern] = max(l.exact[pattern], a)
			}
		}
	}
}

// of says what happens to a member of such an object.
func (l *looseNames) of(member string) Action {
	member = strings.ToLower(member)
	a := l.named(looseName(member))
	if strings.HasSuffix(member, "__s") {
		if stem, ok := reach.PartOf(member); ok {
			a = max(a, l.named(looseName(stem.Compound())))
		}
	}
	return a
}

// named says what happens to members of a name.
func (l *looseNames) named(name string) Action {
	a := l.exact[name]
	for _, g := range l.globs {
		if g.action > a && reach.Glob(g.pattern, name) {
			a = g.action
		}
	}
	return a
}

// looseName is a name in lower case without what tells the spellings of Salesforce, of Apex
// and of programs apart.
func looseName(name string) string {
	name = reach.Unqualified(name)
	for _, suffix := range []string{"__c", "__pc", "__s"} {
		if without, ok := strings.CutSuffix(name, suffix); ok {
			name = without
			break
		}
	}
	return strings.ReplaceAll(name, "_", "")
}
