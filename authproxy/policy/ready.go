package policy

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/condition"
	"sfmcp-proxy/authproxy/policy/reach"
)

// compiled is a policy made ready for being asked: what does not depend on the call is made
// once.
type compiled struct {
	rules []ready
	index *index // what rules say of objects and fields that any call may reach
	asked asked  // what conditions ask about them
}

// ready is a rule made ready for being asked.
type ready struct {
	*Rule
	number  int     // its index among the rules
	keys    []*key  // those that restrict it, in the order of the table
	objects allowed // of a rule that lets pass
	fields  allowed
	reason  string // of a decision by it
	when    *condition.Condition
	failed  error // why there is no condition though the rule has one; nil if there is
}

// question is what rules are asked about.
type question struct {
	who   Principal
	tool  string
	reach *reach.Value
	index *index
	// outside reports whether outside text was given; nil: it was not.
	outside func() bool

	unlisted              int  // of the fields, counted from 1, that the last rule to let pass did not list; 0: none
	hitObjects, hitFields bits // rules that speak of what is reached; made when the first asks

	// For conditions; nil where only the other keys are asked.
	call     *Call
	compiled *compiled
	moment   *condition.Call // the call as conditions see it, made when the first asks
	carrier  *reach.Value    // by whose arguments rules may match that do not let pass at once, or nil
	literals *question       // the same call, asked about what conditions name
	failed   error           // why a condition was neither true nor false

	room bitsRoom
}

// bitsRoom is memory for two sets of some hundred rules.
type bitsRoom [2][8]uint64

// bits returns an empty set of so many words.
func (r *bitsRoom) bits(which, words int) bits {
	if words > len(r[which]) {
		return make(bits, words)
	}
	return r[which][:words]
}

// compile returns the policy ready for being asked.
func (p *Policy) compile() *compiled {
	if p.compiled != nil {
		return p.compiled
	}
	c := &compiled{rules: make([]ready, len(p.Rules)), index: newIndex(len(p.Rules))}
	for i := range p.Rules {
		r := &p.Rules[i]
		c.rules[i] = ready{Rule: r, number: i, reason: r.reason(i)}
		if r.When != "" {
			c.rules[i].when, c.rules[i].failed = c.asked.compile(r.When, p.Calendars)
		}
		for j := range keys {
			if keys[j].matches != nil && keys[j].set(r) {
				c.rules[i].keys = append(c.rules[i].keys, &keys[j])
			}
		}
		if r.passes() {
			c.rules[i].objects, c.rules[i].fields = newAllowed(r.Objects), newAllowed(r.Fields)
		}
		if !r.passes() || r.hides() || r.Effect == Confirm && r.Classes != nil {
			c.index.add(r, i, len(p.Rules))
		}
	}
	c.asked.makeIndex()
	return c
}

// adminUnnamed stands for the classes key of a rule that has none and is asked about a call of
// the class admin.
var adminUnnamed = key{name: "classes", about: aboutClass}

// unconcerned stands for the objects and fields of a rule that are asked about together.
var unconcerned = key{name: "objects", about: aboutReach}

// asks reports whether those of the rule's keys match that are about these. missed is the
// first that does not.
func (c *ready) asks(these about, q *question) (missed *key) {
	if these&aboutClass != 0 && !c.takesUnnamed(q.reach.Class) {
		return &adminUnnamed
	}
	for _, k := range c.keys {
		if k.about&these != 0 && !k.matches(c, q) {
			return k
		}
	}
	return nil
}

// hides reports whether the rule hides anything in answers.
func (r *Rule) hides() bool { return r.Mask != nil || r.Drop != nil }

// reachesObjects reports whether the objects key matches.
func (c *ready) reachesObjects(q *question) bool {
	v := q.reach
	switch {
	case v.Index: // of which only those objects are told of that the rules allow, each by itself
		return c.Effect == Allow || c.Effect == Deny && (len(c.Objects) == 0 || q.index.anyObject.has(c.number))
	case !c.passes():
		return len(c.Objects) == 0 || q.anyObject(c)
	}
	return !v.Opaque && len(v.Objects) > 0 && c.unlistedObject(v) < 0
}

// unlistedObject returns the index of the first object that the rule does not list, -1 if it
// lists all.
func (c *ready) unlistedObject(v *reach.Value) int {
	return slices.IndexFunc(v.Objects, func(o reach.Object) bool { return !c.objects.listsObject(o.Name) })
}

// reachesFields reports whether the fields key matches.
func (c *ready) reachesFields(q *question) bool {
	if !c.passes() {
		return len(c.Fields) == 0 || q.anyField(c)
	}
	v := q.reach
	switch {
	case v.OpaqueFields:
		return false
	case len(v.Fields) == 0: // COUNT() of records whose fields are listed
		return v.Query != nil && !v.Opaque && !slices.ContainsFunc(v.Objects, func(o reach.Object) bool { return !c.fields.listsFieldOf(o.Name) })
	}
	if q.unlisted > 0 && !c.listsField(&v.Fields[q.unlisted-1]) { // what one rule does not list, the next seldom does
		return false
	}
	i := c.unlistedField(v)
	q.unlisted = i + 1
	return i < 0
}

