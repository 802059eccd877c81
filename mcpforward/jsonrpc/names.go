package jsonrpc

import (
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// names are the member names that the protocol reads in one object, with those
// below them; nil below where what follows is not the protocol's.
type names map[string]names

// paramNames are the names that MCP reads in the params of any method of the
// versions spoken here. They are not kept apart by method: a lookalike of another
// method's name has no honest use either. What lies below arguments belongs to
// the tool.
var paramNames = names{
	"name": nil, "arguments": nil, "uri": nil, "cursor": nil,
	"protocolVersion": nil, "capabilities": capabilityNames, "clientInfo": clientInfoNames,
	"ref": {"type": nil, "name": nil, "uri": nil}, "argument": {"name": nil, "value": nil}, "context": {"arguments": nil},
	"level": nil, "task": {"ttl": nil}, "taskId": nil,
	"requestId": nil, "reason": nil, "progressToken": nil, "progress": nil, "total": nil, "message": nil,
	"requestState": nil, "inputResponses": nil,
	"notifications": {"toolsListChanged": nil, "promptsListChanged": nil, "resourcesListChanged": nil, "resourceSubscriptions": nil},
	"_meta": {
		"progressToken": nil, "traceparent": nil, "tracestate": nil, "baggage": nil,
		"io.modelcontextprotocol/protocolVersion":          nil,
		"io.modelcontextprotocol/clientInfo":               clientInfoNames,
		"io.modelcontextprotocol/clientCapabilities":       capabilityNames,
		"io.modelcontextprotocol/logLevel":                 nil,
		"io.modelcontextprotocol/subscriptionId":           nil,
		"io.modelcontextprotocol/authorization-context-id": nil,
	},
}

var clientInfoNames = names{"name": nil, "version": nil, "title": nil}

var capabilityNames = names{
	"roots": nil, "sampling": nil, "tasks": nil, "experimental": nil,
	"elicitation": {"form": nil, "url": nil},
	"extensions":  {"io.modelcontextprotocol/ui": nil, "io.modelcontextprotocol/tasks": nil, "io.modelcontextprotocol/structured-authorization-denials": nil},
}

// folded holds, for each protocol name, what a lookalike of it folds to.
var folded = func() map[string]bool {
	set := map[string]bool{}
	var add func(names)
	add = func(n names) {
		for name, below := range n {
			set[fold(name)] = true
			add(below)
		}
	}
	add(paramNames)
	return set
}()

// lookalike reports whether some member name of v, or of the objects below it
// that the protocol reads, is not a protocol name of its place but folds to one.
func lookalike(v jsontext.Value, known names) bool {
	o, err := ParseObject(v)
	if err != nil {
		return false // not an object: no names to read
	}
	for _, m := range o.members {
		below, exact := known[m.name]
		if !exact && folded[fold(m.name)] && resembles(m.name, known) {
			return true
		}
		if below != nil && lookalike(m.value, below) {
			return true
		}
	}
	return false
}

// Lookalike reports whether o has a member that is not one of the names but could be taken for one by a
// lenient reader: in another case, in full-width letters, with invisible characters.
func (o Object) Lookalike(names ...string) bool {
	return slices.ContainsFunc(o.members, func(m member) bool { return m.isLike(names) })
}

// DeleteLookalikes takes the members out of o by which [Object.Lookalike] says so.
func (o *Object) DeleteLookalikes(names ...string) {
	o.members = slices.DeleteFunc(slices.Clone(o.members), func(m member) bool { return m.isLike(names) })
}

// isLike reports whether a member has none of the names, and one that folds to one of them.
func (m *member) isLike(names []string) bool {
	if slices.Contains(names, m.name) {
		return false
	}
	if !strings.ContainsFunc(m.name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) { // as most are
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, m.name) })
	}
	f := fold(m.name)
	return slices.ContainsFunc(names, func(name string) bool { return fold(name) == f })
}

func resembles(name string, known names) bool {
	f := fold(name)
	for k := range known {
		if fold(k) == f {
			return true
		}
	}
	return false
}

// fold maps a name to what the most lenient reader could take it for:
// compatibility forms (full-width letters, U+017F, U+212A) decomposed, case
// removed, control, format and space characters removed. It decides only what is
// refused, so folding too much is safe.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.C, unicode.Z, unicode.Variation_Selector) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, norm.NFKD.String(name))
}

// unprintable reports whether name has a control character, or a space or
// invisible character at one of its ends.
func unprintable(name string) bool {
	if strings.ContainsFunc(name, unicode.IsControl) {
		return true
	}
	return name != strings.TrimFunc(name, func(r rune) bool {
		return unicode.In(r, unicode.Cf, unicode.Z, unicode.Variation_Selector)
	})
}
