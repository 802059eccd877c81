package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
)

// Together takes one decision about several calls of a connection; see approval.Store.Together.
type Together interface {
	// Together returns the calls that by may decide together with a, and a; nil: a is decided alone.
	Together(ctx context.Context, by approval.Decider, a *approval.Request) ([]approval.Request, error)
	DecideTogether(ctx context.Context, by approval.Decider, ids []string, choice approval.Choice) ([]approval.Decided, error)
}

// grouping are the pages on which several calls are decided together.
type grouping struct{ *Console }

// group is the call in the path with those that may be decided together with it, if there are any
// and the viewer may decide about it.
func (c grouping) group(r *http.Request, v *visit) (*approval.Request, []approval.Request, error) {
	a, may, err := c.own(r.Context(), mux.Vars(r)["id"], v)
	if err != nil {
		return nil, nil, err
	}
	if !v.offers(a, may) {
		return a, nil, errAlone
	}
	all, err := c.Together.Together(r.Context(), v.decider(a), a)
	if err == nil && all == nil {
		err = errAlone
	}
	return a, all, err
}

// together shows the calls that can be decided together, each with all values that it sends.
func (c grouping) together(w http.ResponseWriter, r *http.Request, v *visit) error {
	return c.showTogether(w, r, http.StatusOK, v, nil)
}

// showTogether shows them, again if a decision about them was not taken: then the page is as old
// as it was, if it shows the same.
func (c grouping) showTogether(w http.ResponseWriter, r *http.Request, status int, v *visit, again *ui.Shown) error {
	a, all, err := c.group(r, v)
	if err != nil {
		return err
	}
	page := ui.TogetherPage{
		TooSoon: again != nil,
		Viewer:  v.viewer, ID: a.ID, Requester: c.requesterLabel(r.Context(), v, a), ClientName: c.Clients.Name(r.Context(), a.ClientID),
		ServerTitle: c.serverTitle(a.Server), OrgName: a.Org, OrgKind: c.orgKind(a.Org), Approver: approverInWords(a),
	}
	var calls []*approval.Request
	for i := range all[:min(len(all), approval.MaxTogether)] {
		call, err := c.Approvals.Get(r.Context(), all[i].ID)
		if err != nil {
			return err
		}
		arguments, err := ui.Arguments(call.Arguments)
		if err != nil {
			return err // what cannot be shown whole cannot be approved
		}
		calls = append(calls, call)
		page.Calls = append(page.Calls, ui.TogetherCall{ID: call.ID, Sentence: sentence(call), Tool: call.Tool, Class: classInWords(call.Class), Arguments: arguments,
			Digest: approval.Digest(call.Arguments), Until: ui.Soon(call.ExpiresAt, c.Now())})
	}
	c.nameTogether(r.Context(), &page, calls)
	page.More = len(all) - len(page.Calls)
	page.Mark = c.mark(v, pageTogether(a.ID), approval.Digest([]byte(page.Listed())), again)
	c.render(w, r, status, page)
	return nil
}

// nameTogether puts the names of records beside the ids that the calls of a page send.
func (c grouping) nameTogether(ctx context.Context, page *ui.TogetherPage, calls []*approval.Request) {
	if c.Currents == nil || len(calls) == 0 {
		return
	}
	current := currentPage{Console: c.Console, Request: calls[0], named: c.Currents.NamesTogether(ctx, calls)}
	for _, call := range page.Calls {
		for i := range call.Arguments {
			call.Arguments[i].Record = current.recordNamed(call.Arguments[i].Value)
		}
	}
}

