package policy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/policy/condition"
	"sfmcp-proxy/authproxy/policy/reach"
)

// Party says for whom a budget counts.
type Party string

// The parties.
const (
	EachUser   Party = "user"   // every Salesforce user has the whole limit
	EachClient Party = "client" // every OAuth client has the whole limit
	AllParties Party = "all"    // everybody together has it
)

// Measure is what a budget counts.
type Measure string

// The measures. A write is a record that a call makes, changes or deletes, or a call that
// does so to records that nobody can count; a call of unknown class is one, and counts as a
// delete too: nobody knows that it is none.
const (
	Calls   Measure = "calls"
	Rows    Measure = "rows"  // records in answers
	Bytes   Measure = "bytes" // of answers
	Writes  Measure = "writes"
	Deletes Measure = "deletes"
)

// Window is how long a limit is for. The next one begins when it ends, with nothing used.
type Window string

// The windows. Minutes and hours are those of UTC; a day begins at midnight of its zone.
const (
	Minute Window = "minute"
	Hour   Window = "hour"
	Day    Window = "day"
)

// Budget is how much may be done under a policy in a time. What it counts is counted
// whatever rule lets the call pass. The zero value counts nothing and is not valid.
type Budget struct {
	Who    Party   `mapstructure:"who" need:"value"`
	What   Measure `mapstructure:"what" need:"value"`
	Window Window  `mapstructure:"window" need:"value"`
	// Zone is the time zone in which a day begins, as the IANA names it; empty: UTC.
	Zone  string `mapstructure:"time_zone" need:"value"`
	Limit Amount `mapstructure:"limit" need:"value"`
	// AlarmAt is the part of the limit at which there is an alarm; 0: [DefaultAlarm].
	AlarmAt float64 `mapstructure:"alarm_at" need:"value"`
	// Classes narrow what is counted; nil: every class. A call of unknown class counts in
	// any case, and one of the class admin also by what it does.
	Classes []Class `mapstructure:"classes" need:"value"`
	// Objects narrow it to calls that reach one of these, or objects that cannot be
	// determined; nil: every call.
	Objects []string `mapstructure:"objects" need:"value"`
}

// Amount is a number, in files also a size with a unit.
type Amount int64

// DefaultAlarm is the part of a limit at which there is an alarm.
const DefaultAlarm = 0.8

// MaxBudgets is how many budgets a policy can have: each is asked at each call.
const MaxBudgets = 16

// maxLimit bounds limits so that sums of them stay within 64 bits.
const maxLimit = 1 << 50

// Measures are all of them.
func Measures() []Measure { return slices.Clone(measures) }

var (
	parties  = []Party{EachUser, EachClient, AllParties}
	measures = []Measure{Calls, Rows, Bytes, Writes, Deletes}
	windows  = []Window{Minute, Hour, Day}
)

// String says what is counted, for people; no two budgets of a policy say the same. The
// limit is not part of it: what was used is not forgotten when that changes.
func (b *Budget) String() string {
	text := string(b.What) + map[Party]string{
		EachUser: " of each user", EachClient: " of each client", AllParties: " of all users together",
	}[b.Who] + map[Window]string{Minute: " a minute", Hour: " an hour", Day: " a day"}[b.Window]
	if b.Zone != "" && b.Zone != "UTC" {
		text += " in " + b.Zone
	}
	if b.Classes != nil {
		text += ", of classes " + strings.Join(slices.Sorted(slices.Values(classNames(b.Classes))), ", ")
	}
	if b.Objects != nil {
		text += ", of objects " + strings.Join(slices.Sorted(slices.Values(b.Objects)), ", ")
	}
	return text
}

// Counts reports whether the budget counts a call, or any of the requests in it.
func (b *Budget) Counts(d *Decision) bool {
	if d.Reach == nil || len(d.Reach.Parts) == 0 {
		return b.counts(d)
	}
	return slices.ContainsFunc(d.Reach.Parts, func(part *reach.Value) bool {
		return b.counts(&Decision{Class: part.Class, Objects: part.ObjectNames(), Reach: part})
	})
}

func (b *Budget) counts(d *Decision) bool {
	switch {
	case b.What == Deletes && !mayDelete(d.Class), b.What == Writes && !isWrite(d.Class):
		return false
	case b.Classes != nil && d.Class != Unknown && !slices.Contains(b.Classes, d.Class) &&
		(d.Reach == nil || !slices.ContainsFunc(b.Classes, d.Reach.MayBe)):
		return false
	}
	return b.Objects == nil || slices.ContainsFunc(d.Objects, b.namesObject)
}

// ReachesUnknown reports whether the call reaches objects that cannot be determined.
func (d *Decision) ReachesUnknown() bool { return slices.Contains(d.Objects, UnknownObject) }

// namesObject reports whether a call that reaches object is counted for it, by the words of
// rules that deny: also where records of a named object are seen through another one.
func (b *Budget) namesObject(object string) bool {
	return slices.ContainsFunc(reach.AppendShownObjects(nil, object), func(o string) bool {
		return o == UnknownObject || slices.ContainsFunc(b.Objects, func(p string) bool { return Denies(p, o) })
	})
}

// Before is how much of the budget a call takes that it counts, as far as that is known
// before the answer: nothing of rows and bytes.
func (b *Budget) Before(d *Decision) int64 {
	var wanted func(Class) bool
	switch b.What {
	case Calls:
		return 1
	case Writes:
		wanted = isWrite
	case Deletes:
		wanted = mayDelete
	default:
		return 0
	}
	n := int64(0)
	for _, r := range d.Records {
		if wanted(r.Class) {
			n++
		}
	}
	return max(n, 1)
}

