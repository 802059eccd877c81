package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/ui"
)

func incidentCommand() *cobra.Command {
	contain := withCutoff(&cobra.Command{Use: "contain --user USER | --client CLIENT", Short: "Block a user or a client, end what they have, and keep the evidence", Args: usageArgs(cobra.NoArgs),
		Long: "Block a user or a client, end what they have, and keep the evidence.\n\n" +
			"In this order: they are refused from now on; connections, waiting and approved calls and\n" +
			"browser sessions end, and the Salesforce login of whoever has no other connection; every running\n" +
			"proxy follows within a second; Salesforce is told; and with --evidence, what is known of them is\n" +
			"written into DIR. Each step is looked at again and printed with whether it is so. What fails\n" +
			"keeps nothing else from being done.\n\n" +
			"USER is a Salesforce user id (005…), also of somebody who never signed in, or a username that is\n" +
			"known from a sign-in; CLIENT a client id as 'client list' has it.\n" +
			"A user is refused in every org. Exit status 1 if a step was not confirmed: do it again, what\n" +
			"is done stays done; and if nobody of that name has come here, who is refused from now on."}, containIncident)
	contain.Flags().String("user", "", "block this user")
	contain.Flags().String("client", "", "block this client, for everybody")
	contain.Flags().String("evidence", "", "write what is known of them into this directory, which must be new or empty")
	reasonFlag(contain, "incident")
	jsonFlag(contain)
	return group("incident", "Incident: contain it", contain)
}

// errNotConfirmed is the end of a containment of which something is not known to be so.
var errNotConfirmed = errors.New("not everything is confirmed: see above, and do it again; what is done stays done")

// errNotRefused is the end of a containment of which not even that is known, which is done first.
var errNotRefused = fmt.Errorf("it is not known that they are refused: %w", errNotConfirmed)

// awaitRunning is how long a running proxy may take to revoke what it has in hand.
const awaitRunning = 2 * time.Second

func containIncident(s *stores, cmd *cobra.Command, _ []string) error {
	targets, note, dir, err := s.incidentOf(cmd)
	if err != nil {
		return err
	}
	cutoff, all, refused := s.newCutoff(nil), true, true
	var users []grant.User
	var done *authproxy.Containment
	for _, target := range targets {
		done = cutoff.Contain(cmd.Context(), target.Target, acting(cmd), func(step authproxy.Step) { tellStep(cmd, target, step) })
		if !printer(cmd).JSON {
			fmt.Fprintf(cmd.OutOrStdout(), "  within 1 s     %s\n", authproxy.OtherProcesses)
		}
		users = append(users, done.People...)
		_, err = revokeAtSalesforce(s, cmd) // what is left is in the next step
		ctx, cancel := context.WithTimeout(cmd.Context(), awaitRunning)
		cutoff.AwaitSalesforce(ctx, done)
		cancel()
		all = all && done.Confirmed() && err == nil
		refused = refused && slices.ContainsFunc(done.Steps, func(s authproxy.Step) bool { return s.Name == "refused" && s.Confirmed })
	}
	if dir != "" {
		e := evidence{dir: dir, did: "incident contain", users: users, client: done.Client}
		err = evidenceOf{s}.write(cmd, e)
		done.Add("evidence", "what is known is in "+dir, err)
		all = all && done.Confirmed()
	}
	if !refused {
		return errNotRefused
	}
	if !all {
		return errNotConfirmed
	}
	if note != "" {
		return errors.New("reached nobody: " + note)
	}
	return nil
}

// suspect is one whom an incident is about.
type suspect struct {
	authproxy.Target
	unseen bool // nobody of that id has come here
}

// incidentOf reads whom an incident is about. Where none of them has come here, note says so.
func (s *stores) incidentOf(cmd *cobra.Command) (targets []suspect, note, dir string, err error) {
	user, _ := cmd.Flags().GetString("user")
	client, _ := cmd.Flags().GetString("client")
	dir, _ = cmd.Flags().GetString("evidence")
	if (user == "") == (client == "") {
		return nil, "", "", usageError{errors.New("incident contain needs one of --user USER and --client CLIENT; nothing was done")}
	}
	if err := freshDirectory(dir); err != nil {
		return nil, "", "", usageError{fmt.Errorf("--evidence: %w; nothing was done", err)}
	}
	if client != "" {
		note, err = s.isClient(cmd.Context(), client)
		return []suspect{{authproxy.Target{Client: client}, note != ""}}, note, dir, err
	}
	users, err := s.findUsers(cmd.Context(), user, s.access.FindUsersToCome)
	for _, u := range users {
		targets = append(targets, suspect{authproxy.Target{Org: u.Org, Subject: u.Subject}, unseen(u)})
	}
	if err == nil && !slices.ContainsFunc(targets, func(t suspect) bool { return !t.unseen }) {
		note = s.unseenUser(cmd.Context(), user)
	}
	return targets, note, dir, err
}

// told is a step with whom it was about, for programs.
type told struct {
	Org     string `json:"org,omitempty"`
	Subject string `json:"subject,omitempty"`
	Client  string `json:"client,omitempty"`
	Unseen  bool   `json:"unseen,omitempty"` // nobody of that id has come here: there was nothing to end
	authproxy.Step
}

// tellStep prints a step as soon as it is done.
func tellStep(cmd *cobra.Command, target suspect, step authproxy.Step) {
	out := cmd.OutOrStdout()
	if printer(cmd).JSON {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(told{target.Org, target.Subject, target.Client, target.unseen, step}) // whoever closed the pipe stops nothing
		return
	}
	if step.Name == "refused" {
		whom := ui.Printable(target.Client)
		if whom == "" {
			whom = target.Subject + " in org " + target.Org
		}
		if target.unseen {
			whom += ", who has not come here"
		}
		fmt.Fprintf(out, "%s:\n", whom)
	}
	switch {
	case !step.Confirmed:
		fmt.Fprintf(out, "  NOT CONFIRMED  %s: %s\n", step.Text, step.Problem)
	case target.unseen && hasNothing[step.Name]:
		fmt.Fprintf(out, "  nothing there  %s\n", step.Text)
	default:
		fmt.Fprintf(out, "  confirmed      %s\n", step.Text)
	}
}

// hasNothing are the steps that end what somebody has who has come here.
var hasNothing = map[string]bool{"connections": true, "approvals": true, "sessions": true, "login": true, "salesforce": true}
