package authproxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
)

// Decisions takes the decisions of people about calls that wait for one: for the pages and
// for the command line. Who may decide, in which order a decision takes effect and is
// recorded, and what its entries say stands here and nowhere else.
//
// What gives access is recorded first: an approval that cannot be recorded is not given.
// What takes it away takes effect first: nothing may stand in the way of a denial. A
// decision that comes too late, or from somebody who may not decide, is recorded as denied.
type Decisions struct {
	Approvals *approval.Store
	Grants    *grant.Store // knows the requester's username, for people who read the log
	Audit     *audit.Log
	// People knows who is behind a Salesforce user; nil: [approval.Strangers].
	People approval.People
	// StepUpACR is the way of signing in (acr) that counts where a call asks for a fresh one;
	// empty: none does, and such calls are decided at the command line.
	StepUpACR string
	// Access knows the rules by which a proposal is judged; nil: none is.
	Access *access.Control
	// Undos makes calls that take others back; nil: nobody can, as at the command line.
	Undos Undos
	// Watch hears of each decision that took effect, and how long the call had waited for it;
	// nil: nobody does.
	Watch func(what audit.Decision, waited time.Duration)
	Now   func() time.Time // nil: time.Now
}

// freshFor is how long after signing in anew a person may agree to calls that ask for it.
const freshFor = 5 * time.Minute

// Decide takes the choice of a person about that request: to let exactly its call pass, once,
// as far as it is theirs to say, or to refuse it. Errors: [approval.ErrNotFound], also for a
// request that by may not know of; and, then the request is returned as well,
// [approval.ErrNotApprover], [approval.ErrStepUp], [approval.ErrAlready] if it was decided so,
// [approval.ErrGone] if it was decided otherwise or is over; [actor.ErrReason]; an
// [audit.UnrecordedError] if it was refused, which is not in the log; [approval.ErrInDoubt] where
// nobody knows whether it counts.
func (d *Decisions) Decide(ctx context.Context, by approval.Decider, id string, choice approval.Choice) (*approval.Request, error) {
	if choice.Approve {
		r, err := d.approve(ctx, by, id, choice)
		return r, d.told(audit.Approve, r, err)
	}
	if _, err := actor.ForDenial.Clean(choice.Reason); err != nil {
		return nil, err
	}
	r, err := d.deny(ctx, by, id, choice.Reason)
	return r, d.told(audit.Deny, r, err)
}

// told tells of a decision about r, if it took effect, and returns what became of it.
func (d *Decisions) told(what audit.Decision, r *approval.Request, err error) error {
	if audit.TookEffect(err) && d.Watch != nil {
		d.Watch(what, d.now().Sub(r.CreatedAt))
	}
	return err
}

// See returns a request if by may look at it: because they asked for it, or may decide about
// it, or are an operator; and what they may do about it now, as the acts here judge it. Otherwise
// the error is [approval.ErrNotFound].
func (d *Decisions) See(ctx context.Context, by approval.Decider, id string) (*approval.Request, approval.May, error) {
	r, err := d.Approvals.Get(ctx, id)
	if err != nil {
		return nil, approval.May{}, err
	}
	c, err := d.standing(ctx, by, r)
	if err == nil && !c.sees() {
		err = approval.ErrNotFound
	}
	if err != nil {
		return nil, approval.May{}, err
	}
	return r, d.mayOf(ctx, by, &c), nil
}

// mayOf is what somebody who sees a request may do about it.
func (d *Decisions) mayOf(ctx context.Context, by approval.Decider, c *standing) (may approval.May) {
	_, _, may.Deny = d.may(by, c, audit.Deny, "")
	if !c.request.Unresolved(d.now()) {
		may.Resolve = approval.ErrNotUnknown
	}
	may.Undo = d.mayUndo(ctx, c.request)
	if c.operator {
		if err := d.join(ctx, c); err != nil {
			may.Approve, may.Propose = err, err
			return may
		}
	}
	_, _, may.Approve = d.may(by, c, audit.Approve, "")
	_, _, may.Propose = d.may(by, c, audit.Counter, "")
	may.Agreed = c.agreed
	return may
}

