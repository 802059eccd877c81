package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/seal"
)

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
			for _, note := range c.Notes() {
				fmt.Fprintln(cmd.ErrOrStderr(), "note:", note)
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
