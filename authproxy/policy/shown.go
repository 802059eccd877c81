package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Shown is what an org shows one user. What is nil is not compared.
type Shown struct {
	Tools   []string            // of all servers that the policy stands in front of
	Objects []string            // API names
	Fields  map[string][]string // API names, by that of their object in lower case
}

// NamedObjects returns the objects that rules name without a pattern, each once, in lower
// case, and those of them whose fields rules name.
func (p *Policy) NamedObjects() (all, ofFields []string) {
	add := func(list []string, object string) []string {
		if object = strings.ToLower(object); isPattern(object) || slices.Contains(list, object) {
			return list
		}
		return append(list, object)
	}
	for i := range p.Rules {
		for j := range keys {
			k := &keys[j]
			if k.names != kindObjects && k.names != kindFields {
				continue
			}
			for _, value := range k.values(&p.Rules[i]) {
				object, field, _ := strings.Cut(value, ".")
				all = add(all, object)
				if k.names == kindFields && !isPattern(field) {
					ofFields = add(ofFields, object)
				}
			}
		}
	}
	return all, ofFields
}

// Unshown returns the names in rules that the org does not show, each with the shown name
// that is nearest. A tool that the catalogue knows may be denied before a server has it. A
// pattern for objects or fields may be about what comes later, so it is returned only if it
// resembles a name that is shown.
func (p *Policy) Unshown(s Shown) []Problem {
	c := &problems{}
	for i := range p.Rules {
		c.rule = i
		for j := range keys {
			c.compare(&keys[j], &p.Rules[i], s)
		}
	}
	return c.list
}

// compare adds the names in one key of a rule that are not shown.
func (c *problems) compare(k *key, r *Rule, s Shown) {
	if k.names == kindOther {
		return
	}
	for i, value := range k.values(r) {
		at := fmt.Sprintf("%s[%d]", k.name, i)
		switch k.names {
		case kindTools:
			c.unlisted(at, value, s.Tools)
		case kindObjects:
			c.unshown(at, value, value, s.Objects)
		case kindFields:
			object, field, _ := strings.Cut(value, ".")
			if !c.unshown(at, value, object, s.Objects) {
				c.unshown(at, value, field, s.Fields[strings.ToLower(object)])
			}
		}
	}
}

// unlisted adds a tool that no server lists. Prompts and resources are in other lists.
func (c *problems) unlisted(key, pattern string, listed []string) {
	matches := func(name string) bool { return reach.Glob(pattern, name) }
	if listed == nil || reach.OtherKind(pattern) != "" || slices.ContainsFunc(listed, matches) || slices.ContainsFunc(toolNames(false), matches) {
		return
	}
	c.add(key, strconv.Quote(pattern), meant(pattern, listed))
}

// unshown adds a path whose part, an object or a field, is not among the names, and
// reports whether it did.
func (c *problems) unshown(key, path, part string, names []string) bool {
	if names == nil || slices.ContainsFunc(names, func(name string) bool { return globFold(part, name) }) {
		return false
	}
	question := meant(part, names)
	if question == "" && isPattern(part) {
		return false
	}
	c.add(key, strconv.Quote(path), question)
	return true
}