// isWrite reports whether calls of a class change records, or may; mayDelete, whether they
// delete some.
func isWrite(c Class) bool   { return c != Read && c != SideEffect }
func mayDelete(c Class) bool { return isWrite(c) && c != Create && c != Update }

// AlarmLevel is how much must be used for an alarm.
func (b *Budget) AlarmLevel() int64 {
	limit := int64(b.Limit)
	at := b.AlarmAt
	if at == 0 {
		at = DefaultAlarm
	}
	return min(limit, int64(math.Ceil(at*float64(limit))))
}

// Span returns the window that t is in: from start until just before end.
func (b *Budget) Span(t time.Time) (start, end time.Time) {
	switch b.Window {
	case Minute:
		start = t.UTC().Truncate(time.Minute)
		return start, start.Add(time.Minute)
	case Hour:
		start = t.UTC().Truncate(time.Hour)
		return start, start.Add(time.Hour)
	}
	zone := condition.Location(b.Zone)
	if zone == nil {
		zone = time.UTC // none is named, or one that Validate refuses
	}
	year, month, day := t.In(zone).Date()
	return midnight(year, month, day, zone), midnight(year, month, day+1, zone)
}

// midnight is when a day begins in a zone: later where clocks are put forward at midnight.
func midnight(year int, month time.Month, day int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	if t.Hour() != 0 { // an hour before, because there is no such time
		_, t = t.ZoneBounds()
	}
	return t
}

// Length is about how long a window is.
func (b *Budget) Length() time.Duration {
	return map[Window]time.Duration{Minute: time.Minute, Hour: time.Hour, Day: 24 * time.Hour}[b.Window]
}

// validateBudgets adds the problems of a policy's budgets.
func (p *Policy) validateBudgets(c *problems) {
	if len(p.Budgets) > MaxBudgets {
		c.add("budgets", strconv.Itoa(len(p.Budgets))+" budgets", fmt.Sprintf("at most %d", MaxBudgets))
		return
	}
	seen := map[string]bool{}
	for i := range p.Budgets {
		b := &p.Budgets[i]
		key := func(name string) string { return fmt.Sprintf("budgets[%d].%s", i, name) }
		b.validate(key, c)
		if name := b.String(); seen[name] {
			c.add(fmt.Sprintf("budgets[%d]", i), name+" a second time", "one limit for them")
		} else {
			seen[name] = true
		}
	}
}

// validate adds the problems of one budget.
func (b *Budget) validate(key func(string) string, c *problems) {
	if !slices.Contains(parties, b.Who) {
		c.add(key("who"), strconv.Quote(string(b.Who)), "user, client or all")
	}
	if !slices.Contains(measures, b.What) {
		c.add(key("what"), strconv.Quote(string(b.What)), "calls, rows, bytes, writes or deletes")
	}
	if !slices.Contains(windows, b.Window) {
		c.add(key("window"), strconv.Quote(string(b.Window)), "minute, hour or day")
	}
	if b.Zone != "" && condition.Location(b.Zone) == nil {
		c.add(key("time_zone"), strconv.Quote(b.Zone), "a time zone such as Europe/Berlin")
	}
	if b.Zone != "" && b.Window != Day {
		c.add(key("time_zone"), strconv.Quote(b.Zone), "it only for window day")
	}
	if b.Limit < 1 || b.Limit > maxLimit {
		c.add(key("limit"), strconv.FormatInt(int64(b.Limit), 10), "a number from 1 on; to allow none, a rule that denies")
	}
	if !(b.AlarmAt >= 0 && b.AlarmAt <= 1) { // also not a number
		c.add(key("alarm_at"), strconv.FormatFloat(b.AlarmAt, 'g', -1, 64), "a part of the limit, such as 0.8")
	}
	b.validateLists(key, c)
}

// validateLists adds the problems of what narrows a budget.
func (b *Budget) validateLists(key func(string) string, c *problems) {
	if b.Classes != nil && len(b.Classes) == 0 {
		c.add(key("classes"), "an empty list", "something named, or no such key")
	}
	if b.Objects != nil && len(b.Objects) == 0 {
		c.add(key("objects"), "an empty list", "something named, or no such key")
	}
	counted := map[Measure]func(Class) bool{Writes: isWrite, Deletes: mayDelete}[b.What]
	for i, class := range b.Classes {
		at := key(fmt.Sprintf("classes[%d]", i))
		switch {
		case !validClass(string(class)):
			c.add(at, strconv.Quote(string(class)), "a class such as read, create, update or delete")
		case slices.Contains(b.Classes[:i], class):
			c.add(at, strconv.Quote(string(class))+" a second time", "it once")
		case counted != nil && !counted(class):
			c.add(at, strconv.Quote(string(class))+", which are no "+string(b.What), "a class of "+string(b.What))
		}
	}
	for i, object := range b.Objects {
		at := key(fmt.Sprintf("objects[%d]", i))
		if !validObjectPattern(object) {
			c.add(at, strconv.Quote(object), "an sObject name such as Account or My__c, or a glob")
		}
		if slices.Contains(b.Objects[:i], object) {
			c.add(at, strconv.Quote(object)+" a second time", "it once")
		}
	}
}

// appendBudgets appends what the policy's budgets say, for its version.
func (p *Policy) appendBudgets(b []byte) []byte {
	for i := range p.Budgets {
		u := &p.Budgets[i]
		b = appendStrings(b, "budget", string(u.Who), string(u.What), string(u.Window), u.Zone,
			strconv.FormatInt(int64(u.Limit), 10), strconv.FormatFloat(u.AlarmAt, 'g', -1, 64))
		b = appendSet(appendSet(b, classNames(u.Classes)), u.Objects)
	}
	return b
}