// decideTogether takes the decision about those that were chosen, and says what became of each.
func (c grouping) decideTogether(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, may, err := c.own(r.Context(), mux.Vars(r)["id"], v)
	if err != nil {
		return err
	}
	decision, ids := v.form.Get("decision"), chosen(v.form)
	if decision != "approve" && decision != "deny" || len(ids) == 0 {
		return errDecision
	}
	listed := v.form.Get("listed")
	shown, marked := c.Marks.Read(v.form.Get("shown"), v.session.CSRF, pageTogether(a.ID))
	if marked && shown.What != approval.Digest([]byte(listed)) {
		marked = false
	}
	if marked && slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(strings.Fields(listed), id) }) {
		return errNoCall // it was not shown
	}
	if decision == "approve" && !marked || marked && c.Marks.TooSoon(r, shown) {
		return c.showTogether(w, r, http.StatusConflict, v, &shown)
	}
	if decision == "approve" && errors.Is(may.Approve, approval.ErrStepUp) && v.offers(a, may) { // of all of them, or none
		c.signInFreshly(w, r, v)
		return nil
	}
	decided, err := c.Together.DecideTogether(r.Context(), v.decider(a), ids, approval.Choice{Approve: decision == "approve", Reason: v.form.Get("reason")})
	switch {
	case errors.Is(err, approval.ErrNotTogether):
		return errAlone
	case errors.Is(err, approval.ErrNotFound):
		return errNoCall
	case err != nil:
		return err
	}
	table := &ui.Table{Caption: "What became of each call", Columns: []string{"Call", "What became of it"}}
	for i, d := range decided {
		row := []ui.Cell{{Text: ids[i], Path: "/approvals/" + ids[i]}, c.became(r.Context(), d)}
		if d.Request != nil {
			row[0].Text, row[0].Faint = sentence(d.Request), ids[i]
		}
		table.Rows = append(table.Rows, row)
	}
	c.render(w, r, http.StatusOK, ui.ConsolePage{Viewer: v.viewer, Title: "What became of each call", Back: &ui.Link{Text: "Approvals", Path: "/approvals"},
		Lead: "Each call was decided by itself. The assistant must repeat each one that is approved.", Sections: []ui.Section{{Table: table}}})
	return nil
}

// pageTogether names the page on which calls are decided together with that one, in its mark.
func pageTogether(id string) string { return id + "/together" }

// chosen are the calls that a form names, in the order of their ids.
func chosen(form url.Values) (ids []string) {
	for name := range form {
		if id, ok := strings.CutPrefix(name, "call."); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// became says what became of one call that was decided together with others. An error that is
// none of a person's doing goes to the log.
func (c grouping) became(ctx context.Context, d approval.Decided) ui.Cell {
	switch {
	case d.Err != nil && audit.TookEffect(d.Err):
		c.Log.ErrorContext(ctx, "a decision is not in the audit log", "error", d.Err)
		return ui.Cell{Text: statusInWords(d.Request), Kind: string(d.Request.State), Faint: textUnrecorded}
	case d.Err == nil && d.Request.State == approval.Pending:
		return ui.Cell{Text: "You agreed", Kind: "good", Faint: "It still waits for " + d.Request.WhoIsMissing() + "."}
	case d.Err == nil:
		return ui.Cell{Text: statusInWords(d.Request), Kind: string(d.Request.State)}
	case errors.Is(d.Err, approval.ErrGone):
		return ui.Cell{Text: statusInWords(d.Request), Kind: string(d.Request.State), Faint: "Your decision came too late, and did nothing."}
	case errors.Is(d.Err, approval.ErrAlready):
		return ui.Cell{Text: "You had decided so before"}
	case errors.Is(d.Err, approval.ErrStepUp):
		return ui.Cell{Text: "Not decided", Kind: "warn", Faint: "It asks for a fresh sign-in: open it by itself."}
	case errors.Is(d.Err, actor.ErrReason):
		return ui.Cell{Text: "Not decided", Kind: "warn", Faint: errReason.text}
	case errors.Is(d.Err, approval.ErrNotApprover), errors.Is(d.Err, approval.ErrNotFound):
		return ui.Cell{Text: "Not decided", Kind: "warn", Faint: strings.TrimSpace("You may not decide about it. " + whyNot(d.Err))}
	}
	c.Log.ErrorContext(ctx, "deciding together failed", "error", d.Err)
	if errors.Is(d.Err, approval.ErrInDoubt) {
		return ui.Cell{Text: "Not known", Kind: "warn", Faint: textInDoubt}
	}
	return ui.Cell{Text: "Not decided", Kind: "denied", Faint: "It is our fault and it is recorded. Open it by itself and try again."}
}
