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
	Server    string          `json:"server" col:"SERVER" fit:"line,late"`
	Tool      string          `json:"tool" col:"TOOL" fit:"line,late"`
	Class     string          `json:"class" col:"CLASS" fit:"drop"`
	Approvers string          `json:"approvers" col:"WHO DECIDES" fit:"drop"`
	Created   moment          `json:"created" col:"ASKED" fit:"drop"`
	Expires   moment          `json:"expires" col:"EXPIRES" fit:"drop"`
	DecidedBy string          `json:"decided_by,omitempty"`
	ByKind    actor.Kind      `json:"decided_by_kind,omitempty"` // missing where an earlier version decided
	Missing   string          `json:"missing,omitempty" col:"MISSING" fit:"drop"`
	Factors   []factorRow     `json:"factors"`
	Reason    string          `json:"reason,omitempty"`     // of a denial
	CounterOf string          `json:"counter_of,omitempty"` // whose call this was proposed in the place of
	Author    string          `json:"author,omitempty"`     // who proposed it
	Outcome   string          `json:"outcome,omitempty"`
	Digest    string          `json:"arguments_digest"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

// factorRow is one of what must be met, and who agreed.
type factorRow struct {
	Role   string      `json:"role,omitempty"` // missing: the requester
	Quorum int         `json:"quorum"`
	Met    bool        `json:"met"`
	By     []agreement `json:"by,omitempty"`
}

type agreement struct {
	Human string `json:"human"`
	By    string `json:"by"`
	Role  string `json:"role,omitempty"` // by which they may
	At    moment `json:"at"`
}

func factorRows(r *approval.Request) []factorRow {
	var all []factorRow
	for _, f := range r.Factors() {
		row := factorRow{Role: f.Role, Quorum: f.Quorum, Met: f.Met()}
		for _, d := range f.By {
			row.By = append(row.By, agreement{d.Human, d.By.String(), d.Role, moment{d.At}})
		}
		all = append(all, row)
	}
	return all
}

func newApprovalRow(r *approval.Request) approvalRow {
	missing := ""
	if r.State == approval.Pending {
		missing = r.WhoIsMissing()
	}
	return approvalRow{r.ID, r.State, r.Org, r.Subject, r.ClientID, r.Server, r.Tool, r.Class, r.Confirmation.String(),
		moment{r.CreatedAt}, moment{r.ExpiresAt}, r.DecidedBy.String(), r.DecidedBy.Kind, missing, factorRows(r), r.Reason, r.CounterOf, r.Author, string(r.Outcome), r.ArgumentsDigest, json.RawMessage(r.Arguments)}
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
	if err := p.standing(r); err != nil {
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

// standing prints who agreed to a call, and who is missing.
func (p Printer) standing(r *approval.Request) error {
	for _, f := range r.Factors() {
		who := "the requester"
		if f.Role != "" {
			who = "role:" + f.Role
		}
		if _, err := fmt.Fprintf(p.Out, "\n%s: %d of %d", ui.Printable(who), len(f.By), f.Quorum); err != nil {
			return err
		}
		for _, d := range f.By {
			if _, err := fmt.Fprintf(p.Out, ", %s", ui.Printable(d.By.String())); err != nil {
				return err
			}
		}
	}
	if r.Reason != "" {
		if _, err := fmt.Fprintf(p.Out, "\ndenied, with these words: %s", ui.Printable(r.Reason)); err != nil {
			return err
		}
	}
	if r.Counter != nil {
		if _, err := fmt.Fprintf(p.Out, "\nin its place %s was proposed", r.Counter.ID); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(p.Out)
	return err
}
