package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
)

func grantCommand() *cobra.Command {
	list := withCutoff(&cobra.Command{Use: "list", Short: "Connections: a user's consent to one client for one server", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			all, err := cmd.Flags().GetBool("all")
			if err != nil {
				return err
			}
			grants, err := s.grants.Grants(cmd.Context(), grant.Filter{All: all})
			if err != nil {
				return err
			}
			return printer(cmd).Grants(grants)
		})
	list.Flags().Bool("all", false, "include those that have ended")
	jsonFlag(list)
	revoke := withCutoff(&cobra.Command{Use: "revoke CONNECTION", Short: "End one connection", Args: usageArgs(cobra.ExactArgs(1))},
		func(s *stores, cmd *cobra.Command, args []string) error {
			g, err := s.newCutoff(nil).RevokeGrant(cmd.Context(), args[0], acting(cmd))
			if errors.Is(err, grant.ErrNotFound) {
				return fmt.Errorf("no live connection %q: see 'grant list'", args[0])
			} else if g == nil {
				return err
			}
			reported := reportAct(cmd, err, "revoked "+args[0], deed{Did: "grant revoke", Org: g.Org, Subject: g.Subject, Username: g.Username, Connection: g.ID, Client: g.ClientID})
			_, err = revokeAtSalesforce(s, cmd)
			return errors.Join(reported, err)
		})
	jsonFlag(revoke)
	reasonFlag(revoke, "revoked by the security team")
	return group("grant", "Connections: list, end", list, revoke)
}

// salesforceWait is how long a command waits for Salesforce to revoke a token
// before it leaves that to the running proxy.
const salesforceWait = 5 * time.Second

// runningProxyWait is how long a command waits for the running proxy, which may be telling Salesforce of the
// same tokens already.
const runningProxyWait = 2 * time.Second

// revokePending tells Salesforce what is due, and returns how many tokens it has not been told of, by this
// command or by the running proxy in the next moments.
func revokePending(ctx context.Context, links *link.Store) (left int, err error) {
	begun := time.Now()
	for {
		if left, err = links.RevokePending(ctx); err != nil || left == 0 || time.Since(begun) > runningProxyWait {
			return left, err
		}
		select {
		case <-ctx.Done():
			return left, nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// revokeAtSalesforce tries to have the revoked refresh tokens revoked there too, and says what
// it could not: left is why, or empty. What cannot be done now stays queued for the running
// proxy: cutting off here never waits for Salesforce.
func revokeAtSalesforce(s *stores, cmd *cobra.Command) (left string, err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), salesforceWait)
	defer cancel()
	n, err := openOutbound(s.config, s.log)
	if err == nil {
		err = s.bindOrgs(ctx)
	}
	if err != nil {
		left = "Salesforce is not told: " + err.Error()
	} else if tokens, err := revokePending(ctx, s.linksThrough(n)); err != nil {
		left = "Salesforce could not be told yet; the running proxy keeps trying"
	} else if tokens > 0 {
		left = fmt.Sprintf("Salesforce could not be told yet of %d refresh %s; the running proxy keeps trying", tokens, plural(tokens, "token"))
	}
	if left != "" {
		_, err = fmt.Fprintln(besides(cmd), left)
		return left, err
	}
	return "", nil
}
