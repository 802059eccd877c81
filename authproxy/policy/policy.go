package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy/condition"
	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/authproxy/policy/reach"
)

// Policy is a named list of rules. The first rule that matches a call decides; no
// match denies, so a policy without rules denies everything. The zero value is
// such a policy. A Policy must not be changed while it is used.
type Policy struct {
	Name  string
	Mode  Mode // "" is Enforce
	Rules []Rule
	// Budgets bound how much may be done in a time; see package budget, which counts.
	Budgets []Budget
	// Taint is how long rules with after match; 0: [DefaultTaint].
	Taint time.Duration
	// Calendars are those that conditions of rules may name.
	Calendars []*condition.Calendar

	catalogue reach.Catalogue // see For; the zero value: the whole catalogue counts
	// Made by For; empty: to be made when needed.
	version  string
	compiled *compiled
}

// Call is one request to be judged. Prompts are judged as the tool "prompt:NAME",
// resources as "resource:URI".
type Call struct {
	Tool      string
	Arguments jsontext.Value // one strict JSON object, or nil for none
	// OutsideText reports whether outside text was given to the caller within
	// [Policy.TaintTime]. It is asked only where a rule depends on it, once for each such
	// rule; nil: it was not.
	OutsideText func() bool
	// Schema is what is known of the org's schema for the caller; nil: only standard objects are.
	Schema *reach.Schema

	// The moment at which the call is made, for conditions of rules.
	Server string // name of the server
	Source string // network address of the client; "" where it is not known
	Now    time.Time
}

// Decision says what happens to a call, and why.
type Decision struct {
	// Effect is what happens: allow, confirm or deny.
	Effect Effect
	// Rule is the index in Policy.Rules of the rule that decided, -1 if none did.
	Rule int
	// Class is the effect class of this very call.
	Class Class
	// Reach is all that the call does and reaches.
	Reach *reach.Value
	// Objects are the sObjects that the call reaches, sorted, in their usual
	// spelling; [reach.UnknownObject] stands for those that cannot be determined.
	Objects []string
	// Records are those of them that the arguments name, and those that the call makes.
	Records []reach.Record
	// OutsideText says that the answer may hold text that people outside the company write.
	OutsideText bool
	// Reason is for operators and the audit log: "rule 2 (confirm classes create)".
	// Rules are counted from 1. It never holds arguments.
	Reason string
	// Observed are the rules that only observe and would have decided before that one, as in
	// Reason, at most [MaxObserved].
	Observed []string
	// Text is one plain sentence that a model can pass on, for denials that are not
	// Hidden; otherwise "". It tells what the caller can change and nothing of the policy.
	Text string
	// Hidden means that no arguments could make the tool pass for this principal:
	// answer as if the tool did not exist.
	Hidden bool
	// Obligations are what must happen besides when the call passes.
	Obligations Obligations
	// Confirmation, for confirm, says who must agree, and how.
	Confirmation Confirmation
	// Shadow means that the call would be denied and passes because of the mode.
	Shadow bool
	// Version is the version of the policy that decided.
	Version string
}

// MaxObserved bounds [Decision.Observed].
const MaxObserved = 5

// Obligations are what must happen besides when a call passes. Whoever forwards the call
// either does all of it or does not pass the answer on. The zero value asks for nothing.
type Obligations struct {
	// Mask and Drop are the fields whose values are replaced in the answer, and those that
	// are taken out of it: names and globs as rules have them ("Contact.SSN__c",
	// "*.Birthdate"), sorted, each once. They are collected over every rule that lets calls
	// pass and that this call touches, not only from the one that decided. What is in both
	// is taken out.
	Mask, Drop []string
	// Hiding does so; nil: nothing is hidden.
	Hiding *mask.Hiding
	// Rows is the most records that the answer may hold (max_rows); 0 is no bound. That of
	// a query is bounded by its LIMIT already, that of other tools is not.
	Rows int
	// Limit is the LIMIT that the query must be given before it is sent, in place of its
	// own or because it has none, for its answer to hold at most Rows records, those of its
	// child subqueries included; 0: the query stays as it is.
	Limit int
	// Index: the answer lists objects. Those must be taken out of it of which the same tool,
	// asked for them alone at the same moment, would not describe any to the caller.
	Index bool
}

// Record is one record that a call touches, see [reach.Record].
type Record = reach.Record

