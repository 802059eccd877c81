//go:build !nosim

package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"sfmcp-proxy/examples/salesforcesim"
)

func salesforceSimCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "salesforce-sim", Short: "Run the simulated Salesforce alone", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := simConfig(cmd)
			if err != nil {
				return err
			}
			sim, err := salesforcesim.Listen(cfg)
			if err != nil {
				return err
			}
			describeSim(cmd.OutOrStdout(), sim)
			return sim.Wait(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.String("listen", "127.0.0.1:8090", "address of login host and gateway")
	f.String("control", "127.0.0.1:8091", "address of the control API")
	f.Bool("insecure-listen", false, "let --listen and --control name an address that other machines reach")
	f.StringSlice("callback", []string{"http://127.0.0.1:8080/oauth/callback"}, "callback URL of the External Client App (repeatable)")
	f.String("config", "", "YAML or JSON file with orgs, users, apps, servers, records and switches")
	f.String("state", "", "file that keeps logins and tokens across restarts, records beside it")
	f.String("base-url", "", "URL by which clients reach it, where that is not --listen")
	f.String("tls-cert", "", "file with the certificate chain of login host and gateway (PEM)")
	f.String("tls-key", "", "file with the private key of --tls-cert (PEM)")
	return cmd
}

// simConfig is what the flags of salesforce-sim and its file say.
func simConfig(cmd *cobra.Command) (cfg salesforcesim.Config, err error) {
	flag := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	for _, name := range []string{"listen", "control"} {
		if err := checkSimListen(cmd, name); err != nil {
			return cfg, err
		}
	}
	if file := flag("config"); file != "" {
		if cfg, err = salesforcesim.ReadConfig(file); err != nil {
			return cfg, usageError{err}
		}
	}
	if cfg.Callbacks == nil || cmd.Flags().Changed("callback") {
		if cfg.Callbacks, err = cmd.Flags().GetStringSlice("callback"); err != nil {
			return cfg, err
		}
	}
	if cert, key := flag("tls-cert"), flag("tls-key"); cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return cfg, usageError{fmt.Errorf("--tls-cert, --tls-key: %w", err)}
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	cfg.Listen, cfg.ControlListen, cfg.StateFile = flag("listen"), flag("control"), flag("state")
	cfg.BaseURL = cmp.Or(flag("base-url"), cfg.BaseURL)
	return cfg, nil
}

// checkSimListen refuses an address that other machines reach, unless that is wanted: the
// passwords of the simulator's users are in its documentation, and its control API asks
// nobody who they are.
func checkSimListen(cmd *cobra.Command, name string) error {
	at, err := listenFlag(cmd, name)
	if err != nil {
		return err
	}
	if insecure, err := cmd.Flags().GetBool("insecure-listen"); err != nil || insecure || at.IP.IsLoopback() {
		return err
	}
	return usageError{fmt.Errorf("--%s: %s is not a loopback address: the simulator's passwords are public and its control API asks for none, "+
		"so whoever reaches it can do everything; add --insecure-listen where only people who may can reach it", name, cmd.Flags().Lookup(name).Value)}
}

// describeSim writes what a person needs to use the simulator.
func describeSim(w io.Writer, sim *salesforcesim.Running) {
	fmt.Fprintf(w, "simulated Salesforce at %s, control at %s\n", sim.BaseURL(), sim.ControlURL)
	for _, o := range sim.Orgs() {
		fmt.Fprintf(w, "org %s: login URL %s, org id %s, %s\n", o.Name, sim.LoginURL(o.Name), o.ID, o.Kind)
		for _, app := range o.Apps {
			client := "public client"
			if app.Secret != "" {
				client = "consumer secret " + app.Secret
			}
			fmt.Fprintf(w, "  consumer key %s (%s)\n", app.ClientID, client)
		}
		for _, u := range o.Users {
			fmt.Fprintf(w, "  user %s, password %s\n", u.Username, u.Password)
		}
	}
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
