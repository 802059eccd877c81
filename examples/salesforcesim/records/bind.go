package records

import (
	"fmt"
	"slices"
	"strings"
)

// scope is what an expression is read from: a record, or a group of records.
type scope struct {
	r *record
	g *group
}

// test tells whether a record or a group meets a condition.
type test func(scope) bool

// binder compares the names of a query with what the user may see of one object.
type binder struct {
	*View
	text    string
	object  *objectSchema
	aliases map[string][]*fieldSchema // in lower case → the parents behind it

	filtered map[string]bool // fields that a condition looks at
	joins    int             // semi-joins so far
	inOr     int             // depth of ORs around what is being bound
	inJoin   bool            // this is the query of a semi-join
}

// relatedName is the object behind a reference that may point at several objects: only
// what all of them have can be read through it.
var relatedName = &objectSchema{Name: "Name", NameField: "Name", Fields: []*fieldSchema{
	{Name: "Id", Type: typeID}, {Name: "Name", Type: typeString}, {Name: "Type", Type: typeString},
}}

// column is a field at the end of a chain of references.
type column struct {
	hops  []*fieldSchema
	owner *objectSchema // of the field
	field *fieldSchema
}

// read returns the value of the column of a record; nil means null.
func (c column) read(v *View, r *record) any {
	for _, hop := range c.hops {
		if r = v.follow(r, hop); r == nil {
			return nil
		}
	}
	return v.fieldValue(r, c.owner, c.field)
}

// key is the same for two columns that are the same field.
func (c column) key() string {
	var b strings.Builder
	for _, hop := range c.hops {
		b.WriteString(hop.Rel + ".")
	}
	return strings.ToLower(b.String() + c.field.Name)
}

// follow goes to the record a reference points at, unless the user may not see its object.
func (v *View) follow(r *record, hop *fieldSchema) *record {
	p := v.d.parentOf(r, hop)
	if p == nil || !canSee(v.u, p.object) {
		return nil
	}
	return p
}

func (v *View) fieldValue(r *record, owner *objectSchema, f *fieldSchema) any {
	if owner == relatedName {
		return map[string]any{"Id": r.id, "Name": v.shownName(r), "Type": r.object.Name}[f.Name]
	}
	return v.d.value(r, f)
}

// alias notes the names that FROM gives to the object and its parents.
func (b *binder) alias(n *queryNode) *Error {
	b.aliases = map[string][]*fieldSchema{}
	if n.alias != "" {
		b.aliases[strings.ToLower(n.alias)] = nil
	}
	for _, a := range n.aliases {
		hops, _, rest, refused := b.walk(a.path)
		if refused == nil {
			hops, _, refused = b.step(hops, b.end(hops), rest)
		}
		if refused != nil {
			return refused
		}
		b.aliases[strings.ToLower(a.name)] = hops
	}
	return nil
}

// end is the object that a chain of references leads to.
func (b *binder) end(hops []*fieldSchema) *objectSchema {
	if len(hops) == 0 {
		return b.object
	}
	return b.target(hops[len(hops)-1])
}

// maxLevels is how many relationships a path may follow.
const maxLevels = 5

// walk follows all steps of a path but the last.
func (b *binder) walk(path pathNode) (hops []*fieldSchema, owner *objectSchema, last queryToken, refused *Error) {
	start, steps := path[0], path[:len(path)-1]
	if alias, ok := b.aliases[strings.ToLower(start.text)]; ok && len(steps) > 0 {
		hops, steps = slices.Clone(alias), steps[1:]
	} else if len(steps) > 0 && start.is(b.object.Name) && b.object.parent(start.text) == nil {
		steps = steps[1:]
	}
	owner = b.end(hops)
	for _, step := range steps {
		if hops, owner, refused = b.step(hops, owner, step); refused != nil {
			return nil, nil, last, refused
		}
	}
	if len(hops) > maxLevels {
		return nil, nil, last, refuseAt("MALFORMED_QUERY", b.text, start.at, fmt.Sprintf("a path follows at most %d relationships", maxLevels))
	}
	return hops, owner, path[len(path)-1], nil
}

// step follows one relationship.
func (b *binder) step(hops []*fieldSchema, owner *objectSchema, name queryToken) ([]*fieldSchema, *objectSchema, *Error) {
	hop := owner.parent(name.text)
	if hop == nil || !canSeeField(b.u, owner, hop) || b.target(hop) == nil {
		return nil, nil, refuseAt("INVALID_FIELD", b.text, name.at, fmt.Sprintf("Didn't understand relationship '%s' in field path.", name.text))
	}
	return append(hops, hop), b.target(hop), nil
}

// column resolves a path of names.
func (b *binder) column(path pathNode) (column, *Error) {
	hops, owner, last, refused := b.walk(path)
	if refused != nil {
		return column{}, refused
	}
	c := column{hops: hops, owner: owner, field: visibleField(b.u, owner, last.text)}
	if c.field == nil {
		return c, refuseAt("INVALID_FIELD", b.text, last.at, fmt.Sprintf("No such column '%s' on entity '%s'.", last.text, owner.Name))
	}
	return c, nil
}

// target is the object behind a reference, as far as the user may see it.
func (b *binder) target(hop *fieldSchema) *objectSchema {
	if len(hop.RefTo) > 1 {
		return relatedName
	}
	if s := b.d.schema.object(hop.RefTo[0]); canSee(b.u, s) {
		return s
	}
	return nil
}
