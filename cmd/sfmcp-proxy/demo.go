//go:build !nosim

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
	"sfmcp-proxy/config"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "demo", Short: "Run the whole product in front of a simulated Salesforce org", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd) },
	}
	f := cmd.Flags()
	f.String("listen", "127.0.0.1:8080", "address of the proxy")
	f.String("salesforce-listen", "127.0.0.1:8090", "address of the simulated Salesforce")
	f.String("company-listen", "", "address of the company's simulated identity provider (default: the port above --salesforce-listen's)")
	f.String("data", "", "folder that keeps everything over a restart (default: a temporary one)")
	f.Bool("json", false, "print one line of JSON once everything answers")
	return cmd
}

func runDemo(cmd *cobra.Command) (err error) {
	flag := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	for _, name := range []string{"listen", "salesforce-listen", "company-listen"} {
		if flag(name) == "" {
			continue
		}
		if err := loopbackFlag(cmd, name); err != nil {
			return err
		}
	}
	d, err := demonstration.Open(demonstration.Config{Listen: flag("listen"), SalesforceListen: flag("salesforce-listen"), CompanyListen: flag("company-listen"), Folder: flag("data")})
	if err != nil {
		return err
	}
	if d.Saved != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "the configuration that was there, and that no demo had written, is in %s\n", d.Saved)
	}
	return errors.Join(serveDemo(cmd, d), d.Close())
}

// serveDemo runs the proxy and announces it once it answers.
func serveDemo(cmd *cobra.Command, d *demonstration.Demonstration) error {
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	reread := func() (*config.Config, error) { return config.Load(d.Setup.ConfigFile, nil) } // whatever the environment says
	c, err := reread()
	if err != nil {
		return err
	}
	records := edge.NewLogWriter(cmd.ErrOrStderr())
	defer records.Close(flushTime)
	log := edge.NewLog(records)
	if !asJSON { // a person is looking
		log = slog.New(edge.WithOrigin{Handler: slog.NewTextHandler(records, &slog.HandlerOptions{Level: slog.LevelWarn})})
	}
	p, err := openProcess(cmd.Context(), c, log)
	if err != nil {
		return err
	}
	p.edge.Metrics.CountDropped(records)
	p.listening, p.reread = d.Listeners, reread
	var g errgroup.Group
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	ready := make(chan struct{})
	g.Go(func() error {
		defer cancel()
		return p.serve(ctx, func() { close(ready) })
	})
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-ready:
			return d.Setup.Announce(cmd.OutOrStdout(), asJSON)
		}
	})
	return errors.Join(g.Wait(), p.close())
}

// loopbackFlag checks a flag of the demonstration that says where to listen.
func loopbackFlag(cmd *cobra.Command, name string) error {
	value := cmd.Flags().Lookup(name).Value.String()
	at, err := net.ResolveTCPAddr("tcp", value)
	if err != nil {
		return usageError{fmt.Errorf("--%s: %w", name, err)}
	}
	if !at.IP.IsLoopback() {
		return usageError{fmt.Errorf("--%s: %s is not a loopback address: the demonstration's passwords are public", name, value)}
	}
	return nil
}
