package main

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

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
	return printer(cmd).Decision(listing.Decision{
		Decision: d, Policy: server.Policy.Name, Listed: server.Policy.Visible(p, flag("tool")),
		Outside: !s.access.MayUse(access.Person{Org: p.Org, Subject: p.Subject, Username: p.Username}, server.Name),
	})
}
