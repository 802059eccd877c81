package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/approval/evidence"
)

// Given is what a report says that no entry of its time does.
type Given struct {
	Made    time.Time
	By      string // who asked for it
	Version string
	// Begins is the time of the oldest entry of the log, and Oldest its number; 0: there is none.
	// Newest is the number of the last one, Signed how many the newest checkpoint covers, and
	// Readable how many there are from the first to the last that was counted.
	Begins                           time.Time
	Oldest, Newest, Signed, Readable int64
	// Lifetime is how long a call waits before it expires.
	Lifetime time.Duration
	// Dormant are the connections that are alive and were not used in the time.
	Dormant []Dormant
	// OtherLogs are the machines of other audit logs that may have entries of the time.
	OtherLogs []string
	// Shown is how many rows each list shows.
	Shown int
}

// Report is what was counted.
func (c *Collector) Report(g Given) *Report {
	r := &Report{Made: g.Made.UTC(), By: g.By, Version: g.Version, Since: c.config.Since.UTC(), Until: c.config.Until.UTC(), Log: c.log}
	r.Log.Begins = g.Begins
	r.Log.Missing = c.missing(g)
	r.Counts = c.counts(g)
	r.People = first(g, c.personRows(), "By calls, the most first. A call is counted once, by how it ended; that one was about to be made is not counted.")
	r.Tools = first(g, c.toolRows(), "Calls of each tool by its server, the most first. The class is that of the last call.")
	r.Denials = first(g, c.denialRows(), "Calls that ended with the outcome denied, by server and rule, the most first; nothing of them reached Salesforce. Without a rule: none matched, or the call was refused before any was asked.")
	r.Deciding = first(g, c.decidingRows(g), "Calls that began to wait in the time, each once however often it was repeated; how they were decided counts whenever that was. Times are from when the call began to wait.")
	r.Approvals = first(g, c.approvalRows(), "The same calls, one by one, the newest first.")
	r.Masked = first(g, c.maskedRows(), "Values that rules hid in answers, and records that they left out, as the proxy counted them in each answer. Which fields a rule hides, the policy says.")
	r.Readers = first(g, c.readerRows(), "Records in the answers that a user was given, the most first: where an answer says how many it has. Others are not counted.")
	slices.SortFunc(g.Dormant, func(a, b Dormant) int {
		return cmp.Or(a.LastUsed.Compare(b.LastUsed), a.Created.Compare(b.Created), cmp.Compare(a.Connection, b.Connection))
	})
	r.Dormant = first(g, g.Dormant, "Connections that are alive in the database now, began before the time, and were not used in it; unused longest first. Last use is kept to the minute.")
	for i, list := range []*Rows[Event]{&r.Changes, &r.Definitions, &r.Stops} {
		events := slices.Clone(c.events[i])
		slices.Reverse(events)
		*list = first(g, events, eventsHow[i])
		list.Total = c.counted[i]
	}
	return r
}

var eventsHow = [3]string{
	"Entries about the configuration and the policies, the newest first. Who changed the file is not known here: the proxy reads it, and says what it decides otherwise.",
	"Entries about definitions of the hosted servers' tools and prompts, the newest first.",
	"Entries of the kill switch, and of users and clients whose access was ended or given back, the newest first.",
}

// first takes the rows that are shown.
func first[T any](g Given, all []T, how string) Rows[T] {
	return Rows[T]{How: how, Total: len(all), Rows: append([]T{}, all[:min(len(all), g.Shown)]...)}
}

// missing says what the log does not hold.
func (c *Collector) missing(g Given) []string {
	all := []string{}
	say := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	say(g.Oldest == 0, "The log has no entry.")
	say(g.Oldest > 1, "Entries 1 to %d were removed by age: the log begins at %s.", g.Oldest-1, g.Begins.UTC().Format(time.RFC3339))
	say(g.Oldest == 1 && g.Begins.After(c.config.Since), "The log begins at %s, within the time of this report.", g.Begins.UTC().Format(time.RFC3339))
	lost := c.log.Last - c.log.First + 1 - g.Readable
	say(c.log.First > 0 && lost > 0, "%d entries within the range cannot be read: the log is damaged, or its files are not whole; `sfmcp-proxy audit verify` says where.", lost)
	say(g.Newest < g.Signed, "The log was signed with %d entries, and the last that can be read is %d; `sfmcp-proxy audit verify` says where it breaks.", g.Signed, g.Newest)
	say(len(g.OtherLogs) > 0, "Other replicas have audit logs of their own, and what they did in the time is not counted here: %s. A report of each is made there.", strings.Join(g.OtherLogs, ", "))
	say(c.erased > 0, "%d entries are about people who were erased, or whose key is missing: they are counted under pseudonyms.", c.erased)
	for _, what := range slices.Sorted(maps.Keys(c.over)) {
		say(true, "There are too many %s to be told apart: what is beyond the bound is counted together or left out of the lists.", what)
	}
	return all
}

