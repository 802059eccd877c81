package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

func consoleCommand() *cobra.Command {
	routes := &cobra.Command{Use: "routes", Short: "Every page and act under /console, with the roles that may use it", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []listing.Route
			for _, r := range team.Routes() {
				all = append(all, listing.Route{Method: r.Method, Path: r.Path, Roles: strings.Join(r.Roles, ", "), Does: r.Does})
			}
			return printer(cmd).Routes(all)
		}}
	jsonFlag(routes)
	return group("console", "The security team's pages and API: what there is, and for whom", routes, tokenCommand())
}
