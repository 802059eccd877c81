package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/config"
)

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Say whether the configuration is right, and print the effective one without secrets",
		Long: `check reads the configuration as a start would, and says in its first line whether it is
right. Notes follow on the standard error: settings that are accepted and probably not
meant. Then comes the effective configuration, without secrets.

Exit status: 0 it is right, with or without notes; 2 it is wrong.`,
		Args: usageArgs(cobra.NoArgs), RunE: check,
	}
	configFlag(cmd)
	cmd.Flags().Bool("quiet", false, "print the first line and problems alone")
	return cmd
}

func check(cmd *cobra.Command, _ []string) error {
	quiet, err := cmd.Flags().GetBool("quiet")
	if err != nil {
		return err
	}
	c, err := loadConfig(cmd)
	if problems, ok := errors.AsType[config.Problems](err); ok {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "configuration is wrong: %s\n", counted(len(problems), "problem")); err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), problems)
		return reportedError(exitUsage)
	}
	if err != nil {
		return err
	}
	notes, verdict := c.Notes(), "configuration is right: "+inventory(c)
	// No part of the configuration, but what the start needs; none is there before 'key generate'.
	_, err = openKeys(cmd.Context(), c)
	if err != nil && c.KeysFrom == seal.FromFile && !exists(c.KeysFile) {
		err = db.Config{URL: c.Database}.KeysLost(cmd.Context(), c.KeysFile)
	}
	if err != nil {
		notes, verdict = append([]string{"the proxy will not start: " + err.Error()}, notes...), verdict+"; the proxy will not start"
	}
	if len(notes) > 0 {
		verdict += "; " + counted(len(notes), "note")
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), verdict); err != nil || quiet {
		return err
	}
	printNotes(cmd.ErrOrStderr(), notes)
	return c.Write(cmd.OutOrStdout())
}

func printNotes(w io.Writer, notes []string) {
	for _, note := range notes {
		fmt.Fprintln(w, "note:", note)
	}
}

// inventory counts what is configured, so that a list that was overlooked is noticed.
func inventory(c *config.Config) string {
	return strings.Join([]string{
		counted(len(c.Servers), "server"), counted(len(c.Salesforce.Orgs), "org"), counted(len(c.Groups), "group"),
		counted(len(c.Policies), "policy"), counted(len(c.Clients), "client"),
	}, ", ")
}

// counted is a number with its noun.
func counted(n int, noun string) string { return fmt.Sprintf("%d %s", n, plural(n, noun)) }

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
