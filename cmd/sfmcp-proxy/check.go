package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/db"
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
			if _, err := db.LoadKeyRing(c.KeysFile); err != nil && exists(c.KeysFile) {
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
