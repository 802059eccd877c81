package oversight

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/grant"
)

// Elsewhere is where else a human is whose user of one org was looked at: what is done about that user does
// nothing there.
type Elsewhere struct {
	People []Person // the same id, or the same username, in other orgs; ordered by org
	Never  []string // other orgs, where they have not signed in, and are not refused
}

// Elsewhere finds the human who is that user, in the other orgs: as the command line does, which acts in all of them.
func (r *Reader) Elsewhere(ctx context.Context, u *grant.User) (e Elsewhere, err error) {
	users, err := r.Access.FindUsersToCome(ctx, u.Subject)
	if u.Username != "" && err == nil {
		var named []grant.User
		named, err = r.Access.FindUsers(ctx, u.Username)
		users = append(users, named...)
	}
	if _, unknown := errors.AsType[*access.UnknownUserError](err); unknown { // an altered row has no name that holds
		err = nil
	}
	seen := map[[2]string]bool{{u.Org, u.Subject}: true}
	for i := range users {
		one := &users[i]
		if key := [2]string{one.Org, one.Subject}; err != nil || seen[key] {
			continue
		} else if seen[key] = true; one.LastSeenAt.IsZero() && !one.Blocked() && !one.Altered {
			if one.Org != u.Org && !slices.Contains(e.Never, one.Org) {
				e.Never = append(e.Never, one.Org)
			}
			continue
		}
		login, statusErr := r.Links.Status(ctx, one.Org, one.Subject)
		err = statusErr
		e.People = append(e.People, Person{*one, StandingOf(one, login.State)})
	}
	slices.SortFunc(e.People, func(a, b Person) int {
		return cmp.Or(strings.Compare(a.Org, b.Org), strings.Compare(a.Subject, b.Subject))
	})
	return e, err
}
