package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/db"
)

func keyCommand() *cobra.Command {
	generate := &cobra.Command{
		Use: "generate", Short: "Create the sealing key file; never replaces one",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			source, err := c.KeySource(cmd.Context())
			if err != nil {
				return err
			}
			if err := source.CanRotate(); err != nil {
				return err
			}
			if err := (db.Config{URL: c.Database}).KeysLost(cmd.Context(), c.KeysFile); err != nil {
				return err
			}
			if err := source.Create(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "created %s: keep a copy of it apart from the database's backups\n", c.KeysFile)
			return err
		},
	}
	rotate := &cobra.Command{
		Use: "rotate", Short: "Put a new sealing key in front; older ones still open what they sealed",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			source, err := c.KeySource(cmd.Context())
			if err != nil {
				return err
			}
			if err := source.Rotate(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "new key in %s: a running proxy seals with it within a second; keep a new copy of the file\n", c.KeysFile)
			return err
		},
	}
	configFlag(generate)
	configFlag(rotate)
	return group("key", "Sealing keys", generate, rotate)
}
