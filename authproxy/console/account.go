package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/ui"
)

// account shows who is signed in, and their connections.
func (c *Console) account(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.isOnlyPerson() {
		return c.personAccount(w, r, v)
	}
	grants, err := c.connections(r, v)
	if err != nil {
		return err
	}
	waiting, err := c.Approvals.List(r.Context(), approval.Filter{Org: v.session.Org, Subject: v.session.Subject, State: approval.Pending})
	if err != nil {
		return err
	}
	org, _ := c.Access.Org(v.session.Org)
	page := ui.AccountPage{Viewer: v.viewer, OrgHost: org.Host(), Servers: c.serverLinks(v)}
	if len(grants) > 0 {
		const waits = "Your connections are kept. They work again as soon as you have signed in."
		if page.Lost, err = c.lostLogin(r, v, waits); err != nil {
			return err
		}
	}
	for _, request := range waiting {
		if request.OfRequester() {
			page.Waiting++
		}
	}
	if page.Budgets, err = c.budgetLines(r, v); err != nil {
		return err
	}
	if v.person != nil {
		human, err := c.People.HumanOf(r.Context(), v.session.Org, v.session.Subject)
		if err != nil {
			return err
		}
		if page.Person, err = c.card(r, v, &human); err != nil {
			return err
		}
	}
	for _, p := range c.Providers {
		if v.person == nil {
			page.Companies = append(page.Companies, ui.Link{Text: p.Name, Path: company.SignInPath(p.Issuer, "/account", company.AsUsual)})
		}
	}
	// A fixed text: nothing of the address is shown.
	if r.URL.RawQuery == "disconnected" {
		page.Notice = "The client is disconnected. It has no access any more."
	}
	page.Connections = c.connectionLines(r.Context(), grants)
	c.render(w, r, http.StatusOK, page)
	return nil
}

func (c *Console) connectionLines(ctx context.Context, grants []grant.Grant) (lines []ui.Connection) {
	now := c.Now()
	for _, g := range grants {
		lines = append(lines, ui.Connection{
			ID:           g.ID,
			ClientName:   c.Clients.Name(ctx, g.ClientID),
			ClientID:     g.ClientID,
			ServerTitle:  c.serverTitle(g.Server),
			RedirectHost: hostOf(g.RedirectURI),
			Since:        ui.Moment(g.CreatedAt, now),
			LastUse:      ui.Moment(g.LastUsedAt, now),
			Until:        ui.Moment(g.ExpiresAt, now),
		})
	}
	return lines
}

// budgetLines are what the viewer has used of budgets. Org and subject come from the session.
func (c *Console) budgetLines(r *http.Request, v *visit) (lines []ui.BudgetLine, err error) {
	used, err := c.Budgets(r.Context(), v.session.Org, v.session.Subject)
	for _, u := range used {
		taken := min(u.Taken, u.Limit)
		lines = append(lines, ui.BudgetLine{
			What: strings.Replace(u.Name, " of each user", "", 1), // these are the viewer's own
			Used: u.Amount(taken) + " of " + u.Amount(u.Limit), Gone: taken == u.Limit, Renews: ui.Moment(u.Renews, c.Now()),
		})
	}
	return lines, err
}

// disconnect ends one of the viewer's own connections.
func (c *Console) disconnect(w http.ResponseWriter, r *http.Request, v *visit) error {
	_, err := c.Disconnect.Disconnect(r.Context(), v.session.Org, v.session.Subject, v.form.Get("grant"))
	if errors.Is(err, grant.ErrNotFound) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/account?disconnected", http.StatusSeeOther)
	return nil
}

// connections are the viewer's live grants, but for those whose code no client has redeemed:
// nothing has come of these. Org and subject come from the session and are never empty, which
// would select everybody's.
func (c *Console) connections(r *http.Request, v *visit) ([]grant.Grant, error) {
	if v.session.Org == "" || v.session.Subject == "" {
		return nil, errNotFound
	}
	all, err := c.Grants.Grants(r.Context(), grant.Filter{Org: v.session.Org, Subject: v.session.Subject})
	return slices.DeleteFunc(all, func(g grant.Grant) bool { return g.ActivatedAt.IsZero() }), err
}

func (c *Console) serverTitle(name string) string {
	if s := c.Access.Server(name); s != nil && s.Title != "" {
		return s.Title
	}
	return name
}

// hostOf is the host of a redirect URI that was checked when it was registered.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Host
}
