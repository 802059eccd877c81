package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/policy/reach"
)

// Doubts returns what [Policy.Validate] accepts and what can hardly be meant: names in rules
// that nothing known has, because a misspelt denial denies nothing; rules whose tools have
// none of their classes; rules that allow everything; denials that come too late, and those by
// which a tool of its own rule can never pass. fronts are the hosted servers that the policy
// stands in front of. Names with "__" are an org's own, and are not known here.
func (p *Policy) Doubts(fronts []Front) []Problem {
	d := &doubts{problems: problems{}, ownTools: len(fronts) == 0}
	for _, front := range fronts {
		d.ownTools = d.ownTools || !reach.Catalogue{Hosted: HostedName(front.Upstream)}.Knows()
	}
	for i := range p.Rules {
		d.rule = i
		r := &p.Rules[i]
		d.names(r)
		d.dead(p, r, fronts)
		d.undenied(p, r)
		if len(r.Tools) > 0 && len(r.Classes) > 0 && !d.ownTools && !slices.ContainsFunc(r.Classes, func(c Class) bool { return (&Policy{}).toolOfClass(r, c) }) {
			d.add("classes", strings.Join(classNames(r.Classes), ", ")+", which no call of its tools is", "")
		}
		if r.Effect == Allow && !r.has(aboutCall) {
			d.add("", "a rule that lets every call pass that reaches it, writes and tools that nobody knows too, and asks nobody", "")
		}
		for j := range i {
			if earlier := &p.Rules[j]; earlier.forestalls(r) {
				d.add("", fmt.Sprintf("a denial after rule %d (%s), which lets such calls pass", j+1, earlier.describe()), "it before that rule")
				break
			}
		}
	}
	return d.list
}

// Front is a hosted server that a policy stands in front of.
type Front struct {
	Upstream string              // its URL
	Declared []reach.Declaration // of its tools
}

// dead asks about tools that a rule lets pass by name, and that an earlier denial takes from it
// whatever their arguments are, because what they reach is not known.
func (d *doubts) dead(p *Policy, r *Rule, fronts []Front) {
	if !r.passes() {
		return
	}
	for k, tool := range r.Tools {
		if isPattern(tool) {
			continue
		}
		by := -1
		for _, front := range fronts {
			if by = p.For(front.Upstream, front.Declared...).inescapably(tool, d.rule); by < 0 {
				break
			}
		}
		if by >= 0 {
			what := "reaches"
			if !p.Rules[by].has(aboutReach) {
				what = "does"
			}
			d.add(fmt.Sprintf("tools[%d]", k), fmt.Sprintf("%q, which can never pass: rule %d denies it, because what it %s is not known", tool, by+1, what),
				"it declared under servers[].declare, or its rule before that one")
		}
	}
}

// inescapably returns the rule before another that denies every call of a tool by what it may
// reach, -1 if none does.
func (p *Policy) inescapably(tool string, before int) int {
	t := p.catalogue.Tool(tool)
	for i := range p.Rules[:before] {
		r := &p.Rules[i]
		if r.Effect == Deny && !r.has(aboutCaller|aboutMoment) && (r.has(aboutReach) || r.Classes != nil && t.Classes[0] == Unknown) &&
			(r.Tools == nil || r.namesTool(tool)) && r.holdsAll(t) && r.inescapable(t) {
			return i
		}
	}
	return -1
}

// holdsAll reports whether the classes key of a rule that denies matches every call of a tool.
func (r *Rule) holdsAll(t reach.Tool) bool {
	return !slices.ContainsFunc(t.Classes, func(c Class) bool {
		besides, certain := t.Besides(c)
		return !r.takesClass(c) && !(certain && r.doubts(&reach.Value{Class: c, Besides: besides}))
	})
}

// undenied asks about a rule that lets calls pass of which nobody knows what they do, and asks no person, after one
// that denies a class of changes or has people asked: a custom tool may make them as well. Where people are asked, a
// rule for tools that it names one by one is an exception that somebody wanted.
func (d *doubts) undenied(p *Policy, r *Rule) {
	if r.Effect != Allow || r.Observe || !slices.Contains(r.Classes, Unknown) {
		return
	}
	named := len(r.Tools) > 0 && !slices.ContainsFunc(r.Tools, isPattern)
	for i := range p.Rules[:d.rule] {
		earlier := &p.Rules[i]
		if (earlier.Effect == Deny || earlier.Effect == Confirm && !named) && !earlier.Observe && !earlier.has(aboutCall&^aboutClass) && !earlier.namesClass(Unknown) && slices.ContainsFunc(earlier.Classes, isWrite) {
			d.add("classes", fmt.Sprintf("unknown after rule %d (%s), which does not hold a custom tool, Apex or a flow that does the same", i+1, earlier.describe()),
				"effect confirm, or each such tool declared under servers[].declare, or unknown in that rule as well")
			return
		}
	}
}

