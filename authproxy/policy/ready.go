package policy

import (
	"slices"
	"strings"
)

// ready is a rule made ready for being asked: what does not depend on the call is made once.
type ready struct {
	*Rule
	keys    []*key    // those that restrict it, in the order of the table
	objects []pattern // of a rule that denies
	reason  string    // of a decision by it
}

// question is what a rule is asked about.
type question struct {
	who  Principal
	tool string
	f    *footprint
}

// readyRules returns the rules ready for being asked.
func (p *Policy) readyRules() []ready {
	if p.ready != nil {
		return p.ready
	}
	rules := make([]ready, len(p.Rules))
	for i := range p.Rules {
		r := &p.Rules[i]
		rules[i] = ready{Rule: r, objects: patternsOf(r.Objects), reason: r.reason(i)}
		for j := range keys {
			if keys[j].matches != nil && keys[j].set(r) {
				rules[i].keys = append(rules[i].keys, &keys[j])
			}
		}
	}
	return rules
}

// asks reports whether those of the rule's keys match that are about these. missed is the
// first that does not.
func (c *ready) asks(these about, q *question) (missed *key) {
	for _, k := range c.keys {
		if k.about&these != 0 && !k.matches(c, q) {
			return k
		}
	}
	return nil
}

// reachesObjects reports whether the objects key matches.
func (c *ready) reachesObjects(q *question) bool {
	if c.passes() {
		return q.f.onlyObjects(c.Objects)
	}
	return len(c.Objects) == 0 || q.f.anyObject(c.objects)
}

// reachesFields reports whether the fields key matches.
func (c *ready) reachesFields(q *question) bool {
	if c.passes() {
		return q.f.onlyFields(c.Fields)
	}
	return len(c.Fields) == 0 || q.f.anyField(c.Fields)
}

// withinRows reports whether the answer stays within max_rows, or can be made to.
func (c *ready) withinRows(q *question) bool {
	return c.Effect == Deny || q.f.rows <= c.MaxRows || c.Rewrite && q.f.limitFor(c.MaxRows) > 0
}

// touches reports whether the call reaches anything that the rule is about, whatever else it
// reaches: then what the rule hides in answers is hidden in that of the call.
func (c *ready) touches(q *question) bool {
	return c.asks(aboutCaller|aboutTool|aboutClass, q) == nil &&
		(c.Objects == nil || q.f.anyObject(c.objects)) && (c.Fields == nil || q.f.anyField(c.Fields))
}

// same reports whether a value matches only what the other matches.
func same(outer, inner string) bool { return outer == inner }

func sameUser(outer, inner string) bool {
	return outer == inner || sameID(outer, inner) || strings.EqualFold(outer, inner) && strings.Contains(outer, "@")
}

func includesTool(pattern, name string) bool {
	return pattern == name || !strings.ContainsAny(name, "*?") && otherKind(name) == "" && glob(pattern, name)
}

// obligations collects what must happen when a call passes by a rule. What is hidden is
// collected over all rules that the call touches, before and after the one that decides: the
// order of rules never shows what one of them hides.
func obligations(rules []ready, by *ready, q *question) (o Obligations) {
	o.Rows = by.MaxRows
	if by.MaxRows > 0 && q.f.rows > by.MaxRows {
		o.Limit = q.f.limitFor(by.MaxRows)
	}
	for i := range rules {
		c := &rules[i]
		if (c.Mask != nil || c.Drop != nil) && c.passes() && c.touches(q) {
			o.Mask, o.Drop = append(o.Mask, c.Mask...), append(o.Drop, c.Drop...)
		}
	}
	slices.Sort(o.Mask)
	slices.Sort(o.Drop)
	o.Mask, o.Drop = slices.Compact(o.Mask), slices.Compact(o.Drop)
	return o
}
