package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/ui"
)

// upstreamPatience is how long a command waits for Salesforce to revoke a token
// before it leaves that to the running proxy.
const upstreamPatience = 5 * time.Second

type userRow struct {
	Org         string `json:"org" col:"ORG"`
	Subject     string `json:"subject" col:"USER ID"`
	Username    string `json:"username" col:"USERNAME"`
	Name        string `json:"name" col:"NAME"`
	Connections int    `json:"connections" col:"CONNECTIONS"`
	Salesforce  string `json:"salesforce" col:"SALESFORCE LOGIN"`
	Blocked     bool   `json:"blocked" col:"BLOCKED"`
	LastSeen    moment `json:"last_seen" col:"LAST SIGN-IN"`
	// What is wrong with the Salesforce login; below the table for people.
	LoginEnded moment `json:"login_ended"`
	LoginWhy   string `json:"login_why"`
	LoginClass string `json:"login_class"`
	LoginFix   string `json:"login_fix"`
}

func (s *stores) userRow(ctx context.Context, u grant.User) (userRow, error) {
	l, err := s.login(ctx, u.Org, u.Subject)
	return userRow{u.Org, u.Subject, u.Username, u.Name, u.Connections, l.State, u.Blocked(), moment{u.LastSeenAt}, l.Since, l.Why, l.Class, l.Fix}, err
}

func userCommand() *cobra.Command {
	list := withStores(&cobra.Command{Use: "list", Short: "Everyone who has signed in, and who is blocked", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			users, err := s.grants.Users(cmd.Context())
			if err != nil {
				return err
			}
			rows, err := s.userRows(cmd.Context(), users)
			if err != nil {
				return err
			}
			return errors.Join(printRows(cmd, rows), printLogins(cmd, rows))
		})
	show := withStores(&cobra.Command{Use: "show USER", Short: "One user and their connections", Args: usageArgs(cobra.ExactArgs(1))},
		func(s *stores, cmd *cobra.Command, args []string) error {
			users, err := s.access.FindUsers(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			rows, err := s.userRows(cmd.Context(), users)
			if err != nil {
				return err
			}
			if err := printRows(cmd, rows); err != nil {
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
			return errors.Join(printGrants(cmd, grants), printLogins(cmd, rows))
		})
	jsonFlag(list)
	jsonFlag(show)
	return group("user", "Users: list, show, cut off",
		list, show,
		eachUser("revoke", "End every connection of the user, here and at Salesforce", "revoked", (*stores).revokeUser),
		eachUser("block", "Revoke, and refuse new connections", "blocked", (*stores).blockUser),
		eachUser("unblock", "Let a blocked user connect again", "unblocked", (*stores).unblockUser))
}

func (s *stores) userRows(ctx context.Context, users []grant.User) ([]userRow, error) {
	rows := make([]userRow, len(users))
	for i, u := range users {
		var err error
		if rows[i], err = s.userRow(ctx, u); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// printLogins says below the tables which logins fail, and what to change.
func printLogins(cmd *cobra.Command, rows []userRow) error {
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil || asJSON {
		return err
	}
	for _, row := range rows {
		if row.LoginClass == "" {
			continue
		}
		how := "Salesforce login fails to be renewed"
		if !row.LoginEnded.IsZero() {
			how = "Salesforce login ended " + localTime(row.LoginEnded.Time)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "\n%s in org %s: %s: %s\n", personOf(grant.User{Username: row.Username, Subject: row.Subject}), row.Org, how, ui.Printable(row.LoginWhy))
		if row.LoginFix != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "  %s\n", ui.Printable(row.LoginFix))
		}
	}
	return nil
}

// eachUser is a command that changes the access of the users whom its argument names.
func eachUser(verb, short, done string, change func(s *stores, ctx context.Context, u grant.User) (connections int, err error)) *cobra.Command {
	with := withStores
	if verb != "unblock" {
		with = withCutoff
	}
	return with(&cobra.Command{
		Use: verb + " USER", Short: short, Args: usageArgs(cobra.ExactArgs(1)),
		Long: short + ".\n\nUSER is a Salesforce user id (005…, 15 or 18 characters) or a username that is known\nfrom a sign-in. A running proxy follows within a second.",
	}, func(s *stores, cmd *cobra.Command, args []string) error {
		find := s.access.FindUsers
		if verb == "block" {
			find = s.access.FindUsersToCome
		}
		users, err := find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		for _, u := range users {
			n, failed := change(s, cmd.Context(), u)
			if err = errors.Join(err, failed); failed != nil {
				continue // the others all the same
			}
			ended := fmt.Sprintf(": %d %s ended", n, plural(n, "connection"))
			switch {
			case verb == "unblock":
				ended = ": they can connect again"
			case verb == "block" && u.LastSeenAt.IsZero():
				ended = ": they have not signed in here yet, and are refused if they do"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s in org %s%s\n", done, personOf(u), u.Org, ended)
		}
		return errors.Join(err, s.tellSalesforce(cmd))
	})
}

func personOf(u grant.User) string {
	if u.Username != "" {
		return ui.Printable(u.Username) + " (" + u.Subject + ")"
	}
	return u.Subject
}

// tellSalesforce tries once to have the revoked refresh tokens revoked there too. What
// cannot be done now stays queued for the running proxy: cutting off here never waits
// for Salesforce.
func (s *stores) tellSalesforce(cmd *cobra.Command) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), upstreamPatience)
	defer cancel()
	n, err := openOutbound(s.config, s.log)
	if err == nil {
		err = s.bindOrgs(ctx)
	}
	if err != nil {
		fmt.Fprintln(cmd.OutOrStdout(), "Salesforce is not told:", err)
		return nil
	}
	left, err := s.linksThrough(n).RevokePending(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(cmd.OutOrStdout(), "Salesforce could not be told yet; the running proxy keeps trying")
	case left > 0:
		fmt.Fprintf(cmd.OutOrStdout(), "Salesforce could not be told yet of %d refresh %s; the running proxy keeps trying\n", left, plural(left, "token"))
	}
	return nil
}