type doubts struct {
	problems
	ownTools bool // a server has tools that are not in the catalogue
}

// names asks about the names of a rule.
func (d *doubts) names(r *Rule) {
	for i := range keys {
		k := &keys[i]
		if k.names == kindOther {
			continue
		}
		for j, value := range k.values(r) {
			at := fmt.Sprintf("%s[%d]", k.name, j)
			switch k.names {
			case kindTools:
				d.tool(at, value)
			case kindObjects:
				d.object(at, value)
			case kindFields:
				object, field, _ := strings.Cut(value, ".")
				if d.object(at, object) {
					d.field(at, field)
				}
			}
		}
	}
}

// tool asks about one tool or prompt. Servers may have prompts and resources of any name.
func (d *doubts) tool(key, pattern string) {
	prompt := strings.HasPrefix(pattern, reach.PromptPrefix)
	names := toolNames(prompt)
	if strings.HasPrefix(pattern, reach.ResourcePrefix) || slices.ContainsFunc(names, func(name string) bool { return reach.Glob(pattern, name) }) {
		return
	}
	question := nearest.Question(pattern, names)
	if question != "" || !prompt && !d.ownTools {
		d.add(key, strconv.Quote(pattern)+", which is no tool that Salesforce's hosted servers are known to have"+question, "")
	}
}

// object asks about one object, and reports whether it is known.
func (d *doubts) object(key, pattern string) bool {
	known := strings.Contains(pattern, "__") || slices.ContainsFunc(knownObjects, func(name string) bool { return globFold(pattern, name) }) ||
		companionKnown(pattern)
	if known {
		return true
	}
	question := meant(pattern, knownObjects)
	if object := reach.RelationTo(pattern); object != "" { // as relations are called: Opportunities
		question = `, did you mean "` + object + `"?`
	}
	if question == "" {
		if isPattern(pattern) {
			return true // it may be about custom objects
		}
		question = " (custom objects end in __c)"
	}
	d.add(key, strconv.Quote(pattern)+", which is no object that is known here"+question, "")
	return false
}

// DoubtObject returns what can hardly be meant by the name of an object, as a note has it; "" if
// nothing is wrong with it.
func DoubtObject(name string) string {
	d := &doubts{}
	if name == "" || d.object("", name) {
		return ""
	}
	return d.list[0].Found
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?") }

// meant asks for the known name that is nearest to what a pattern says.
func meant(pattern string, names []string) string {
	return nearest.Question(strings.NewReplacer("*", "", "?", "").Replace(pattern), names)
}

// companionKnown reports whether a pattern names what belongs to a known object: ContactHistory.
func companionKnown(pattern string) bool {
	for _, of := range reach.AppendShownObjects(nil, pattern)[1:] {
		if of == reach.UnknownObject || isPattern(of) || slices.ContainsFunc(knownObjects, func(name string) bool { return globFold(of, name) }) {
			return true
		}
	}
	return false
}

// field asks about one field.
func (d *doubts) field(key, pattern string) {
	if strings.Contains(pattern, "__") || slices.ContainsFunc(knownFields, func(name string) bool { return globFold(pattern, name) }) {
		return
	}
	question := meant(pattern, knownFields)
	if question == "" {
		if isPattern(pattern) {
			return
		}
		question = " (custom fields end in __c)"
	}
	d.add(key, "the field "+strconv.Quote(pattern)+", which is none that is known here"+question, "")
}

// forestalls reports whether r lets calls pass that a later rule would deny: r is about
// everybody and everything, but for classes and the number of records. Rules for certain
// people, tools or objects before a denial are exceptions that somebody wanted.
func (r *Rule) forestalls(later *Rule) bool {
	if r.Effect == Deny || later.Effect != Deny || r.has(aboutCall&^(aboutClass|aboutRows)) {
		return false
	}
	for _, c := range reach.Classes {
		if r.takesClass(c) && later.takesClass(c) && (later.Tools == nil || (&Policy{}).toolOfClass(later, c)) {
			return true
		}
	}
	return false
}
