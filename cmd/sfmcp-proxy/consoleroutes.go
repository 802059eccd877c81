package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/console/api"
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
			for _, r := range api.Routes() {
				all = append(all, listing.Route{Method: r.Method, Path: r.Path, Roles: strings.Join(r.Roles, ", "), Does: "API: " + r.Does})
			}
			return printer(cmd).Routes(all)
		}}
	configIgnored(routes)
	jsonFlag(routes)
	return group("console", "The security team's pages and API: what there is, and for whom", routes, openAPICommand(), tokenCommand())
}

// openAPICommand prints what /console/api/openapi.json answers, without a configuration.
func openAPICommand() *cobra.Command {
	return configIgnored(&cobra.Command{Use: "openapi", Short: "The API under /console/api, as an OpenAPI 3.1 document", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := api.Document("")
			if err == nil {
				_, err = cmd.OutOrStdout().Write(text)
			}
			return err
		}})
}
