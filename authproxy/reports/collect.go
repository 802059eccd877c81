package reports

import (
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval/evidence"
	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
)

// bounds are how many of a kind are told apart while counting; what comes beyond is counted
// together, and said in [Log.Missing].
var bounds = struct{ People, Tools, Rules, Reasons, Approvals, Events int }{100_000, 10_000, 2_000, 200, 10_000, 10_000}

// beyond is what is counted together, once there are too many to be told apart.
const beyond = "(others)"

// Config is what [NewCollector] needs: the time, and how decisions of people are read, which
// whoever takes them knows.
type Config struct {
	Since, Until time.Time // the time is before Until
	// Verdict is what an entry of a decision says; 0: nothing. DecidedBy names who decided.
	Verdict   func(audit.Entry) insights.Verdict
	DecidedBy func(actor.Actor) string
}

// Collector counts. Give it the entries from Since on, oldest first, then make the report.
type Collector struct {
	config Config

	log     Log
	erased  int64
	over    map[string]bool // what was too much to be told apart
	open    map[int64]bool  // intents whose outcome has not come
	totals  totals
	people  map[Who]*person
	tools   map[[2]string]*tool
	rules   map[[2]string]*denial
	masked  map[[2]string]*Masked
	readers map[Who]*Reader
	waiting evidence.Register
	asked   int
	stats   insights.Collector
	events  [3][]Event
	counted [3]int
}

// totals are the numbers of the summary.
type totals struct {
	calls, sent, writes, denied, held, failed, unknown, repeated, shadow, hidden, cut, rows, prompts int64
}

// person and tool are rows that are being counted.
type person struct {
	Person
	tools map[[2]string]bool
}

type tool struct {
	Tool
	people map[Who]bool
}

type denial struct {
	Denial
	people  map[Who]bool
	reasons map[string]int64
}

// NewCollector is one that has seen nothing.
func NewCollector(c Config) *Collector {
	return &Collector{config: c, over: map[string]bool{}, open: map[int64]bool{}, people: map[Who]*person{}, tools: map[[2]string]*tool{},
		rules: map[[2]string]*denial{}, masked: map[[2]string]*Masked{}, readers: map[Who]*Reader{}}
}

// row is the row of a key, made when it is first asked for; beyond a bound, that of what is
// counted together, which is not its own.
func row[K comparable, V any](c *Collector, all map[K]*V, key, together K, bound int, what string) (v *V, own bool) {
	own = all[key] != nil || len(all) < bound
	if !own {
		c.over[what] = true
		key = together
	}
	if all[key] == nil {
		all[key] = new(V)
	}
	return all[key], own
}

// note adds to a set that is bounded.
func note[K comparable](c *Collector, set *map[K]bool, key K, bound int, what string) {
	if *set == nil {
		*set = map[K]bool{}
	}
	if !(*set)[key] && len(*set) >= bound {
		c.over[what] = true
		return
	}
	(*set)[key] = true
}

// Range are the numbers of the first and last entry that were taken; 0: there was none.
func (c *Collector) Range() (first, last int64) { return c.log.First, c.log.Last }

// Add takes an entry of the time.
func (c *Collector) Add(e audit.Entry) {
	if c.log.First == 0 {
		c.log.First = e.Seq
	}
	c.log.Last = e.Seq
	c.log.Entries++
	if e.Personal != "" {
		c.erased++
	}
	switch e.Action {
	case audit.ToolCall:
		c.addCall(e)
	case audit.PromptGet, audit.ResourceRead:
		if e.Outcome != audit.Intent {
			c.totals.prompts++
		}
	case audit.ConfigReload, audit.PolicyChange, audit.PolicyReplay:
		c.addEvent(0, e)
	case audit.DefinitionAccept, audit.DefinitionBegin, audit.DefinitionQuarantine, audit.DefinitionReject:
		c.addEvent(1, e)
	case audit.StopSet, audit.StopHere, audit.UserBlock, audit.UserUnblock, audit.UserRevoke, audit.ClientRevoke, audit.ClientBlock, audit.ClientUnblock:
		c.addEvent(2, e)
	}
	c.AddDecision(e)
}

// AddDecision takes an entry from after the time: what became of a call that began to wait in it.
func (c *Collector) AddDecision(e audit.Entry) {
	if e.Approval == "" {
		return
	}
	c.waiting.Add(e)
	if e.Action == audit.ApprovalDecide && e.Outcome == audit.OK {
		if v := c.config.Verdict(e); v != 0 {
			c.stats.Decided(e.Approval, c.config.DecidedBy(e.Actor), v, e.At)
		}
	}
}

// addCall counts a call of a tool: once, by how it ended. That it was about to be made is
// remembered until its outcome comes.
func (c *Collector) addCall(e audit.Entry) {
	if e.Outcome == audit.Intent {
		c.open[e.Seq] = true
		if e.Decision == audit.Deny.InShadow() || e.Decision == audit.Confirm.InShadow() {
			c.totals.shadow++
		}
		return
	}
	delete(c.open, e.IntentSeq)
	p, t := c.personOf(e), c.toolOf(e)
	c.totals.calls++
	p.Calls, t.Calls = p.Calls+1, t.Calls+1
	switch e.Outcome {
	case audit.Denied:
		c.totals.denied++
		p.Denied, t.Denied = p.Denied+1, t.Denied+1
		c.addDenial(e)
		return
	case audit.Held:
		c.totals.held++
		p.Held, t.Held = p.Held+1, t.Held+1
		c.addHeld(e)
		return
	case audit.Repeated:
		c.totals.repeated++
		return
	case audit.Failed, audit.Unknown:
		p.Failed, t.Failed = p.Failed+1, t.Failed+1
		if c.totals.failed++; e.Outcome == audit.Unknown {
			c.totals.unknown++
		}
	}
	if c.totals.sent++; e.Class != readClass {
		c.totals.writes, p.Writes = c.totals.writes+1, p.Writes+1
	}
	c.addAnswer(e)
}

