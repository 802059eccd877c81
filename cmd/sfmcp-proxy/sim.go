package main

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"sfmcp-proxy/examples/salesforcesim"
)

func salesforceSimCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "salesforce-sim", Short: "Run the simulated Salesforce alone", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			flag := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
			for _, name := range []string{"listen", "control"} {
				if _, err := listenFlag(cmd, name); err != nil {
					return err
				}
			}
			callbacks, err := cmd.Flags().GetStringSlice("callback")
			if err != nil {
				return err
			}
			sim, err := salesforcesim.Listen(salesforcesim.Config{
				Listen: flag("listen"), ControlListen: flag("control"), Callbacks: callbacks,
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "simulated Salesforce at %s, control at %s\n", sim.BaseURL(), sim.ControlURL)
			fmt.Fprintf(cmd.OutOrStdout(), "org id %s, consumer key %s (public client)\n", salesforcesim.OrgID, salesforcesim.PublicClientID)
			for _, u := range salesforcesim.DefaultUsers() {
				fmt.Fprintf(cmd.OutOrStdout(), "user %s, password %s\n", u.Username, u.Password)
			}
			<-cmd.Context().Done()
			return sim.Close()
		},
	}
	f := cmd.Flags()
	f.String("listen", "127.0.0.1:8090", "address of login host and gateway")
	f.String("control", "127.0.0.1:8091", "address of the control API")
	f.StringSlice("callback", []string{"http://127.0.0.1:8080/oauth/callback"}, "callback URL of the External Client App (repeatable)")
	return cmd
}

// listenFlag reads a flag that says where to listen. What is no address is wrong usage,
// unlike an address that is taken.
func listenFlag(cmd *cobra.Command, name string) (*net.TCPAddr, error) {
	at, err := net.ResolveTCPAddr("tcp", cmd.Flags().Lookup(name).Value.String())
	if err != nil {
		return nil, usageError{fmt.Errorf("--%s: %w", name, err)}
	}
	return at, nil
}
