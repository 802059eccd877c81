package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/people"
)

// listedSession is a browser that is signed in with the company, as a line of JSON.
type listedSession struct {
	ID       string    `json:"id"`
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	Name     string    `json:"name,omitempty"`
	Roles    []string  `json:"roles"`
	Stale    bool      `json:"stale"` // its claims are too old to give roles
	ACR      string    `json:"acr,omitempty"`
	Begun    time.Time `json:"begun"`
	LastSeen time.Time `json:"last_seen"`
	Ends     time.Time `json:"ends"`
	// Users are the Salesforce users who are the same human.
	Users []linkedUser `json:"salesforce_users"`
}

type linkedUser struct {
	Org     string `json:"org"`
	Subject string `json:"subject"`
}

func sessionCommand() *cobra.Command {
	list := withCutoff(&cobra.Command{Use: "list", Short: "Browsers that are signed in with the company", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			all, err := s.people.Sessions(cmd.Context())
			if err != nil {
				return err
			}
			asJSON, err := cmd.Flags().GetBool("json")
			if err != nil {
				return err
			}
			for _, p := range all {
				users, also, err := s.linkedUsers(cmd.Context(), &p)
				if err != nil {
					return err
				}
				line := listedSession{p.ID, p.Issuer, p.Subject, p.Name, append([]string{}, p.Roles...), p.Stale, p.ACR, p.CreatedAt, p.SeenAt, p.ExpiresAt, users}
				if asJSON {
					err = json.NewEncoder(cmd.OutOrStdout()).Encode(line)
				} else {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s  %q  roles %s  since %s, last seen %s  %q at %s%s\n", p.ID, p.Label(), rolesInWords(p.Roles, p.Stale),
						p.CreatedAt.Format(time.DateTime), p.SeenAt.Format(time.DateTime), p.Subject, p.Issuer, also)
				}
				if err != nil {
					return err
				}
			}
			return nil
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

// linkedUsers are the Salesforce users who are the same human as a person, and that in words.
func (s *stores) linkedUsers(ctx context.Context, p *people.Person) (users []linkedUser, also string, err error) {
	links, err := s.people.LinksOf(ctx, p.Issuer, p.Subject)
	users = []linkedUser{}
	for _, l := range links {
		users = append(users, linkedUser{l.Org, l.Subject})
		also += "  is " + l.Subject + " in org " + l.Org
	}
	return users, also, err
}

func rolesInWords(roles []string, stale bool) string {
	switch {
	case stale:
		return "none until the provider is asked again"
	case len(roles) == 0:
		return "none"
	}
	return strings.Join(roles, ", ")
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
