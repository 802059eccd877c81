package reach

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy/soql"
)

// UnknownObject stands for an object that a call reaches and that cannot be
// determined from its arguments.
const UnknownObject = "?"

// Unlimited is the number of records of an answer that has no bound.
const Unlimited = soql.Unlimited

// Whole is the name of a field that stands for all fields of an object: the answer holds
// whole records.
const Whole = "*"

// Value is what one call does and reaches, as far as its arguments tell. It can be made by
// hand: what is left out is not reached. It must not be changed once it is used.
type Value struct {
	// Class is the effect class of this very call.
	Class Class
	// Besides are the classes of which the call is, or may be, besides, as far as it says itself: a bulk job of the
	// class Unknown names what it does, and a call of the class Admin is also what it does.
	Besides []Class
	// Records are those that the arguments name, and those that the call makes.
	Records []Record
	// Objects are the sObjects reached that are known, each once, in their usual spelling.
	Objects []Object
	// Fields are the fields reached, each once for every clause that names it, and once more where
	// it refers to a record.
	Fields []Field
	// Opaque, OpaqueFields: objects, or fields, are reached besides that cannot be
	// determined. Unknown are the places in the call that lead to them, as far as any do.
	Opaque, OpaqueFields bool
	Unknown              []Place
	// Undescribed are objects whose description, as the org gives it to the user, would tell
	// where a relation leads that nobody knows here.
	Undescribed []string
	// Rows is the most records that the answer of a query can hold, its child subqueries
	// included, or of a request for records by their ids within another; [Unlimited] if it has
	// no bound, 0 where neither is made.
	Rows int
	// Each is how many of them there are at most for each record that the LIMIT of the query
	// counts; 0 where a LIMIT cannot bound the answer.
	Each int
	// Query or Search is the query that the call makes, nil if none; Text is what it was read
	// from, Argument the parameter that holds it.
	Query    *soql.Query
	Search   *soql.Search
	Text     string
	Argument string
	// Unnamed: the call writes to a record that its arguments do not name by its id, or sets a field to
	// what they do not say: where a relation, an external id or the answer to another request leads when
	// the call is made, which may be elsewhere than before.
	Unnamed bool
	// Index: the call asks for the list of all objects, which names them and holds nothing
	// of their records (getObjectSchema without objects).
	Index bool
	// Parts are the requests that the call carries, in their order, each as if it came alone;
	// what is said of the call is then true of all of them together. nil: it carries none, or
	// some that cannot be read.
	Parts []*Value

	schema    *Schema
	arguments arguments
	isPart    bool // it is a request that another carries, and the arguments are its own
}

// Record is one record that a call touches.
type Record struct {
	Class  Class  // what is done with it: where a relationship leads from it, it is read
	Object string // API name
	ID     string // empty: it is made, and its id is in the answer
}

// Object is an sObject that a call reaches.
type Object struct {
	Name string // in its usual spelling
	At   Place  // where the call first leads to it
}

// Field is a field that a call reaches.
type Field struct {
	Object string // in its usual spelling; "" where it cannot be determined
	Name   string // as written; [Whole] for all of them
	At     Place  // where it first stands in that clause
	// Standard: of [Whole], but for the org's own fields and those of packages: FIELDS(STANDARD).
	Standard bool
}

// Clause says in which part of a call something stands: what it does there.
type Clause string

// The clauses. Those of queries are read from the text of the query; the others are
// parameters of tools and parts of a URL.
const (
	Select    Clause = "select"    // the field list: answered
	From      Clause = "from"      // the object of a query, or a relation beside it
	Where     Clause = "where"     // filters
	GroupBy   Clause = "group by"  // groups, and is answered as such
	Having    Clause = "having"    // filters groups
	OrderBy   Clause = "order by"  // sorts
	Find      Clause = "find"      // looked into by a search
	Returning Clause = "returning" // the object that a search returns
	Named     Clause = "object"    // the object that a parameter or a URL names
	Relation  Clause = "relation"  // a relationship path, or that part of a URL
	Body      Clause = "body"      // the record that is written
	Parameter Clause = "parameter" // a parameter that nobody here knows
	Path      Clause = "path"      // a part of a URL that nobody here knows
)

// Place is where in the arguments of a call something stands.
type Place struct {
	Clause Clause
	// Argument is the parameter, "q" or "body".
	Argument string
	// Names are what stands there: relations and a field in a query, members in a body,
	// steps of a relationship path. Empty: the parameter as a whole.
	Names []string
	// Offset is the position of their first byte in a query, counted from 0; -1 elsewhere.
	Offset int
}

// Refers reports whether it is within a record that another one refers to in a body: what stands
// there chooses that record (Contact.Email in a Case), and sets nothing.
func (p *Place) Refers() bool { return p.Clause == Body && len(p.Names) > 1 }

// Schema is what was known of the org's schema when the call was read.
func (v *Value) Schema() *Schema { return v.schema }

// Member returns a member of the call's arguments by its name in any case, as it is written.
func (v *Value) Member(name string) (jsontext.Value, bool) {
	if value, ok := v.arguments.get(name); ok {
		return value, true
	}
	i := slices.IndexFunc(v.arguments.names, func(written string) bool { return strings.EqualFold(written, name) })
	if i < 0 {
		return nil, false
	}
	return v.arguments.values[i], true
}

// FieldAlone is what a call would reach that reaches one of the fields and nothing else.
func (v *Value) FieldAlone(i int) *Value { return &Value{Fields: v.Fields[i : i+1], schema: v.schema} }

// ObjectNames returns the objects, sorted, and [UnknownObject] last if there are others.
func (v *Value) ObjectNames() []string {
	if len(v.Objects) == 0 && !v.Opaque {
		return nil
	}
	names := make([]string, 0, len(v.Objects)+1)
	for _, o := range v.Objects {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	if v.Opaque {
		names = append(names, UnknownObject)
	}
	return names
}

// Reaches reports whether the call reaches an object, or one that cannot be determined.
func (v *Value) Reaches(object string) bool {
	return v.Opaque || slices.ContainsFunc(v.Objects, func(o Object) bool { return strings.EqualFold(o.Name, object) })
}

// LimitFor returns the LIMIT with which the query answers at most so many records; 0 if none
// does.
func (v *Value) LimitFor(rows int) int {
	if v.Each == 0 {
		return 0
	}
	return rows / v.Each
}
