package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/notice"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/authproxy/ui"
)

// noticeSource tells the notices about requests for approval.
type noticeSource struct{ *stores }

// Waiting returns the requests that wait, with the roles that are missing.
func (s noticeSource) Waiting(ctx context.Context) (waiting []notice.Waiting, err error) {
	all, err := s.approvals.List(ctx, approval.Filter{State: approval.Pending, OldestFirst: true})
	for i := range all {
		waiting = append(waiting, notice.Waiting{ID: all[i].ID, Again: all[i].Reopenings, Roles: s.missing(&all[i])})
	}
	return waiting, err
}

// missing are the roles that a request waits for, that to which it was handed on among them.
func (s noticeSource) missing(r *approval.Request) (roles []string) {
	for _, f := range r.Missing() {
		if f.Role != "" {
			roles = append(roles, f.Role)
		}
	}
	if role := r.EscalatedTo(s.now()); role != "" && !slices.Contains(roles, role) {
		roles = append(roles, role)
	}
	return roles
}

// Describe says what there is to say of a request: never its arguments, but for the object.
func (s noticeSource) Describe(ctx context.Context, id string) (*notice.Message, bool, error) {
	r, err := s.approvals.Get(ctx, id)
	if errors.Is(err, approval.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	m := &notice.Message{
		URL: s.access.PublicURL() + "/approvals/" + r.ID, Org: r.Org, Server: r.Server, Tool: r.Tool, Class: policy.Class(r.Class),
		Object: objectOf(r), User: r.Subject, Client: s.clients.Name(ctx, r.ClientID), Roles: s.missing(r), Expires: r.ExpiresAt,
		State: string(r.State), By: r.DecidedBy.String(), Again: r.Reopenings, Reopened: string(r.Reopened),
	}
	for _, server := range s.access.Servers() {
		if server.Name == r.Server && server.Title != "" {
			m.Server = server.Title
		}
	}
	m.Kind = string(s.config.OrgKind(r.Org))
	if u, err := s.grants.User(ctx, r.Org, r.Subject); err == nil && u.Username != "" {
		m.User = u.Username
	}
	for _, text := range []*string{&m.Server, &m.Tool, &m.Object, &m.User, &m.Client, &m.By} {
		*text = ui.Printable(*text)
	}
	return m, r.State == approval.Pending, nil
}

// objectOf is the object of the record that a call names.
func objectOf(r *approval.Request) string {
	named, ok := reach.TargetOf(r.Tool, r.Arguments)
	if !ok || len(named.Object) > 80 { // Salesforce's bound of a name
		return ""
	}
	return named.Object
}

func noticeCommand() *cobra.Command {
	list := withReading(&cobra.Command{Use: "list", Short: "Notices that wait to be sent, or were given up", Args: usageArgs(cobra.NoArgs)},
		func(s *stores, cmd *cobra.Command, _ []string) error {
			all, _ := cmd.Flags().GetBool("all")
			rows, err := notice.List(cmd.Context(), s.db, all)
			if err != nil {
				return err
			}
			return printer(cmd).Notices(rows)
		})
	list.Flags().Bool("all", false, "include those that were sent, or that nobody needed any more")
	jsonFlag(list)
	test := withStores(&cobra.Command{Use: "test TARGET", Short: "Send a message to a target now", Args: usageArgs(cobra.ExactArgs(1))}, testNotice)
	jsonFlag(test)
	return group("notice", "Messages to people about what waits for them", list, test)
}

// testNotice sends a message that says that it is a test.
func testNotice(s *stores, cmd *cobra.Command, args []string) error {
	n, err := openOutbound(s.config, s.log)
	if err != nil {
		return err
	}
	targets := s.config.Approvals.NoticeTargets(n.roots, n.via, time.Now)
	i := slices.IndexFunc(targets, func(t notice.Target) bool { return t.Name == args[0] })
	if i < 0 {
		return fmt.Errorf("no target %q under approvals.notify: 'check' prints them", args[0])
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 20*time.Second)
	defer cancel()
	err = targets[i].Send.Send(ctx, &notice.Message{ID: fmt.Sprintf("ntc_test_%d", time.Now().UnixMilli()), Event: notice.Alarm, At: time.Now(), Budget: "test", Text: "this is a test of sfmcp-proxy"})
	if err != nil {
		return fmt.Errorf("target %s did not take the message: %w", args[0], err)
	}
	return report(cmd, fmt.Sprintf("target %s took the message", args[0]), deed{Did: "notice test", Target: args[0]})
}
