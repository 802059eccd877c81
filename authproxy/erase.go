package authproxy

import (
	"context"
	"errors"

	"sfmcp-proxy/authproxy/audit"
)

// ErasedSubject is what erasing somebody has ended, and of whom nothing can be read any more.
type ErasedSubject struct {
	Ended
	audit.ErasedPerson
}

// EraseSubject ends everything that a user has, as [Cutoff.RevokeUser] does, deletes what the
// database has of them, and has the audit log erase them. Somebody who is blocked stays
// so, by the user id alone. It is recorded before it is done: what was begun and not ended is
// ended at the next start ([Cutoff.Reapply]).
func (c *Cutoff) EraseSubject(ctx context.Context, org, subject string, act Act) (done ErasedSubject, err error) {
	if done.Ended, err = c.RevokeUser(ctx, org, subject, act); err != nil {
		return done, err
	}
	ctx = context.WithoutCancel(ctx)
	done.ErasedPerson, err = c.Audit.Persons().Erase(ctx, org, subject, audit.Erasure{By: act.By, Why: act.Why}, func(ctx context.Context) error {
		return c.deleteRows(ctx, org, subject)
	})
	return done, err
}

// deleteRows deletes what the database has of a user whose access has ended.
func (c *Cutoff) deleteRows(ctx context.Context, org, subject string) error {
	return errors.Join(c.Approvals.EraseUser(ctx, org, subject), c.Links.Erase(ctx, org, subject), c.Grants.EraseUser(ctx, org, subject))
}
