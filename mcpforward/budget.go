package mcpforward

import (
	"context"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/policy"
)

// A record in an answer is seldom shorter than this, in bytes. Where nobody can count the
// records, or there seem to be none, and the call reaches what its arguments do not say, a budget
// counts one for each of them that the answer has room for.
const shortestRecord = 64

// budgetUse is what a call takes of the budgets of its server.
type budgetUse struct {
	*call
	taking budget.Taking
}

// caller is whose budgets the call counts against.
func (c *budgetUse) caller() budget.Caller {
	return budget.Caller{Org: c.grant.Org, Subject: c.grant.Subject, Client: c.grant.ClientID}
}

// charges are what the call wants of the budgets of its server. A list asks for nothing of
// Salesforce but a request, which its org counts.
func (c *budgetUse) charges() []budget.Charge {
	counters := c.Counters[c.server.Name]
	if len(counters) == 0 {
		return nil
	}
	charges := make([]budget.Charge, 0, len(counters))
	for _, k := range counters {
		if k.Counts(&c.decision) && (c.tool != "" || k.OfOrg()) {
			charges = append(charges, budget.Charge{Counter: k, Units: k.Before(&c.decision)})
		}
	}
	return charges
}

// check refuses a call that would have to wait for a person and could not be made
// then, so that nobody is asked about it. It takes nothing.
func (c *budgetUse) check() error {
	if c.decision.Effect != policy.Confirm || c.inShadow() {
		return nil
	}
	return c.refuseSpent(c.Budgets.Has(c.http.Context(), c.caller(), c.charges()))
}

// take takes what the call is known to use of its budgets, right before it is
// forwarded.
func (c *budgetUse) take() error {
	charges := c.charges()
	if !c.inShadow() {
		var err error
		c.taking, err = c.Budgets.Take(c.http.Context(), c.caller(), charges)
		return c.refuseSpent(err)
	}
	for _, charge := range charges { // what the policy has is counted, and refuses nothing
		taking, err := c.Budgets.Take(c.http.Context(), c.caller(), []budget.Charge{charge})
		if spent, ok := errors.AsType[*budget.Spent](err); ok && !charge.OfOrg() {
			c.decision.Shadow, c.decision.Reason = true, "shadow: would be refused, "+spent.Error()
		} else if err != nil {
			c.giveBack()
			return c.refuseSpent(err)
		}
		c.taking.Join(taking)
	}
	return nil
}

// inShadow reports whether the policy only watches.
func (c *budgetUse) inShadow() bool {
	return c.server.Policy != nil && c.server.Policy.Mode == policy.Shadow
}

// refuseSpent says why a call is refused that gets nothing of a budget; nil: it does.
func (c *budgetUse) refuseSpent(err error) error {
	if err == nil {
		return nil
	}
	if spent, ok := errors.AsType[*budget.Spent](err); ok {
		c.recordDenied(spent.Error())
		return answerText(textSpent(spent))
	}
	c.recordDenied("a budget could not be counted")
	return unavailable("a limit of this call could not be counted, so it was not made", err)
}

// countAnswer counts what the answer holds, before anybody gets it. What cannot be counted
// is not given.
func (c *budgetUse) countAnswer(ctx context.Context) {
	o := &c.outcome
	if o.approval == "" || c.taking.IsZero() { // it did not leave, or nothing counts it
		return
	}
	err := c.taking.Add(ctx, func(k *budget.Counter) int64 {
		if k.What == policy.Bytes {
			return int64(len(o.answer)) + c.messageBytes
		}
		return c.rows()
	})
	if err != nil {
		c.Log.ErrorContext(ctx, "an answer was not counted, so it is withheld", "server", c.server.Name, "error", err)
		o.withheld, o.reason = textUncounted, "the answer could not be counted, so it is withheld from the client"
	}
}

// giveBack gives back what the call has taken if it was not made.
func (c *budgetUse) giveBack() {
	if c.outcome.approval == "" {
		c.taking.GiveBack()
		c.taking = budget.Taking{}
	}
}

// rows is how many records the answer holds, or may hold.
func (c *budgetUse) rows() int64 {
	o := &c.outcome
	switch {
	case o.found.Counted && (o.found.Rows > 0 || !c.decision.ReachesUnknown()):
		return o.found.Rows
	case c.decision.ReachesUnknown():
		return int64(len(o.answer)) / shortestRecord
	}
	return 0
}

// textSpent is what a client is told whose call is over a limit.
func textSpent(e *budget.Spent) string {
	renews := clockTime(e.Renews)
	switch {
	case e.Wanted > e.Limit:
		return fmt.Sprintf("This call was not made. It alone would be %d, and your organization allows %d %s. Make a smaller one.", e.Wanted, e.Limit, e.Name)
	case e.Wanted > 1 && e.Taken < e.Limit:
		return fmt.Sprintf("This call was not made. It would be %d more, and %d of %d %s are used; the count begins anew at %s. "+
			"Make a smaller one, or tell the user when it can be made.", e.Wanted, e.Taken, e.Limit, e.Name, renews)
	}
	return fmt.Sprintf("This call was not made. Your organization allows %d %s, and they are used up; the count begins anew at %s. "+
		"Tell the user so and do not try another way.", e.Limit, e.Name, renews)
}
