package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/policy/condition"
)

// asked are the objects and fields that conditions ask about. They stand in an index of
// their own, each as a rule that speaks of it alone.
type asked struct {
	objects, fields []string // patterns, in any case
	index           *index
}

// compile reads a condition and collects what it asks about.
func (a *asked) compile(source string, calendars []*condition.Calendar) (*condition.Condition, error) {
	note := func(list *[]string, valid func(string) bool) func(string) bool {
		return func(pattern string) bool {
			if valid(pattern) && !slices.Contains(*list, pattern) {
				*list = append(*list, pattern)
			}
			return valid(pattern)
		}
	}
	return condition.Compile(source, condition.Names{
		Calendars: calendars, Object: note(&a.objects, validObjectPattern), Field: note(&a.fields, validFieldPattern),
	})
}

// makeIndex takes in all that was collected.
func (a *asked) makeIndex() {
	all := len(a.objects) + len(a.fields)
	if all == 0 {
		return
	}
	a.index = newIndex(all)
	for i, pattern := range a.objects {
		a.index.add(&Rule{Objects: []string{pattern}}, i, all)
	}
	for i, pattern := range a.fields {
		a.index.add(&Rule{Fields: []string{pattern}}, len(a.objects)+i, all)
	}
}

// checkWhen adds what is wrong with a condition.
func checkWhen(r *Rule, c *problems) {
	if r.When == "" {
		return
	}
	if _, err := new(asked).compile(r.When, c.calendars); err != nil {
		const longest = 80
		found := r.When
		if len(found) > longest {
			found = strings.ToValidUTF8(found[:longest], "") + "…"
		}
		c.add("when", strconv.Quote(found), "a condition: "+err.Error())
	}
}

// holds reports whether the condition of the rule is true. Where it is neither true nor false,
// the question has failed, and nothing that is asked afterwards matters.
func (c *ready) holds(q *question) bool {
	if c.failed != nil {
		q.failed = errors.New("it is not valid")
		return false
	}
	is, err := c.when.Holds(q.atMoment())
	if q.failed = err; is || err != nil || q.carrier == nil || c.Effect == Allow || !c.asksArguments() {
		return is
	}
	m := *q.moment
	of := condition.Call{ // as it is, but for the arguments
		Org: m.Org, Subject: m.Subject, Username: m.Username, Client: m.Client, Groups: m.Groups, Source: m.Source, Server: m.Server,
		Tool: m.Tool, Class: m.Class, Rows: m.Rows, Now: m.Now, Reaches: m.Reaches, Field: m.Field,
		Arguments: q.call.Arguments, Member: q.carrier.Member,
	}
	is, err = c.when.Holds(&of)
	return is && err == nil // what the carrier does not have says nothing of the request
}

// asksArguments reports whether the condition of a rule asks for arguments.
func (c *ready) asksArguments() bool { return c.when != nil && c.when.Asks("arguments") }

// atMoment returns the call as conditions see it.
func (q *question) atMoment() *condition.Call {
	if q.moment != nil {
		return q.moment
	}
	who, v := q.who, q.reach
	q.moment = &condition.Call{
		Org: who.Org, Subject: who.Subject, Username: who.Username, Client: who.Client, Groups: who.Groups,
		Tool: q.tool, Class: string(v.Class), Rows: v.Rows, Reaches: q.reachesNamed, Field: q.fieldNamed, Member: v.Member,
	}
	if q.call != nil {
		q.moment.Server, q.moment.Source, q.moment.Now, q.moment.Arguments = q.call.Server, q.call.Source, q.call.Now, q.call.Arguments
		if own := v.OwnArguments(); own != nil {
			q.moment.Arguments = own
		}
	}
	return q.moment
}

var errUndetermined = errors.New("what the call reaches cannot be determined")

// reachesNamed reports whether the call reaches an object that a condition names, or one that
// shows its records.
func (q *question) reachesNamed(pattern string) (bool, error) {
	return q.named(slices.Index(q.compiled.asked.objects, pattern), (*question).objects, q.reach.Opaque)
}

// fieldNamed is reachesNamed for a field.
func (q *question) fieldNamed(pattern string) (bool, error) {
	a := q.compiled.asked
	return q.named(len(a.objects)+slices.Index(a.fields, pattern), (*question).fields, q.reach.OpaqueFields)
}

func (q *question) named(number int, hits func(*question) bits, opaque bool) (bool, error) {
	if q.literals == nil {
		q.literals = &question{reach: q.reach, index: q.compiled.asked.index}
	}
	is := hits(q.literals).has(number)
	if !is && opaque && !q.reach.Index { // which is asked once more about each object
		return false, errUndetermined
	}
	return is, nil
}

// until returns when a call that is denied now may be decided otherwise, because a calendar
// changes then: that of the rule that denied it, or of one that would let it pass. Zero if
// none does.
func (c *compiled) until(q *question, by int, missed []*ready) (first time.Time) {
	if q.failed != nil || q.call == nil {
		return first
	}
	if by >= 0 {
		missed = []*ready{&c.rules[by]}
	}
	now, left := *q.atMoment(), maxChanges
	for _, r := range missed {
		if r.when == nil {
			continue
		}
		then := now
		for ; left > 0; left-- {
			then.Now = r.when.Until(then.Now)
			if then.Now.IsZero() || !first.IsZero() && !then.Now.Before(first) {
				break
			}
			if is, err := r.when.Holds(&then); err == nil && is == r.passes() {
				first = then.Now
				break
			}
		}
	}
	return first
}

// maxChanges is how many changes of calendars are looked at for one that makes a condition
// otherwise, over all rules: of a calendar of weekdays two a day. It takes less than a
// millisecond.
const maxChanges = 200

// momentInWords is a moment as a sentence has it, in the time zone of the calendar.
func momentInWords(at time.Time) string {
	return at.Format("Monday, 2 January 2006, 15:04") + " (" + at.Location().String() + ")"
}

// condition is what the rule depends on besides the call: its keys about the moment, and what
// its calendars mean.
func (c *ready) condition() string {
	var b []byte
	for i := range keys {
		if k := &keys[i]; k.about&aboutMoment != 0 && k.set(c.Rule) {
			b = appendStrings(append(b, k.name...), k.values(c.Rule)...)
		}
	}
	if c.when != nil {
		for _, calendar := range c.when.Calendars() {
			b = appendCalendar(b, calendar)
		}
	}
	return string(b)
}

func appendCalendar(b []byte, k *condition.Calendar) []byte {
	b = appendStrings(b, "calendar", k.Name, k.Zone)
	return appendSet(appendSet(b, k.Weekly), k.Dated)
}

// appendCalendars appends what the conditions of a policy mean by their calendars.
func (p *Policy) appendCalendars(b []byte) []byte {
	var used []*condition.Calendar
	for i := range p.Rules {
		if p.Rules[i].When == "" {
			continue
		}
		if when, err := new(asked).compile(p.Rules[i].When, p.Calendars); err == nil {
			used = append(used, when.Calendars()...)
		}
	}
	for _, calendar := range p.Calendars {
		if slices.Contains(used, calendar) {
			b = appendCalendar(b, calendar)
		}
	}
	return b
}
