package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

func userCommand() *cobra.Command {
	list := withCutoff(&cobra.Command{Use: "list", Short: "Everyone who has signed in, and who is blocked", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			users, err := s.grants.Users(cmd.Context())
			if err != nil {
				return err
			}
			listed, err := s.withLogins(cmd.Context(), users)
			if err != nil {
				return err
			}
			return printer(cmd).Users(listed)
		})
	show := withCutoff(&cobra.Command{Use: "show USER", Short: "One user and their connections", Args: usageArgs(cobra.ExactArgs(1))}, showUser)
	jsonFlag(list)
	jsonFlag(show)
	return group("user", "Users: list, show, cut off",
		list, show,
		eachUser("revoke", "End every connection of the user, here and at Salesforce", "revoked", revokeUser),
		eachUser("block", "Revoke, and refuse new connections", "blocked", blockUser),
		eachUser("unblock", "Let a blocked user connect again", "unblocked", unblockUser),
		unlinkCommand())
}

func showUser(s *stores, cmd *cobra.Command, args []string) error {
	users, err := s.findUsers(cmd.Context(), args[0], s.access.FindUsers)
	if err != nil {
		return hinted(err, byID)
	}
	listed, err := s.withLogins(cmd.Context(), users)
	if err != nil {
		return err
	}
	var grants []grant.Grant
	for _, u := range users {
		of, err := s.grants.Grants(cmd.Context(), grant.Filter{Org: u.Org, Subject: u.Subject})
		if err != nil {
			return err
		}
		grants = append(grants, of...)
	}
	return printer(cmd).UserWithGrants(listed, grants)
}

// withLogins adds to users the state of their Salesforce logins, and who of the company they are.
func (s *stores) withLogins(ctx context.Context, users []grant.User) ([]listing.User, error) {
	links, err := s.people.Links(ctx)
	if err != nil {
		return nil, err
	}
	of := map[[2]string]people.Link{}
	for _, l := range links {
		of[[2]string{l.Org, l.Subject}] = l
	}
	all := make([]listing.User, len(users))
	for i, u := range users {
		login, err := s.links.Status(ctx, u.Org, u.Subject)
		if err != nil {
			return nil, err
		}
		all[i] = listing.User{User: u, Login: login, Issuer: of[[2]string{u.Org, u.Subject}].Issuer, Person: of[[2]string{u.Org, u.Subject}].Person}
	}
	return all, nil
}

// errNobody is what a change found nothing to change of: a sentence about the user.
type errNobody struct{ what string }

func (e errNobody) Error() string { return e.what }

// change gives or takes a user's access, and returns what ended.
type change func(ctx context.Context, c *authproxy.Cutoff, u grant.User, act authproxy.Act) (authproxy.Ended, error)

func revokeUser(ctx context.Context, c *authproxy.Cutoff, u grant.User, act authproxy.Act) (authproxy.Ended, error) {
	return c.RevokeUser(ctx, u.Org, u.Subject, act)
}

func blockUser(ctx context.Context, c *authproxy.Cutoff, u grant.User, act authproxy.Act) (authproxy.Ended, error) {
	return c.BlockUser(ctx, u.Org, u.Subject, act)
}

func unblockUser(ctx context.Context, c *authproxy.Cutoff, u grant.User, act authproxy.Act) (authproxy.Ended, error) {
	err := c.UnblockUser(ctx, u.Org, u.Subject, act)
	if errors.Is(err, grant.ErrNotFound) {
		err = errNobody{"is not blocked in org " + u.Org}
	}
	return authproxy.Ended{}, err
}

// byID says of a username that nobody has signed in with how to name its user.
const byID = "whoever was blocked before that is known by the Salesforce user id (005…) alone"

// beforeSignIn says what there is for a user who has not signed in yet and whom a command does not know. What block says of
// them, [access.Control.FindUsersToCome] does.
var beforeSignIn = map[string]string{
	"revoke":  "'user block' by the Salesforce user id (005…) refuses them before they do",
	"unblock": byID,
}

// reaches says where a command reaches the user.
var reaches = map[string]string{
	"revoke":  "what they have in each org ends. Exit\nstatus 1 if they have nothing",
	"block":   "they are refused in every org, also\nbefore they have signed in there. Whoever never signed in is named by the id",
	"unblock": "they are let in again in each org",
}

