package main

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
	"sfmcp-proxy/config"
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "serve", Short: "Run the proxy", Args: usageArgs(cobra.NoArgs)}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(cmd)
		if err != nil {
			return err
		}
		signal.Ignore(syscall.SIGPIPE) // a reader of the log that went away costs records, and not the calls
		records := edge.NewLogWriter(cmd.ErrOrStderr())
		defer records.Close(flushTime)
		log := edge.NewLog(records)
		for _, note := range c.Notes() {
			log.Warn(note)
		}
		p, err := openProcess(cmd.Context(), c, log)
		if err != nil {
			return err
		}
		defer p.close()
		p.edge.Metrics.CountDropped(records)
		p.reread = func() (*config.Config, error) { return loadConfig(cmd) }
		return p.serve(cmd.Context(), func() {
			if err := tellServiceManager("READY=1"); err != nil {
				log.Warn("systemd does not learn that the proxy serves", "error", err)
			}
			log.Info("serving", "version", version, "public_url", c.PublicURL, "listen", p.publicAddress, "admin_listen", p.privateAddress)
		})
	}
	configFlag(cmd)
	return cmd
}
