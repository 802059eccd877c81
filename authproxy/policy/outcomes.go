package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Outcome is what one rule makes of a call that it matches.
type Outcome struct {
	// Rule is the index in Policy.Rules of the rule that decides, -1 where none matches.
	Rule   int
	Effect Effect
	// Conditional says that the rule decides only in some moments: it has a condition, or
	// asks for what was answered before; or only some of the calls, by what they may do
	// ([reach.Value.Besides]). The next outcome is what happens otherwise.
	Conditional bool
	// Besides says that the rule denies the call, or has people asked, for what it is, or may be, besides its class.
	Besides bool
	// Condition is all that it depends on then, whole: equal texts mean the same.
	Condition   string
	Obligations Obligations
	// Confirmation, for confirm, is that of [Decision].
	Confirmation Confirmation
}

// Reached is what a call does and reaches, said by hand instead of read from arguments.
type Reached struct {
	Class   Class
	Objects []string // API names; [UnknownObject]: objects that cannot be determined
	Fields  []string // Object.Field; Object.* for whole records
	Rows    int      // most records in the answer of a query, [Unlimited], or 0 where no query is made
}

// Unlimited is the number of records of a query without a bound, UnknownObject the name of
// objects that cannot be determined.
const (
	Unlimited     = reach.Unlimited
	UnknownObject = reach.UnknownObject
)

// value returns what a call reaches that is said by hand.
func (r Reached) value() *reach.Value {
	v := &reach.Value{Class: r.Class, Rows: r.Rows}
	for _, object := range r.Objects {
		if object == UnknownObject {
			v.Opaque = true
		} else {
			v.Objects = append(v.Objects, reach.Object{Name: object})
		}
	}
	for _, path := range r.Fields {
		object, name, _ := strings.Cut(path, ".")
		if object == UnknownObject {
			v.OpaqueFields, object = true, ""
		}
		v.Fields = append(v.Fields, reach.Field{Object: object, Name: name})
	}
	return v
}

// Outcomes returns what every rule that matches a call of who that reaches this would make of
// it, in their order. The first that is not conditional decides, unless a conditional one does
// before; the last says what happens where no rule matches. Nothing of the mode is in it, and no rule that only
// observes. A rule that has people asked for what the call may be stands before that one which would let it pass
// without.
func (p *Policy) Outcomes(who Principal, tool string, reached Reached) (out []Outcome) {
	compiled := p.compile()
	q := &question{who: who, tool: tool, reach: reached.value(), index: compiled.index, compiled: compiled}
	besides, certain := p.catalogue.Tool(tool).Besides(reached.Class)
	q.reach.Besides = besides
	var doubting *Outcome
	for i := range compiled.rules {
		c := &compiled.rules[i]
		switch doubts := c.Effect == Confirm && c.doubts(q.reach); {
		case c.Observe:
		case doubts && doubting == nil && c.asks(aboutCaller|aboutTool, q) == nil && c.concerns(q):
			o := c.outcome(q, certain)
			doubting = &o
		case doubts || c.asks(aboutCall&^aboutMoment, q) != nil:
		default:
			o := c.outcome(q, certain)
			if o.Effect == Allow && doubting != nil {
				asked := *doubting
				asked.Obligations, asked.Conditional = o.Obligations, asked.Conditional || o.Conditional
				asked.Condition += o.Condition
				out = append(out, asked)
			}
			out = append(out, o)
		}
	}
	return append(out, Outcome{Rule: -1, Effect: Deny})
}

// outcome returns what the rule makes of a call that it matches. certain: the call is of each class that it may be of
// besides its own.
func (c *ready) outcome(q *question, certain bool) Outcome {
	o := Outcome{Rule: c.number, Effect: Deny, Conditional: c.has(aboutMoment), Besides: c.doubts(q.reach)}
	if o.Conditional {
		o.Condition = c.condition()
	}
	if o.Besides && !certain {
		o.Conditional, o.Condition = true, o.Condition+c.reason
	}
	if c.passes() {
		o.Effect, o.Obligations = c.Effect, obligations(q.compiled.rules, c, q)
	}
	if c.Effect == Confirm {
		o.Confirmation = c.Confirmation()
	}
	return o
}

