package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrNotTogether: requests that may not be decided together.
var ErrNotTogether = errors.New("these calls are not decided together")

// MaxTogether is how many requests are decided together at most: nobody reads more.
const MaxTogether = 20

// Decided is what became of one of several requests that were decided together.
type Decided struct {
	Request *Request // nil: there is none, or whoever decides may not know of it
	Err     error    // that of deciding about it alone
}

// Together returns the requests that may be decided together with r, and r, the oldest first:
// those of its connection and server that wait and whose rules say so. Each is bound, decided
// and spent alone all the same. nil: r is decided alone.
func (s *Store) Together(ctx context.Context, r *Request) ([]Request, error) {
	if r.State != Pending || !r.Groups() {
		return nil, nil
	}
	waiting, err := s.List(ctx, Filter{Org: r.Org, Subject: r.Subject, GrantID: r.GrantID, State: Pending})
	if err != nil {
		return nil, err
	}
	waiting = slices.DeleteFunc(waiting, func(other Request) bool { return !r.together(&other) })
	slices.Reverse(waiting)
	return waiting, nil
}

// together reports whether another request may be decided together with r: the same people
// are asked, about calls of the same connection to the same server.
func (r *Request) together(other *Request) bool {
	return other.State == Pending && other.Groups() && other.GrantID == r.GrantID && other.Org == r.Org && other.Subject == r.Subject &&
		other.Server == r.Server && other.Confirmation == r.Confirmation
}

// CheckTogether refuses requests that may not be decided together: [ErrNotTogether].
func CheckTogether(requests []*Request) error {
	for _, r := range requests {
		if !requests[0].together(r) {
			return fmt.Errorf("%w: %s", ErrNotTogether, r.ID)
		}
	}
	return nil
}