type grantRow struct {
	ID       string `json:"id" col:"CONNECTION"`
	Org      string `json:"org" col:"ORG"`
	Subject  string `json:"subject" col:"USER ID"`
	Username string `json:"username" col:"USERNAME"`
	Client   string `json:"client" col:"CLIENT"`
	Server   string `json:"server" col:"SERVER"`
	Created  moment `json:"created" col:"SINCE"`
	LastUsed moment `json:"last_used" col:"LAST USE"`
	Revoked  moment `json:"revoked" col:"ENDED"`
	Why      string `json:"why" col:"WHY"`
}

func printGrants(cmd *cobra.Command, grants []grant.Grant) error {
	rows := make([]grantRow, len(grants))
	for i, g := range grants {
		rows[i] = grantRow{g.ID, g.Org, g.Subject, g.Username, g.ClientID, g.Server,
			moment{g.CreatedAt}, moment{g.LastUsedAt}, moment{g.RevokedAt}, g.RevokedWhy}
	}
	return printRows(cmd, rows)
}

func grantCommand() *cobra.Command {
	list := withStores(&cobra.Command{Use: "list", Short: "Connections: a user's consent to one client for one server", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			all, err := cmd.Flags().GetBool("all")
			if err != nil {
				return err
			}
			grants, err := s.grants.Grants(cmd.Context(), grant.Filter{All: all})
			if err != nil {
				return err
			}
			return printGrants(cmd, grants)
		})
	list.Flags().Bool("all", false, "include those that have ended")
	jsonFlag(list)
	revoke := withCutoff(&cobra.Command{Use: "revoke CONNECTION", Short: "End one connection", Args: usageArgs(cobra.ExactArgs(1))},
		func(s *stores, cmd *cobra.Command, args []string) error {
			if err := s.revokeGrant(cmd.Context(), args[0]); errors.Is(err, grant.ErrNotFound) {
				return fmt.Errorf("no live connection %q: see 'grant list'", args[0])
			} else if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "revoked", args[0])
			return s.tellSalesforce(cmd)
		})
	return group("grant", "Connections: list, end", list, revoke)
}

type clientRow struct {
	ID          string `json:"id" col:"CLIENT"`
	Name        string `json:"name" col:"NAME"`
	Kind        string `json:"kind" col:"KIND"`
	Connections int    `json:"connections" col:"CONNECTIONS"`
}

func clientCommand() *cobra.Command {
	list := withStores(&cobra.Command{Use: "list", Short: "Clients: user-defined, with a metadata document, registered dynamically", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			var rows []clientRow
			clients, err := s.clients.All(cmd.Context())
			if err != nil {
				return err
			}
			for _, c := range clients {
				grants, err := s.grants.Grants(cmd.Context(), grant.Filter{ClientID: c.ID})
				if err != nil {
					return err
				}
				rows = append(rows, clientRow{c.ID, c.Name, string(c.Kind), len(grants)})
			}
			return printRows(cmd, rows)
		})
	jsonFlag(list)
	revoke := withCutoff(&cobra.Command{Use: "revoke CLIENT", Short: "End every connection of a client", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "End every connection of a client, of all users.\n\nA dynamic registration is deleted with it. A user-defined client, or one with a metadata\ndocument, can be connected anew; to keep it out, take it, or the host of its document,\nfrom the configuration as well."},
		func(s *stores, cmd *cobra.Command, args []string) error {
			clients, err := s.clients.All(cmd.Context())
			if err != nil {
				return err
			}
			n, err := s.revokeClient(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if n == 0 && !slices.ContainsFunc(clients, func(c client.Client) bool { return c.ID == args[0] }) {
				return fmt.Errorf("no client %q: see 'client list'", args[0])
			}
			fmt.Fprintf(cmd.OutOrStdout(), "revoked client %s: %d %s ended\n", ui.Printable(args[0]), n, plural(n, "connection"))
			return s.tellSalesforce(cmd)
		})
	return group("client", "Clients: list, cut off", list, revoke)
}
