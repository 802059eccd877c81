package console

import (
	"context"
	"net/http"
	"net/url"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/ui"
)

// Logins tells how a user's Salesforce login is: [link.Store].
type Logins interface {
	Status(ctx context.Context, org, subject string) (link.Status, error)
}

// lostLogin is nil unless the viewer's Salesforce login is over. The link in it comes
// back to this page; waits says what goes on then.
func (c *Console) lostLogin(r *http.Request, v *visit, waits string) (*ui.LostLogin, error) {
	login, err := c.Logins.Status(r.Context(), v.session.Org, v.session.Subject)
	if err != nil || login.State != link.NeedsReauth {
		return nil, err
	}
	back := url.Values{"org": {v.session.Org}, "return_to": {ui.SafeReturnTo(r.URL.EscapedPath())}}
	return &ui.LostLogin{Org: v.session.Org, Since: ui.Moment(login.RefreshedAt, c.Now()), Reason: lossInWords(login.Why), Waits: waits,
		SignIn: "/signin?" + back.Encode()}, nil
}

// lossInWords says why a login is over, as far as that helps the person or whoever they
// ask. The texts of package salesforce are short and plain, whatever Salesforce wrote.
func lossInWords(why string) string {
	const ask = " If it ends again after signing in, tell your administrator."
	e, known := salesforce.ErrorRecorded(why)
	switch {
	case known && e.Lost:
		return "An answer of Salesforce was lost on the way, and the login with it."
	case known && e.Code == link.NotReadable:
		return "What was stored here to renew it cannot be read." + ask
	case known && e.Kind == salesforce.Refused:
		return "What Salesforce sent to renew it was not accepted here (" + e.Code + ")." + ask
	case known && e.Description != "":
		return "Salesforce ended it: " + e.Description + "." + ask
	case known:
		return "Salesforce ended it: " + e.Code + "." + ask
	}
	return ""
}
