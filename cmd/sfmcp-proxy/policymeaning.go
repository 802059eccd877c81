package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/config"
)

// The commands that say what policies mean before any call. They read the configuration, and
// all but coverage leave the database alone.

func policyCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Say which rules can hardly be meant",
		Long: `check names rules that never decide, match nothing, change nothing, or let more pass without
a person than they name, denials that come too late, and names that nobody knows. The same
notes stand in 'check' and in the log of a start.

Exit status: 0, with notes too; 1 with --strict, if there are any; 2 the configuration is wrong.`,
		Args: usageArgs(cobra.NoArgs), RunE: checkPolicies,
	}
	configFlag(cmd)
	cmd.Flags().Bool("strict", false, "fail if there is anything to note")
	return cmd
}

func checkPolicies(cmd *cobra.Command, _ []string) error {
	strict, err := cmd.Flags().GetBool("strict")
	if err != nil {
		return err
	}
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	notes := c.PolicyNotes()
	verdict := counted(len(c.Policies), "policy") + ": nothing to note"
	if len(notes) > 0 {
		verdict = counted(len(c.Policies), "policy") + ": " + counted(len(notes), "note")
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), verdict); err != nil {
		return err
	}
	printNotes(cmd.OutOrStdout(), notes)
	if strict && len(notes) > 0 {
		return reportedError(exitFailed)
	}
	return nil
}

func whoCanCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "who-can --class C --object O", Short: "Say who may do what, and how",
		Long: `who-can says who may make calls of a class that reach an object, through which clients and
tools, whether a person is asked, and by which rule.

  sfmcp-proxy policy who-can --class delete --object Account`,
		Args: usageArgs(cobra.NoArgs), RunE: whoCan,
	}
	configFlag(cmd)
	f := cmd.Flags()
	f.String("class", "", "effect class: "+classList())
	f.String("object", "", "API name of an object")
	f.String("server", "", "this server alone")
	jsonFlag(cmd)
	return cmd
}

func classList() string {
	var names []string
	for _, c := range policy.Classes() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

func whoCan(cmd *cobra.Command, _ []string) error {
	class, object, only := cmd.Flag("class").Value.String(), cmd.Flag("object").Value.String(), cmd.Flag("server").Value.String()
	if class != "" && !slices.Contains(policy.Classes(), policy.Class(class)) {
		return usageError{fmt.Errorf("no class %q; the classes are %s", class, classList())}
	}
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	servers, people := c.Analysed()
	if only != "" && !slices.ContainsFunc(servers, func(s analysis.Server) bool { return s.Name == only }) {
		return usageError{fmt.Errorf("no server %q in the configuration", only)}
	}
	some := false
	for _, s := range servers {
		if only != "" && s.Name != only {
			continue
		}
		possible := analysis.WhoCan(s, people, policy.Class(class), object)
		some = some || len(possible) > 0
		if err := printer(cmd).Possible(s.Name, possible); err != nil {
			return err
		}
	}
	if !some {
		fmt.Fprintln(cmd.ErrOrStderr(), "nobody")
	}
	return nil
}

func coverageCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{
		Use: "coverage", Short: "Say what passes without a person, and what guards nobody",
		Long: `coverage says which writes pass without a person, which servers are open to everybody or
only watched, which groups and policies stand alone, and who has signed in and may use
nothing.`,
		Args: usageArgs(cobra.NoArgs)}, coverage)
	jsonFlag(cmd)
	return cmd
}

func coverage(s *stores, cmd *cobra.Command, _ []string) error {
	users, err := s.grants.Users(cmd.Context())
	if err != nil {
		return err
	}
	var outside []string
	for _, u := range users {
		if len(s.access.ServersOf(access.Person{Org: u.Org, Subject: u.Subject, Username: u.Username})) == 0 {
			outside = append(outside, cmp.Or(u.Username, u.Subject))
		}
	}
	servers, people := s.config.Analysed()
	var policies []string
	for _, p := range s.config.Policies {
		policies = append(policies, p.Name)
	}
	gaps := analysis.Coverage(servers, policies, people, outside)
	if len(gaps) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "none")
	}
	return printer(cmd).Gaps(gaps)
}

func policyDiffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "diff OLD NEW", Short: "Say who may do what in one configuration that could not in another",
		Long: `diff compares two configurations by what they mean: for each server that both have, who may
now make which calls that could not before, and the reverse. Another order or number of rules
is no difference, unless it changes what happens to a call.`,
		Args: usageArgs(cobra.ExactArgs(2)), RunE: diffPolicies,
	}
	jsonFlag(cmd)
	return cmd
}

func diffPolicies(cmd *cobra.Command, args []string) error {
	before, err := config.Load(args[0], nil)
	if err != nil {
		return err
	}
	after, err := config.Load(args[1], nil)
	if err != nil {
		return err
	}
	return printDiff(cmd, before, after)
}

// printDiff prints what changes on every server, by the groups of the newer configuration.
func printDiff(cmd *cobra.Command, before, after *config.Config) error {
	servers, _ := before.Analysed()
	newer, people := after.Analysed()
	same := true
	for _, s := range newer {
		i := slices.IndexFunc(servers, func(old analysis.Server) bool { return old.Name == s.Name })
		if i < 0 {
			continue
		}
		old := servers[i]
		old.Groups = s.Groups
		changes := analysis.Diff(old, s.Policy, people)
		same = same && len(changes) == 0
		if err := printer(cmd).Changes(s.Name, changes); err != nil {
			return err
		}
	}
	if same {
		fmt.Fprintln(cmd.ErrOrStderr(), "no call is decided otherwise")
	}
	return nil
}
