package listing

import (
	"encoding/json"
	"fmt"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/ui"
)

type approvalRow struct {
	ID        string          `json:"id" col:"APPROVAL"`
	State     approval.State  `json:"state" col:"STATE"`
	Org       string          `json:"org" col:"ORG" fit:"drop"`
	Subject   string          `json:"subject" col:"REQUESTER"`
	Client    string          `json:"client" col:"CLIENT" fit:"drop"`
	Server    string          `json:"server" col:"SERVER" fit:"cut"`
	Tool      string          `json:"tool" col:"TOOL" fit:"cut"`
	Class     string          `json:"class" col:"CLASS" fit:"drop"`
	Approvers string          `json:"approvers" col:"WHO DECIDES" fit:"drop"`
	Created   moment          `json:"created" col:"ASKED" fit:"drop"`
	Expires   moment          `json:"expires" col:"EXPIRES" fit:"drop"`
	DecidedBy string          `json:"decided_by,omitempty"`
	ByKind    actor.Kind      `json:"decided_by_kind,omitempty"` // missing where an earlier version decided
	Outcome   string          `json:"outcome,omitempty"`
	Digest    string          `json:"arguments_digest"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

func newApprovalRow(r *approval.Request) approvalRow {
	return approvalRow{r.ID, r.State, r.Org, r.Subject, r.ClientID, r.Server, r.Tool, r.Class, string(r.Approvers),
		moment{r.CreatedAt}, moment{r.ExpiresAt}, r.DecidedBy.String(), r.DecidedBy.Kind, string(r.Outcome), r.ArgumentsDigest, json.RawMessage(r.Arguments)}
}

// Approvals prints calls that people decide about.
func (p Printer) Approvals(requests []approval.Request) error {
	all := make([]approvalRow, len(requests))
	for i := range requests {
		all[i] = newApprovalRow(&requests[i])
	}
	return rows(p, all)
}

// Approval prints one call with all its arguments.
func (p Printer) Approval(r *approval.Request) error {
	if err := rows(p, []approvalRow{newApprovalRow(r)}); err != nil || p.JSON {
		return err
	}
	if r.Arguments == nil {
		_, err := fmt.Fprintf(p.Out, "\narguments (sha256 %s): no longer kept\n", r.ArgumentsDigest)
		return err
	}
	// The canonical form, escaped: what is approved is what stands here.
	_, err := fmt.Fprintf(p.Out, "\narguments (sha256 %s):\n%s\n", r.ArgumentsDigest, ui.Printable(string(r.Arguments)))
	return err
}