// Decide judges one call of who. It never panics and never lets pass what it
// cannot read; deciding takes at most some milliseconds whatever the arguments.
func (p *Policy) Decide(who Principal, call Call) Decision {
	d := p.decideCall(who, call)
	if d.Effect == Deny && d.Rule >= 0 && p.Rules[d.Rule].mayMeanPersons() && d.Reach.HangsOnPersons() {
		call.Schema = call.Schema.WithoutPersons()
		if without := p.decideCall(who, call); without.Effect != Deny {
			d.Reach.AskForPersons()
		} else {
			d.Text = without.Text // of what is denied in any case
		}
	}
	return d
}

// mayMeanPersons reports whether the rule can deny a call for what it shows of a person.
func (r *Rule) mayMeanPersons() bool { return r.passes() || r.Objects != nil || r.Fields != nil }

// decideCall is Decide, as far as the schema of the org is known.
func (p *Policy) decideCall(who Principal, call Call) Decision {
	known := p.catalogue
	known.Schema = call.Schema
	v, refused := known.Read(call.Tool, call.Arguments)
	switch {
	case refused != nil:
		d := p.undecided(v)
		d.Reason = refused.Error()
		if d.Hidden = !p.Visible(who, call.Tool); !d.Hidden {
			d.Text = refused.Text
		}
		return d
	case len(v.Parts) > 0:
		return p.decideParts(who, call, v)
	}
	return p.decide(who, call, v, nil)
}

// undecided is a denial of a call that no rule was asked about yet.
func (p *Policy) undecided(v *reach.Value) Decision {
	return Decision{Effect: Deny, Rule: -1, Class: v.Class, Reach: v, Objects: v.ObjectNames(), Records: v.Records, Version: p.Version()}
}

// decide judges a call by what it does and reaches. carrier is the call that carries it where rules
// that deny or ask people are to hold by their conditions about that one too, else nil.
func (p *Policy) decide(who Principal, call Call, v, carrier *reach.Value) Decision {
	d := p.undecided(v)
	d.OutsideText = holdsOutside(p.catalogue.Tool(call.Tool), v)
	c := p.compile()
	q := &question{who: who, tool: call.Tool, reach: v, index: c.index, call: &call, compiled: c, outside: call.OutsideText, carrier: carrier}
	missed := c.walk(q, &d)
	if d.Effect != Deny && v.Index && !p.Visible(who, call.Tool) { // of which nothing would be left
		d.Effect, d.Obligations = Deny, Obligations{}
		d.Reason += ", but no object could be described"
	}
	if d.Effect != Deny {
		d.guardHidden(call.Tool)
		return d
	}
	if p.Mode == Shadow {
		d.Effect, d.Shadow = Allow, true
		d.Reason = "shadow: would be denied, " + d.Reason
		return d
	}
	if d.Hidden = !p.Visible(who, call.Tool); d.Hidden {
		return d
	}
	switch until := c.until(q, d.Rule, missed.moment); {
	case !until.IsZero():
		d.Text = "This call is not allowed at this time by the rules of your organization. It may be from " + momentInWords(until) + "."
	case q.failed != nil:
		d.Text = textDenied
	case d.Rule >= 0:
		d.Text = c.rules[d.Rule].partDenied(q)
	case missed.rows > 0 && v.Rows < reach.Unlimited && v.Query == nil && v.Search == nil:
		d.Text = fmt.Sprintf("Ask for at most %d records at once.", missed.rows)
	case missed.rows > 0:
		d.Text = fmt.Sprintf("Add LIMIT %d or less to the query, counting the records of child subqueries too.", missed.rows)
	case missed.reach != nil:
		d.Text = missed.reach.partUnlisted(q)
	case d.Class == Admin && d.Rule < 0:
		d.Text = partAdmin(v)
	default:
		d.Text = textDenied
	}
	if d.Text == textDenied && q.failed == nil {
		d.Text = c.partOfClass(q, p.catalogue.Tool(call.Tool).Classes[0])
	}
	return d
}

// misses are why rules that let calls pass did not match, where the caller can change that.
type misses struct {
	rows  int    // the greatest max_rows of those that would have matched with a smaller LIMIT
	reach *ready // the first that would have matched had the call reached less
	// moment are those that would match if their condition were true.
	moment []*ready
}

