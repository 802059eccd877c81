package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
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
	jsonFlag(cmd)
	cmd.Flags().Bool("strict", false, "fail if there is anything to note")
	return cmd
}

// checkedPolicies is what is to note of the policies, for programs.
type checkedPolicies struct {
	Policies int      `json:"policies"`
	Notes    []string `json:"notes"`
}

func checkPolicies(cmd *cobra.Command, _ []string) error {
	strict, err := cmd.Flags().GetBool("strict")
	if err != nil {
		return err
	}
	c, err := loadPart(cmd, config.ForPolicies...)
	if err != nil {
		return err
	}
	notes := c.PolicyNotes()
	verdict := counted(len(c.Policies), "policy") + ": nothing to note"
	if len(notes) > 0 {
		verdict = counted(len(c.Policies), "policy") + ": " + counted(len(notes), "note")
	}
	if printer(cmd).JSON {
		err = encode(cmd, checkedPolicies{len(c.Policies), append([]string{}, notes...)})
	} else if _, err = fmt.Fprintln(cmd.OutOrStdout(), verdict); err == nil {
		printNotes(cmd.OutOrStdout(), notes)
	}
	if err != nil {
		return err
	}
	if strict && len(notes) > 0 {
		return reportedError(exitFailed)
	}
	return nil
}

func whoCanCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "who-can --class C --object O", Short: "Say who may do what, and how",
		Long: `who-can says who may make calls of a class that reach an object, through which clients and
tools, whether a person is asked, and by which rule. A rule with a condition is followed both
ways. Objects and fields that no rule names are looked at as one.

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
	if doubt := policy.DoubtObject(object); doubt != "" {
		printNotes(cmd.ErrOrStderr(), []string{"--object " + doubt})
	}
	servers, people := c.Analysed()
	if names := serverNames(servers); only != "" && !slices.Contains(names, only) {
		return usageError{noServer(only, names)}
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
only watched, which groups and policies stand alone, who has signed in and may use nothing, and
where definitions of tools wait for a person.`,
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
	gaps, err := s.definitionGaps(cmd.Context())
	if err != nil {
		return err
	}
	gaps = append(gaps, analysis.Coverage(servers, policies, people, outside)...)
	if len(gaps) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "none")
	}
	return printer(cmd).Gaps(gaps)
}

// definitionGaps are the servers whose users miss what nobody has looked at yet.
func (s *stores) definitionGaps(ctx context.Context) (gaps []analysis.Gap, err error) {
	for _, server := range s.access.Servers() {
		n, err := s.definitionsWaiting(ctx, hostedBy(server))
		if err != nil {
			return nil, err
		}
		if n > 0 {
			gaps = append(gaps, analysis.Gap{About: "server " + server.Name, Text: fmt.Sprintf("%s for a person, hidden and refused until then: see 'tools list --quarantined'",
				map[bool]string{true: "1 definition waits", false: counted(n, "definition") + " wait"}[n == 1])})
		}
	}
	return gaps, nil
}

func policyDiffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "diff OLD NEW", Short: "Say who may do what by one file that could not by another",
		Long: `diff compares two configurations by what they mean: for each server, who may now make which
calls that could not before, and the reverse. Members of groups and groups of servers count.
Another order or number of rules is no difference, unless it changes what happens to a call.
Both are read with the environment, as serve and check read them.

OLD and NEW may also be policies in files of their own (as in policies_dir). They are compared
in front of the servers of --config that have the policy of that name: --policy, or what NEW is
called.`,
		Args: usageArgs(cobra.ExactArgs(2)), RunE: diffPolicies,
	}
	configFlag(cmd)
	cmd.Flags().String("policy", "", "the policy that both files are versions of")
	jsonFlag(cmd)
	return cmd
}

// stand is a configuration as it is analysed.
type stand struct {
	servers []analysis.Server
	people  analysis.People
}

func diffPolicies(cmd *cobra.Command, args []string) error {
	var stands [2]stand
	for i, file := range args {
		c, err := config.Load(file, os.Environ())
		if err == nil {
			stands[i].servers, stands[i].people = c.Analysed()
			continue
		}
		draft, draftErr := config.ReadPolicy(file)
		if draftErr != nil {
			return usageError{nearer(file, err, draftErr)}
		}
		if stands[i], err = inPlace(cmd, draft, args[1]); err != nil {
			return err
		}
	}
	return printDiff(cmd, stands[0], stands[1])
}

// nearer is what is wrong with a file that is neither a configuration nor a policy: the errors
// of that which it is more like.
func nearer(file string, asConfiguration, asPolicy error) error {
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains("\n"+string(text), "\nservers:") {
		return asPolicy
	}
	return asConfiguration
}

// inPlace puts a draft in the place of the policy that it is a version of.
func inPlace(cmd *cobra.Command, draft config.Policy, newer string) (s stand, err error) {
	c, err := loadConfig(cmd)
	if err != nil {
		return s, err
	}
	name := cmp.Or(cmd.Flag("policy").Value.String(), strings.TrimSuffix(filepath.Base(newer), filepath.Ext(newer)))
	i := slices.IndexFunc(c.Policies, func(p config.Policy) bool { return p.Name == name })
	if i < 0 {
		return s, usageError{fmt.Errorf("no policy %q in the configuration: name with --policy the one that the files are versions of", name)}
	}
	draft.Name = name
	c.Policies[i] = draft
	if problems := draft.Judge(c.CalendarsRead()).Validate(); len(problems) > 0 {
		return s, usageError{fmt.Errorf("policy %s: %s", name, problems[0])}
	}
	s.servers, s.people = c.Analysed()
	return s, nil
}

// printDiff prints what changes on every server that both have.
func printDiff(cmd *cobra.Command, before, after stand) error {
	same := true
	for _, s := range after.servers {
		i := slices.IndexFunc(before.servers, func(old analysis.Server) bool { return old.Name == s.Name })
		if i < 0 {
			continue
		}
		changes := analysis.Diff(before.servers[i], before.people, s, after.people)
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

func serverNames(servers []analysis.Server) (names []string) {
	for _, s := range servers {
		names = append(names, s.Name)
	}
	return names
}
