package authproxy

import (
	"context"
	"fmt"

	logs "sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/review"
)

// claimed is what the roster calls the names of reviews.
const claimed = "review"

// ElsewhereError is an [ErrNoReview] of a review that another replica's audit log has. Nobody else can read that
// log, so the review is read and decided there.
type ElsewhereError struct {
	Review string
	Log    string // its name
	Host   string // of its machine; "": the roster does not have it
}

// Error says where the review is.
func (e *ElsewhereError) Error() string {
	host := e.Host
	if host == "" {
		host = "a machine that the roster does not have"
	}
	return fmt.Sprintf("the review %s is in the audit log %s of %s, and is read and decided there", e.Review, e.Log, host)
}

// Unwrap is [ErrNoReview].
func (e *ElsewhereError) Unwrap() error { return ErrNoReview }

func elsewhere(c logs.Claim) *ElsewhereError { return &ElsewhereError{c.Name, c.Origin, c.Host} }

// maxElsewhere is how many reviews of other replicas are named.
const maxElsewhere = 100

// Elsewhere are the reviews that other replicas began, the newest first, at most a hundred.
func (r *Reviews) Elsewhere(ctx context.Context) (all []*ElsewhereError, err error) {
	claims, err := r.Roster.Claims(ctx, claimed, maxElsewhere)
	for _, c := range claims {
		all = append(all, elsewhere(c))
	}
	return all, err
}

// absent says why the own log does not have a review.
func (r *Reviews) absent(ctx context.Context, name string) error {
	if name == "" {
		if all, err := r.Roster.Claims(ctx, claimed, 1); err != nil {
			return err
		} else if len(all) > 0 {
			return elsewhere(all[0])
		}
	} else if c, has, err := r.Roster.Claimed(ctx, claimed, name); err != nil {
		return err
	} else if has && !c.Own {
		return elsewhere(c)
	}
	return fmt.Errorf("%q: %w", name, ErrNoReview)
}

// newestIsHere returns an [ElsewhereError] if another replica began a review after the newest of the own log.
func (r *Reviews) newestIsHere(ctx context.Context, newest *review.Review) error {
	all, err := r.Roster.Claims(ctx, claimed, 1)
	if err == nil && len(all) > 0 && all[0].At.After(newest.Begun) {
		return elsewhere(all[0])
	}
	return err
}
