package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// about is what a key of a rule speaks of. Keys are asked in this order, so that what is
// cheap and needs no arguments comes first.
type about uint16

const (
	aboutUser     about = 1 << iota // who calls; not known before sign-in
	aboutClient                     // the client
	aboutTool                       // the tool, prompt or resource
	aboutClass                      // the effect class
	aboutReach                      // objects and fields that the arguments make the call reach
	aboutRows                       // how many records the query may return
	aboutMoment                     // what the same call may be told otherwise a minute later: a time, a condition, what was answered before
	aboutAnswer                     // nothing of the call: what must happen to its answer
	aboutApproval                   // nothing of the call: who must agree to it

	aboutCaller    = aboutUser | aboutClient
	aboutArguments = aboutReach | aboutRows | aboutMoment
	aboutCall      = aboutCaller | aboutTool | aboutClass | aboutArguments
)

// key is all that this package knows of one key of rules but for its meaning: with a field
// of [Rule] and a row of [keys], a key can be written in a policy, is validated, described,
// part of the version, and considered wherever rules are compared or asked in part.
type key struct {
	name    string   // in policy files; the tag of its field
	about   about    // what it speaks of
	effects []Effect // of the rules that may have it; nil: all
	// set reports whether a rule has the key, values returns what stands there as text.
	set    func(*Rule) bool
	values func(*Rule) []string
	// valid reports whether a value is one, want says what one is.
	valid func(value string) bool
	want  string
	// check adds problems that are not those of one value; nil: there are none.
	check func(*Rule, *problems)
	// implied is the value that absence stands for; "" if there is none.
	implied string
	// described: stands in the few words by which operators know a rule.
	described bool
	// names is what its values are names or patterns of, for comparing them with known names.
	names kind
	// matches reports whether the key matches a call; nil: it does not restrict.
	matches func(*ready, *question) bool
	// within reports whether a rule with the value outer matches whatever one with inner
	// does. nil: only the same values are certain to.
	within func(outer, inner string) bool
}

// kind is what the values of a key name.
type kind uint8

const (
	kindOther kind = iota
	kindTools
	kindObjects
	kindFields
)

// passing are the effects of rules that let calls pass.
var passing = []Effect{Allow, Confirm}

// keys is the table of the keys of rules, in the order in which they are asked. The effect
// is not among them: it is what all keys are for.
var keys = append([]key{
	listKey("tools", aboutTool, func(r *Rule) []string { return r.Tools }, validToolPattern,
		"a tool name or a glob with * and ?").naming(kindTools).
		matching(func(c *ready, q *question) bool { return c.namesTool(q.tool) }, includesTool),
	listKey("users", aboutUser, func(r *Rule) []string { return r.Users }, validUser,
		"a Salesforce user id (15 or 18 characters) or a user name with @").
		matching(func(c *ready, q *question) bool { return c.namesUser(q) }, sameUser),
	listKey("groups", aboutUser, func(r *Rule) []string { return r.Groups }, validWord, "the name of a group").
		matching(func(c *ready, q *question) bool {
			return c.any(c.Groups, func(group string) bool { return slices.Contains(q.who.Groups, group) })
		}, same),
	listKey("clients", aboutClient, func(r *Rule) []string { return r.Clients }, validWord, "a client id").
		matching(func(c *ready, q *question) bool {
			return c.any(c.Clients, func(id string) bool { return id == q.who.Client && id != "" })
		}, same),
	listKey("classes", aboutClass, func(r *Rule) []string { return classNames(r.Classes) }, validClass, classList).
		matching(func(c *ready, q *question) bool { return c.holdsClass(q.reach) }, same),
	listKey("objects", aboutReach, func(r *Rule) []string { return r.Objects }, validObjectPattern,
		"an sObject name such as Account or My__c, or a glob").naming(kindObjects).matching((*ready).reachesObjects, nil),
	listKey("fields", aboutReach, func(r *Rule) []string { return r.Fields }, validFieldPattern,
		"Object.Field, such as Contact.Email, or a glob").naming(kindFields).matching((*ready).reachesFields, nil),
	{
		name: "max_rows", about: aboutRows, effects: passing, check: checkMaxRows,
		set: func(r *Rule) bool { return r.MaxRows != 0 }, values: func(r *Rule) []string { return []string{strconv.Itoa(r.MaxRows)} },
		matches: (*ready).withinRows,
	},
	{
		name: "rewrite", about: aboutRows, effects: passing, check: checkRewrite,
		set: func(r *Rule) bool { return r.Rewrite }, values: func(r *Rule) []string { return []string{strconv.FormatBool(r.Rewrite)} },
	},
	{
		name: "when", about: aboutMoment, check: checkWhen, described: true,
		set: func(r *Rule) bool { return r.When != "" }, values: func(r *Rule) []string { return []string{r.When} },
		matches: (*ready).holds,
	},
	{
		name: "after", about: aboutMoment, effects: []Effect{Confirm, Deny}, described: true,
		set: func(r *Rule) bool { return r.After != "" }, values: func(r *Rule) []string { return []string{r.After} },
		valid: func(value string) bool { return value == OutsideText }, want: OutsideText,
		matches: func(_ *ready, q *question) bool { return q.outside != nil && q.outside() },
	},
	{
		name: "observe", about: aboutMoment, described: true,
		set: func(r *Rule) bool { return r.Observe }, values: func(r *Rule) []string { return []string{strconv.FormatBool(r.Observe)} },
	},
	listKey("mask", aboutAnswer, func(r *Rule) []string { return r.Mask }, validFieldPattern,
		"Object.Field, such as Contact.SSN__c or *.Birthdate").on(passing...).naming(kindFields),
	listKey("drop", aboutAnswer, func(r *Rule) []string { return r.Drop }, validFieldPattern,
		"Object.Field, such as Contact.SSN__c or *.Birthdate").on(passing...).naming(kindFields),
}, confirmationKeys...)

