package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/approval/evidence"
	"sfmcp-proxy/authproxy/ui"
)

// FollowUps is what people do about a call once it was sent; see package authproxy for the errors.
type FollowUps interface {
	// Evidence returns the record of a request that by may read, and records that.
	Evidence(ctx context.Context, by approval.Decider, id string) (*evidence.Record, error)
	// Resolve takes whether a call was carried out whose answer was lost.
	Resolve(ctx context.Context, by approval.Decider, id string, happened approval.Happened, reason string) (*approval.Request, error)
	// Undo asks for the call that takes another one back.
	Undo(ctx context.Context, by approval.Decider, id string) (*approval.Request, error)
}

// followUps is what people do about a call that is over.
type followUps struct{ *Console }

// resolve takes what the viewer found out about a call whose answer was lost.
func (c followUps) resolve(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, _, err := c.own(r.Context(), mux.Vars(r)["id"], v)
	if err != nil {
		return err
	}
	happened := approval.Happened(v.form.Get("happened"))
	if happened != approval.DidHappen && happened != approval.DidNotHappen {
		return errHappened
	}
	_, err = c.FollowUps.Resolve(r.Context(), v.decider(a), a.ID, happened, v.form.Get("reason"))
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return errNoCall
	case errors.Is(err, actor.ErrReason):
		return errHowKnown
	case err != nil && !errors.Is(err, approval.ErrNotUnknown): // said already: the page shows by whom
		return err
	}
	http.Redirect(w, r, "/approvals/"+a.ID, http.StatusSeeOther)
	return nil
}

// undo asks for the call that takes one back, and leads to its page.
func (c followUps) undo(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, _, err := c.own(r.Context(), mux.Vars(r)["id"], v)
	if err != nil {
		return err
	}
	undo, err := c.FollowUps.Undo(r.Context(), v.decider(a), a.ID)
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return errNoCall
	case errors.Is(err, approval.ErrUndo):
		return &problem{http.StatusConflict, "It cannot be undone here", "Nothing was done: " + approval.WhyRefused(err) + "."}
	case errors.Is(err, approval.ErrTooMany):
		return errTooManyWait
	case err != nil:
		return err
	}
	path := "/approvals/" + undo.ID
	if _, _, err := c.own(r.Context(), undo.ID, v); errors.Is(err, errNoCall) { // other roles are asked about it
		path = "/approvals/" + a.ID
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}

// afterWrite is what the page of a call says once it was sent, and of one that takes another back.
func (c *Console) afterWrite(a *approval.Request, may approval.May, named func(actor.Actor) string) *ui.AfterWrite {
	if a.UndoOf == "" && a.State != approval.Spent {
		return nil
	}
	after := &ui.AfterWrite{UndoOf: a.UndoOf}
	if a.UndoOf != "" && a.Arguments != nil && (a.State == approval.Pending || a.State == approval.Approved) {
		after.SendTool, after.Send = a.Tool, ui.Visible(string(a.Arguments))
	}
	if a.State != approval.Spent {
		return after
	}
	after.CanUndo = may.Undo == nil
	if a.MayUndo() == nil && errors.Is(may.Undo, approval.ErrUndo) { // but for what the page says anyway
		after.NoUndo = ui.Visible(approval.WhyRefused(may.Undo))
	}
	if a.Undo != nil {
		after.Undo, after.UndoStatus = a.Undo.ID, statusInWords(a.Undo)
	}
	if after.Unresolved = may.Resolve == nil; after.Unresolved && c.LostQuery != nil && a.Arguments != nil {
		after.Query = c.LostQuery(a)
	}
	check := a.Check
	if check == nil {
		return after
	}
	after.Verified = verifiedInWords(check.Verification)
	after.Differs = check.Verification == approval.Differs
	if check.Images != nil {
		for _, f := range check.Images.Fields {
			field := ui.AfterField{Name: f.Name, Before: valueInWords(f.Before), Set: valueInWords(f.Set), After: valueInWords(f.After)}
			after.Fields = append(after.Fields, field)
		}
	}
	if check.Happened != "" {
		after.Resolved = "it happened"
		if check.Happened == approval.DidNotHappen {
			after.Resolved = "it did not happen"
		}
		after.ResolvedBy, after.ResolvedAt, after.Reason = named(check.ResolvedBy), ui.Moment(check.ResolvedAt, c.Now()), check.Reason
	}
	return after
}

// verifiedInWords says how the record compared with what the call set.
func verifiedInWords(v approval.Verification) string {
	switch v {
	case approval.Intended:
		return "It came out as intended."
	case approval.Differs:
		return "It came out differently: a trigger or flow in Salesforce may have changed it."
	case approval.Unread:
		return "What it came to could not be read."
	}
	return ""
}
