package reach

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/soql"
)

// scope is what the names in one query stand for.
type scope struct {
	base    []string            // the object of FROM, or several if it is not certain
	further [][]string          // of the further items of FROM
	aliases map[string][]string // alias in lower case → objects; nil: none
	outer   *scope
}

// query adds what a query reaches. outer is the scope around a child subquery, nil
// for the query itself and for semi-joins, which name an object. clause is where it stands.
func (f *reading) query(q *soql.Query, outer *scope, clause Clause) {
	s := f.scope(q, outer)
	for i, src := range q.From {
		f.in(clause, f.Argument, src.Offset, src.Path...)
		objects := s.base
		if i > 0 {
			objects = s.further[i-1]
			if from, ok := s.aliases[strings.ToLower(src.Path[0])]; ok {
				f.up(from, src.Path[1:])
			}
		}
		for _, o := range objects {
			f.reach(o)
		}
	}
	for i := 0; i < len(q.Fields) && !f.full; i++ {
		in := Clause(q.Fields[i].Clause)
		if clause == Where && in == Select {
			in = Where // a semi-join answers nothing
		}
		f.path(s, &q.Fields[i], in)
	}
	for i := range q.TypeOfs {
		f.typeOf(s, &q.TypeOfs[i])
	}
	if q.AllFields {
		f.in(Select, f.Argument, q.From[0].Offset)
		for _, o := range s.base {
			f.reachAll(o, q.StandardFields)
		}
	}
	if q.Traces {
		f.Class = Worse(f.Class, SideEffect)
	}
	for _, child := range q.Children {
		f.query(child, s, From)
	}
	for _, join := range q.SemiJoins {
		f.query(join, nil, Where)
	}
}

// unknownObject stands for where a name leads of which nobody knows that.
var unknownObject = []string{UnknownObject}

// source returns the objects that an item of FROM stands for: the first is an
// object, or in a child subquery a child relation; further ones are relations of
// an earlier alias.
func (f *reading) source(s *scope, path []string, first bool) []string {
	switch {
	case first && s.outer == nil:
		if len(path) > 1 {
			return unknownObject
		}
		return []string{spelling(path[0])}
	case first:
		from, path := s.outer.start(path)
		if len(path) > 1 {
			return unknownObject
		}
		return f.all(from, path[0], f.schema.childrenOf)
	}
	from, ok := s.aliases[strings.ToLower(path[0])]
	if !ok || len(path) == 1 {
		return unknownObject
	}
	for _, relation := range path[1:] {
		from = f.all(from, relation, f.schema.parentsOf)
	}
	return from
}

// start resolves, for a child relation, an alias or the name of the query's own object at
// the head of a path.
func (s *scope) start(path []string) ([]string, []string) {
	if len(path) == 1 {
		return s.base, path
	}
	if aliased, ok := s.aliases[strings.ToLower(path[0])]; ok {
		return aliased, path[1:]
	}
	if s.isBase(path[0]) {
		return s.base, path[1:]
	}
	return []string{UnknownObject}, path[1:]
}

// isBase reports whether a name is that of the query's own object.
func (s *scope) isBase(name string) bool {
	return slices.ContainsFunc(s.base, func(o string) bool { return strings.EqualFold(o, name) })
}

// path adds a field and the relations that lead to it.
func (f *reading) path(s *scope, field *soql.Field, in Clause) {
	f.in(in, f.Argument, field.Offset, field.Path...)
	from, path := f.start(s, field.Path)
	if last := len(path) - 1; last > 0 && strings.EqualFold(path[last], "Type") && isPolymorphic(path[last-1]) {
		for _, o := range f.up(from, path[:last-1]) { // what kind of record it is, and nothing of the record
			f.reachField(o, foreignKey(path[last-1]))
		}
		return
	}
	for _, o := range f.up(from, path[:len(path)-1]) {
		f.reachField(o, path[len(path)-1])
	}
}

// isPolymorphic reports whether a relation leads to records of several objects, of which Type
// says the object (SOQL and SOSL Reference, polymorphic relationships).
func isPolymorphic(relation string) bool {
	return strings.EqualFold(relation, "Owner") || strings.EqualFold(relation, "Who") || strings.EqualFold(relation, "What")
}

// start resolves an alias or the name of the query's own object at the head of a
// path. An alias that is also the name of a known relation or object could be read
// either way and makes the path undeterminable.
func (f *reading) start(s *scope, path []string) ([]string, []string) {
	if len(path) == 1 {
		return s.base, path
	}
	if s.aliases != nil {
		if objects, ok := s.aliases[strings.ToLower(path[0])]; ok {
			if isRelation(path[0]) {
				f.unknown(false)
				return []string{UnknownObject}, path[1:]
			}
			return objects, path[1:]
		}
	}
	if s.isBase(path[0]) {
		return s.base, path[1:]
	}
	return s.base, path
}

// up follows relations to parents, adds the objects on the way and the fields that
// hold their ids, and returns where they lead.
func (f *reading) up(from, relations []string) []string {
	for _, relation := range relations {
		for _, o := range from {
			f.reachField(o, foreignKey(relation))
		}
		from = f.all(from, relation, f.schema.parentsOf)
		for _, o := range from {
			f.reach(o)
		}
	}
	return from
}

// typeOf adds a TYPEOF expression: the objects that it names, their fields, and
// with ELSE whatever else the relation leads to.
func (f *reading) typeOf(s *scope, c *soql.TypeOf) {
	f.in(Select, f.Argument, c.Offset, c.Path...)
	from, path := f.start(s, c.Path)
	last := len(path) - 1
	for _, o := range f.up(from, path[:last]) {
		f.reachField(o, foreignKey(path[last]))
	}
	for i := range c.Whens {
		w := &c.Whens[i]
		object := spelling(w.Object)
		f.in(Select, f.Argument, c.Offset, c.Path...)
		f.reach(object)
		for j := range w.Fields {
			f.path(&scope{base: []string{object}}, &w.Fields[j], Select)
		}
	}
	if c.Else == nil {
		return
	}
	f.in(Select, f.Argument, c.Offset, c.Path...)
	for _, object := range f.others(from, path[:last], path[last], c) {
		if object == UnknownObject {
			f.unknown(true)
			continue
		}
		f.reach(object)
		for j := range c.Else {
			f.path(&scope{base: []string{object}}, &c.Else[j], Select)
		}
	}
}

// others returns the objects to which the relation of a TYPEOF expression leads beside those
// that it names.
func (f *reading) others(from, before []string, relation string, c *soql.TypeOf) []string {
	for _, step := range before {
		from = f.all(from, step, f.schema.parentsOf)
	}
	all := f.all(from, relation, f.schema.parentsOf)
	return slices.DeleteFunc(slices.Clone(all), func(object string) bool {
		return slices.ContainsFunc(c.Whens, func(w soql.When) bool { return strings.EqualFold(w.Object, object) })
	})
}

// union appends the members of more that are not in list.
func union(list, more []string) []string {
	if list == nil {
		return more[:len(more):len(more)]
	}
	for _, s := range more {
		if !slices.ContainsFunc(list, func(have string) bool { return strings.EqualFold(have, s) }) {
			list = append(list, s)
		}
	}
	return list
}
