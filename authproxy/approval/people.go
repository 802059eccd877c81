package approval

import (
	"context"
	"strings"

	"sfmcp-proxy/authproxy/actor"
)

// People knows who is behind a sign-in, and which roles people hold.
type People interface {
	// HumanOf names the human behind a Salesforce user; [SalesforceHuman] of it where nothing
	// more is known.
	HumanOf(ctx context.Context, org, subject string) (string, error)
	// Holds reports whether a human holds a role now.
	Holds(ctx context.Context, human, role string) (bool, error)
}

// SalesforceHuman names the human of whom nothing is known but one Salesforce user.
func SalesforceHuman(org, subject string) string { return "salesforce " + org + " " + subject }

// OperatorHuman names the human whom an operator names, and who is the same whatever operator
// does; without a name it is the operator.
func OperatorHuman(a actor.Actor) string {
	if a.As != "" {
		return "named " + strings.ToLower(a.As)
	}
	return "operator " + a.ID
}

// Strangers are people of whom nothing is known: each Salesforce user is one, and nobody holds
// a role.
type Strangers struct{}

// HumanOf is [SalesforceHuman].
func (Strangers) HumanOf(_ context.Context, org, subject string) (string, error) {
	return SalesforceHuman(org, subject), nil
}

// Holds is false.
func (Strangers) Holds(context.Context, string, string) (bool, error) { return false, nil }

// lapsed returns the decisions of r that do not count any more: of people who lost the role by
// which they agreed, who turned out to be the requester, or the author, or who are of a kind that a
// later version has and this one does not know. An operator's count:
// who runs commands on the database could do without them.
func (s *Store) lapsed(ctx context.Context, r *Request) (lapsed []Decision, err error) {
	requester := ""
	for _, d := range r.Decisions {
		if !d.By.Known() {
			lapsed = append(lapsed, d)
			continue
		}
		if d.Factor == "" || d.By.IsOperator() {
			continue
		}
		if requester == "" {
			if requester, err = s.people.HumanOf(ctx, r.Org, r.Subject); err != nil {
				return nil, err
			}
		}
		counts := d.Human != requester && d.Human != r.Author
		if counts {
			if counts, err = s.people.Holds(ctx, d.Human, d.Role); err != nil {
				return nil, err
			}
		}
		if !counts {
			lapsed = append(lapsed, d)
		}
	}
	return lapsed, nil
}
