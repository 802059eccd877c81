package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/reseal"
	"sfmcp-proxy/config"
)

// loadKeys reads as much of the file as leads to the sealing keys: secrets that are elsewhere, as those that systemd
// or an orchestrator gives to the running proxy, need not be there.
func loadKeys(cmd *cobra.Command) (*config.Config, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	c, _, err := config.LoadPart(file, os.Environ(), config.ForKeys...)
	return c, err
}

func keyCommand() *cobra.Command {
	generate := &cobra.Command{
		Use: "generate", Short: "Create the sealing key file; never replaces one",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadKeys(cmd)
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
			return report(cmd, fmt.Sprintf("created %s: keep a copy of it apart from the database's backups", c.KeysFile), deed{Did: "key generate", File: c.KeysFile})
		},
	}
	jsonFlag(generate)
	configFlag(generate)
	return group("key", "Sealing keys", generate, keyRotateCommand(), keyReencryptCommand(), keyStatusCommand())
}

// keyRotateCommand makes a new key, for machines that share a key file in one step, for others in two.
func keyRotateCommand() *cobra.Command {
	var add, use bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Put a new sealing key in front; older ones still open what they sealed",
		Long: "Puts a new key in front of the key file: processes that read the file seal with it within a second.\n" +
			"Where several machines have key files of their own, do it in two steps, so that each can open what\n" +
			"another one seals: --add has the new key open only; copy the file to every machine (and restart what\n" +
			"reads its keys at the start alone); then --use has it seal, and copy the file once more.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if add && use {
				return usageError{errors.New("expected --add or --use, and the file on every machine in between")}
			}
			c, err := loadKeys(cmd)
			if err != nil {
				return err
			}
			source, err := c.KeySource(cmd.Context())
			if err != nil {
				return err
			}
			change, said := source.Rotate, "new key in %s: a running proxy seals with it within a second, and what is stored anew (key status); keep a new copy of the file"
			switch {
			case add:
				change, said = source.AddKey, "new key in %s, which opens only: copy the file to every machine, then 'key rotate --use'"
			case use:
				change, said = source.UseKey, "the key that was added to %s seals from now on, within a second where this file is read; copy it to every machine, and keep a new copy"
			}
			if err := change(cmd.Context()); err != nil {
				return err
			}
			return report(cmd, fmt.Sprintf(said, c.KeysFile), deed{Did: "key rotate", File: c.KeysFile})
		},
	}
	jsonFlag(cmd)
	configFlag(cmd)
	cmd.Flags().BoolVar(&add, "add", false, "the new key opens only, until --use")
	cmd.Flags().BoolVar(&use, "use", false, "have the key that was added seal")
	return cmd
}

// keyReencryptCommand changes what encrypts the key file.
func keyReencryptCommand() *cobra.Command {
	var previous string
	cmd := &cobra.Command{
		Use: "reencrypt", Short: "Have the key file encrypted by another key service, or by none",
		Long: "Has the key file encrypted by key_service of the configuration, where that of a previous configuration\n" +
			"has encrypted it until now: for another key, another service, a token instead of a service, or none.\n" +
			"The keys stay, so that proxies which run go on; restart each with the new configuration.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if previous == "" {
				return usageError{errors.New("expected --previous FILE, the configuration by which the key file was encrypted until now")}
			}
			c, err := loadKeys(cmd)
			if err != nil {
				return err
			}
			before, _, err := config.LoadPart(previous, nil, config.ForKeys...)
			if err != nil {
				return err
			}
			now, err := c.KeySource(cmd.Context())
			if err != nil {
				return err
			}
			then, err := before.KeySource(cmd.Context())
			if err != nil {
				return err
			}
			if err := now.Reencrypt(cmd.Context(), then.Service); err != nil {
				return err
			}
			return report(cmd, fmt.Sprintf("%s is encrypted as the configuration says: restart proxies with it, keep a new copy, and destroy earlier ones", c.KeysFile), deed{Did: "key reencrypt", File: c.KeysFile})
		},
	}
	configFlag(cmd)
	jsonFlag(cmd)
	cmd.Flags().StringVar(&previous, "previous", "", "configuration file by which it was encrypted until now; the environment does not count for it")
	return cmd
}

// keyStatusCommand says how far a rotation has come.
func keyStatusCommand() *cobra.Command {
	status := withReading(&cobra.Command{Use: "status", Short: "The keys, and what each has sealed", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			counts, err := reseal.Counts(cmd.Context(), s.db, s.ring)
			if err != nil {
				return err
			}
			asJSON, err := cmd.Flags().GetBool("json")
			if err != nil {
				return err
			}
			for _, c := range counts {
				does := "opens"
				if c.Seals {
					does = "seals"
				}
				if asJSON {
					err = json.NewEncoder(cmd.OutOrStdout()).Encode(c)
				} else {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %s, authenticates %s\n", c.Key, does, counted(int(c.SealedValues), "sealed value"), counted(int(c.Rows), "row"))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	status.Flags().Bool("json", false, "one line of JSON for each")
	return status
}