// Words returns the rule in the few words by which operators know it, "rule 2 (deny objects
// User)"; "no rule" for -1.
func (p *Policy) Words(rule int) string {
	if rule < 0 {
		return "no rule"
	}
	return p.compile().rules[rule].reason
}

// Shape is what the catalogue knows of a tool: what a call of it can be and reach.
type Shape struct {
	Classes []Class // that calls can have, the graver last
	Names   bool    // its arguments name the objects that it reaches
	Opaque  bool    // it reaches objects that its arguments do not name
	Queries bool    // it answers a query, the records of which a LIMIT bounds
	// Unbounded: it answers a query the records of which nobody can bound.
	Unbounded bool
}

// ShapeOf returns what the catalogue of the policy's server knows of a tool.
func (p *Policy) ShapeOf(tool string) Shape {
	t := p.catalogue.Tool(tool)
	return Shape{
		Classes: t.Classes, Names: t.Touch == reach.TouchNamed, Opaque: t.Touch == reach.TouchOpaque, Unbounded: t.Unbounded,
		Queries: t.Touch == reach.TouchNamed && slices.Contains(t.Classes, SideEffect),
	}
}

// Tools returns the tools and prompts that the catalogue has for the policy's server, sorted,
// and whether that server may have others.
func (p *Policy) Tools() (names []string, others bool) {
	for name := range p.catalogue.Tools() {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), p.catalogue.Hosted == "" || !p.catalogue.Knows()
}

// NamingTool says which rules name a tool, of those that name tools: tools that the same
// rules name, and of the same shape, no rule tells apart.
func (p *Policy) NamingTool(tool string) string {
	return p.naming(aboutTool, &question{tool: tool})
}

// naming says which rules match what they are asked, of those that ask for it.
func (p *Policy) naming(these about, q *question) string {
	var naming []byte
	rules := p.compile().rules
	for i := range rules {
		switch c := &rules[i]; {
		case !c.has(these):
		case c.asks(these, q) == nil:
			naming = append(naming, '1')
		default:
			naming = append(naming, '0')
		}
	}
	return string(naming)
}

// Classes returns every effect class, mildest first.
func Classes() []Class { return slices.Clone(reach.Classes) }

// Matches reports whether the pattern of a rule for objects or fields matches a name.
func Matches(pattern, name string) bool { return globFold(pattern, name) }

// CatalogueDigest identifies what is known of the tools of hosted servers: what their calls
// do, and what they can reach. It is 32 hexadecimal digits. It is made as [Policy.Version] is, of all that is known
// of each tool of each server but for how its arguments are read.
func CatalogueDigest() string {
	b := appendStrings(nil, "catalogue 2")
	for _, server := range reach.Servers() {
		there := &Policy{catalogue: reach.Catalogue{Hosted: server}}
		names, _ := there.Tools()
		b = appendStrings(b, "server", server, strconv.Itoa(len(names)))
		for _, name := range names {
			b = appendShape(appendStrings(b, name), there.ShapeOf(name))
			for _, class := range there.ClassesOf(name) {
				besides, certain := there.catalogue.Tool(name).Besides(class)
				b = appendSet(appendStrings(b, strconv.FormatBool(certain)), classNames(besides))
			}
		}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// appendShape appends all that a shape says. The first class is that of a call of which no more is known.
func appendShape(b []byte, s Shape) []byte {
	b = appendStrings(appendStrings(b, strconv.Itoa(len(s.Classes))), classNames(s.Classes)...)
	for _, is := range []bool{s.Names, s.Opaque, s.Queries, s.Unbounded} {
		b = appendStrings(b, strconv.FormatBool(is))
	}
	return b
}
