package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

func incidentCommand() *cobra.Command {
	contain := withCutoff(&cobra.Command{Use: "contain --user USER | --client CLIENT", Short: "Block a user or a client, end what they have, and keep the evidence", Args: usageArgs(cobra.NoArgs),
		Long: "Block a user or a client, end what they have, and keep the evidence.\n\n" +
			"In this order: they are refused from now on; connections, waiting and approved calls and\n" +
			"browser sessions end; every running proxy follows; the login is revoked at Salesforce; and\n" +
			"with --evidence, what is known of them is written into DIR. Each step is looked at again and\n" +
			"printed with whether it is so. What fails keeps nothing else from being done.\n\n" +
			"USER is a Salesforce user id or a username, CLIENT a client id as 'client list' has it.\n" +
			"Exit status 1 if a step was not confirmed: do it again, what is done stays done."}, containIncident)
	contain.Flags().String("user", "", "block this user")
	contain.Flags().String("client", "", "block this client, for everybody")
	contain.Flags().String("evidence", "", "write what is known of them into this directory, which must be new or empty")
	contain.Flags().String("reason", "incident", "why, for the audit log")
	jsonFlag(contain)
	return group("incident", "Incident: contain it", contain)
}

// errNotConfirmed is the end of a containment of which something is not known to be so.
var errNotConfirmed = errors.New("not everything is confirmed: see above, and do it again; what is done stays done")

// awaitRunning is how long a running proxy may take to revoke what it has in hand.
const awaitRunning = 2 * time.Second

func containIncident(s *stores, cmd *cobra.Command, _ []string) error {
	targets, dir, err := s.incidentOf(cmd)
	if err != nil {
		return err
	}
	why, _ := cmd.Flags().GetString("reason")
	if why == "" {
		return usageError{errors.New("--reason: expected a few words; nothing was done")}
	}
	cutoff, all := s.newCutoff(nil), true
	var users []grant.User
	var done *authproxy.Containment
	for _, target := range targets {
		done = cutoff.Contain(cmd.Context(), target, act(why), func(step authproxy.Step) { tellStep(cmd, target, step) })
		users = append(users, done.People...)
		_, err = revokeAtSalesforce(s, cmd) // what is left is in the next step
		ctx, cancel := context.WithTimeout(cmd.Context(), awaitRunning)
		cutoff.AwaitSalesforce(ctx, done)
		cancel()
		all = all && done.Confirmed() && err == nil
	}
	if dir != "" {
		e := evidence{dir: dir, did: "incident contain", users: users, client: done.Client}
		if e.client != "" {
			e.users, err = s.whoConnected(cmd.Context(), e.client)
		}
		err = errors.Join(err, evidenceOf{s}.write(cmd, e))
		done.Add("evidence", "what is known is in "+dir, err)
		all = all && done.Confirmed()
	}
	if !all {
		return errNotConfirmed
	}
	return nil
}

// incidentOf reads whom an incident is about.
func (s *stores) incidentOf(cmd *cobra.Command) (targets []authproxy.Target, dir string, err error) {
	user, _ := cmd.Flags().GetString("user")
	client, _ := cmd.Flags().GetString("client")
	dir, _ = cmd.Flags().GetString("evidence")
	if (user == "") == (client == "") {
		return nil, "", usageError{errors.New("incident contain needs one of --user USER and --client CLIENT; nothing was done")}
	}
	if err := freshDirectory(dir); err != nil {
		return nil, "", usageError{fmt.Errorf("--evidence: %w; nothing was done", err)}
	}
	if client != "" {
		return []authproxy.Target{{Client: client}}, dir, s.isClient(cmd.Context(), client)
	}
	users, err := s.access.FindUsersToCome(cmd.Context(), user)
	for _, u := range users {
		targets = append(targets, authproxy.Target{Org: u.Org, Subject: u.Subject})
	}
	if unknown, ok := errors.AsType[*access.UnknownUserError](err); ok {
		err = unknown
	}
	return targets, dir, err
}

// whoConnected are the users who ever connected a client, as far as it is kept.
func (s *stores) whoConnected(ctx context.Context, client string) (users []grant.User, err error) {
	grants, err := s.grants.Grants(ctx, grant.Filter{ClientID: client, All: true})
	seen := map[[2]string]bool{}
	for _, g := range grants {
		if key := [2]string{g.Org, g.Subject}; !seen[key] {
			seen[key] = true
			users = append(users, grant.User{Org: g.Org, Subject: g.Subject, Username: g.Username, Name: g.Name})
		}
	}
	return users, err
}

// told is a step with whom it was about, for programs.
type told struct {
	Org     string `json:"org,omitempty"`
	Subject string `json:"subject,omitempty"`
	Client  string `json:"client,omitempty"`
	authproxy.Step
}

// tellStep prints a step as soon as it is done.
func tellStep(cmd *cobra.Command, target authproxy.Target, step authproxy.Step) {
	out := cmd.OutOrStdout()
	if printer(cmd).JSON {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(told{target.Org, target.Subject, target.Client, step}) // whoever closed the pipe stops nothing
		return
	}
	whom := target.Client
	if whom == "" {
		whom = target.Subject
	}
	if step.Name == "refused" {
		fmt.Fprintf(out, "%s:\n", listing.Person("", whom))
	}
	if step.Confirmed {
		fmt.Fprintf(out, "  confirmed      %s\n", step.Text)
		return
	}
	fmt.Fprintf(out, "  NOT CONFIRMED  %s: %s\n", step.Text, step.Problem)
}