// readClass is what entries call a read.
const readClass = "read"

// maxNamed is how many servers and clients of one person are named.
const maxNamed = 20

// key is who without what they are called, which changes.
func key(e audit.Entry) Who { return Who{Org: e.Org, Subject: e.Subject} }

// others is the row in which whoever is not told apart is counted.
var others = Who{Subject: beyond}

// personOf is the row of the person of a call.
func (c *Collector) personOf(e audit.Entry) *person {
	p, own := row(c, c.people, key(e), others, bounds.People, "people")
	p.Last = e.At
	if !own {
		p.Subject = beyond
		return p
	}
	if p.Org, p.Subject = e.Org, e.Subject; e.Username != "" {
		p.Username = e.Username
	}
	p.Servers, p.Clients = named(p.Servers, e.Server), named(p.Clients, e.Client)
	note(c, &p.tools, [2]string{e.Server, e.Tool}, bounds.Tools, "tools")
	return p
}

// named adds a name that is not there yet.
func named(list []string, name string) []string {
	if name == "" || len(list) == maxNamed || slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// toolOf is the row of the tool of a call.
func (c *Collector) toolOf(e audit.Entry) *tool {
	t, own := row(c, c.tools, [2]string{e.Server, e.Tool}, [2]string{"", beyond}, bounds.Tools, "tools")
	t.Last = e.At
	if !own {
		t.Tool.Tool = beyond
		return t
	}
	if t.Server, t.Tool.Tool = e.Server, e.Tool; e.Class != "" {
		t.Class = e.Class
	}
	note(c, &t.people, key(e), bounds.People, "people")
	return t
}

func (c *Collector) addDenial(e audit.Entry) {
	d, own := row(c, c.rules, [2]string{e.Server, e.Rule}, [2]string{"", beyond}, bounds.Rules, "rules")
	if d.Server, d.Rule = e.Server, e.Rule; !own {
		d.Server, d.Rule = "", beyond
	}
	d.Calls, d.Last, d.LastEntry = d.Calls+1, e.At, e.Seq
	note(c, &d.people, key(e), bounds.People, "people")
	if d.reasons == nil {
		d.reasons = map[string]int64{}
	}
	reason := e.Reason
	if _, known := d.reasons[reason]; !known && len(d.reasons) >= bounds.Reasons {
		c.over["reasons"], reason = true, beyond
	}
	d.reasons[reason]++
}

// addHeld begins to follow a call that waits; a call that is repeated while it waits is one.
func (c *Collector) addHeld(e audit.Entry) {
	if e.Approval == "" {
		return
	}
	if c.asked >= bounds.Approvals {
		c.over["calls that waited"] = true
		return
	}
	c.waiting.Begin(e)
	c.asked = len(c.waiting.Records())
	c.stats.Held(e.Approval, e.Server+": "+e.Rule, e.At)
}

// addAnswer counts what an answer gave away and what was kept back from it.
func (c *Collector) addAnswer(e audit.Entry) {
	if e.Hidden+e.Cut > 0 {
		c.totals.hidden, c.totals.cut = c.totals.hidden+e.Hidden, c.totals.cut+e.Cut
		m, own := row(c, c.masked, [2]string{e.Server, e.Tool}, [2]string{"", beyond}, bounds.Tools, "tools")
		if m.Server, m.Tool = e.Server, e.Tool; !own {
			m.Server, m.Tool = "", beyond
		}
		m.Calls, m.Hidden, m.Cut = m.Calls+1, m.Hidden+e.Hidden, m.Cut+e.Cut
	}
	if e.Rows == nil || *e.Rows == 0 {
		return
	}
	c.totals.rows += *e.Rows
	r, own := row(c, c.readers, key(e), others, bounds.People, "people")
	if r.Who = (Who{e.Org, e.Subject, e.Username}); !own {
		r.Who = others
	}
	if r.Calls, r.Records = r.Calls+1, r.Records+*e.Rows; *e.Rows > r.Largest {
		r.Largest, r.LargestEntry = *e.Rows, e.Seq
	}
}

func (c *Collector) addEvent(kind int, e audit.Entry) {
	if e.Outcome == audit.Intent {
		return
	}
	c.counted[kind]++
	if len(c.events[kind]) == bounds.Events { // the newest are kept
		c.over["changes"] = true
		c.events[kind] = c.events[kind][1:]
	}
	c.events[kind] = append(c.events[kind], EventOf(e))
}

// EventOf is the row of an entry about somebody or something.
func EventOf(e audit.Entry) Event {
	object := e.Object
	switch {
	case e.Subject != "":
		object = strings.TrimSpace(Who{e.Org, e.Subject, e.Username}.Name() + " " + object)
	case e.Client != "":
		object = strings.TrimSpace(e.Client + " " + object)
	}
	return Event{e.Seq, e.At, e.Actor.String(), e.Action, object, e.Server, e.Outcome, e.Reason}
}
