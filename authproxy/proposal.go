package authproxy

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// judgeProposal asks the rules about a call that is proposed in the place of another, which the client would have
// to make. It must be for the same people to decide, and of the same class: others would agree to what is
// denied afterwards, or to what they were not asked about; and what a client's call is refused for before anybody is
// asked, no proposal is either. Both calls are judged by what is known here, without
// the client's address and the org's own objects, and the one must come out as the other: what
// cannot be known here is judged when the call is made. The error is an [approval.ErrProposal].
func (d *Decisions) judgeProposal(ctx context.Context, r *approval.Request, arguments jsontext.Value) error {
	if _, err := ui.Arguments(arguments); err != nil {
		return approval.Refuse(approval.ErrProposal, "the arguments are %w", err)
	}
	if d.Access == nil {
		return nil
	}
	server := d.Access.Server(r.Server)
	if server == nil || server.Org != r.Org {
		return approval.Refuse(approval.ErrProposal, "the server %q is not there any more", r.Server)
	}
	canonical, err := jsontext.AppendFormat(nil, arguments, jsontext.ReorderRawObjects(true))
	if err != nil {
		return approval.Refuse(approval.ErrProposal, "the arguments are not JSON: %w", err)
	}
	who, err := d.Access.Principal(ctx, r.Org, r.Subject, r.ClientID)
	if err != nil {
		return err
	}
	judge := func(arguments jsontext.Value) policy.Decision {
		return server.Policy.Decide(who, policy.Call{Tool: r.Tool, Arguments: arguments, Server: server.Name, Now: d.now()})
	}
	was, is := judge(r.Arguments), judge(canonical)
	switch {
	case is.Effect != was.Effect:
		return approval.Refuse(approval.ErrProposal, "the rules do not ask about that call, they answer %q: %s", is.Effect, is.Reason)
	case is.Class != was.Class:
		return approval.Refuse(approval.ErrProposal, "that call is of the class %s, and the one that waits of the class %s", is.Class, was.Class)
	case is.Reach.Unnamed:
		return approval.Refuse(approval.ErrProposal, "that call does not name by its id each record that it writes to, or says what it sets")
	case is.Confirmation != was.Confirmation:
		return approval.Refuse(approval.ErrProposal, "other people decide about that call: %s", is.Reason)
	}
	return nil
}
