package authproxy

import (
	"context"
	"errors"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

// Undos makes the call that takes back one that was carried out. An [approval.ErrUndo], a [approval.RefusalError], says why
// there is none.
type Undos interface {
	// MayUndo says whether there can be one, as far as is known without asking Salesforce.
	MayUndo(ctx context.Context, a *approval.Request) error
	Undo(ctx context.Context, a *approval.Request) (_ approval.Binding, class string, err error)
}

var errNoUndos = errors.New("undoing: nobody can read the record here")

// mayUndo says whether the call that takes back that of r can be asked for.
func (d *Decisions) mayUndo(ctx context.Context, r *approval.Request) error {
	if err := r.MayUndo(); err != nil {
		return err
	}
	if d.Undos == nil {
		return errNoUndos
	}
	return d.Undos.MayUndo(ctx, r)
}

// Resolve takes what a person found out about a call whose answer was lost, with how they know. Whoever
// may see the call may say so. It changes nothing but what is known: the call stays spent.
// Errors: [approval.ErrNotFound], [actor.ErrReason]; and, then the request is returned as
// well, [approval.ErrNotUnknown].
func (d *Decisions) Resolve(ctx context.Context, by approval.Decider, id string, happened approval.Happened, reason string) (*approval.Request, error) {
	seen, _, err := d.See(ctx, by, id)
	if err != nil {
		return nil, err
	}
	var r *approval.Request
	err = take(ctx, func(ctx context.Context) (err error) {
		r, err = d.Approvals.Resolve(ctx, id, by.Actor, happened, reason)
		inDoubt := errors.Is(err, approval.ErrInDoubt)
		if err != nil && !errors.Is(err, approval.ErrNotUnknown) && !inDoubt {
			return err
		}
		if inDoubt {
			r = seen
		}
		e := d.entry(ctx, by, r, "")
		e.Action, e.Outcome, e.Reason = audit.ApprovalResolve, audit.OK, "it happened: "
		if happened == approval.DidNotHappen {
			e.Reason = "it did not happen: "
		}
		if err == nil {
			e.Reason += r.Check.Reason
			return d.Audit.Done(ctx, e)
		}
		if inDoubt {
			e.Outcome, e.Reason = audit.Unknown, approval.ErrInDoubt.Error()
			return errors.Join(err, d.Audit.Done(ctx, e))
		}
		e.Outcome, e.Reason = audit.Denied, "there was nothing to resolve"
		if _, logErr := d.Audit.Append(ctx, e); logErr != nil {
			return logErr
		}
		return err
	})
	return r, err
}

// Undo asks for the call that takes back one that was carried out. It waits for people and is
// spent like any other; whoever asks for it is its author, who does not count for it where
// others are asked. Whoever may see the call may ask. Errors: [approval.ErrNotFound];
// [approval.ErrUndo], which says why it cannot be; [approval.ErrTooMany].
func (d *Decisions) Undo(ctx context.Context, by approval.Decider, id string) (*approval.Request, error) {
	r, _, err := d.See(ctx, by, id)
	if err != nil {
		return nil, err
	}
	c, err := d.standing(ctx, by, r)
	if err != nil {
		return nil, err
	}
	if d.Undos == nil {
		return nil, errNoUndos
	}
	var undo *approval.Request
	e := d.entry(ctx, by, r, "")
	e.Action = audit.ApprovalUndo
	err = Give(ctx, d.Audit, e, func(ctx context.Context) (audit.Result, error) {
		binding, class, err := d.Undos.Undo(ctx, r)
		if err == nil {
			undo, err = d.Approvals.Undo(ctx, id, binding, class, c.human)
		}
		switch {
		case errors.Is(err, approval.ErrUndo), errors.Is(err, approval.ErrTooMany):
			return audit.Result{Outcome: audit.Denied, Reason: err.Error()}, err
		case err != nil:
			return failed(err, "not asked for"), err
		}
		return audit.Result{Reason: "asked for as " + undo.ID + ", arguments sha256 " + undo.ArgumentsDigest}, nil
	})
	return undo, err
}

// failed is how a decision ended that failed by err: reason says how, but where nobody knows whether it was stored.
func failed(err error, reason string) audit.Result {
	if errors.Is(err, approval.ErrInDoubt) {
		return audit.Result{Outcome: audit.Unknown, Reason: approval.ErrInDoubt.Error()}
	}
	return audit.Result{Reason: reason}
}
