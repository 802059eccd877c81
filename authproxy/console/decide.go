package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/ui"
)

// Decisions takes and records a person's decision about a call that waits; see its errors
// in package approval. With them, but for [approval.ErrNotFound], the request comes back.
type Decisions interface {
	// See returns a request that by may look at, and what they may do about it.
	See(ctx context.Context, by approval.Decider, id string) (*approval.Request, approval.May, error)
	Decide(ctx context.Context, by approval.Decider, id string, choice approval.Choice) (*approval.Request, error)
}

// decide takes the viewer's decision about one of their own calls.
func (c *Console) decide(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, may, err := c.own(r.Context(), mux.Vars(r)["id"], v)
	if err != nil {
		return err
	}
	decision := v.form.Get("decision")
	if decision != "approve" && decision != "deny" {
		return errDecision
	}
	choice := approval.Choice{Approve: decision == "approve", Reason: v.form.Get("reason")}
	shown, marked := c.Marks.Read(v.form.Get("shown"), v.session.CSRF, a.ID)
	if v.offers(a, may) && (choice.Approve && !marked || marked && c.Marks.TooSoon(r, shown)) {
		return c.show(w, r, http.StatusConflict, v, &shown)
	}
	choice.Shown = approval.Shown(shown.What)
	a, err = c.Decisions.Decide(r.Context(), v.decider(a), a.ID, choice)
	switch {
	case errors.Is(err, approval.ErrNotFound):
		return errNoCall
	case errors.Is(err, actor.ErrReason):
		return errReason
	case errors.Is(err, approval.ErrStepUp):
		// By a sign-in that begins anew; then the page is shown again, and nothing is decided yet.
		if !v.offers(a, may) {
			return otherApprover(err)
		}
		c.signInFreshly(w, r, v)
		return nil
	case errors.Is(err, approval.ErrNotApprover):
		return otherApprover(err)
	case errors.Is(err, approval.ErrGone): // decided otherwise, expired or void
		return c.show(w, r, http.StatusGone, v, nil)
	case err != nil && !errors.Is(err, approval.ErrAlready):
		return err
	}
	// By a GET, so that reloading the page does not post again.
	http.Redirect(w, r, "/approvals/"+a.ID, http.StatusSeeOther)
	return nil
}

// signInFreshly leads to the company's sign-in after a form. It is a page that goes on by itself, and
// no redirect: browsers hold a form, through all of its redirects, to the origins that our content
// policy lets forms go to (CSP Level 3, form-action), and a provider may send people on to others
// that nobody here knows.
func (c *Console) signInFreshly(w http.ResponseWriter, r *http.Request, v *visit) {
	path := renew(r, v.person, company.Freshly)
	w.Header().Set("Refresh", "0; url="+path)
	c.render(w, r, http.StatusForbidden, ui.MessagePage{Viewer: &v.viewer, Title: "Sign in again to approve this",
		Text:  "Nothing is decided yet. Your company has to confirm now that it is you; then the page of the call comes back.",
		Links: []ui.Link{{Text: "Sign in again", Path: path}}})
}

// textTooSoon is said above a page whose decision was not taken.
const textTooSoon = "Nothing is decided yet: that came sooner than anybody can read this page. Look once more what the call does, then decide."

// mark is the mark of the form by which the viewer decides on a page, which showed that word. A
// page that is shown again is as old as it was, if it shows the same.
func (c *Console) mark(v *visit, page, what string, again *ui.Shown) string {
	s := ui.Shown{Browser: v.session.CSRF, Page: page, At: c.Now(), What: what}
	if again != nil && !again.At.IsZero() && again.What == s.What {
		s.At = again.At
	}
	return c.Marks.Mark(s)
}
