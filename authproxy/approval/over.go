package approval

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
)

// Concerned is whom requests concern: some users, and whoever holds some roles.
type Concerned struct {
	// Users are those whose own requests these are.
	Users []Requester
	// Roles are those of whose holders the requests ask that they agree, or that may by now in the
	// place of others, see [Request.EscalatedTo].
	Roles []string
}

// Requester is a Salesforce user who asked.
type Requester struct{ Org, Subject string }

// Over are the requests that concern somebody and wait for nobody any more, the newest first, at most so many, behind
// a place; a zero place: from the newest on. However many there are of others, they are found by an index.
func (s *Store) Over(ctx context.Context, who Concerned, behind Place, most int) (all []Request, err error) {
	conditions, err := s.asking(ctx, who.Roles)
	if err != nil {
		return nil, err
	}
	for _, u := range who.Users {
		conditions = append(conditions, condition{"org = ? AND subject = ?", []any{u.Org, u.Subject}})
	}
	// One after the other: each is in the order of an index.
	for i := range conditions {
		some, err := s.List(ctx, Filter{over: &conditions[i], Behind: behind, Limit: most})
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b Request) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.ID, b.ID)) })
	all = slices.CompactFunc(all, func(a, b Request) bool { return a.ID == b.ID })
	return all[:min(len(all), most)], nil
}

// condition is one of a statement, with a ? for each of its values.
type condition struct {
	text   string
	values []any
}

// asking selects the requests that ask for any of the roles: one condition for each way in which rules have asked
// for people, of which there are as many as rules.
func (s *Store) asking(ctx context.Context, roles []string) (all []condition, err error) {
	if len(roles) == 0 {
		return nil, nil
	}
	approvers, terms := "", ""
	for {
		err := s.db.Reads.QueryRowContext(ctx, `SELECT approvers, terms FROM approvals WHERE (approvers, terms) > ($1, $2) ORDER BY approvers, terms LIMIT 1`,
			approvers, terms).Scan(&approvers, &terms)
		if errors.Is(err, sql.ErrNoRows) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("looking who is asked to approve: %w", err)
		}
		c, err := policy.ParseTerms(policy.Approvers(approvers), terms)
		if err != nil {
			continue // of a later version; nobody sees them
		}
		one := condition{"approvers = ? AND terms = ?", []any{approvers, terms}}
		switch {
		case slices.ContainsFunc(c.Approvers.Factors(), func(f policy.Factor) bool { return slices.Contains(roles, f.Role) }):
		case slices.Contains(roles, c.Escalate.Role()):
			one.text += " AND created_at <= ?"
			one.values = append(one.values, db.Millis(s.now().Add(-c.Escalate.After)))
		default:
			continue
		}
		all = append(all, one)
	}
}

// PlaceOf is where a request stands in a list.
func (r *Request) PlaceOf() Place { return Place{At: r.CreatedAt, ID: r.ID} }
