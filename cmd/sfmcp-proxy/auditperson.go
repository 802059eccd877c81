package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/oversight"
)

// whoForms are how a human is named.
const whoForms = "a Salesforce user id or username, or their e-mail address, name or subject at the company"

// humans find out who somebody is.
func (s *stores) humans() oversight.Humans {
	return oversight.Humans{Access: s.access, Grants: s.grants, Audit: s.audit, Company: s.people}
}

// named is the human whom who names, and says beside the output who that is.
func (s *stores) named(cmd *cobra.Command, who string) (*oversight.Human, error) {
	whom, err := s.humans().Named(cmd.Context(), who)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "about and by %s\n", whom)
	for _, text := range whom.Unsure {
		fmt.Fprintf(cmd.ErrOrStderr(), "not known: %s\n", text)
	}
	return whom, nil
}