// walk finds the rule that decides and writes it into d.
func (c *compiled) walk(q *question, d *Decision) (m misses) {
	var doubting *ready // the first rule that has people asked about what the call may be besides its class
	for i := range c.rules {
		r := &c.rules[i]
		doubts := r.Effect == Confirm && r.doubts(q.reach)
		missed := r.misses(q, doubts)
		if q.failed != nil { // whatever the rule is for, nobody knows whether it is meant
			d.Rule, d.Reason = i, fmt.Sprintf("%s: its condition cannot be evaluated: %v", r.reason, q.failed)
			return m
		}
		switch {
		case missed != nil:
			m.add(missed, r, doubts)
		case r.Observe:
			if len(d.Observed) < MaxObserved {
				d.Observed = append(d.Observed, r.reason)
			}
		case doubts:
			if doubting == nil {
				doubting = r
			}
		default:
			r.decides(q, d, doubting)
			return m
		}
	}
	d.Reason = NoMatch
	if m.rows > 0 {
		d.Reason = fmt.Sprintf(NoMatch+" without LIMIT %d", m.rows)
	}
	return m
}

// misses returns the first key of the rule that does not match the call, nil if all do. doubts: the rule is asked
// about what the call may be besides its class.
func (r *ready) misses(q *question, doubts bool) *key {
	if !doubts {
		return r.asks(aboutCall, q)
	}
	if missed := r.asks(aboutCaller|aboutTool|aboutMoment, q); missed != nil || r.concerns(q) {
		return missed
	}
	return &unconcerned
}

// add notes that a rule did not match, and by which key.
func (m *misses) add(missed *key, r *ready, doubts bool) {
	switch {
	case doubts: // nothing passes by it
	case missed.name == "when" && r.passes():
		m.moment = append(m.moment, r)
	case missed.about == aboutRows:
		m.rows = max(m.rows, r.MaxRows)
	case missed.about == aboutReach && m.reach == nil && r.passes():
		m.reach = r
	}
}

// decides writes into d that the rule decides. A call that passes by it without a person passes with one
// if an earlier rule, doubting, wants people asked about what the call may be.
func (r *ready) decides(q *question, d *Decision, doubting *ready) {
	by := r
	if r.Effect == Allow && doubting != nil {
		by = doubting
	}
	if d.Rule, d.Reason = by.number, by.reason; by.doubts(q.reach) {
		d.Reason += ", of which a call of the class " + string(q.reach.Class) + " may be"
	}
	if r.passes() {
		d.Effect = by.Effect
		d.Obligations = obligations(q.compiled.rules, r, q)
	}
	if by.Effect == Confirm {
		d.Confirmation = by.Confirmation()
	}
}

// NoMatch is how the reason of a denial begins that no rule decided.
const NoMatch = "no rule matches"

// reason says that the rule decided. Rules are counted from 1.
func (r *Rule) reason(index int) string { return fmt.Sprintf("rule %d (%s)", index+1, r.describe()) }

// For returns the policy as it holds in front of the hosted server at upstream, an
// absolute URL or its path: only the catalogue of that server counts then, see
// [reach.Catalogue], and what the operator declared of its other tools. What every decision
// needs is made here, once.
func (p *Policy) For(upstream string, declared ...reach.Declaration) *Policy {
	return p.in(reach.Catalogue{Hosted: HostedName(upstream), Declared: declared})
}

func (p *Policy) in(c reach.Catalogue) *Policy {
	own := &Policy{Name: p.Name, Mode: p.Mode, Rules: p.Rules, Budgets: p.Budgets, Taint: p.Taint, Calendars: p.Calendars, catalogue: c}
	own.version, own.compiled = own.Version(), own.compile()
	return own
}

// ClassesOf are the classes that calls of a tool can have, the gravest last: what its arguments
// say decides among them. [Unknown] alone is of a tool that nobody described.
func (p *Policy) ClassesOf(tool string) []Class { return p.catalogue.Tool(tool).Classes }

// DescribesObjects reports whether the hosted server at upstream has Salesforce's own tool that
// describes objects: what it says of them can be believed.
func DescribesObjects(upstream string) bool { return reach.DescribesObjects(HostedName(upstream)) }

// HostedName returns what Salesforce calls the hosted server at a URL, namespace/name:
// platform/sobject-all, custom/Sales. The forms of the URL are
// …/v1/NS/NAME, …/v1/sandbox/NS/NAME and, for Data 360, …/v1/NS/sandbox/NAME.
func HostedName(upstream string) string {
	parts := strings.Split(strings.TrimSuffix(upstream, "/"), "/")
	if len(parts) < 2 {
		return "custom/" + upstream
	}
	name, namespace := parts[len(parts)-1], parts[len(parts)-2]
	if namespace == "sandbox" && len(parts) > 2 {
		namespace = parts[len(parts)-3]
	}
	return namespace + "/" + name
}
