package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/config"
)

const defaultConfig = "sfmcp-proxy.yaml"

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command) {
	cmd.Flags().String("config", defaultConfig, "configuration file")
}

// loadConfig reads the file that --config names.
func loadConfig(cmd *cobra.Command) (*config.Config, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	return config.Load(file, os.Environ())
}

// quiet is the logger of commands that print their own result.
func quiet(cmd *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError}))
}

// withStores adds --config to a command and runs it with what is stored.
func withStores(cmd *cobra.Command, run func(s *stores, cmd *cobra.Command, args []string) error) *cobra.Command {
	none := func(*config.Config, *slog.Logger) (*outbound, error) { return nil, nil }
	return withOutbound(cmd, none, func(s *stores, _ *outbound, cmd *cobra.Command, args []string) error { return run(s, cmd, args) })
}

// withOutbound does so with stores that reach Salesforce through what open opens.
func withOutbound(cmd *cobra.Command, open func(*config.Config, *slog.Logger) (*outbound, error),
	run func(s *stores, n *outbound, cmd *cobra.Command, args []string) error) *cobra.Command {
	configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := loadConfig(cmd)
		if err != nil {
			return err
		}
		n, err := open(c, quiet(cmd))
		if err != nil {
			return err
		}
		cmd.SetContext(audit.WithOrigin(cmd.Context(), audit.Origin{Source: "command line"}))
		s, err := openStores(cmd.Context(), c, quiet(cmd), n)
		if err != nil {
			return err
		}
		err = run(s, n, cmd, args)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), closeTime)
		defer cancel()
		return errors.Join(err, s.close(ctx))
	}
	return cmd
}

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Validate the configuration and print the effective one without secrets",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			// No part of the configuration, but what the start needs; none is there before 'key generate'.
			if _, err := seal.LoadKeyRing(c.KeysFile); err != nil && exists(c.KeysFile) {
				fmt.Fprintln(cmd.ErrOrStderr(), "note: the proxy will not start:", err)
			}
			for _, warning := range c.Warnings() {
				fmt.Fprintln(cmd.ErrOrStderr(), "note:", warning)
			}
			return c.Write(cmd.OutOrStdout())
		},
	}
	configFlag(cmd)
	return cmd
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