// counts is the summary.
func (c *Collector) counts(g Given) []Count {
	t := c.totals
	return []Count{
		{"people who called a tool", int64(len(c.people)), "different users in the entries of calls"},
		{"calls", t.calls, "entries of the action tool.call, each call by how it ended"},
		{"sent to Salesforce", t.sent, "calls that ended with the outcome ok, error or outcome_unknown"},
		{"writes sent", t.writes, "of them, those whose class is not read"},
		{"denied", t.denied, "calls that ended with the outcome denied"},
		{"held", t.held, "calls that ended with the outcome held, each time that a client asked"},
		{"calls that began to wait", int64(c.asked), "different approvals among those held"},
		{"answered from a record", t.repeated, "calls that ended with the outcome repeated: not sent again"},
		{"failed", t.failed, "calls that ended with the outcome error or outcome_unknown"},
		{"of unknown outcome", t.unknown, "of them, those of which nobody knows whether they took effect"},
		{"without an outcome", int64(len(c.open)), "calls that were about to be made, and how they ended is not in the time"},
		{"passed in shadow mode", t.shadow, "calls that a policy would have denied or held, and noted only"},
		{"records given", t.rows, "the sum over answers that say how many records they have"},
		{"values hidden", t.hidden, "the sum over answers"},
		{"records left out", t.cut, "the sum over answers"},
		{"prompts and resources", t.prompts, "entries of prompts that were got and resources that were read, by how they ended"},
		{"dormant connections", int64(len(g.Dormant)), "alive now, older than the time, and not used in it"},
		{"configuration changes", int64(c.counted[0]), "entries about configuration and policies"},
		{"definition changes", int64(c.counted[1]), "entries about definitions of hosted servers"},
		{"stops and blocks", int64(c.counted[2]), "entries of the kill switch and of ended or returned access"},
	}
}

func (c *Collector) personRows() []Person {
	var all []Person
	for _, p := range c.people {
		p.Tools = len(p.tools)
		slices.Sort(p.Servers)
		slices.Sort(p.Clients)
		all = append(all, p.Person)
	}
	slices.SortFunc(all, func(a, b Person) int { return cmp.Or(cmp.Compare(b.Calls, a.Calls), compareWho(a.Who, b.Who)) })
	return all
}

func compareWho(a, b Who) int {
	return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.Subject, b.Subject))
}

func (c *Collector) toolRows() []Tool {
	var all []Tool
	for _, t := range c.tools {
		t.People = len(t.people)
		all = append(all, t.Tool)
	}
	slices.SortFunc(all, func(a, b Tool) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Tool, b.Tool))
	})
	return all
}

// reasonsShown is how many reasons of one rule are shown.
const reasonsShown = 5

func (c *Collector) denialRows() []Denial {
	var all []Denial
	for _, d := range c.rules {
		d.People, d.Reasons = len(d.people), nil
		for text, n := range d.reasons {
			d.Reasons = append(d.Reasons, Reason{text, n})
		}
		slices.SortFunc(d.Reasons, func(a, b Reason) int { return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Text, b.Text)) })
		d.Reasons = d.Reasons[:min(len(d.Reasons), reasonsShown)]
		all = append(all, d.Denial)
	}
	slices.SortFunc(all, func(a, b Denial) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Rule, b.Rule))
	})
	return all
}

func (c *Collector) decidingRows(g Given) []Deciding {
	var all []Deciding
	for _, of := range c.stats.Groups(g.Made, g.Lifetime) {
		all = append(all, Deciding{of.Of, of.Name, of.Held, of.Approved, of.Denied, of.Countered, of.Expired, of.Waiting, of.Median.Milliseconds(), of.P95.Milliseconds(), of.Habit})
	}
	return all
}

func (c *Collector) approvalRows() []Approval {
	var all []Approval
	for _, r := range slices.Backward(c.waiting.Records()) {
		a := Approval{Approval: r.Approval, Who: Who{r.Org, r.Subject, r.Username}, Server: r.Server, Tool: r.Tool, Rule: r.Rule, Asked: r.Asked, Decided: r.Decided, By: decidedBy(r), Result: r.Result()}
		if r.Answer != nil {
			a.Outcome = string(r.Answer.Outcome)
		}
		all = append(all, a)
	}
	return all
}

// decidedBy names who decided about a call that waited.
func decidedBy(r *evidence.Record) string {
	var by []string
	for _, d := range r.Decisions {
		by = named(by, d.By)
	}
	return strings.Join(by, ", ")
}

func (c *Collector) maskedRows() []Masked {
	var all []Masked
	for _, m := range c.masked {
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b Masked) int {
		return cmp.Or(cmp.Compare(b.Hidden+b.Cut, a.Hidden+a.Cut), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Tool, b.Tool))
	})
	return all
}

func (c *Collector) readerRows() []Reader {
	var all []Reader
	for _, r := range c.readers {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Reader) int { return cmp.Or(cmp.Compare(b.Records, a.Records), compareWho(a.Who, b.Who)) })
	return all
}
