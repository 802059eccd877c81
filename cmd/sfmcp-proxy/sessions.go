package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

func sessionCommand() *cobra.Command {
	list := withCutoff(&cobra.Command{Use: "list", Short: "Browsers that are signed in with the company", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			all, err := s.people.Sessions(cmd.Context())
			if err != nil {
				return err
			}
			list := make([]listing.Session, len(all))
			for i := range all {
				if list[i], err = s.withUsers(cmd.Context(), &all[i]); err != nil {
					return err
				}
			}
			return printer(cmd).Sessions(list)
		})
	jsonFlag(list)
	end := withCutoff(&cobra.Command{Use: "end SESSION", Short: "Sign a browser out of the company's sign-in", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "Sign a browser out of the company's sign-in, for its next request. Whoever is signed in at\nthe identity provider can sign in again: take the role away in the configuration, or the\nperson at the provider, to end that."},
		func(s *stores, cmd *cobra.Command, args []string) error {
			err := s.newCutoff(nil).EndSession(cmd.Context(), args[0], acting(cmd))
			if errors.Is(err, people.ErrNotFound) {
				return fmt.Errorf("no session %q: see 'session list'", args[0])
			}
			return reportAct(cmd, err, "ended "+args[0], deed{Did: "session end", Session: args[0]})
		})
	jsonFlag(end)
	reasonFlag(end, "")
	return group("session", "Company sign-ins: list, end", list, end)
}

// withUsers adds to a sign-in the Salesforce users who are the same human.
func (s *stores) withUsers(ctx context.Context, p *people.Person) (listing.Session, error) {
	links, err := s.people.LinksOf(ctx, p.Issuer, p.Subject)
	one := listing.Session{Person: *p}
	for _, l := range links {
		one.Users = append(one.Users, listing.SalesforceUser{Org: l.Org, Subject: l.Subject})
	}
	return one, err
}

// unlinkCommand takes away that a Salesforce user and a person of the company are one human.
func unlinkCommand() *cobra.Command {
	unlink := withStores(&cobra.Command{Use: "unlink USER", Short: "Take away that the user and a person of the company are one human", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "Take away that the user and a person of the company are one human. From then on the two\ncount as two where a call needs several people, so be sure that they are."},
		func(s *stores, cmd *cobra.Command, args []string) error {
			users, err := s.findUsers(cmd.Context(), args[0], s.access.FindUsers)
			if err != nil {
				return err
			}
			cutoff, found := s.newCutoff(nil), false
			for _, u := range users {
				person, err := cutoff.Unlink(cmd.Context(), u, authproxy.Act{By: operator(""), Why: reasonOf(cmd)})
				if errors.Is(err, people.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				found = true
				text := fmt.Sprintf("unlinked %s in org %s from %s", args[0], u.Org, cmp.Or(person, "somebody: the link was changed by something else than the proxy"))
				if err := report(cmd, text, deed{Did: "user unlink", Org: u.Org, Subject: u.Subject, Username: u.Username, Person: person}); err != nil {
					return err
				}
			}
			if !found {
				return fmt.Errorf("%q is not linked to anybody", args[0])
			}
			return nil
		})
	jsonFlag(unlink)
	reasonFlag(unlink, "")
	return unlink
}
