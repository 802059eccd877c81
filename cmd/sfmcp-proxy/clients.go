package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

func clientCommand() *cobra.Command {
	list := withStores(&cobra.Command{Use: "list", Short: "Clients: user-defined, with a metadata document, registered dynamically", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			var all []listing.Client
			clients, err := s.clients.All(cmd.Context())
			if err != nil {
				return err
			}
			for _, c := range clients {
				grants, err := s.grants.Grants(cmd.Context(), grant.Filter{ClientID: c.ID})
				if err != nil {
					return err
				}
				all = append(all, listing.Client{Client: c, Connections: len(grants)})
			}
			return printer(cmd).Clients(all)
		})
	jsonFlag(list)
	revoke := withCutoff(&cobra.Command{Use: "revoke CLIENT", Short: "End every connection of a client", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "End every connection of a client, of all users.\n\nA dynamic registration is deleted with it. A user-defined client, or one with a metadata\ndocument, can be connected anew; to keep it out, take it, or the host of its document,\nfrom the configuration as well."},
		func(s *stores, cmd *cobra.Command, args []string) error {
			clients, err := s.clients.All(cmd.Context())
			if err != nil {
				return err
			}
			ended, err := s.newCutoff(nil).RevokeClient(cmd.Context(), args[0], act("client revoked by the security team"))
			if err != nil {
				return err
			}
			if len(ended) == 0 && !slices.ContainsFunc(clients, func(c client.Client) bool { return c.ID == args[0] }) {
				return fmt.Errorf("no client %q: see 'client list'", args[0])
			}
			registered := slices.ContainsFunc(clients, func(c client.Client) bool { return c.ID == args[0] && c.Kind != client.Configured })
			if len(ended) == 0 && !registered {
				return fmt.Errorf("reached nobody: client %s has no connections, and no registration to be forgotten", ui.Printable(args[0]))
			}
			n := len(ended)
			text := fmt.Sprintf("revoked client %s: %d %s ended", ui.Printable(args[0]), n, plural(n, "connection"))
			if err := report(cmd, text, deed{Did: "client revoke", Client: args[0], Connections: &n}); err != nil {
				return err
			}
			_, err = revokeAtSalesforce(s, cmd)
			return err
		})
	jsonFlag(revoke)
	return group("client", "Clients: list, cut off", list, revoke)
}
