package policy

import (
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// textDenied is what a caller learns about a denial by rules that no part of the call explains.
const textDenied = "This call is not allowed with these arguments by the rules of your organization."

// textAbout begins the sentence that names the part of the call that cannot pass.
const textAbout = "This call is not allowed by the rules of your organization: "

// schemaTool names the fields of objects, and textSchema says why it cannot pass by a rule that lists
// some fields.
const (
	schemaTool = "getObjectSchema"
	textSchema = textAbout + "a schema names all fields of an object, and only some can pass. Ask for those that you need in a query."
)

const cannotPass = " cannot pass."

// partDenied names the part of the call because of which a rule that denies matched. It says
// nothing of the rule.
func (c *ready) partDenied(q *question) string {
	v := q.reach
	if len(c.Objects) > 0 {
		for _, o := range v.Objects {
			if c.speaksOf(reach.AppendShownObjects(nil, o.Name)) {
				return textAbout + part(o.At) + cannotPass
			}
		}
		for i := range v.Fields {
			for _, copied := range copiesIn(v, i) {
				if c.speaksOf([]string{copied.Object}) {
					return textAbout + part(v.Fields[i].At) + cannotPass
				}
			}
		}
		if text := partUnknown(v); text != "" {
			return text
		}
	}
	if len(c.Fields) > 0 {
		for i := range v.Fields {
			f := &v.Fields[i]
			one := question{reach: v.FieldAlone(i), index: q.index}
			if one.anyField(c) {
				return textAbout + part(f.At) + cannotPass
			}
		}
		if text := partUnknown(v); text != "" {
			return text
		}
	}
	return textDenied
}

// speaksOf reports whether the rule names one of the objects.
func (c *ready) speaksOf(objects []string) bool {
	return slices.ContainsFunc(objects, func(object string) bool {
		return object == reach.UnknownObject || strings.HasPrefix(object, "*") ||
			slices.ContainsFunc(c.Objects, func(pattern string) bool { return Denies(pattern, object) })
	})
}

// partUnlisted names the part of the call because of which a rule that lets pass did not match.
func (c *ready) partUnlisted(q *question) string {
	v := q.reach
	if c.Fields != nil && q.tool == schemaTool && (c.Objects == nil || c.reachesObjects(q)) {
		return textSchema
	}
	if c.Objects != nil && !c.reachesObjects(q) {
		if i := c.unlistedObject(v); i >= 0 {
			return textAbout + part(v.Objects[i].At) + cannotPass
		}
	} else if i := c.unlistedField(v); i >= 0 {
		return textAbout + part(v.Fields[i].At) + cannotPass
	}
	if text := partUnknown(v); text != "" {
		return text
	}
	return textDenied
}

// partAdmin says why a call that no rule lets pass is one of the class admin, where that is because
// a relation may lead to a user; the schema, once asked for, tells where it does.
func partAdmin(v *reach.Value) string {
	if len(v.Unknown) > 0 && v.Unknown[0].Clause == reach.Relation {
		return partUnknown(v)
	}
	return textDenied
}

// partOfClass names the part of the call that gives it its class, where without that it would
// pass: a clause that leaves a trace, a request or an operation that is no read, an object by
// which the org is administered.
func (c *compiled) partOfClass(q *question, usual Class) string {
	v := q.reach
	what, milder := "", Read
	switch at, administers := v.Administers(); {
	case v.Class == SideEffect && (v.Query != nil || v.Search != nil):
		what = "a clause that leaves a trace (FOR VIEW, FOR REFERENCE, FOR UPDATE, UPDATE TRACKING, UPDATE VIEWSTAT)"
	case v.Class != Read && v.Argument == "url":
		what = "what the method and the url ask for"
	case v.Class != Read && v.Argument == "toolName":
		what = "the operation that toolName names"
	case v.Class == Admin && administers:
		what, milder = part(at), usual
	default:
		return textDenied
	}
	other := *v
	other.Class, other.Besides = milder, nil
	d := Decision{Effect: Deny}
	c.walk(&question{who: q.who, tool: q.tool, reach: &other, index: q.index, call: q.call, compiled: c, outside: q.outside}, &d)
	if d.Effect == Deny {
		return textDenied
	}
	return textAbout + what + cannotPass
}

// partUnknown names the part of the call that leads nobody knows where, "" if none is.
func partUnknown(v *reach.Value) string {
	switch {
	case len(v.Unknown) > 0 && (len(v.Unknown[0].Names) > 0 || v.Unknown[0].Clause == reach.Parameter):
		return textAbout + "where " + part(v.Unknown[0]) + " leads to is not known."
	case v.Opaque || v.OpaqueFields:
		return textAbout + "what it reaches cannot be told from its arguments."
	}
	return ""
}

// clauseTexts are the clauses in words. Those that are missing are said as SQL has them.
var clauseTexts = map[reach.Clause]string{
	reach.Select: "the field list", reach.Find: "what the search looks into", reach.Named: "the arguments",
	reach.Relation: "the relationship path", reach.Body: "the record in body", reach.Path: "the url",
}

// part says where in the call something stands: "Owner.Name in the field list (character 12)".
func part(at reach.Place) string {
	if at.Clause == reach.Parameter {
		return "a parameter that is not known here"
	}
	where, ok := clauseTexts[at.Clause]
	if !ok {
		where = strings.ToUpper(string(at.Clause))
	}
	if len(at.Names) == 0 {
		return where
	}
	text := shortened(strings.Join(at.Names, ".")) + " in " + where
	if at.Offset >= 0 {
		text += fmt.Sprintf(" (character %d)", at.Offset+1)
	}
	return text
}

// shortened cuts names that nobody needs whole. They are names of the API, in ASCII.
func shortened(names string) string {
	const longest = 120
	if len(names) > longest {
		return names[:longest] + "…"
	}
	return names
}
