package authproxy

import (
	"context"
	"errors"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
)

// take does what takes access away, or anything else that takes effect before it is recorded. All such acts begin
// here: whoever closes the page, hangs up or interrupts the command leaves none half done, and none without its
// entry. do records what it did as its last step.
func take(ctx context.Context, do func(context.Context) error) error {
	ctx, end := audit.Lasting(ctx)
	defer end()
	return do(ctx)
}

// Give does what gives access, or anything else that is recorded first, as [audit.Log.Give] does. All such acts begin here.
func Give(ctx context.Context, log *audit.Log, e audit.Entry, do func(context.Context) (audit.Result, error)) error {
	return log.Give(ctx, e, do)
}

// give is [Give] for an act of which nothing else is to be said than that it was done.
func (c *Cutoff) give(ctx context.Context, e audit.Entry, do func(context.Context) error) error {
	return Give(ctx, c.Audit, e, func(ctx context.Context) (audit.Result, error) {
		if err := do(ctx); err != nil {
			return audit.Result{}, err
		}
		return audit.Result{Reason: e.Reason}, nil
	})
}

// record appends what was done, with how it went, and returns what failed. That entries are missing is no failure of the act.
func (c *Cutoff) record(ctx context.Context, e audit.Entry, failed error) error {
	e.Outcome = audit.OK
	if !audit.TookEffect(failed) {
		e.Outcome, e.Status = audit.Failed, "incomplete"
	}
	err := c.Audit.Done(ctx, e)
	if err == nil && liftedElsewhere[e.Action] {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkpointWait)
		defer cancel()
		_ = c.Audit.Checkpoint(ctx) // the next one, of Run or of a command's Close, says what is wrong; what was done is done
	}
	return also(failed, err)
}

// also adds err to what failed. That something is not in the log is said once, however many entries are missing.
func also(failed, err error) error {
	if err == nil || audit.Unrecorded(failed) != nil && audit.TookEffect(err) {
		return failed
	}
	return errors.Join(failed, err)
}

// checkpointWait is how long storing the checkpoint may take that says that an act has taken effect, once nobody else
// is storing one.
const checkpointWait = 5 * time.Second

// liftedElsewhere are the acts that another process may lift, and then has in its own log: whoever was let in
// again must not be refused once more when the process that refused them is killed and started. So the
// database knows that they have taken effect before anybody is told that they are done; see [Cutoff.Reapply].
var liftedElsewhere = map[audit.Action]bool{audit.UserBlock: true, audit.ClientBlock: true, audit.StopSet: true}

// usernameOf is for people who read the log; "" when it is not known.
func usernameOf(ctx context.Context, grants *grant.Store, org, subject string) string {
	u, err := grants.User(ctx, org, subject)
	if err != nil {
		return ""
	}
	return u.Username
}
