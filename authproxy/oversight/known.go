package oversight

import (
	"context"
	"errors"
	"slices"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// named is a field of a filter that names something exactly.
type named struct {
	field, value, what string       // what a person calls such a thing
	entries            audit.Filter // which entries tell of it
	// known says whether there is such a thing now, and which others there are.
	known func(ctx context.Context, value string) (is bool, others []string, err error)
	see   string // where those that there are can be seen
}

// CheckNames is an [*InputError] about the first field of f that is mistyped: it names what there is not, and
// of which no entry of this log tells. Nobody takes an empty list for an answer then.
func (r *Reader) CheckNames(ctx context.Context, f audit.Filter) error {
	if f.Action != "" && !slices.ContainsFunc(audit.Actions(), func(d audit.Described) bool { return d.Action.Matches(f.Action) }) {
		return &InputError{"action", "no entry has the action " + quoted(f.Action, actionNames())}
	}
	if f.Outcome != "" && !slices.Contains(audit.Outcomes(), f.Outcome) {
		return &InputError{"outcome", "no entry has the outcome " + quoted(string(f.Outcome), nil)}
	}
	for _, n := range []named{
		{"tool", f.Tool, "tool", audit.Filter{Tool: f.Tool}, r.knowsTool, "'tools list' at the command line has those that there are"},
		{"server", f.Server, "server", audit.Filter{Server: f.Server}, r.knowsServer, "'check' at the command line has those that there are"},
		{"client", f.Client, "client", audit.Filter{Client: f.Client}, r.knowsClient, "'client list' at the command line has those that there are"},
		{"rule", f.Rule, "rule", audit.Filter{Rule: f.Rule}, r.knowsRule, "a rule is named as an entry or 'policy test' names it"},
		{"approval", f.Approval, "approval", audit.Filter{Approval: f.Approval}, r.knowsApproval, "'approval list --all' at the command line has those that there are"},
		{"grant", f.Grant, "connection", audit.Filter{Grant: f.Grant}, r.knowsGrant, "'grant list --all' at the command line has those that there are"},
	} {
		if err := r.check(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// CheckSearch is an [*InputError] about the first field of a search for connections that is mistyped. A client or server
// that is gone may have left connections, and entries.
func (r *Reader) CheckSearch(ctx context.Context, s Search) error {
	return r.CheckNames(ctx, audit.Filter{Client: s.Client, Server: s.Server})
}

// CheckServer is an [*InputError] if no endpoint has that name; "" is all of them.
func (r *Reader) CheckServer(name string) error {
	if all := r.ServerNames(); name != "" && !slices.Contains(all, name) {
		return &InputError{"server", "there is no server " + quoted(name, all)}
	}
	return nil
}

func (r *Reader) check(ctx context.Context, n named) error {
	if n.value == "" {
		return nil
	}
	told := false
	n.entries.Limit = 1
	if err := r.Audit.List(ctx, n.entries, func(audit.Entry) error { told = true; return nil }); err != nil || told {
		return err
	}
	known, others, err := n.known(ctx, n.value)
	if err != nil || known {
		return err
	}
	return &InputError{n.field, "there is no " + n.what + " " + quoted(n.value, others) + ", and no entry of this audit log tells of one; " + n.see}
}

// quoted is a mistyped name with the one that it may have been meant for.
func quoted(name string, others []string) string {
	return `"` + ui.Printable(name) + `"` + nearest.Question(name, others)
}

// actionNames are what an entry can have, and their nouns.
func actionNames() (names []string) {
	for _, d := range audit.Actions() {
		names = append(names, string(d.Action))
	}
	return names
}

func (r *Reader) knowsServer(_ context.Context, name string) (bool, []string, error) {
	all := r.ServerNames()
	return slices.Contains(all, name), all, nil
}

func (r *Reader) knowsRule(_ context.Context, rule string) (bool, []string, error) {
	all := []string{policy.NoMatch}
	for _, s := range r.Access.Servers() {
		if s.Policy != nil {
			for i := range s.Policy.Rules {
				all = append(all, s.Policy.Words(i))
			}
		}
	}
	return slices.Contains(all, rule), all, nil
}

func (r *Reader) knowsTool(ctx context.Context, name string) (is bool, others []string, err error) {
	all, err := r.DefinitionList(ctx, "", "")
	for _, d := range all {
		is = is || d.Called() == name
		others = append(others, d.Called())
	}
	return is, others, err
}

// knowsClient knows a client also by a connection, and by being blocked, alone.
func (r *Reader) knowsClient(ctx context.Context, id string) (is bool, others []string, err error) {
	if _, err = r.Client(ctx, id); !errors.Is(err, ErrNotFound) {
		return err == nil, nil, err
	}
	if ended, err := r.Grants.Grants(ctx, grant.Filter{ClientID: id, All: true, Limit: 1}); err != nil || len(ended) > 0 {
		return err == nil, nil, err
	}
	all, err := r.Clients.All(ctx)
	for _, c := range all {
		others = append(others, c.ID)
	}
	return false, others, err
}

// idsCompared is how many of the newest approvals or connections a mistyped id is compared with.
const idsCompared = 500

func (r *Reader) knowsApproval(ctx context.Context, id string) (is bool, others []string, err error) {
	if _, err = r.Approvals.Get(ctx, id); !errors.Is(err, approval.ErrNotFound) {
		return err == nil, nil, err
	}
	all, err := r.Approvals.List(ctx, approval.Filter{Limit: idsCompared})
	for _, a := range all {
		others = append(others, a.ID)
	}
	return false, others, err
}

func (r *Reader) knowsGrant(ctx context.Context, id string) (is bool, others []string, err error) {
	if _, err = r.Grants.Grant(ctx, id); !errors.Is(err, grant.ErrNotFound) {
		return err == nil, nil, err
	}
	all, err := r.Grants.Grants(ctx, grant.Filter{All: true, Limit: idsCompared})
	for _, g := range all {
		others = append(others, g.ID)
	}
	return false, others, err
}