// listKey is a key whose value is a list of names or patterns.
func listKey(name string, of about, values func(*Rule) []string, valid func(string) bool, want string) key {
	set := func(r *Rule) bool { return values(r) != nil }
	return key{name: name, about: of, set: set, values: values, valid: valid, want: want, described: true}
}

func (k key) on(effects ...Effect) key { k.effects = effects; return k }
func (k key) naming(names kind) key    { k.names = names; return k }
func (k key) matching(matches func(*ready, *question) bool, within func(outer, inner string) bool) key {
	k.matches, k.within = matches, within
	return k
}

// has reports whether the rule has a key about one of these.
func (r *Rule) has(these about) bool {
	for i := range keys {
		if keys[i].about&these != 0 && keys[i].set(r) {
			return true
		}
	}
	return false
}

// validate adds the problems of the rule's value of the key.
func (k *key) validate(r *Rule, c *problems) {
	if !k.set(r) {
		return
	}
	values := k.values(r)
	switch {
	case k.effects == nil || slices.Contains(k.effects, r.Effect) || !validEffect(r.Effect):
	case len(k.effects) == 1:
		c.add(k.name, k.shown(values), "it only for effect "+string(k.effects[0]))
	case slices.Contains(k.effects, Allow):
		c.add(k.name, k.shown(values)+", which has no meaning for "+string(r.Effect), "it on the rule that allows")
	default:
		c.add(k.name, k.shown(values)+", which has no meaning for "+string(r.Effect), "it on a rule that confirms or denies")
	}
	if k.check != nil {
		k.check(r, c)
	}
	if k.valid == nil {
		return
	}
	if len(values) == 0 {
		c.add(k.name, "an empty list", "something named, or no such key")
	}
	for i, v := range values {
		at := fmt.Sprintf("%s[%d]", k.name, i)
		if !k.valid(v) {
			c.add(at, strconv.Quote(v), k.want)
		}
		if slices.Contains(values[:i], v) {
			c.add(at, strconv.Quote(v)+" a second time", "it once")
		}
	}
}

// shown are values as a problem shows them: numbers and yes or no as they are, text in quotes.
func (k *key) shown(values []string) string {
	text := strings.Join(values, ", ")
	if _, err := strconv.Atoi(text); err == nil || text == "true" {
		return text
	}
	return strconv.Quote(text)
}

func checkMaxRows(r *Rule, c *problems) {
	if r.MaxRows < 0 {
		c.add("max_rows", strconv.Itoa(r.MaxRows), "a number of records, or no such key")
	}
}

func checkRewrite(r *Rule, c *problems) {
	if r.MaxRows == 0 {
		c.add("rewrite", "true without max_rows", "max_rows beside it, which says the LIMIT")
	}
}
