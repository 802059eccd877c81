package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
)

// Decisions takes and records a person's decision about a call that waits; see its errors
// in package approval. With them, but for [approval.ErrNotFound], the request comes back.
type Decisions interface {
	Approve(ctx context.Context, by approval.Decider, id string) (*approval.Request, error)
	Deny(ctx context.Context, by approval.Decider, id string) (*approval.Request, error)
}

// decide takes the viewer's decision about one of their own calls.
func (c *Console) decide(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := c.own(r.Context(), mux.Vars(r)["id"], v)
	if err != nil {
		return err
	}
	by := approval.Decider{Actor: actor.User(v.session.Subject), Org: v.session.Org}
	switch v.form.Get("decision") {
	case "approve":
		a, err = c.Decisions.Approve(r.Context(), by, a.ID)
	case "deny":
		a, err = c.Decisions.Deny(r.Context(), by, a.ID)
	default:
		return errDecision
	}
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return errNoCall
	case errors.Is(err, approval.ErrNotApprover):
		return errOtherApprover
	case errors.Is(err, approval.ErrGone): // decided otherwise, expired or void
		return c.show(w, r, http.StatusGone, v, a)
	case err != nil && !errors.Is(err, approval.ErrAlready):
		return err
	}
	// By a GET, so that reloading the page does not post again.
	http.Redirect(w, r, "/approvals/"+a.ID, http.StatusSeeOther)
	return nil
}
