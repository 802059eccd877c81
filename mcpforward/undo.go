package mcpforward

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/preview"
)

// Undo is the call that takes back one that was carried out, as the requester would make it on the
// same server: an update to the values of before, a delete of what was made. The record must be as
// the call left it, which is read first. Nothing is sent but that query. The error is an
// [approval.ErrUndo] that says why there is no such call.
func (h *Handler) Undo(ctx context.Context, a *approval.Request) (b approval.Binding, class string, err error) {
	i, err := h.inverse(ctx, a)
	if err != nil {
		return b, "", err
	}
	if err := h.unchanged(ctx, a); err != nil {
		return b, "", err
	}
	digest, err := h.accepted(ctx, i.server, a, i.tool)
	if err != nil {
		return b, "", err
	}
	d := i.decision
	return approval.Binding{Org: a.Org, Subject: a.Subject, ClientID: a.ClientID, GrantID: a.GrantID, Server: a.Server, Tool: i.tool,
		DefinitionHash: digest, PolicyVersion: d.Version, Arguments: i.arguments, Confirmation: d.Confirmation, Rule: d.Reason}, string(d.Class), nil
}

// MayUndo says whether there can be a call that takes back that of a, as far as is known without asking
// Salesforce: whether the record is still as the call left it is not.
func (h *Handler) MayUndo(ctx context.Context, a *approval.Request) error {
	_, err := h.inverse(ctx, a)
	return err
}

// inverseCall is a call that takes back another one, with what the policy says of it.
type inverseCall struct {
	server    *access.Server
	tool      string
	arguments jsontext.Value
	decision  policy.Decision
}

// inverse is the call that takes back that of a, which needs a person.
func (h *Handler) inverse(ctx context.Context, a *approval.Request) (i inverseCall, err error) {
	if err := a.MayUndo(); err != nil {
		return i, err
	}
	if i.tool, i.arguments, err = inverseOf(a); err != nil {
		return i, err
	}
	if i.server = h.Access.Server(a.Server); i.server == nil || i.server.Org != a.Org {
		return i, undoError("the server is not there any more")
	}
	who, err := h.Access.Principal(ctx, a.Org, a.Subject, a.ClientID)
	if err != nil {
		return i, fmt.Errorf("undoing: who asks: %w", err)
	}
	i.decision = i.server.Policy.Decide(who, policy.Call{Tool: i.tool, Arguments: i.arguments, Server: i.server.Name, Schema: h.schemas.For(a.Org, a.Subject), Now: h.Now()})
	switch i.decision.Effect {
	case policy.Confirm:
		return i, nil
	case policy.Allow:
		return i, errUndoFree(i.tool, i.arguments)
	}
	return i, undoError("the rules of this server do not let the assistant make that call")
}

// inverseOf is the tool and the arguments of the call that takes back that of a.
func inverseOf(a *approval.Request) (tool string, arguments jsontext.Value, err error) {
	images := a.Check.Images
	var o, body jsonrpc.Object
	o.Set("sobject-name", jsonrpc.Quote(images.Object))
	o.Set("id", jsonrpc.Quote(images.ID))
	switch a.Tool {
	case "createSobjectRecord":
		if tool = "deleteSobjectRecord"; images.Modified == "" {
			return "", nil, undoError("when the record was last written is not known, so it may have been changed since")
		}
	case "updateSobjectRecord":
		if tool = "updateSobjectRecord"; !images.Read || images.Partial || len(images.Fields) == 0 {
			return "", nil, undoError("not all values of before are known: rules hide some, or no query reads them")
		}
		for _, f := range images.Fields {
			if f.Before == nil {
				return "", nil, undoError("the value of " + f.Name + " before is not known")
			}
			body.Set(f.Name, f.Before)
		}
		o.Set("body", body.Encode())
	default:
		return "", nil, undoError("only updates and creates of one record are; what was deleted lies in Salesforce's recycle bin for a time")
	}
	arguments, err = jsontext.AppendFormat(nil, o.Encode(), jsontext.ReorderRawObjects(true)) // canonical, as of any call
	return tool, arguments, err
}

// unchanged reads the record and refuses if it is not as the call left it: the fields that were
// set, and, where it would be deleted, all of it.
func (h *Handler) unchanged(ctx context.Context, a *approval.Request) error {
	images := a.Check.Images
	q := preview.Question{Object: images.Object, ID: images.ID}
	for _, f := range images.Fields {
		q.Fields = append(q.Fields, f.Name)
	}
	made := a.Tool == "createSobjectRecord"
	moved := ""
	_, hidden, err := h.readRecord(ctx, a, withModified(q), audit.ApprovalPreview, func(record preview.Record, _ []string) string {
		switch {
		case record == nil:
			moved = "the record is not there any more"
		case made && record.Text(preview.Modified) != images.Modified:
			moved = "the record was changed since"
		default:
			for _, f := range images.Fields {
				if f.After == nil || !preview.Same(json.RawMessage(f.After), record.Field(f.Name)) {
					moved = "the record was changed since: " + f.Name + " has another value"
				}
			}
		}
		return "before undoing"
	})
	switch {
	case err != nil:
		return undoError("what the record is now is not known. " + err.Error())
	case len(hidden) > 0:
		return undoError("the rules hide fields that it would have to compare")
	case moved != "":
		return undoError(moved)
	}
	return nil
}

// accepted is the digest of the accepted definition under which a call of that tool would be made.
func (h *Handler) accepted(ctx context.Context, server *access.Server, a *approval.Request, tool string) (digest string, err error) {
	pins, err := h.Definitions.Pins(ctx, definition.Server{Org: server.Org, URL: server.URL})
	if err != nil {
		return "", err
	}
	reading := currentReading{Handler: h, approval: a, server: server}
	list, err := h.Pool.List(ctx, reading.target(ctx), "tools/list", pins.Changes(definition.Tool))
	if err != nil {
		return "", undoError("Salesforce does not say which tools it has")
	}
	listed, ok := list.Named(tool)
	if !ok || listed.Twice || !pins.Accepts(definition.Tool, tool, listed.Digest) {
		return "", undoError("the tool " + tool + " is not there, or waits for an administrator to accept it")
	}
	return listed.Digest, nil
}
