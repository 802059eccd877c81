package authproxy

import (
	"context"
	"slices"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

// Errors of who decides. Each is an [approval.ErrNotApprover].
var (
	errOwnCall     = notApprover("nobody agrees to a call of their own, or in their own name")
	errOwnProposal = notApprover("nobody agrees to what they proposed themselves")
	errWhichRole   = notApprover("say for which role: more than one is missing")
	errOtherRole   = notApprover("that role is not asked for, or is not held")
	errNoStepUp    = notApprover("a fresh sign-in is asked for, and the company's sign-in gives none: an operator decides, at the command line")
)

// notApprover is an error that says why somebody does not count.
type notApprover string

// Error says why.
func (e notApprover) Error() string { return string(e) }

// Is reports whether target is [approval.ErrNotApprover].
func (e notApprover) Is(target error) bool { return target == approval.ErrNotApprover }

// standing is what somebody is to a request.
type standing struct {
	request   *approval.Request
	human     string
	operator  bool
	requester bool // the human in whose name the call is made, however they signed in
	signedIn  bool // as the very Salesforce user in whose name it is made
	author    bool // the human who proposed the call
	agreed    bool // the human has agreed to it before
	// roles are those of the asked roles that they hold, escalated the one that may stand for any.
	roles     []string
	escalated string
}

// standing finds out what by is to r. Whom an operator names is found out where it matters, see
// [Decisions.join].
func (d *Decisions) standing(ctx context.Context, by approval.Decider, r *approval.Request) (standing, error) {
	c := standing{request: r, operator: by.Actor.IsOperator(), human: by.Human}
	if c.operator {
		c.human = approval.OperatorHuman(by.Actor)
	} else {
		c.signedIn = by.Actor == actor.User(r.Subject) && by.Org == r.Org
		if c.human == "" && by.Actor.IsUser() {
			c.human = approval.SalesforceHuman(by.Org, by.Actor.ID)
		}
		if err := d.join(ctx, &c); err != nil {
			return c, err
		}
	}
	for _, f := range r.Factors() {
		if f.Role != "" && slices.Contains(by.Roles, f.Role) {
			c.roles = append(c.roles, f.Role)
		}
	}
	if to := r.EscalatedTo(d.now()); to != "" && slices.Contains(by.Roles, to) {
		c.escalated = to
	}
	return c, nil
}

// join finds out whether somebody is one of those whom the request knows: who asked for the call, who
// proposed it, who agreed. For a denial at the command line nobody asks: nothing may stand in its way.
func (d *Decisions) join(ctx context.Context, c *standing) error {
	r := c.request
	requester, err := d.people().HumanOf(ctx, r.Org, r.Subject)
	if err != nil {
		return err
	}
	own, err := approval.Among(ctx, d.people(), c.human, requester, approval.SalesforceHuman(r.Org, r.Subject))
	if err != nil {
		return err
	}
	c.requester = c.signedIn || own
	if c.author, err = approval.Among(ctx, d.people(), c.human, r.Author); err != nil {
		return err
	}
	c.agreed, err = r.Has(ctx, d.people(), c.human)
	return err
}

// sees reports whether somebody may know of the request. A user may see what they asked for
// themselves; of other calls those learn whose role is asked.
func (c *standing) sees() bool {
	return c.operator || c.requester || c.human != "" && (len(c.roles) > 0 || c.escalated != "")
}

// mayDecide says whether somebody may decide about the request at all. An operator may, but not for the human who asked:
// who runs commands on the database could do so without us. A user may decide what they asked for
// themselves only where the policy leaves it to the requester, also what they proposed then.
// Whoever proposed a call may take that back.
func (c *standing) mayDecide(what audit.Decision) error {
	switch {
	case c.author && what != audit.Deny && !c.request.OfRequester():
		return errOwnProposal
	case c.operator && !(c.requester && !c.request.OfRequester()), c.request.OfRequester() && c.signedIn:
		return nil
	case c.requester && !c.request.OfRequester():
		return errOwnCall
	case c.request.OfRequester():
		return approval.ErrNotApprover
	}
	return nil
}

// factor is what an approval counts for, and the role by which: for the one that is asked for,
// or else the first that is missing.
func (c *standing) factor(asked string) (factor, role string, err error) {
	if c.request.OfRequester() {
		if asked != "" {
			return "", "", errOtherRole
		}
		return "", "", nil
	}
	missing := c.request.Missing()
	if c.operator && len(c.roles) == 0 && c.escalated == "" && asked == "" { // who says no role stands for the only one
		if len(missing) != 1 {
			return "", "", errWhichRole
		}
		return missing[0].Role, missing[0].Role, nil
	}
	held := false
	for _, f := range c.request.Factors() {
		role := c.escalated
		if slices.Contains(c.roles, f.Role) {
			role = f.Role
		}
		if role == "" || asked != "" && asked != f.Role {
			continue
		}
		if held = true; !f.Met() {
			return f.Role, role, nil
		}
	}
	if held { // as many as are needed agreed
		return "", "", approval.ErrAlready
	}
	return "", "", errOtherRole
}
