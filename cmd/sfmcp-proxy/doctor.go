package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/cmd/sfmcp-proxy/doctor"
	"sfmcp-proxy/mcpforward/upstream"
)

func doctorCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{
		Use: "doctor", Short: "Look at Salesforce from here and say which setting to change", Args: usageArgs(cobra.NoArgs),
		Long: `Looks at each configured org and server as the proxy would: host, clock, signing keys,
External Client App, stored logins, sign-ins, rotation, and whether each hosted server
is active and answers a query; and whether the tools, objects and fields that rules name
are there; with PostgreSQL also what the role may do that the proxy has there, and whether its clock agrees; and whether the
identity provider of the company answers, and takes the client. What needs a signed-in user is done with a stored login, if there is one: the
list of tools, a query for the id of one user, and up to 21 questions to an org for the
schema of the objects that rules name. That is in the audit log, and the login's token is renewed if that is due. Nothing else is changed.
Exit status 1 if a check fails.`,
	}, examine)
	jsonFlag(cmd)
	return cmd
}

func examine(s *stores, cmd *cobra.Command, _ []string) error {
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	n, err := openOutbound(s.config, s.log)
	if err != nil {
		return err
	}
	if err := s.bindOrgs(cmd.Context()); err != nil {
		return err
	}
	links := s.linksThrough(n)
	c := doctor.Config{
		CallbackURL: s.config.CallbackURL(), KeysFile: s.config.KeysFile, Actor: operator(""),
		Username: func(ctx context.Context, org, subject string) string {
			p, _ := s.access.Person(ctx, org, subject)
			return p.Username
		},
		Quarantined: func(ctx context.Context, server doctor.Server) (int, error) {
			return s.definitionsWaiting(ctx, definition.Server{Org: server.Org, URL: server.Upstream})
		},
		Excess: s.db.Excess, DatabaseClock: s.db.AskClock, Salesforce: n.salesforce, Logins: links, Audit: s.audit, Pool: n.openPool(s.config, upstream.Config{Log: s.log}),
		Report: doctor.Printer(cmd.OutOrStdout(), asJSON),
	}
	if c.SignIns, err = s.signIns(n); err != nil {
		return err
	}
	for _, o := range s.config.Salesforce.Orgs {
		c.Orgs = append(c.Orgs, doctor.Org{Name: o.Name, LoginURL: o.LoginURL, Scopes: o.Scopes})
	}
	for _, m := range s.config.Access().Servers {
		c.Servers = append(c.Servers, doctor.Server{Name: m.Name, Org: m.Org, Upstream: m.URL, Timeout: m.Timeout, Policy: m.Policy})
	}
	err = doctor.Examine(cmd.Context(), c)
	c.Pool.Close()
	return errors.Join(err, closing(links.Close))
}

// signIns are the company's, asked by the way out that the running proxy has.
func (s *stores) signIns(n *outbound) (all []doctor.SignIn, err error) {
	who := s.config.Company()
	who.Ring, who.Now, who.Log, who.HTTP = s.ring, s.now, s.log, n.http
	with, err := company.New(who)
	if err != nil {
		return nil, err
	}
	for _, p := range with.Providers() {
		all = append(all, doctor.SignIn{Issuer: p.Issuer, Examine: func(ctx context.Context) error { return with.Examine(ctx, p.Issuer) }})
	}
	return all, nil
}
