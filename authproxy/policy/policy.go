package policy

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
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

	hosted string // see For; "": the whole catalogue counts
	// Made by For; empty: to be made when needed.
	version string
	ready   []ready
}

// Call is one request to be judged. Prompts are judged as the tool "prompt:NAME",
// resources as "resource:URI".
type Call struct {
	Tool      string
	Arguments jsontext.Value // one strict JSON object, or nil for none
}

// Decision says what happens to a call, and why.
type Decision struct {
	// Effect is what happens: allow, confirm or deny.
	Effect Effect
	// Rule is the index in Policy.Rules of the rule that decided, -1 if none did.
	Rule int
	// Class is the effect class of this very call.
	Class Class
	// Objects are the sObjects that the call reaches, sorted, in their usual
	// spelling; [UnknownObject] stands for those that cannot be determined.
	Objects []string
	// Records are those of them that the arguments name, and those that the call makes.
	Records []Record
	// Reason is for operators and the audit log: "rule 2 (confirm classes create)".
	// Rules are counted from 1. It never holds arguments.
	Reason string
	// Text is one plain sentence that a model can pass on, for denials that are not
	// Hidden; otherwise "". It tells what the caller can change and nothing of the policy.
	Text string
	// Hidden means that no arguments could make the tool pass for this principal:
	// answer as if the tool did not exist.
	Hidden bool
	// Obligations are what must happen besides when the call passes.
	Obligations Obligations
	// Approvers and Quorum, for confirm, say who must agree, and how many of them (at least 1).
	Approvers Approvers
	Quorum    int
	// Shadow means that the call would be denied and passes because of the mode.
	Shadow bool
	// Version is the version of the policy that decided.
	Version string
}

// Obligations are what must happen besides when a call passes. Whoever forwards the call
// either does all of it or does not pass the answer on. The zero value asks for nothing.
type Obligations struct {
	// Mask and Drop are the fields whose values are replaced in the answer, and those that
	// are taken out of it: names and globs as rules have them ("Contact.SSN__c",
	// "*.Birthdate"), sorted, each once. They are collected over every rule that lets calls
	// pass and that this call touches, not only from the one that decided. What is in both
	// is taken out.
	Mask, Drop []string
	// Rows is the most records that the answer may hold (max_rows); 0 is no bound. That of
	// a query is bounded by its LIMIT already, that of other tools is not.
	Rows int
	// Limit is the LIMIT that the query must be given before it is sent, in place of its
	// own or because it has none, for its answer to hold at most Rows records, those of its
	// child subqueries included; 0: the query stays as it is.
	Limit int
}

// Record is one record that a call touches.
type Record struct {
	Class  Class  // what is done with it: where a relationship leads from it, it is read
	Object string // API name
	ID     string // empty: it is made, and its id is in the answer
}

// textDenied is all that a caller learns about a denial by rules.
const textDenied = "This call is not allowed with these arguments by the rules of your organization."

// Decide judges one call of who. It never panics and never lets pass what it
// cannot read; deciding takes at most some milliseconds whatever the arguments.
func (p *Policy) Decide(who Principal, call Call) Decision {
	f, refused := p.footprint(call)
	d := Decision{Effect: Deny, Rule: -1, Class: f.class, Objects: f.names(), Records: f.records, Version: p.Version()}
	if refused != nil {
		d.Reason = "arguments refused: " + refused.text
		if d.Hidden = !p.Visible(who, call.Tool); !d.Hidden {
			d.Text = refused.text
		}
		return d
	}
	limit := p.walk(who, call.Tool, &f, &d)
	if d.Effect != Deny {
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
	d.Text = textDenied
	if d.Rule < 0 && limit > 0 {
		d.Text = fmt.Sprintf("Add LIMIT %d or less to the query, counting the records of child subqueries too.", limit)
	}
	return d
}

// walk finds the rule that decides and writes it into d. It returns the greatest
// max_rows of the rules that would have matched with a smaller LIMIT, 0 if none.
func (p *Policy) walk(who Principal, tool string, f *footprint, d *Decision) (limit int) {
	q := &question{who, tool, f}
	rules := p.readyRules()
	for i := range rules {
		c := &rules[i]
		if missed := c.asks(aboutCall, q); missed != nil {
			if missed.about == aboutRows {
				limit = max(limit, c.MaxRows)
			}
			continue
		}
		d.Rule, d.Reason = i, c.reason
		if c.passes() {
			d.Effect = c.Effect
			d.Obligations = obligations(rules, c, q)
		}
		if c.Effect == Confirm {
			d.Approvers, d.Quorum = c.approvers()
		}
		return limit
	}
	d.Reason = "no rule matches"
	if limit > 0 {
		d.Reason = fmt.Sprintf("no rule matches without LIMIT %d", limit)
	}
	return limit
}

// reason says that the rule decided. Rules are counted from 1.
func (r *Rule) reason(index int) string { return fmt.Sprintf("rule %d (%s)", index+1, r.describe()) }

// approvers returns who must agree, with the defaults filled in.
func (r *Rule) approvers() (Approvers, int) {
	who := r.Approvers
	if who == "" {
		who = Requester
	}
	return who, max(r.Quorum, 1)
}

// For returns the policy as it holds in front of the hosted server at upstream, an
// absolute URL or its path. Only the catalogue of that server counts then: on
// a custom server every tool is [Unknown], even one that borrows the name of a
// standard tool, because an administrator there may put any Apex or Flow
// behind any name. What every decision says is made here, once.
func (p *Policy) For(upstream string) *Policy {
	own := &Policy{Name: p.Name, Mode: p.Mode, Rules: p.Rules, Budgets: p.Budgets, hosted: HostedName(upstream)}
	own.version, own.ready = own.Version(), own.readyRules()
	return own
}

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
