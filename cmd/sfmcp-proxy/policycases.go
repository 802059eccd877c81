package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

// policyCase is a call and what should be decided about it; "" in Expect: anything.
type policyCase struct {
	Server, User, Client, Tool, Expect string
	Source, At, After                  string // network address; RFC 3339, "": now; outside_text or ""

	arguments jsontext.Value
	line      int // in the file
}

// The effects that can be expected, and the keys of a case.
var (
	effects  = []string{"allow", "confirm", "deny"}
	caseKeys = []string{"server", "user", "client", "tool", "arguments", "source", "at", "after", "expect"}
)

// mismatch says that the decision is another one than expected.
func (c policyCase) mismatch(d listing.Decision) string {
	return fmt.Sprintf("expected %s for %s by %s on server %s, but policy %s decides %s: %s", c.Expect, c.Tool, c.User, c.Server, d.Policy, d.InForce(), d.Why())
}

// validate returns what keeps a case from being tested.
func (c policyCase) validate(expected bool) error {
	for _, needed := range []struct{ name, value string }{{"server", c.Server}, {"user", c.User}, {"tool", c.Tool}} {
		if needed.value == "" {
			return fmt.Errorf("%s is required", needed.name)
		}
	}
	if (expected || c.Expect != "") && !slices.Contains(effects, c.Expect) {
		return fmt.Errorf("expect: found %q, expected allow, confirm or deny%s", c.Expect, nearest.Question(c.Expect, effects))
	}
	if _, err := time.Parse(time.RFC3339, c.At); err != nil && c.At != "" {
		return fmt.Errorf("at: found %q, expected a moment such as 2026-12-24T18:00:00+01:00", c.At)
	}
	if _, err := netip.ParseAddr(c.Source); err != nil && c.Source != "" {
		return fmt.Errorf("source: found %q, expected a network address such as 10.0.0.1", c.Source)
	}
	if c.After != "" && c.After != policy.OutsideText {
		return fmt.Errorf("after: found %q, expected %s", c.After, policy.OutsideText)
	}
	if _, err := jsonObject(string(c.arguments)); err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	return nil
}

// jsonObject reads the arguments of a call, as people type them.
func jsonObject(text string) (jsontext.Value, error) {
	if v := jsontext.Value(text); v.IsValid() && v.Kind() == '{' {
		return v, nil
	}
	return nil, errors.New("expected a JSON object without duplicate names")
}

// call is the call of a case, made now if the case says no moment.
func (c policyCase) call(now time.Time) policy.Call {
	if at, err := time.Parse(time.RFC3339, c.At); err == nil {
		now = at
	}
	return policy.Call{Tool: c.Tool, Arguments: c.arguments, Server: c.Server, Source: c.Source, Now: now,
		OutsideText: func() bool { return c.After == policy.OutsideText }}
}

// casesOf reads the case that the flags describe, or those of --file.
func casesOf(cmd *cobra.Command) ([]policyCase, error) {
	flags := cmd.Flags()
	flag := func(name string) string { return flags.Lookup(name).Value.String() }
	if !flags.Changed("file") {
		c := policyCase{Server: flag("server"), User: flag("user"), Client: flag("client"), Tool: flag("tool"), Expect: flag("expect"),
			Source: flag("source"), At: flag("at"), After: flag("after"), arguments: jsontext.Value(flag("arguments"))}
		if err := c.validate(flags.Changed("expect")); err != nil {
			return nil, usageError{fmt.Errorf("--%w", err)}
		}
		return []policyCase{c}, nil
	}
	for _, name := range append([]string{"json"}, caseKeys...) {
		if flags.Changed(name) {
			return nil, usageError{fmt.Errorf("--%s does not go with --file", name)}
		}
	}
	text, err := os.ReadFile(flag("file"))
	if err != nil {
		return nil, usageError{fmt.Errorf("--file: %w", err)}
	}
	cases, err := parseCases(text)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", flag("file"), err)}
	}
	return cases, nil
}

// parseCases reads a YAML list of cases. A file without any is an error: it would be a test
// that nothing can fail.
func parseCases(text []byte) (cases []policyCase, err error) {
	var nodes []yaml.Node
	if err := yaml.Unmarshal(text, &nodes); err != nil {
		return nil, fmt.Errorf("expected a YAML list of cases: %s", strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	if len(nodes) == 0 {
		return nil, errors.New("expected at least one case")
	}
	for i := range nodes {
		c, err := parseCase(&nodes[i])
		if err == nil {
			err = c.validate(true)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", nodes[i].Line, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

func parseCase(n *yaml.Node) (policyCase, error) {
	c := policyCase{line: n.Line, arguments: jsontext.Value("{}")}
	if n.Kind != yaml.MappingNode {
		return c, errors.New("expected server, user, tool, arguments and expect")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i].Value; !slices.Contains(caseKeys, key) {
			if question := nearest.Question(key, caseKeys); question != "" {
				return c, fmt.Errorf("unknown key %q%s", key, question)
			}
			return c, fmt.Errorf("unknown key %q, expected one of %s", key, strings.Join(caseKeys, ", "))
		}
	}
	var values struct {
		Server, User, Client, Tool, Expect string
		Source, At, After                  string
		Arguments                          any
	}
	if err := n.Decode(&values); err != nil { // a key that stands there twice among them
		return c, errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	c.Server, c.User, c.Client, c.Tool, c.Expect = values.Server, values.User, values.Client, values.Tool, values.Expect
	c.Source, c.At, c.After = values.Source, values.At, values.After
	switch arguments := values.Arguments.(type) {
	case nil:
	case string:
		c.arguments = jsontext.Value(arguments)
	default:
		text, err := json.Marshal(arguments, json.Deterministic(true))
		if err != nil {
			return c, errors.New("arguments: expected what JSON can hold")
		}
		c.arguments = text
	}
	return c, nil
}
