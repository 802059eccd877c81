package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

const aboutTools = `

TOOL is a tool's name, or prompt:NAME, resource:TEMPLATE, operation:ID. Definitions belong to the
hosted server: endpoints in front of the same one share them.`

// decideDefinition is what a person decides about a definition.
type decideDefinition func(d *authproxy.Definitions, ctx context.Context, by actor.Actor, server string, p definition.Pinned) error

func toolsCommand() *cobra.Command {
	list := withReading(&cobra.Command{Use: "list", Short: "What hosted servers list, and what of it waits for a person", Args: usageArgs(cobra.NoArgs)}, listTools)
	list.Flags().String("server", "", "only of this server")
	list.Flags().Bool("quarantined", false, "only what is not accepted")
	show := withReading(&cobra.Command{Use: "show SERVER TOOL", Short: "Definitions of one name, whole", Args: usageArgs(cobra.ExactArgs(2)),
		Long: "show prints every definition that is recorded under one name, and what to look at in it." + aboutTools}, showTool)
	diff := withReading(&cobra.Command{Use: "diff SERVER TOOL", Short: "How a definition that waits differs from the accepted one", Args: usageArgs(cobra.ExactArgs(2)),
		Long: `diff prints where the two differ. Characters that cannot be seen are written out, and what should be looked
at before accepting is pointed out: such characters, letters that look like others, text that speaks to a model.` + aboutTools}, diffTool)
	diff.Flags().String("digest", "", "of the definition, or its beginning; needed if several wait")
	for _, cmd := range []*cobra.Command{list, show, diff} {
		jsonFlag(cmd)
	}
	return group("tools", "Definitions of the hosted servers' tools, prompts and operations", list, show, diff,
		decideTool("accept", "Let exactly this definition pass, and no other under its name", "accepted",
			(*authproxy.Definitions).Accept, definition.Waiting, definition.Rejected),
		decideTool("reject", "Keep a definition from passing, also one that was accepted", "rejected",
			(*authproxy.Definitions).Reject, definition.Waiting, definition.Accepted))
}

func listTools(s *stores, cmd *cobra.Command, _ []string) error {
	name, _ := cmd.Flags().GetString("server")
	quarantined, _ := cmd.Flags().GetBool("quarantined")
	servers := s.access.Servers()
	if name != "" {
		server, err := s.serverNamed(name)
		if err != nil {
			return err
		}
		servers = []*access.Server{server}
	}
	var all []listing.Definition
	seen := map[definition.Server]bool{}
	for _, server := range servers {
		if seen[hostedBy(server)] {
			continue // another endpoint in front of the same
		}
		seen[hostedBy(server)] = true
		of, err := s.definitions.List(cmd.Context(), hostedBy(server))
		if err != nil {
			return err
		}
		for _, d := range of {
			if !quarantined || d.State != definition.Accepted {
				all = append(all, listing.Definition{Endpoint: server.Name, Pinned: d})
			}
		}
	}
	if len(all) == 0 && !quarantined {
		printNotes(cmd.ErrOrStderr(), []string{"what a hosted server lists is recorded when a client first lists or calls its tools"})
	}
	return printer(cmd).Definitions(all)
}

// definitionsWaiting is how many definitions of a hosted server wait for a person.
func (s *stores) definitionsWaiting(ctx context.Context, of definition.Server) (int, error) {
	pins, err := s.definitions.Pins(ctx, of)
	if err != nil {
		return 0, err
	}
	waiting, _ := pins.Quarantined()
	return waiting, nil
}

// hostedBy is the hosted server behind an endpoint.
func hostedBy(s *access.Server) definition.Server { return definition.Server{Org: s.Org, URL: s.URL} }

func (s *stores) serverNamed(name string) (*access.Server, error) {
	if server := s.access.Server(name); server != nil {
		return server, nil
	}
	var names []string
	for _, server := range s.access.Servers() {
		names = append(names, server.Name)
	}
	return nil, noServer(name, names)
}

// noServer is the error about a server that is not configured, with the one that may be meant.
func noServer(name string, names []string) error {
	return fmt.Errorf("no server %q in the configuration%s", name, nearest.Question(name, names))
}

