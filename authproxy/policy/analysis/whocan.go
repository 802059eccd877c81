package analysis

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy"
)

// Possible is a group of calls that may pass.
type Possible struct {
	Calls
	Ways Ways
}

// WhoCan returns who may make calls of a class that reach an object, and how. An empty
// object stands for all, an empty class too.
func WhoCan(s Server, people People, class policy.Class, object string) []Possible {
	c := casesOf(s, people)
	c.some = object != ""
	if object != "" && !slices.ContainsFunc(c.targets.named, func(t target) bool { return reaches(t, object) }) {
		named := c.targets.named
		c.targets.named = nil
		c.targets.add([]string{object}, nil)
		c.targets.named = append(c.targets.named, named...) // what was asked about comes first
	}
	wanted := func(group tools, t target) bool {
		if class != "" && group.class != class || !single(group, t) {
			return false
		}
		return object == "" || reaches(t, object) || slices.Contains(t.Objects, policy.UnknownObject)
	}
	return c.possible(s, wanted)
}

// WhoCanCall returns who may call a tool, or use a prompt:NAME or resource:URI, and how.
func WhoCanCall(s Server, people People, tool string) []Possible {
	c := casesOf(s, people)
	name := tool
	if !slices.ContainsFunc(c.tools, func(group tools) bool { return slices.Contains(group.names, tool) }) {
		switch { // nothing names it
		case strings.HasPrefix(tool, "prompt:"):
			name = otherPrompt
		case strings.HasPrefix(tool, "resource:"):
			name = otherResource
		default:
			name = otherTool
		}
	}
	all := c.possible(s, func(group tools, t target) bool { return slices.Contains(group.names, name) && single(group, t) })
	for i := range all {
		all[i].Tools = []string{labelOf(tool)}
	}
	return all
}

// possible are the calls that are wanted and may pass.
func (c *cases) possible(s Server, wanted func(tools, target) bool) []Possible {
	var ways []Ways
	grouped := c.group(wanted, func(u Users, tool string, t target) (string, int) {
		w := decide(s.Policy, u.now.Principal, tool, t.Reached)
		if w.most() == 0 {
			return "", 0
		}
		ways = append(ways, w)
		return w.key() + w.Rules(), len(ways) - 1
	})
	all := make([]Possible, len(grouped))
	for i, f := range grouped {
		all[i] = Possible{f.Calls, ways[f.of]}
	}
	return all
}

func reaches(t target, object string) bool {
	return len(t.Objects) == 1 && strings.EqualFold(t.Objects[0], object)
}
