package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/ui"
)

// deciding has whoever may decide, by a role, about the call in the path asked of at the company before f shows it, where
// half the time is over for which their roles count: what they agree to counts as long as these do ([approval.ErrLapsed]).
func (c *Console) deciding(f handler) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		if v.person == nil || !v.person.Aging {
			return f(w, r, v)
		}
		a, may, err := c.own(r.Context(), mux.Vars(r)["id"], v)
		if err != nil {
			return err
		}
		if v.isRequester(a) || !v.offers(a, may) {
			return f(w, r, v)
		}
		http.Redirect(w, r, renew(r, v.person, company.Silently), http.StatusSeeOther)
		return nil
	}
}

// approval shows one call.
func (c *Console) approval(w http.ResponseWriter, r *http.Request, v *visit) error {
	return c.show(w, r, http.StatusOK, v, nil)
}

// own returns a call of the viewer, or one that waits for a role of theirs, and what they may do about
// it. Somebody else's does not exist.
func (c *Console) own(ctx context.Context, id string, v *visit) (a *approval.Request, may approval.May, err error) {
	a, err = c.Approvals.Get(ctx, id)
	if errors.Is(err, approval.ErrNotFound) {
		return nil, may, errNoCall
	}
	if err != nil {
		return nil, may, err
	}
	a, may, err = c.Decisions.See(ctx, v.decider(a), id)
	if errors.Is(err, approval.ErrNotFound) {
		if v.person != nil && v.person.Stale {
			return nil, may, errStale // it may be for a role that they hold
		}
		return nil, may, errNoCall
	}
	return a, may, err
}

// show shows the call in the path as it is now, after a decision that was not taken if again is not nil.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, v *visit, again *ui.Shown) error {
	a, may, err := c.own(r.Context(), mux.Vars(r)["id"], v)
	if err != nil {
		return err
	}
	page, err := c.pageOf(r.Context(), v, a, may)
	if err != nil {
		return err
	}
	page.Late = status == http.StatusGone
	if page.InPlace, err = (proposing{c}).inPlace(r.Context(), a); err != nil {
		return err
	}
	if !v.isRequester(a) {
		page.Next, page.Command = nextForRole(a, page.Open, may), ""
	}
	if v.isRequester(a) && (a.State == approval.Pending || a.State == approval.Approved) {
		const waits = "The call cannot be made until you sign in. Signing in uses up no approval."
		if page.Lost, err = c.lostLogin(r, v, waits); err != nil {
			return err
		}
	}
	named := c.names(r.Context())
	if page.Open {
		page.Again = reopenedInWords(a)
		if again != nil {
			page.Again = textTooSoon
		}
		page.Mark = c.mark(v, a.ID, string(c.addCurrent(r.Context(), &page, a)), again)
	}
	page.After = c.afterWrite(a, may, func(by actor.Actor) string {
		if by == actor.User(a.Subject) {
			return page.Requester
		}
		return named(by)
	})
	if page.Outside, err = c.outsideSources(r.Context(), a); err != nil {
		return err
	}
	if !a.DecidedAt.IsZero() {
		page.DecidedBy = deciderLabel(a, v.isRequester(a), page.Requester, named)
		page.Decided = ui.Moment(a.DecidedAt, c.Now()) + ", by " + page.DecidedBy
	}
	c.render(w, r, status, page)
	return nil
}

// pageOf is what the page says of the call itself.
func (c *Console) pageOf(ctx context.Context, v *visit, a *approval.Request, may approval.May) (page ui.ApprovalPage, err error) {
	var arguments []ui.Argument
	digest := a.ArgumentsDigest
	if a.Arguments != nil {
		if arguments, err = ui.Arguments(a.Arguments); err != nil {
			return page, err // what cannot be shown whole cannot be approved
		}
		digest = approval.Digest(a.Arguments) // of exactly what is shown
	}
	now := c.Now()
	page = ui.ApprovalPage{
		Viewer: v.viewer,
		ID:     a.ID, State: string(a.State), Status: statusInWords(a), Next: nextInWords(a),
		Open: v.offers(a, may), MayDeny: may.Deny == nil, Proposes: may.Propose == nil, Trouble: troubled(a),
		Sentence: sentence(a) + inKind(c.orgKind(a.Org)), Consequence: consequence(a.Class), OrgKind: c.orgKind(a.Org), Said: a.Reason, Rule: a.Rule, Escalation: escalationInWords(a, now),
		Requester: c.requesterLabel(ctx, v, a), RequesterID: a.Subject,
		ClientName: c.Clients.Name(ctx, a.ClientID), ClientID: a.ClientID, OrgName: a.Org,
		ServerName: a.Server, ServerTitle: c.serverTitle(a.Server), Tool: a.Tool, Class: classInWords(a.Class),
		Approver: approverInWords(a), Command: commandFor(a),
		Arguments: arguments, Erased: a.Arguments == nil,
		Canonical: ui.Visible(string(a.Arguments)),
		Digest:    digest,
		Asked:     ui.Moment(a.CreatedAt, now),
		Expires:   ui.Moment(a.ExpiresAt, now),
		Until:     ui.Soon(a.ExpiresAt, now),
	}
	if page.Open {
		group, err := c.Together.Together(ctx, v.decider(a), a)
		if err != nil {
			return page, err
		}
		page.Together = len(group)
	}
	page.Factors, err = c.factorLines(ctx, a)
	return page, err
}

// orgKind is production, sandbox or scratch; "" if that is not known.
func (c *Console) orgKind(name string) string {
	org, _ := c.Access.Org(name)
	return org.Kind
}

// requesterLabel names who asked for a call.
func (c *Console) requesterLabel(ctx context.Context, visit *visit, a *approval.Request) string {
	v := visit.viewer
	if !visit.isRequester(a) {
		// Who is blocked meanwhile has a name all the same; an error costs the name alone.
		who, _ := c.Access.Person(ctx, a.Org, a.Subject)
		v = ui.Viewer{Name: who.Name, Username: who.Username, Subject: a.Subject}
	}
	if v.Name != "" && v.Username != "" {
		return v.Name + " (" + v.Username + ")"
	}
	return v.Label()
}

// deciderLabel names who decided; requester is the name of who asked. Only what is stored as the
// requester is "you": a name that an operator typed, and what earlier versions stored of a name, are
// marked as such.
func deciderLabel(a *approval.Request, isRequester bool, requester string, named func(actor.Actor) string) string {
	switch {
	case !isRequester && a.DecidedBy == actor.User(a.Subject):
		return requester + ", who had asked for it"
	case a.DecidedBy == actor.User(a.Subject):
		return "you"
	case a.DecidedBy.Kind == "":
		return strconv.Quote(a.DecidedBy.ID) + ", as an earlier version of this proxy recorded it"
	}
	return named(a.DecidedBy)
}
