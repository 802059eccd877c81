package approval

import (
	"context"
	"slices"
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
	// Called names every human whom a name may mean that was typed at the command line: a username, a
	// Salesforce user id, or what somebody is called at the company. None is no error.
	Called(ctx context.Context, name string) (humans []string, err error)
}

// SalesforceHuman names the human of whom nothing is known but one Salesforce user.
func SalesforceHuman(org, subject string) string { return "salesforce " + org + " " + subject }

// namedHuman begins the name of a human whom an operator names.
const namedHuman = "named "

// OperatorHuman names the human whom an operator names, and who is the same whatever operator
// does; without a name it is the operator. Who that is, [Among] says.
func OperatorHuman(a actor.Actor) string {
	if a.As != "" {
		return namedHuman + actor.PlainName(a.As)
	}
	return "operator " + a.ID
}

// Among reports whether a human is one of others, or may be: a human whom an operator names is
// everybody whom that name may mean, and whoever is named alike, in any case of letters. Names that
// mean nobody who is known are other humans than all who are known. That one human counts once, and
// never for a call of their own, is asked here and nowhere else.
func Among(ctx context.Context, known People, human string, others ...string) (bool, error) {
	are, err := mayBe(ctx, known, human)
	if err != nil {
		return false, err
	}
	for _, other := range others {
		if slices.Contains(are, compared(other)) {
			return true, nil
		}
		if !strings.HasPrefix(other, namedHuman) {
			continue
		}
		areOther, err := mayBe(ctx, known, other)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(areOther, func(o string) bool { return slices.Contains(are, o) }) {
			return true, nil
		}
	}
	return false, nil
}

// mayBe are the humans who a human may be, to be compared; "" is nobody.
func mayBe(ctx context.Context, known People, human string) (all []string, err error) {
	if human == "" {
		return nil, nil
	}
	if name, ok := strings.CutPrefix(human, namedHuman); ok {
		if all, err = known.Called(ctx, actor.PlainName(name)); err != nil {
			return nil, err
		}
	}
	return append(all, compared(human)), nil
}

// compared is the name of a human as it is compared.
func compared(human string) string {
	if name, ok := strings.CutPrefix(human, namedHuman); ok {
		return namedHuman + strings.ToLower(actor.PlainName(name))
	}
	return human
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

// Called is nobody.
func (Strangers) Called(context.Context, string) ([]string, error) { return nil, nil }

// lapsed returns the decisions of r that do not count any more: of people who lost the role by
// which they agreed, who turned out to be the requester, the author, or somebody who agreed before, or who are of a kind that a
// later version has and this one does not know. Whom an operator names needs no role:
// who runs commands on the database could do without them.
func (s *Store) lapsed(ctx context.Context, r *Request) (lapsed []Decision, err error) {
	others := []string{SalesforceHuman(r.Org, r.Subject), r.Author}
	asked := false
	for _, d := range r.Decisions {
		if !d.By.Known() {
			lapsed = append(lapsed, d)
			continue
		}
		if d.Factor == "" {
			continue
		}
		if !asked {
			requester, err := s.people.HumanOf(ctx, r.Org, r.Subject)
			if err != nil {
				return nil, err
			}
			others, asked = append(others, requester), true
		}
		again, err := Among(ctx, s.people, d.Human, others...)
		if err != nil {
			return nil, err
		}
		counts := !again
		if counts && !d.By.IsOperator() {
			if counts, err = s.people.Holds(ctx, d.Human, d.Role); err != nil {
				return nil, err
			}
		}
		if !counts {
			lapsed = append(lapsed, d)
			continue
		}
		others = append(others, d.Human)
	}
	return lapsed, nil
}
