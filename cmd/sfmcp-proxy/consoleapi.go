package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/console/api"
	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

// tokenCommand is about tokens of programs for the API under /console/api.
func tokenCommand() *cobra.Command {
	list := withReading(&cobra.Command{Use: "list", Short: "Tokens, with their role, end and last use", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			tokens, err := s.tokens.List(cmd.Context())
			if err != nil {
				return err
			}
			all := make([]listing.Token, len(tokens))
			for i, t := range tokens {
				all[i] = listing.Token{Token: t, State: t.State(s.now())}
			}
			return printer(cmd).Tokens(all)
		})
	jsonFlag(list)
	revoke := withCutoff(&cobra.Command{Use: "revoke TOKEN", Short: "Refuse a token from now on, by its id (apt_…)", Args: usageArgs(cobra.ExactArgs(1))},
		func(s *stores, cmd *cobra.Command, args []string) error {
			t, err := s.newCutoff(nil).RevokeAPIToken(cmd.Context(), args[0], acting(cmd))
			if errors.Is(err, apitoken.ErrNotFound) {
				return fmt.Errorf("no good token %q: see 'console token list'", args[0])
			}
			if t == nil {
				return err
			}
			return reportAct(cmd, err, fmt.Sprintf("revoked token %s (%s)", t.ID, ui.Printable(t.Name)), deed{Did: "console token revoke", Token: t.ID})
		})
	jsonFlag(revoke)
	reasonFlag(revoke, "token revoked by the security team")
	return group("token", "Tokens of programs for the API under /console/api: create, list, revoke", createTokenCommand(), list, revoke)
}

func createTokenCommand() *cobra.Command {
	create := withStores(&cobra.Command{Use: "create --role ROLE --name NAME", Short: "Make a token; it is shown once", Args: usageArgs(cobra.NoArgs),
		Long: "Make a token for the API under /console/api. It is printed once, and kept as a hash: keep it\nwhere the program finds it and nobody else does. It goes into the header\n\"Authorization: Bearer …\" and never into an address.\n\n" +
			"A token of the role auditor reads; one of the role security also ends, blocks, stops and\naccepts. Whether a call that waits may be made is decided by people alone, so there is no\ntoken for approvers. With a token nobody makes another."}, createToken)
	create.Flags().String("role", "", "security or auditor")
	create.Flags().String("name", "", "what the token is for, such as siem: letters, digits, dots, underscores, hyphens")
	create.Flags().String("expires", "90d", "how long the token is good, at most 366d")
	reasonFlag(create, "")
	jsonFlag(create)
	return create
}

// createdToken is a token that was just made, for programs.
type createdToken struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	Expires time.Time `json:"expires"`
	Token   string    `json:"token"`
}

func createToken(s *stores, cmd *cobra.Command, _ []string) error {
	text := map[string]string{}
	for _, name := range []string{"role", "name", "expires"} {
		var err error
		if text[name], err = cmd.Flags().GetString(name); err != nil {
			return err
		}
	}
	lifetime, err := parseAge(text["expires"])
	if err != nil {
		return usageError{fmt.Errorf("--expires: %q is no time span: 30d, 12w, 24h", text["expires"])}
	}
	wanted := apitoken.Wanted{Name: text["name"], Role: text["role"], Lifetime: lifetime, By: operator("")}
	if err := s.tokens.Check(wanted); err != nil {
		return usageError{err}
	}
	secret, t, err := s.newCutoff(nil).CreateAPIToken(cmd.Context(), wanted, reasonOf(cmd))
	if err != nil {
		return err
	}
	if printer(cmd).JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(createdToken{t.ID, t.Name, t.Role, t.ExpiresAt, secret})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", secret)
	if err == nil {
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "token %s (%s), role %s, good until %s; it is not shown again\n", t.ID, t.Name, t.Role, t.ExpiresAt.Format(time.DateTime+" MST"))
	}
	return err
}

// newReads reads what a security team looks at, for pages, programs and commands.
func (s *stores) newReads() (*oversight.Reader, error) {
	return oversight.New(oversight.Config{
		Access: s.access, Grants: s.grants, Links: s.links, Clients: s.clients, Approvals: s.approvals, Definitions: s.definitions,
		Audit: s.audit, Company: s.people, Times: timesTyped, Verdict: verdict, Lifetime: s.config.Lifetimes.Approval, Roster: s.roster, Now: s.now,
	})
}

// apiRate is how often a token may ask, and a network fail; nothing: what the API says itself.
var apiRate api.Rate

// openOversight opens the security team's pages and API, which read and act by the same parts.
func (p *product) openOversight() error {
	c := p.config
	reads, err := p.newReads()
	if err != nil {
		return err
	}
	definitions := &authproxy.Definitions{Store: p.definitions, Audit: p.audit}
	packs, err := p.newPacks()
	if err != nil {
		return err
	}
	reviews := &authproxy.Reviews{Cutoff: p.cutoff, Definitions: p.definitions, Now: p.now, Roster: p.roster}
	if p.team, err = team.New(team.Config{
		Reads: reads, People: p.people, Cutoff: p.cutoff, Definitions: definitions, Settings: c.WriteOrigins,
		Reviews: reviews, Packs: packs,
		Analysed: c.Analysed, PolicyNotes: c.PolicyNotes, Health: p.health, PolicyPlace: c.PolicyPlace, Pending: p.pending, Site: p.site(), Log: p.log,
		Budgets: func(ctx context.Context) ([]budget.Count, error) {
			return p.budgets.List(ctx, p.counters(), budget.Filter{})
		},
	}); err != nil {
		return err
	}
	p.api, err = api.New(api.Config{
		PublicURL: c.PublicURL, Reads: reads, People: p.people, Tokens: p.tokens, Replays: &apitoken.Replays{DB: p.db, Ring: p.ring, Now: p.now},
		Cutoff: p.cutoff, Definitions: definitions, Reviews: reviews, Packs: packs, Settings: c.WriteOrigins, Analysed: c.Analysed, PolicyNotes: c.PolicyNotes, CircuitOpen: p.forward.CircuitOpen,
		Requests: apiRate, Failures: apiRate, Log: p.log, Now: p.now,
	})
	return err
}