// definitionsOf are what is recorded of the name that SERVER and TOOL say, at least one,
// and the names of what else the server has.
func (s *stores) definitionsOf(cmd *cobra.Command, args []string) (of []listing.Definition, others []string, err error) {
	server, err := s.serverNamed(args[0])
	if err != nil {
		return nil, nil, err
	}
	all, err := s.definitions.List(cmd.Context(), hostedBy(server))
	if err != nil {
		return nil, nil, err
	}
	kind, name := definition.ParseCalled(args[1])
	var names []string
	for _, d := range all {
		called := definition.Called(d.Kind, d.Name)
		names = append(names, called)
		switch {
		case d.Kind == kind && d.Name == name:
			of = append(of, listing.Definition{Endpoint: server.Name, Pinned: d})
		case d.Kind == definition.Tool:
			others = append(others, d.Name)
		}
	}
	if len(of) == 0 {
		return nil, nil, fmt.Errorf("nothing is recorded of %s at %s%s: see 'tools list --server %s'", args[1], args[0], nearest.Question(args[1], names), args[0])
	}
	return of, others, nil
}

func showTool(s *stores, cmd *cobra.Command, args []string) error {
	of, others, err := s.definitionsOf(cmd, args)
	if err != nil {
		return err
	}
	return printer(cmd).DefinitionTexts(of, others)
}

func diffTool(s *stores, cmd *cobra.Command, args []string) error {
	of, others, err := s.definitionsOf(cmd, args)
	if err != nil {
		return err
	}
	is, err := chosen(cmd, of, definition.Waiting, definition.Rejected)
	if err != nil {
		return err
	}
	var was *listing.Definition
	if of[0].State == definition.Accepted {
		was = &of[0]
	}
	return printer(cmd).Difference(was, is, others)
}

// chosen is the one definition that --digest names, or the only one in the first of states
// that has any.
func chosen(cmd *cobra.Command, of []listing.Definition, states ...definition.State) (listing.Definition, error) {
	digest, _ := cmd.Flags().GetString("digest")
	var found []listing.Definition
	for _, state := range states {
		for _, d := range of {
			if d.State == state && strings.HasPrefix(d.Digest, digest) {
				found = append(found, d)
			}
		}
		if len(found) > 0 && digest == "" {
			break
		}
	}
	called := definition.Called(of[0].Kind, of[0].Name)
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && digest != "":
		return listing.Definition{}, fmt.Errorf("no definition of %s that could be decided about has a digest that begins with %s: see 'tools show %s %s'", called, digest, of[0].Endpoint, called)
	case len(found) == 0:
		return listing.Definition{}, fmt.Errorf("no definition of %s waits: it is %s", called, of[0].State)
	}
	var digests []string
	for _, d := range found {
		digests = append(digests, d.Digest[:12])
	}
	return listing.Definition{}, usageError{fmt.Errorf("%d definitions of %s are %s: name one with --digest (%s)", len(found), called, found[0].State, strings.Join(digests, ", "))}
}

// decideTool is a command that decides about a definition in one of states, the first that
// has any.
func decideTool(verb, short, done string, decide decideDefinition, states ...definition.State) *cobra.Command {
	cmd := onStoresFor(verb == "reject")(&cobra.Command{Use: verb + " SERVER TOOL", Short: short, Args: usageArgs(cobra.ExactArgs(2)),
		Long: short + ".\n\nRead it first, with 'tools diff'. A running proxy follows within a second." + aboutTools},
		func(s *stores, cmd *cobra.Command, args []string) error {
			as, _ := cmd.Flags().GetString("as")
			if as != "" {
				if err := actor.CheckName(as); err != nil {
					return usageError{fmt.Errorf("--as: %w", err)}
				}
			}
			of, _, err := s.definitionsOf(cmd, args)
			if err != nil {
				return err
			}
			d, err := chosen(cmd, of, states...)
			if err != nil {
				return err
			}
			err = decide(&authproxy.Definitions{Store: s.definitions, Audit: s.audit}, cmd.Context(), operator(as), d.Endpoint, d.Pinned)
			switch {
			case errors.Is(err, definition.ErrUnclear):
				return fmt.Errorf("%s cannot be accepted (%s): what it means is not known", args[1], d.Why)
			case errors.Is(err, definition.ErrNotFound):
				return fmt.Errorf("%s changed meanwhile: read it again with 'tools diff'; nothing was done", args[1])
			}
			return reportAct(cmd, err, fmt.Sprintf("%s %s of %s, sha256 %s", done, args[1], d.Endpoint, d.Digest),
				deed{Did: "tools " + verb, Org: d.Org, Server: d.Endpoint, Tool: args[1], Digest: d.Digest})
		})
	jsonFlag(cmd)
	cmd.Flags().String("digest", "", "of the definition, or its beginning; needed if several wait")
	cmd.Flags().String("as", "", "who decides: a name for the audit log, beside that of the operator")
	return cmd
}
