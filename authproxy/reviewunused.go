package authproxy

import (
	"context"
	"errors"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/review"
)

// ErrUsed: access is not ended as unused, because it is used or nobody knows.
var ErrUsed = errors.New("the access is used, or whether it is cannot be known")

// unwritten is how much later a connection may have been used than the database says: uses are written once a minute,
// and lost with a process that is killed. A client whose access token is over gets another, and that is written with
// it; only within the grace of a refresh token that was used there are two for one.
func (r *Reviews) unwritten() time.Duration {
	l := r.Cutoff.Grants.Lifetimes()
	return l.AccessToken + l.RefreshGrace
}

// Unused says whether an item is open and nobody used the access, as [review.Review.Idle].
func (r *Reviews) Unused(one *review.Review, item *review.Item) bool {
	return one.Idle(item, r.unwritten())
}

// RevokeUnused revokes what an item is about, if nobody used it in the time of the review nor since, through any
// replica: the connections that there are now say so. It returns how many ended. [ErrUsed], [ErrOwnAccess], [actor.ErrReason]
func (r *Reviews) RevokeUnused(ctx context.Context, by approval.Decider, one *review.Review, item *review.Item, reason string) (ended int, err error) {
	if reason, err = actor.ForDecision.Clean(reason); err != nil {
		return 0, err
	}
	return r.revokeUnused(ctx, by, one, item, reason)
}

// revokeUnused is RevokeUnused for a reason that is one.
func (r *Reviews) revokeUnused(ctx context.Context, by approval.Decider, one *review.Review, item *review.Item, reason string) (ended int, err error) {
	if !r.Unused(one, item) {
		return 0, ErrUsed
	}
	grants, err := r.Cutoff.Grants.Grants(ctx, grant.Filter{Org: item.Org, Subject: item.Subject, Server: item.Server})
	if err != nil {
		return 0, err
	}
	for _, g := range grants {
		if one.Uses(g.CreatedAt, g.LastUsedAt, r.unwritten()) {
			return 0, ErrUsed
		}
	}
	return r.decide(ctx, by, one, item, audit.Revoke, reason)
}

// Idle is what [Reviews.RevokeIdle] did.
type Idle struct {
	Items, Connections int // that were decided about, and that ended
	Without            int // of the items, those without a connection: nothing ended
	Own                int // passed over, because nobody decides about their own access
	Used               int // passed over, because they were used since the review began
	Left               int // more than it decides about at once
}

// RevokeIdle ends access that nobody used in the time of the review or since, and about which nobody has
// decided: of at most so many items, each also if one before failed.
func (r *Reviews) RevokeIdle(ctx context.Context, by approval.Decider, name string, most int, reason string) (did Idle, err error) {
	if reason, err = actor.ForDecision.Clean(reason); err != nil {
		return did, err
	}
	one, err := r.Review(ctx, name)
	if err != nil {
		return did, err
	}
	ctx = context.WithoutCancel(ctx) // whoever began it gets all of it; each item has a time of its own
	for _, item := range one.Items {
		switch {
		case !r.Unused(one, item):
			continue
		case did.Items == most:
			did.Left++
			continue
		}
		ended, itemErr := r.revokeUnused(ctx, by, one, item, reason)
		switch {
		case errors.Is(itemErr, ErrOwnAccess):
			did.Own++
			continue
		case errors.Is(itemErr, ErrUsed):
			did.Used++
			continue
		case audit.TookEffect(itemErr) && ended == 0:
			did.Without++
		}
		did.Items, did.Connections = did.Items+1, did.Connections+ended
		err = also(err, itemErr)
	}
	return did, err
}