// Waiting returns the requests to which by may agree now, the oldest first: what an inbox
// shows. Those that by agreed to already are not among them.
func (d *Decisions) Waiting(ctx context.Context, by approval.Decider) ([]approval.Request, error) {
	var mine []approval.Request
	f := approval.Filter{State: approval.Pending, OldestFirst: true, Limit: approval.MostListed}
	for {
		some, err := d.Approvals.List(ctx, f)
		if err != nil {
			return nil, err
		}
		theirs, err := d.toAgree(ctx, by, some)
		if err != nil {
			return nil, err
		}
		if mine = append(mine, theirs...); len(some) < f.Limit {
			return mine, nil
		}
		f.Behind = some[len(some)-1].PlaceOf()
	}
}

// Together returns the requests that by may decide together with r, and r, as
// [approval.Store.Together] has them; nil: they decide about r alone, or not at all.
func (d *Decisions) Together(ctx context.Context, by approval.Decider, r *approval.Request) ([]approval.Request, error) {
	all, err := d.Approvals.Together(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err = d.toAgree(ctx, by, all)
	if len(all) < 2 || !slices.ContainsFunc(all, func(one approval.Request) bool { return one.ID == r.ID }) {
		return nil, err
	}
	return all, err
}

// toAgree are those of some requests to which by may agree, for some role of theirs, if need be
// once they have signed in anew.
func (d *Decisions) toAgree(ctx context.Context, by approval.Decider, all []approval.Request) (mine []approval.Request, err error) {
	for i := range all {
		c, err := d.standing(ctx, by, &all[i])
		if err == nil && c.operator {
			err = d.join(ctx, &c)
		}
		if err != nil {
			return nil, err
		}
		if !c.sees() {
			continue
		}
		if _, _, err := d.may(by, &c, audit.Approve, ""); err == nil || errors.Is(err, approval.ErrStepUp) || errors.Is(err, errWhichRole) {
			mine = append(mine, all[i])
		}
	}
	return mine, nil
}

// approve lets the call pass, once, if nobody else is missing.
func (d *Decisions) approve(ctx context.Context, by approval.Decider, id string, choice approval.Choice) (*approval.Request, error) {
	r, decision, err := d.open(ctx, by, id, audit.Approve, choice.Role)
	if err != nil {
		return r, err
	}
	decision.Shown = choice.Shown
	e := d.entry(ctx, by, r, audit.Approve)
	e.Reason = agreement(decision)
	err = Give(ctx, d.Audit, e, func(ctx context.Context) (audit.Result, error) {
		decided, err := d.Approvals.Approve(ctx, id, decision)
		if decided != nil {
			r = decided
		}
		switch {
		case errors.Is(err, approval.ErrGone): // time or another decision was faster
			return audit.Result{Outcome: audit.Denied, Reason: goneReason(r)}, tooLate(r, audit.Approve)
		case errors.Is(err, approval.ErrAlready), errors.Is(err, approval.ErrNotApprover):
			return audit.Result{Outcome: audit.Denied, Reason: "another decision was faster"}, err
		case err != nil:
			return failed(err, "not approved"), err
		}
		return audit.Result{Reason: standingReason(r)}, nil
	})
	return r, err
}

// deny refuses the call.
func (d *Decisions) deny(ctx context.Context, by approval.Decider, id, reason string) (*approval.Request, error) {
	r, _, err := d.open(ctx, by, id, audit.Deny, "")
	if err != nil {
		return r, err
	}
	err = take(ctx, func(ctx context.Context) error {
		denied, err := d.Approvals.Deny(ctx, id, by.Actor, reason)
		if denied != nil && errors.Is(err, approval.ErrGone) {
			r = denied
			return d.refuse(ctx, by, denied, audit.Deny, goneReason(denied), tooLate(denied, audit.Deny))
		}
		if errors.Is(err, approval.ErrInDoubt) {
			e := d.entry(ctx, by, r, audit.Deny)
			e.Outcome, e.Reason = audit.Unknown, approval.ErrInDoubt.Error()
			return errors.Join(err, d.Audit.Done(ctx, e))
		}
		if err != nil {
			return err
		}
		r = denied
		e := d.entry(ctx, by, denied, audit.Deny)
		e.Outcome, e.Reason = audit.OK, denied.Reason
		return d.Audit.Done(ctx, e)
	})
	return r, err
}

// DecideTogether takes one choice about several requests of one connection, each of which is
// decided, recorded and later spent alone: what becomes of one says nothing of the others. The
// error is [approval.ErrNotTogether] if the rules of any do not say that it may be decided so;
// then nothing is decided.
func (d *Decisions) DecideTogether(ctx context.Context, by approval.Decider, ids []string, choice approval.Choice) ([]approval.Decided, error) {
	if len(ids) == 0 || len(ids) > approval.MaxTogether {
		return nil, fmt.Errorf("%w: 1 to %d can be", approval.ErrNotTogether, approval.MaxTogether)
	}
	requests := make([]*approval.Request, len(ids))
	for i, id := range ids {
		var err error
		if requests[i], _, err = d.See(ctx, by, id); err != nil {
			return nil, err
		}
	}
	if err := approval.CheckTogether(requests); err != nil {
		return nil, err
	}
	all := make([]approval.Decided, len(ids))
	for i, id := range ids {
		all[i].Request, all[i].Err = d.Decide(ctx, by, id, choice)
	}
	return all, nil
}

// Counter proposes the same call with other values in its arguments, in the place of that
// request, which ends. The new request is returned; whoever proposes it does not count for it.
// Errors: those of Decide, and [approval.ErrProposal].
func (d *Decisions) Counter(ctx context.Context, by approval.Decider, id string, arguments jsontext.Value) (*approval.Request, error) {
	r, decision, err := d.open(ctx, by, id, audit.Counter, "")
	if err != nil {
		return r, err
	}
	waited := r
	err = Give(ctx, d.Audit, d.entry(ctx, by, r, audit.Counter), func(ctx context.Context) (audit.Result, error) {
		var counter *approval.Request
		err := d.judgeProposal(ctx, r, arguments)
		if err == nil {
			counter, err = d.Approvals.Counter(ctx, id, by.Actor, decision.Human, arguments)
		}
		switch {
		case counter != nil && errors.Is(err, approval.ErrGone):
			r = counter
			return audit.Result{Outcome: audit.Denied, Reason: goneReason(r)}, tooLate(r, audit.Counter)
		case errors.Is(err, approval.ErrProposal):
			return audit.Result{Outcome: audit.Denied, Reason: "not a proposal"}, err
		case err != nil:
			return failed(err, "not proposed"), err
		}
		r = counter
		return audit.Result{Reason: "proposed as " + counter.ID + ", arguments sha256 " + counter.ArgumentsDigest}, nil
	})
	return r, d.told(audit.Counter, waited, err)
}

// open returns the request if by may decide it so and it is still open, and what an approval
// of theirs would count for, for that role if it is not empty.
func (d *Decisions) open(ctx context.Context, by approval.Decider, id string, what audit.Decision, role string) (*approval.Request, approval.Decision, error) {
	none := approval.Decision{}
	r, err := d.Approvals.Get(ctx, id)
	if err != nil {
		return nil, none, err
	}
	c, err := d.standing(ctx, by, r)
	if err == nil && c.operator && what != audit.Deny {
		err = d.join(ctx, &c)
	}
	if err != nil {
		return nil, none, err
	}
	if !c.sees() {
		return nil, none, approval.ErrNotFound
	}
	decision, reason, err := d.may(by, &c, what, role)
	if err != nil {
		return r, none, d.refuse(ctx, by, r, what, reason, err)
	}
	return r, decision, nil
}

// may says whether somebody who sees a request may decide it so now, and what an approval of theirs
// would count for, for that role if it is not empty; else why not, with the reason as the log has it.
// It is asked before the act, and for what pages offer: nothing else decides that.
func (d *Decisions) may(by approval.Decider, c *standing, what audit.Decision, role string) (decision approval.Decision, reason string, err error) {
	r := c.request
	if err := c.mayDecide(what); err != nil {
		return decision, err.Error() + ", who decides: " + r.Confirmation.String(), err
	}
	if r.State != approval.Pending {
		return decision, goneReason(r), tooLate(r, what)
	}
	decision = approval.Decision{By: by.Actor, Org: by.Org, Human: c.human, AuthTime: by.AuthTime, ACR: by.ACR}
	switch {
	case what == audit.Counter && r.OfRequester():
		return decision, "nobody else agrees to it", approval.ErrNotApprover
	case what != audit.Approve:
		return decision, "", nil
	case c.agreed:
		return decision, "", approval.ErrAlready
	}
	if err := d.fresh(by, r); err != nil {
		return decision, "has not signed in anew as is asked for", err
	}
	if decision.Factor, decision.Role, err = c.factor(role); err != nil {
		return decision, err.Error(), err
	}
	return decision, "", nil
}

// fresh refuses whoever has not just proved who they are, where the call asks for it. At the
// command line nobody signs in: who runs commands on the database could do so without us.
func (d *Decisions) fresh(by approval.Decider, r *approval.Request) error {
	if !r.Confirmation.StepUp || by.Actor.IsOperator() {
		return nil
	}
	if d.StepUpACR == "" {
		return errNoStepUp
	}
	age := d.now().Sub(by.AuthTime)
	if by.ACR != d.StepUpACR || by.AuthTime.IsZero() || age > freshFor || age < -time.Minute {
		return approval.ErrStepUp
	}
	return nil
}

func (d *Decisions) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

func (d *Decisions) people() approval.People {
	if d.People == nil {
		return approval.Strangers{}
	}
	return d.People
}

// tooLate is the error of a decision about a request that is not open any more. The same
// decision again, from a second click, is no fault.
func tooLate(r *approval.Request, what audit.Decision) error {
	approved := r.State == approval.Approved || r.State == approval.Spent
	if what == audit.Approve && approved || what == audit.Deny && r.State == approval.Denied {
		return approval.ErrAlready
	}
	return approval.ErrGone
}

func goneReason(r *approval.Request) string { return "approval_" + string(r.State) }

// agreement says in the log what an approval counts for, what proved who gave it, and what they
// saw of the record.
func agreement(d approval.Decision) string {
	text, shown := counted(d), ""
	switch {
	case d.Shown.Binds():
		shown = "saw the record as " + string(d.Shown)
	case d.Shown == approval.ShownUnread:
		shown = "did not see the record"
	}
	if text != "" && shown != "" {
		text += ", "
	}
	return text + shown
}

// counted says what an approval counts for; "" for the requester's own.
func counted(d approval.Decision) string {
	if d.Factor == "" {
		return ""
	}
	text := "for role:" + d.Factor
	if d.Role != d.Factor {
		text += " by role:" + d.Role
	}
	if d.ACR != "" || !d.AuthTime.IsZero() {
		text += fmt.Sprintf(", signed in %s with acr %q", d.AuthTime.UTC().Format(time.RFC3339), d.ACR)
	}
	return text
}

// standingReason says in the log what is still missing once somebody agreed.
func standingReason(r *approval.Request) string {
	if r.OfRequester() {
		return ""
	}
	if r.State == approval.Pending {
		return stillMissing + r.WhoIsMissing()
	}
	return "nobody is missing"
}

const stillMissing = "still missing: "

// StillMissing reports whether the entry of an approval says that others must agree, too.
func StillMissing(e audit.Entry) bool { return strings.HasPrefix(e.Reason, stillMissing) }

// refuse records a decision that does not count and returns why. What was decided so
// already is on record.
func (d *Decisions) refuse(ctx context.Context, by approval.Decider, r *approval.Request, what audit.Decision, reason string, why error) error {
	if errors.Is(why, approval.ErrAlready) {
		return why
	}
	e := d.entry(ctx, by, r, what)
	e.Outcome, e.Reason = audit.Denied, reason
	if _, err := d.Audit.Append(context.WithoutCancel(ctx), e); err != nil { // who tries and hangs up is on record
		return err
	}
	return why
}

// entry leaves source and request id to the log, which takes them from the context.
func (d *Decisions) entry(ctx context.Context, by approval.Decider, r *approval.Request, what audit.Decision) audit.Entry {
	return audit.Entry{
		Actor: by.Actor, Action: audit.ApprovalDecide, Object: r.ID, Decision: what,
		Org: r.Org, Subject: r.Subject, Username: usernameOf(ctx, d.Grants, r.Org, r.Subject), Client: r.ClientID, Grant: r.GrantID,
		Server: r.Server, Tool: r.Tool, Class: r.Class, Approval: r.ID,
		ArgumentsDigest: r.ArgumentsDigest, DefinitionHash: r.DefinitionHash, PolicyVersion: r.PolicyVersion,
	}
}
