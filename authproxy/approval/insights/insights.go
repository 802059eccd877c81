// Package insights says of many calls that waited for a person what became of them: how many
// were approved, how long people took, and whether anybody approves without reading.
//
// It is given the calls and the decisions one after the other, as the audit log has them, and
// knows neither the log nor approvals. What it says is for people who look after the rules; no
// decision is made by it.
package insights

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// The sign of somebody, or a rule, where approving has become a habit: at least enough
// decisions, of which more than the share are approvals, half of them sooner than a person
// reads a call.
const (
	enough      = 20
	habitShare  = 0.98
	habitMedian = 5 * time.Second
)

// Group is what became of the calls that have something in common.
type Group struct {
	Of   Kind   // what they have in common
	Name string // the rule, or who decided; empty for all
	// Held is how many calls waited, or, of who decided, how many decisions that are. The
	// others are parts of it: approved by everybody who was asked, denied, another call
	// proposed in their place, ended without a decision, not ended yet.
	Held, Approved, Denied, Countered, Expired, Waiting int
	// Median and P95 are how long half and 95 % of the decisions took at most, from when the
	// call began to wait; 0: there was none.
	Median, P95 time.Duration
	// Habit says that approving seems to have become a habit.
	Habit bool

	took []time.Duration
}

// Share is which part of the decisions approves, in percent, rounded down; "" if nothing was decided.
func (g Group) Share() string {
	decided := g.Approved + g.Denied + g.Countered
	if decided == 0 {
		return ""
	}
	return fmt.Sprintf("%d %%", g.Approved*100/decided)
}

// Kind says what the calls of a group have in common.
type Kind string

// The kinds.
const (
	All  Kind = "all"
	Rule Kind = "rule"
	By   Kind = "by" // who decided
)

// Verdict is what a person decided.
type Verdict int

// The verdicts. Partly is an approval after which others are still asked.
const (
	Approved Verdict = iota + 1
	Partly
	Denied
	Countered
)

// waited is one call.
type waited struct {
	rule  string
	since time.Time
	last  Verdict
	at    time.Time // of the last decision
}

// decided is one decision.
type decided struct {
	by      string
	verdict Verdict
	took    time.Duration
}

// Collector takes in calls and decisions, in the order of time. The zero value is ready.
type Collector struct {
	calls     map[string]*waited
	decisions []decided
}

// Held takes in that a call waits, by the id of its request; of a call that is repeated while
// it waits the first time counts.
func (c *Collector) Held(id, rule string, at time.Time) {
	if c.calls == nil {
		c.calls = map[string]*waited{}
	}
	if c.calls[id] == nil {
		c.calls[id] = &waited{rule: rule, since: at}
	}
}

// Decided takes in a decision that counted. One about a call that was not taken in is left out.
func (c *Collector) Decided(id, by string, v Verdict, at time.Time) {
	w := c.calls[id]
	if w == nil {
		return
	}
	w.last, w.at = v, at
	c.decisions = append(c.decisions, decided{by, v, max(0, at.Sub(w.since))})
}

// Groups returns all calls as one group, then by rule, then by who decided, those with most
// calls first. A call that was not decided within lifetime has expired by now.
func (c *Collector) Groups(now time.Time, lifetime time.Duration) []Group {
	all := Group{Of: All}
	rules, people := map[string]*Group{}, map[string]*Group{}
	for _, w := range c.calls {
		for _, g := range []*Group{&all, of(rules, Rule, w.rule)} {
			g.call(w, now, lifetime)
		}
	}
	for _, d := range c.decisions {
		of(people, By, d.by).decision(d)
	}
	groups := append([]Group{all}, append(sorted(rules), sorted(people)...)...)
	for i := range groups {
		groups[i].finish()
	}
	return groups
}

func of(groups map[string]*Group, kind Kind, name string) *Group {
	g := groups[name]
	if g == nil {
		g = &Group{Of: kind, Name: name}
		groups[name] = g
	}
	return g
}

func sorted(groups map[string]*Group) []Group {
	var all []Group
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int { return cmp.Or(b.Held-a.Held, cmp.Compare(a.Name, b.Name)) })
	return all
}

// call counts one call.
func (g *Group) call(w *waited, now time.Time, lifetime time.Duration) {
	g.Held++
	switch w.last {
	case Approved:
		g.Approved++
	case Denied:
		g.Denied++
	case Countered:
		g.Countered++
	default:
		if now.Sub(w.since) < lifetime {
			g.Waiting++
		} else {
			g.Expired++
		}
		return
	}
	g.took = append(g.took, max(0, w.at.Sub(w.since)))
}

// decision counts one decision.
func (g *Group) decision(d decided) {
	g.Held++
	g.took = append(g.took, d.took)
	switch d.verdict {
	case Approved, Partly:
		g.Approved++
	case Denied:
		g.Denied++
	default:
		g.Countered++
	}
}

// finish finds out what needs all of a group.
func (g *Group) finish() {
	slices.Sort(g.took)
	if n := len(g.took); n > 0 {
		g.Median, g.P95 = g.took[(n-1)/2], g.took[(n*95+99)/100-1]
		g.Habit = n >= enough && g.Median < habitMedian && float64(g.Approved) > habitShare*float64(n)
	}
}