// unlistedField returns the index of the first field that the rule does not list, -1 if it
// lists all.
func (c *ready) unlistedField(v *reach.Value) int {
	for i := range v.Fields {
		if !c.listsField(&v.Fields[i]) {
			return i
		}
	}
	return -1
}

// listsField reports whether the rule lists a field.
func (c *ready) listsField(f *reach.Field) bool {
	return f.Object != "" && c.fields.listsField(f.Object, f.Name)
}

// withinRows reports whether the answer stays within max_rows, or can be made to.
func (c *ready) withinRows(q *question) bool {
	return c.Effect == Deny || q.reach.Rows <= c.MaxRows || c.Rewrite && q.reach.LimitFor(c.MaxRows) > 0
}

// touches reports whether the call reaches anything that the rule is about, whatever else it
// reaches: then what the rule hides in answers is hidden in that of the call. A call of the class [Unknown] may
// be of any class, and answer what a call of that class does.
func (c *ready) touches(q *question) bool {
	if q.reach.Class != Unknown && c.asks(aboutClass, q) != nil {
		return false
	}
	return c.asks(aboutCaller|aboutTool, q) == nil && c.concerns(q)
}

// concerns reports whether the call reaches anything that the rule's objects and fields name, or may.
func (c *ready) concerns(q *question) bool {
	return (c.Objects == nil || q.anyObject(c)) && (c.Fields == nil || q.anyField(c))
}

// anyObject reports whether a rule speaks of an object that the call reaches, or that shows
// its records, or that cannot be determined.
func (q *question) anyObject(c *ready) bool { return q.reach.Opaque || q.objects().has(c.number) }

// objects are the rules that speak of an object that is reached or shown.
func (q *question) objects() bits {
	if q.hitObjects == nil {
		q.hitObjects = q.room.bits(0, len(q.index.allOf))
		var space [8]string
		shown := space[:0]
		for _, o := range q.reach.Objects {
			shown = reach.AppendShownObjects(shown[:0], o.Name)
			for _, name := range shown {
				q.index.hitObject(q.hitObjects, name)
			}
		}
		for i := range q.reach.Fields {
			for _, copied := range copiesIn(q.reach, i) {
				q.index.hitObject(q.hitObjects, copied.Object)
			}
		}
	}
	return q.hitObjects
}

// copiesIn returns the fields of other objects of which the call shows a copy in one of its
// fields. The answer to a write shows none.
func copiesIn(v *reach.Value, field int) []reach.Ref {
	if v.Class == Create || v.Class == Update || v.Class == Delete || v.Class == Admin {
		return nil
	}
	return v.Schema().Copies(v.Fields[field].Object, v.Fields[field].Name)
}

// anyField reports whether a rule speaks of a field that the call reaches: whole records
// contain the field, its compound contains it, its value is shown by another, or it may be a
// field of an object that cannot be determined.
func (q *question) anyField(c *ready) bool { return q.reach.OpaqueFields || q.fields().has(c.number) }

// fields are the rules that speak of a field that is reached or shown.
func (q *question) fields() bits {
	if q.hitFields == nil {
		q.hitFields = q.room.bits(1, len(q.index.allFields))
		var space [8]reach.Ref
		shown := space[:0]
		for i := range q.reach.Fields {
			f := &q.reach.Fields[i]
			shown = q.reach.Schema().AppendShown(shown[:0], f.Object, f.Name)
			for _, at := range shown {
				switch {
				case q.reach.Class == Delete && reach.ShowsPerson(f, at): // which shows nobody
				case f.HoldsStandard(at):
					q.index.hitStandard(q.hitFields, at)
				default:
					q.index.hitField(q.hitFields, at)
				}
			}
		}
	}
	return q.hitFields
}

// same reports whether a value matches only what the other matches.
func same(outer, inner string) bool { return outer == inner }

func sameUser(outer, inner string) bool {
	return outer == inner || reach.SameID(outer, inner) || strings.EqualFold(outer, inner) && strings.Contains(outer, "@")
}

func includesTool(pattern, name string) bool {
	return pattern == name || !strings.ContainsAny(name, "*?") && reach.OtherKind(name) == "" && reach.Glob(pattern, name)
}

// obligations collects what must happen when a call passes by a rule. What is hidden is
// collected over all rules that the call touches, before and after the one that decides: the
// order of rules never shows what one of them hides.
func obligations(rules []ready, by *ready, q *question) (o Obligations) {
	o.Rows, o.Index = by.MaxRows, q.reach.Index
	if by.MaxRows > 0 && q.reach.Rows > by.MaxRows {
		o.Limit = q.reach.LimitFor(by.MaxRows)
	}
	for i := range rules {
		c := &rules[i]
		if c.hides() && c.passes() && !c.Observe && c.touches(q) {
			o.Mask, o.Drop = append(o.Mask, c.Mask...), append(o.Drop, c.Drop...)
		}
	}
	slices.Sort(o.Mask)
	slices.Sort(o.Drop)
	o.Mask, o.Drop = slices.Compact(o.Mask), slices.Compact(o.Drop)
	return o
}
