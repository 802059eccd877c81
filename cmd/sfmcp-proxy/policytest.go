package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/policy"
)

type decisionRow struct {
	Effect  string   `json:"effect"`
	Rule    int      `json:"rule"`
	Reason  string   `json:"reason"`
	Class   string   `json:"class"`
	Objects []string `json:"objects,omitempty"`
	Listed  bool     `json:"listed"`
	Shadow  bool     `json:"shadow,omitempty"`
	Says    string   `json:"says,omitempty"`
	Policy  string   `json:"policy"`
	Version string   `json:"policy_version"`
}

func policyCommand() *cobra.Command {
	test := &cobra.Command{
		Use: "test --server S --user U --tool T --arguments JSON", Short: "Say what the policy decides for a call, and by which rule",
		Args: usageArgs(cobra.NoArgs),
	}
	withStores(test, testPolicy)
	f := test.Flags()
	f.String("server", "", "name of the server")
	f.String("user", "", "Salesforce user id or username")
	f.String("client", "", "client id")
	f.String("tool", "", "name of the tool; prompt:NAME and resource:URI for those")
	f.String("arguments", "{}", "the call's arguments, a JSON object")
	jsonFlag(test)
	return group("policy", "What the policy decides", test)
}

func testPolicy(s *stores, cmd *cobra.Command, _ []string) error {
	flag := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	for _, name := range []string{"server", "user", "tool"} {
		if flag(name) == "" {
			return usageError{fmt.Errorf("--%s is required", name)}
		}
	}
	arguments := jsontext.Value(flag("arguments"))
	if !arguments.IsValid() || arguments.Kind() != '{' {
		return usageError{errors.New("--arguments: expected a JSON object without duplicate names")}
	}
	server := s.access.Server(flag("server"))
	if server == nil {
		return usageError{fmt.Errorf("no server %q in the configuration", flag("server"))}
	}
	p, err := s.access.Principal(cmd.Context(), server.Org, flag("user"), flag("client"))
	if err != nil {
		return err
	}
	d := server.Policy.Decide(p, policy.Call{Tool: flag("tool"), Arguments: arguments})
	row := decisionRow{string(d.Effect), d.Rule + 1, d.Reason, string(d.Class), d.Objects,
		server.Policy.Visible(p, flag("tool")), d.Shadow, d.Text, server.Policy.Name, d.Version}
	if !s.access.MayUse(access.Person{Org: p.Org, Subject: p.Subject, Username: p.Username}, server.Name) {
		row.Effect, row.Rule, row.Listed = string(policy.Deny), 0, false
		row.Reason = "the user is in none of the server's groups: cannot connect to it at all"
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		return printRows(cmd, []decisionRow{row})
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "%s\n  reason:  %s\n  class:   %s\n", strings.ToUpper(row.Effect), row.Reason, row.Class)
	if len(row.Objects) > 0 {
		fmt.Fprintf(w, "  objects: %s\n", strings.Join(row.Objects, ", "))
	}
	fmt.Fprintf(w, "  listed:  %v (whether tools/list shows the tool to this user)\n  policy:  %s, version %s\n", row.Listed, row.Policy, row.Version)
	if row.Says != "" {
		fmt.Fprintf(w, "  answer:  %s\n", row.Says)
	}
	return nil
}