// eachUser is a command that changes the access of the users whom its argument names.
func eachUser(verb, short, done string, change change) *cobra.Command {
	with, without := withStores, done
	if verb != "unblock" {
		with, without = withCutoff, done+" by the security team"
	}
	long := short + ".\n\nUSER is a Salesforce user id (005…, 15 or 18 characters) or a username that is known\nfrom a sign-in. An id is the same person in a sandbox and in the org that it was copied\nfrom: by whichever username they are named, " + reaches[verb] + ".\nA running proxy follows within a second."
	if verb != "unblock" {
		long += "\n\nWith --evidence, what is known of the user is written into DIR besides: their whole audit\nlog, connections, waiting calls, whether the audit log verifies, and a manifest with the\nSHA-256 of each file. Exit status 1 if a part failed; all others are done all the same."
	}
	cmd := with(&cobra.Command{Use: verb + " USER", Short: short, Args: usageArgs(cobra.ExactArgs(1)), Long: long},
		func(s *stores, cmd *cobra.Command, args []string) error {
			find := s.access.FindUsers
			if verb == "block" {
				find = s.access.FindUsersToCome
			}
			users, err := s.findUsers(cmd.Context(), args[0], find)
			if hint := beforeSignIn[verb]; hint != "" {
				err = hinted(err, hint)
			}
			if err != nil {
				return err
			}
			if verb == "unblock" && slices.ContainsFunc(users, func(u grant.User) bool { return u.Altered && u.Subject != grant.FullID(args[0]) }) {
				return fmt.Errorf("what is stored of %s was changed by something else than the proxy, also whose username that is: "+
					"unblock by the Salesforce user id (005…) that Salesforce shows for the user; nothing was done", args[0])
			}
			dir, _ := cmd.Flags().GetString("evidence") // unblock has none
			if err := freshDirectory(dir); err != nil {
				return usageError{fmt.Errorf("--evidence: %w; nothing was done", err)}
			}
			err = s.changeUsers(cmd, verb, done, users, change)
			left, tellErr := revokeAtSalesforce(s, cmd)
			if dir == "" {
				return errors.Join(err, tellErr)
			}
			return errors.Join(err, tellErr, evidenceOf{s}.write(cmd, evidence{dir: dir, did: "user " + verb, users: users, atSalesforce: left}))
		})
	jsonFlag(cmd)
	reasonFlag(cmd, without)
	if verb != "unblock" {
		cmd.Flags().String("evidence", "", "write what is known of the user into this directory, which must be new or empty")
	}
	return cmd
}

// changeUsers changes the access of each user, and says what was done. Of those for whom there was nothing to do
// it says so; that is an error where it is so of all.
func (s *stores) changeUsers(cmd *cobra.Command, verb, done string, users []grant.User, change change) (err error) {
	cutoff := s.newCutoff(nil)
	reached, nothing := false, []string{}
	for _, u := range users {
		login, loginErr := s.links.Status(cmd.Context(), u.Org, u.Subject)
		n, failed := change(cmd.Context(), cutoff, u, acting(cmd))
		if n == (authproxy.Ended{}) && verb == "revoke" && audit.TookEffect(failed) && loginErr == nil && login.State != link.Active {
			failed = errNobody{"has no connection and no login in org " + u.Org}
		}
		if nobody, ok := errors.AsType[errNobody](failed); ok {
			nothing = append(nothing, listing.Person(u.Username, u.Subject)+" "+nobody.what)
			continue
		}
		reached = true
		if err = errors.Join(err, failed); !audit.TookEffect(failed) {
			continue // the others all the same
		}
		err = errors.Join(err, tellChanged(cmd, verb, done, u, n))
	}
	switch text := strings.Join(nothing, "; "); {
	case len(nothing) > 0 && reached:
		_, tellErr := fmt.Fprintln(besides(cmd), text)
		err = errors.Join(err, tellErr)
	case len(nothing) > 0:
		err = errors.Join(err, errors.New("reached nobody: "+text))
	}
	return err
}

// tellChanged says what was done to a user, and what of theirs ended.
func tellChanged(cmd *cobra.Command, verb, done string, u grant.User, n authproxy.Ended) error {
	ended := fmt.Sprintf(": %d %s ended", n.Connections, plural(n.Connections, "connection"))
	switch {
	case verb == "unblock":
		ended = ": they can connect again"
	case verb == "block" && unseen(u):
		ended = ": they have not signed in here yet, and are refused if they do"
	}
	d := deed{Did: "user " + verb, Org: u.Org, Subject: u.Subject, Username: u.Username}
	if verb != "unblock" {
		d.Connections, d.Approvals, d.Sessions = &n.Connections, &n.Approvals, &n.Sessions
	}
	err := report(cmd, fmt.Sprintf("%s %s in org %s%s", done, listing.Person(u.Username, u.Subject), u.Org, ended), d)
	if n.Approvals+n.Sessions > 0 {
		fmt.Fprintf(besides(cmd), "ended besides: %d waiting %s, %d browser %s\n", n.Approvals, plural(n.Approvals, "call"), n.Sessions, plural(n.Sessions, "session"))
	}
	return err
}
