package authproxy

import (
	"context"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/people"
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
		return done, fmt.Errorf("nothing is erased: %w", err)
	}
	ctx, end := audit.Lasting(ctx)
	defer end()
	done.ErasedPerson, err = c.Audit.Persons().Erase(ctx, org, subject, audit.Erasure{By: act.By, Why: act.Why}, func(ctx context.Context) error {
		return c.deleteRows(ctx, org, subject)
	})
	return done, err
}

// ErasePerson signs somebody out whom the company's identity provider names, deletes what the
// database has of them, and has the audit log erase them. Their agreement to calls that
// still wait counts no more: nobody is known any more who holds the role. Whom the configuration
// gives a role has it again when they sign in again.
func (c *Cutoff) ErasePerson(ctx context.Context, issuer, subject string, act Act) (done ErasedSubject, err error) {
	ctx, end := audit.Lasting(ctx)
	defer end()
	done.ErasedPerson, err = c.Audit.Persons().Erase(ctx, issuer, subject, audit.Erasure{By: act.By, Why: act.Why}, func(ctx context.Context) (err error) {
		done.Sessions, err = c.People.Erase(ctx, issuer, subject)
		return err
	})
	if errors.Is(err, audit.ErrUnknownPerson) { // the database may have them all the same
		n, eraseErr := c.People.Erase(ctx, issuer, subject)
		done.Sessions, err = n, errors.Join(err, eraseErr)
	}
	return done, err
}

// deleteRows deletes what the database has of a user whose access has ended.
func (c *Cutoff) deleteRows(ctx context.Context, org, subject string) error {
	err := errors.Join(c.Approvals.EraseUser(ctx, org, subject), c.Links.Erase(ctx, org, subject), c.Grants.EraseUser(ctx, org, subject))
	// A link of somebody who is blocked is what keeps the person of the company from deciding.
	blocked, blockedErr := c.Grants.Blocked(ctx, org, subject)
	if blockedErr != nil || blocked {
		return errors.Join(err, blockedErr)
	}
	if unlinkErr := c.People.Unlink(ctx, org, subject); !errors.Is(unlinkErr, people.ErrNotFound) {
		err = errors.Join(err, unlinkErr)
	}
	return err
}
