package policy

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/soql"
)

// scope is what the names in one query stand for.
type scope struct {
	base    []string            // the object of FROM, or several if it is not certain
	aliases map[string][]string // alias in lower case → objects
	outer   *scope
}

// query adds what a query reaches. outer is the scope around a child subquery, nil
// for the query itself and for semi-joins, which name an object.
func (f *footprint) query(q *soql.Query, outer *scope) {
	s := &scope{aliases: make(map[string][]string), outer: outer}
	for i, src := range q.From {
		objects := f.source(s, src.Path, i == 0)
		if i == 0 {
			s.base = objects
		}
		if src.Alias != "" {
			s.aliases[strings.ToLower(src.Alias)] = objects
		}
		for _, o := range objects {
			f.reach(o)
		}
	}
	for _, named := range q.Fields {
		f.path(s, named.Path)
	}
	for _, c := range q.TypeOfs {
		f.typeOf(s, c)
	}
	if q.AllFields {
		for _, o := range s.base {
			f.reachField(o, wholeRecord)
		}
	}
	if q.Traces {
		f.class = worse(f.class, SideEffect)
	}
	for _, child := range q.Children {
		f.query(child, s)
	}
	for _, join := range q.SemiJoins {
		f.query(join, nil)
	}
}

// source returns the objects that an item of FROM stands for: the first is an
// object, or in a child subquery a child relation; further ones are relations of
// an earlier alias.
func (f *footprint) source(s *scope, path []string, first bool) []string {
	head := strings.ToLower(path[0])
	switch {
	case first && s.outer == nil:
		if len(path) > 1 {
			return []string{UnknownObject}
		}
		return []string{spelling(path[0])}
	case first:
		from := s.outer.base
		if len(path) > 1 {
			aliased, ok := s.outer.aliases[head]
			switch own := slices.ContainsFunc(from, func(o string) bool { return strings.EqualFold(o, head) }); {
			case ok:
				from = aliased
			case !own:
				from = []string{UnknownObject}
			}
			path = path[1:]
		}
		if len(path) > 1 {
			return []string{UnknownObject}
		}
		var objects []string
		for _, o := range from {
			child := childOf(o, path[0])
			if child == "" {
				child = UnknownObject
			}
			objects = union(objects, []string{child})
		}
		return objects
	}
	from, ok := s.aliases[head]
	if !ok || len(path) == 1 {
		return []string{UnknownObject}
	}
	return f.up(from, path[1:])
}

// path adds a field and the relations that lead to it.
func (f *footprint) path(s *scope, path []string) {
	from, path := f.start(s, path)
	at := f.up(from, path[:len(path)-1])
	for _, o := range at {
		f.reachField(o, path[len(path)-1])
	}
}

// start resolves an alias or the name of the query's own object at the head of a
// path. An alias that is also the name of a known relation or object could be read
// either way and makes the path undeterminable.
func (f *footprint) start(s *scope, path []string) ([]string, []string) {
	if len(path) == 1 {
		return s.base, path
	}
	if objects, ok := s.aliases[strings.ToLower(path[0])]; ok {
		if isRelation(path[0]) {
			f.opaque = true
			return []string{UnknownObject}, path[1:]
		}
		return objects, path[1:]
	}
	if slices.ContainsFunc(s.base, func(o string) bool { return strings.EqualFold(o, path[0]) }) {
		return s.base, path[1:]
	}
	return s.base, path
}

// up follows relations to parents, adds the objects on the way and the fields that
// hold their ids, and returns where they lead.
func (f *footprint) up(from, relations []string) []string {
	for _, relation := range relations {
		var next []string
		for _, o := range from {
			f.reachField(o, foreignKey(relation))
			to := parentsOf(o, relation)
			if to == nil {
				to = []string{UnknownObject}
			}
			next = union(next, to)
		}
		next = known(next)
		for _, o := range next {
			f.reach(o)
		}
		from = next
	}
	return from
}

// known drops what cannot be determined next to what can: a relation that exists
// on the User behind Owner and not on the Group leads to that of the User.
func known(objects []string) []string {
	named := slices.DeleteFunc(slices.Clone(objects), func(o string) bool { return o == UnknownObject })
	if len(named) == 0 {
		return objects
	}
	return named
}

// typeOf adds a TYPEOF expression: the objects that it names, their fields, and
// with ELSE whatever else the relation leads to.
func (f *footprint) typeOf(s *scope, c soql.TypeOf) {
	from, path := f.start(s, c.Path)
	last := len(path) - 1
	for _, o := range f.up(from, path[:last]) {
		f.reachField(o, foreignKey(path[last]))
	}
	for _, w := range c.Whens {
		object := spelling(w.Object)
		f.reach(object)
		for _, path := range w.Fields {
			f.path(&scope{base: []string{object}}, path)
		}
	}
	if c.Else {
		f.opaque, f.opaqueFields = true, true
	}
}
