package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

func eraseCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "subject USER", Short: "End what a user has, and erase what is stored about them; it cannot be taken back", Args: usageArgs(cobra.ExactArgs(1))}
	cmd.Long = cmd.Short + `.

USER is a Salesforce user id (005…, 15 or 18 characters), a username, or the subject of somebody
who signs in with the company. Whom a link says to be the same human is erased too. Connections, waiting
calls and sessions end, as with 'user revoke'. The rows about the user are deleted, and so is the key
under which the audit log has what is about them: their entries stay, verify as before, and
have a pseudonym in place of the person. Somebody who is blocked stays blocked, by the id alone. The
audit log keeps the reason for good, so it should not say whom.

Export first what must be kept: 'audit export --user USER'.`
	withCutoff(cmd, eraseSubject)
	cmd.Flags().String("org", "", "only what is about the user in this org, or at the identity provider of this issuer; default: everywhere")
	reasonFlag(cmd, "erased on request")
	alsoWhy(cmd)
	jsonFlag(cmd)
	return group("erase", "Erase what is stored about a person", cmd)
}

func eraseSubject(s *stores, cmd *cobra.Command, args []string) (err error) {
	users, err := s.usersToErase(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	org := cmd.Flags().Lookup("org").Value.String()
	if org != "" {
		if users = slices.DeleteFunc(users, func(u grant.User) bool { return u.Org != org }); len(users) == 0 {
			return fmt.Errorf("--org: nothing is stored about %s in the org %q", args[0], org)
		}
	}
	for _, u := range users {
		if actor.IsIssuer(u.Org) {
			err = errors.Join(err, erasePerson(s, cmd, u.Org, u.Subject))
			continue
		}
		done, failed := s.newCutoff(nil).EraseSubject(cmd.Context(), u.Org, u.Subject, acting(cmd))
		if err = errors.Join(err, failed); failed != nil {
			continue // the others all the same
		}
		text := fmt.Sprintf("erased %s in org %s: %s ended; %s of the audit log can be read no more, and %s %s", listing.Person(u.Username, u.Subject), u.Org,
			counted(done.Connections, "connection"), counted(done.Entries, "entry"), map[bool]string{true: "has", false: "have"}[done.Entries == 1], done.Pseudonym)
		d := deed{Did: "erase subject", Org: u.Org, Subject: u.Subject, Username: u.Username, Pseudonym: done.Pseudonym,
			Connections: &done.Connections, Approvals: &done.Approvals, Sessions: &done.Sessions, Entries: &done.Entries}
		err = errors.Join(err, report(cmd, text, d), s.tellReadable(cmd, u))
	}
	_, tellErr := revokeAtSalesforce(s, cmd)
	return errors.Join(err, tellErr)
}

// usersToErase are those whom who names: users, and those of whom the audit log alone knows.
func (s *stores) usersToErase(ctx context.Context, who string) ([]grant.User, error) {
	users, err := s.access.FindUsers(ctx, who)
	if _, isUnknown := errors.AsType[*access.UnknownUserError](err); err != nil && !isUnknown {
		return nil, err
	}
	unknown := err // a subject at a provider may be any text
	subjects := []string{grant.FullID(who)}
	for _, u := range users {
		subjects = append(subjects, u.Subject)
	}
	named, err := s.audit.Persons().SubjectsNamed(ctx, who)
	if err != nil {
		return nil, err
	}
	if len(users) == 0 { // else a username is theirs who have it now
		subjects = append(subjects, named...)
		subjects = append(subjects, who) // as a provider says it
	}
	slices.Sort(subjects)
	for _, subject := range slices.Compact(subjects) {
		orgs, err := s.audit.Persons().OrgsOf(ctx, subject)
		if err != nil {
			return nil, err
		}
		for _, org := range orgs {
			if !slices.ContainsFunc(users, func(u grant.User) bool { return u.Org == org && u.Subject == subject }) {
				users = append(users, grant.User{Org: org, Subject: subject})
			}
		}
	}
	if len(users) == 0 {
		return nil, unknown
	}
	return s.withLinked(ctx, users)
}

// withLinked adds to users whoever is the same human by a link.
func (s *stores) withLinked(ctx context.Context, users []grant.User) ([]grant.User, error) {
	links, err := s.people.Links(ctx)
	has := func(org, subject string) bool {
		return slices.ContainsFunc(users, func(u grant.User) bool { return u.Org == org && u.Subject == subject })
	}
	for again := err == nil; again; { // a person may be several users
		again = false
		for _, l := range links {
			switch user, person := has(l.Org, l.Subject), has(l.Issuer, l.Person); {
			case user && !person:
				users, again = append(users, grant.User{Org: l.Issuer, Subject: l.Person}), true
			case person && !user:
				users, again = append(users, grant.User{Org: l.Org, Subject: l.Subject}), true
			}
		}
	}
	return users, err
}

// erasePerson erases somebody who signs in with the company.
func erasePerson(s *stores, cmd *cobra.Command, issuer, subject string) error {
	done, err := s.newCutoff(nil).ErasePerson(cmd.Context(), issuer, subject, acting(cmd))
	if err != nil {
		return fmt.Errorf("erasing %q at %s: %w", subject, issuer, err)
	}
	text := fmt.Sprintf("erased %q at %s: %s ended; %s of the audit log now has %s in their place", subject, issuer,
		counted(done.Sessions, "session"), counted(done.Entries, "entry"), done.Pseudonym)
	return report(cmd, text, deed{Did: "erase subject", Org: issuer, Subject: subject, Pseudonym: done.Pseudonym, Sessions: &done.Sessions, Entries: &done.Entries})
}

// tellReadable says how many entries an earlier version wrote about a user: they are plain.
func (s *stores) tellReadable(cmd *cobra.Command, u grant.User) error {
	n, err := s.audit.Count(cmd.Context(), audit.Filter{Person: audit.Person{Subjects: []string{u.Subject}}})
	if err != nil || n == 0 {
		return err
	}
	_, err = fmt.Fprintf(besides(cmd), "%s about %s can still be read: of other orgs, or written by a version before 0.1.0; these go when they are older than audit.keep\n",
		counted(n, "entry"), u.Subject)
	return err
}
