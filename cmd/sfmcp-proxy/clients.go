package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

func clientCommand() *cobra.Command {
	list := withCutoff(&cobra.Command{Use: "list", Short: "Clients: user-defined, with a metadata document, registered dynamically", Args: usageArgs(cobra.NoArgs)}, listClients)
	jsonFlag(list)
	list.Flags().Bool("all", false, "also those that nobody has used for lifecycle.hide_after")
	revoke := withCutoff(&cobra.Command{Use: "revoke CLIENT", Short: "End every connection of a client", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "End every connection of a client, of all users.\n\nA dynamic registration is deleted with it. A user-defined client, or one with a metadata\ndocument, can be connected anew; 'client block' keeps it out."}, revokeClient)
	jsonFlag(revoke)
	reasonFlag(revoke, "client revoked by the security team")
	return group("client", "Clients: list, cut off", list, revoke, blockClientCommand(), unblockClientCommand())
}

func listClients(s *stores, cmd *cobra.Command, _ []string) error {
	reads, err := s.newReads()
	if err != nil {
		return err
	}
	clients, err := reads.ClientList(cmd.Context())
	if err != nil {
		return err
	}
	everything, _ := cmd.Flags().GetBool("all")
	var all []listing.Client
	hidden := 0
	for _, c := range clients {
		if c.Hidden && !everything {
			hidden++
			continue
		}
		all = append(all, listing.Client{Client: c.Client, Connections: c.Connections, Blocked: c.Blocked, LastUse: c.LastUse, Hidden: c.Hidden, EndsAt: c.EndsAt})
	}
	if hidden > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s unused for %s or longer: 'client list --all' has them too\n", counted(hidden, "client"), s.clients.Lifecycle().HideAfter)
	}
	return printer(cmd).Clients(all)
}

func revokeClient(s *stores, cmd *cobra.Command, args []string) error {
	clients, err := s.clients.All(cmd.Context())
	if err != nil {
		return err
	}
	if known, meant, err := s.knowsClient(cmd.Context(), args[0]); err != nil || !known {
		return cmp.Or(err, noClient(args[0], meant))
	}
	ended, err := s.newCutoff(nil).RevokeClient(cmd.Context(), args[0], acting(cmd))
	registered := slices.ContainsFunc(clients, func(c client.Client) bool { return c.ID == args[0] && c.Kind != client.Configured })
	if err == nil && len(ended) == 0 && !registered {
		return fmt.Errorf("reached nobody: client %s has no connections, and no registration to be forgotten", ui.Printable(args[0]))
	}
	return endedClient(s, cmd, err, "revoked", deed{Did: "client revoke", Client: args[0]}, len(ended))
}

// endedClient says how many connections of a client ended, if all did, and has their logins revoked at Salesforce in any
// case. What was done to the client is done in one word, and did; failed is what failed of it.
func endedClient(s *stores, cmd *cobra.Command, failed error, done string, did deed, connections int) error {
	did.Connections = &connections
	text := fmt.Sprintf("%s client %s: %d %s ended", done, ui.Printable(did.Client), connections, plural(connections, "connection"))
	failed = reportAct(cmd, failed, text, did)
	_, err := revokeAtSalesforce(s, cmd)
	return errors.Join(failed, err)
}

func blockClientCommand() *cobra.Command {
	block := withCutoff(&cobra.Command{Use: "block CLIENT", Short: "Revoke, and refuse the client from now on", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "End every connection of a client, of all users, and refuse it until 'client unblock': also one\nthat is configured, or publishes a document. A program that registers itself can come again\nunder another id; 'registration.dynamic.enabled: false' keeps it out."},
		func(s *stores, cmd *cobra.Command, args []string) error {
			note, err := s.isClient(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			ended, _, err := s.newCutoff(nil).BlockClient(cmd.Context(), args[0], acting(cmd))
			err = endedClient(s, cmd, err, "blocked", deed{Did: "client block", Client: args[0]}, len(ended))
			if note != "" {
				fmt.Fprintln(besides(cmd), note)
			}
			return err
		})
	jsonFlag(block)
	reasonFlag(block, "client blocked by the security team")
	return block
}

func unblockClientCommand() *cobra.Command {
	unblock := withStores(&cobra.Command{Use: "unblock CLIENT", Short: "Let people connect a blocked client again", Args: usageArgs(cobra.ExactArgs(1))},
		func(s *stores, cmd *cobra.Command, args []string) error {
			err := s.newCutoff(nil).UnblockClient(cmd.Context(), args[0], acting(cmd))
			if errors.Is(err, client.ErrNotBlocked) {
				return fmt.Errorf("client %s is not blocked: see 'client list'", ui.Printable(args[0]))
			}
			if err != nil {
				return err
			}
			return report(cmd, fmt.Sprintf("unblocked client %s: people can connect it again", ui.Printable(args[0])), deed{Did: "client unblock", Client: args[0]})
		})
	jsonFlag(unblock)
	reasonFlag(unblock, "unblocked")
	return unblock
}
