package analysis

import (
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy"
)

// tools is a group of tools that no rule tells apart, with one class of their calls.
type tools struct {
	names []string
	class policy.Class
	shape policy.Shape
}

// Names that stand for all that nothing names.
const (
	otherTool     = "some_other_tool"
	otherPrompt   = "prompt:some_other_prompt"
	otherResource = "resource:some://other"
	otherObject   = "Some_Other_Object__c"
	otherField    = "Some_Other_Field__c"
)

// These end the labels of parts of an object where rules speak of its fields.
const (
	allFields   = " (all fields)"
	otherFields = " (other fields)"
)

// anyObject is every object, where no rule names one; unnamedObject is any that none names, where
// those that rules name are not listed beside it.
const (
	anyObject     = "any object"
	unnamedObject = "any object that no rule names"
)

// labels are how names that stand for others are printed.
var labels = map[string]string{
	otherTool: "any other tool", otherPrompt: "any other prompt", otherResource: "any resource",
	otherObject: "any other object", policy.UnknownObject: "objects that cannot be determined",
}

func labelOf(name string) string {
	if label, ok := labels[name]; ok {
		return label
	}
	return name
}

// toolsOf splits the tools of a server by what the rules tell apart.
func toolsOf(policies ...*policy.Policy) (all []tools) {
	names, others := policies[0].Tools()
	for _, p := range policies {
		for i := range p.Rules {
			for _, pattern := range p.Rules[i].Tools {
				if others || strings.Contains(pattern, ":") {
					names = append(names, example(pattern))
				}
			}
		}
	}
	if others {
		names = append(names, otherTool)
	}
	names = append(names, otherPrompt, otherResource)
	slices.Sort(names)
	for _, alike := range split(slices.Compact(names), func(name string) string {
		var naming []string
		for _, p := range policies {
			naming = append(naming, p.NamingTool(name))
		}
		return fmt.Sprint(naming, policies[0].ShapeOf(name), strings.Contains(name, ":"))
	}) {
		shape := policies[0].ShapeOf(alike[0])
		for _, c := range shape.Classes {
			all = append(all, tools{alike, c, shape})
		}
	}
	return all
}

// example is a name that matches a pattern.
func example(pattern string) string {
	return strings.NewReplacer("*", "", "?", "x").Replace(pattern)
}

// target is what a call may reach.
type target struct {
	object string // label of the object or objects; "" where no records are touched
	rows   string // "at most 200 records"; "" where the number is nothing to any rule
	policy.Reached
}

// targets are what calls may reach, as far as the rules tell it apart.
type targets struct {
	named []target // of tools whose arguments name objects
	rows  []rows   // of queries
}

type rows struct {
	label string
	most  int
}

// maxTargets bounds the work: with more objects in rules, pairs are left out.
const maxTargets = 60

// targetsOf collects the objects, fields and bounds that rules speak of.
func targetsOf(policies ...*policy.Policy) (t targets) {
	var objects, fields []string
	var together [][]string
	bounds := []int{}
	for _, p := range policies {
		for i := range p.Rules {
			r := &p.Rules[i]
			var own []string
			for _, pattern := range r.Objects {
				own = append(own, example(pattern))
			}
			objects, together = append(objects, own...), append(together, own)
			for _, path := range slices.Concat(r.Fields, r.Mask, r.Drop) {
				object, field, _ := strings.Cut(path, ".")
				if object = example(object); object == "" {
					object = otherObject
				}
				objects = append(objects, object)
				if field = example(field); field != "" {
					fields = append(fields, object+"."+field)
				}
			}
			if r.MaxRows > 0 {
				bounds = append(bounds, r.MaxRows)
			}
		}
	}
	objects = slices.DeleteFunc(distinct(objects), func(o string) bool { return o == "" || o == otherObject })
	t.add(append(objects, otherObject), distinct(fields))
	t.one(labelOf(policy.UnknownObject), []string{policy.UnknownObject}, []string{policy.UnknownObject + ".*"})
	t.addSeveral(append(objects, otherObject), together)
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	if len(bounds) > 0 {
		for i, most := range bounds {
			label := fmt.Sprintf("at most %d records", most)
			if i > 0 {
				label = fmt.Sprintf("%d to %d records", bounds[i-1]+1, most)
			}
			t.rows = append(t.rows, rows{label, most})
		}
		t.rows = append(t.rows, rows{fmt.Sprintf("more than %d records", bounds[len(bounds)-1]), policy.Unlimited})
	} else {
		t.rows = []rows{{"", policy.Unlimited}}
	}
	return t
}

func (t *targets) one(label string, objects, fields []string) {
	t.named = append(t.named, target{object: label, Reached: policy.Reached{Objects: objects, Fields: fields}})
}

// add makes the targets of single objects: each alone, as whole records, and by its fields.
func (t *targets) add(objects, fields []string) {
	for _, o := range objects {
		plain := labelOf(o)
		if len(objects) == 1 && o == otherObject {
			plain = anyObject
		}
		if len(fields) > 0 {
			t.one(labelOf(o)+allFields, []string{o}, []string{o + ".*"})
			plain += otherFields
		}
		t.one(plain, []string{o}, []string{o + "." + otherField})
	}
	for _, f := range fields {
		object, field, _ := strings.Cut(f, ".")
		t.one(labelOf(object)+"."+field, []string{object}, []string{f})
	}
}

// addSeveral makes the targets of several objects: all of each rule together, and each pair.
func (t *targets) addSeveral(objects []string, together [][]string) {
	if len(objects) > maxTargets {
		return
	}
	for i, a := range objects {
		for _, b := range objects[:i] {
			together = append(together, []string{b, a})
		}
	}
	for _, several := range together {
		if len(several) < 2 {
			continue
		}
		var of, names []string
		for _, o := range several {
			names, of = append(names, labelOf(o)), append(of, o+"."+otherField)
		}
		t.one(strings.Join(names, " with "), several, of)
	}
}

// of returns what calls of one group of tools may reach.
func (t *targets) of(group tools) (all []target) {
	none := target{Reached: policy.Reached{Class: group.class}}
	switch {
	case group.shape.Opaque:
		none.Objects, none.Fields = []string{policy.UnknownObject}, []string{policy.UnknownObject + ".*"}
		if group.shape.Unbounded {
			none.Rows = policy.Unlimited
		}
		return []target{none}
	case !group.shape.Names:
		return []target{none}
	}
	for _, one := range t.named {
		one.Class = group.class
		if !group.shape.Queries {
			all = append(all, one)
			continue
		}
		for _, r := range t.rows {
			one.rows, one.Rows = r.label, r.most
			all = append(all, one)
		}
	}
	return all
}
