package reach

import (
	"strings"

	"sfmcp-proxy/authproxy/policy/soql"
)

// Selection is what the records at one level of a query's answer hold.
type Selection struct {
	// Relation is the child relation by which the answer names them; "" for the records of
	// the query itself.
	Relation string
	// Objects are what they may be records of, [UnknownObject] among them if that cannot be
	// determined.
	Objects []string
	// Columns are what is answered of each.
	Columns []Column
	// Whole: they hold more than the columns: FIELDS(…), or an object of a search without a
	// field list.
	Whole bool
	// Children are what the child subqueries answer of each.
	Children []Selection
}

// Column is one value of a [Selection].
type Column struct {
	// Path are the names under which a record has the value: relations, and the field at the
	// end. Empty for a function, whose value has the name Alias, or expr0, expr1 … by its place
	// among the functions without an alias. With TYPEOF the relation comes first.
	Path []string
	// Alias is the name given in the query; "" if there is none.
	Alias string
	// Functions are those around the value, in capitals, the outermost first; nil for a plain
	// field.
	Functions []string
	// Fields are what the value is made of, each of the objects that it may belong to; an
	// Object of "" is one that cannot be determined.
	Fields []Ref
}

// Selections returns what the answer of a query holds: one for a query, one for each object of
// a search, none for calls that make no query. It is made anew each time.
func (v *Value) Selections() []Selection {
	// Places and what is reached on the way are read again, and forgotten.
	f := &reading{Value: Value{schema: v.schema, Argument: v.Argument}}
	switch {
	case v.Query != nil:
		return []Selection{f.selection(v.Query, nil)}
	case v.Search != nil:
		var all []Selection
		for _, q := range v.Search.Returning {
			s := f.selection(q, nil)
			s.Whole = s.Whole || len(q.Items) == 0
			all = append(all, s)
		}
		return all
	}
	return nil
}

func (f *reading) selection(q *soql.Query, outer *scope) Selection {
	s := f.scope(q, outer)
	out := Selection{Objects: s.base, Whole: q.AllFields}
	if outer != nil {
		out.Relation = q.From[0].Path[len(q.From[0].Path)-1]
	}
	for _, item := range q.Items {
		c := Column{Alias: item.Alias}
		if item.Function != "" {
			c.Functions = []string{item.Function} // COUNT()
		}
		for i := item.First; i < item.End; i++ {
			refs, path := f.resolve(s, q.Fields[i].Path)
			c.Fields = append(c.Fields, refs...)
			if item.Function == "" {
				c.Path = path
			} else if i == item.First {
				c.Functions = q.Fields[i].Functions
			}
		}
		if item.Function != "FIELDS" {
			out.Columns = append(out.Columns, c)
		}
	}
	for i := range q.TypeOfs {
		out.Columns = append(out.Columns, f.typeOfColumns(s, &q.TypeOfs[i])...)
	}
	for _, child := range q.Children {
		out.Children = append(out.Children, f.selection(child, s))
	}
	return out
}

// resolve returns the fields that a path may stand for, and the path below the record.
func (f *reading) resolve(s *scope, path []string) ([]Ref, []string) {
	from, below := f.start(s, path)
	var refs []Ref
	for _, o := range f.up(from, below[:len(below)-1]) {
		refs = append(refs, refTo(o, below[len(below)-1]))
	}
	return refs, below
}

func refTo(object, name string) Ref {
	if object == UnknownObject {
		object = ""
	}
	return Ref{object, name}
}

// typeOfColumns returns what a TYPEOF expression answers.
func (f *reading) typeOfColumns(s *scope, c *soql.TypeOf) (columns []Column) {
	from, relation := f.start(s, c.Path)
	for i := range c.Whens {
		within := &scope{base: []string{spelling(c.Whens[i].Object)}}
		for _, field := range c.Whens[i].Fields {
			refs, path := f.resolve(within, field.Path)
			columns = append(columns, Column{Path: join(relation, path), Fields: refs})
		}
	}
	if c.Else == nil {
		return columns
	}
	last := len(relation) - 1
	for _, object := range f.others(from, relation[:last], relation[last], c) {
		if object == UnknownObject {
			columns = append(columns, Column{Path: relation, Fields: []Ref{{"", Whole}}})
			continue
		}
		for _, field := range c.Else {
			refs, path := f.resolve(&scope{base: []string{object}}, field.Path)
			columns = append(columns, Column{Path: join(relation, path), Fields: refs})
		}
	}
	return columns
}

func join(a, b []string) []string { return append(a[:len(a):len(a)], b...) }

// scope returns what the names in a query stand for.
func (f *reading) scope(q *soql.Query, outer *scope) *scope {
	s := &scope{outer: outer}
	for i, src := range q.From {
		objects := f.source(s, src.Path, i == 0)
		if i == 0 {
			s.base = objects
		} else {
			s.further = append(s.further, objects)
		}
		if src.Alias != "" {
			if s.aliases == nil {
				s.aliases = make(map[string][]string)
			}
			s.aliases[strings.ToLower(src.Alias)] = objects
		}
	}
	return s
}
