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
	return &ui.LostLogin{Org: v.session.Org, Since: ui.Moment(login.RefreshedAt, c.Now()), Reason: lossInWords(login.Failure), Waits: waits,
		SignIn: "/signin?" + back.Encode()}, nil
}

// lossInWords says why a login is over, as far as that helps the person or whoever they
// ask. The texts of package salesforce are short and plain, whatever Salesforce wrote.
func lossInWords(f link.Failure) string {
	const ask = " If it ends again after signing in, tell your administrator."
	switch {
	case f.Kind == "": // noted before there were reasons
		return ""
	case f.Lost:
		return "An answer of Salesforce was lost on the way, and the login with it."
	case f.Code == salesforce.NotReadable:
		return "What was stored here to renew it cannot be read." + ask
	case f.Kind == salesforce.Refused:
		return "What Salesforce sent to renew it was not accepted here (" + f.Code + ")." + ask
	case f.Text != "":
		return "Salesforce ended it: " + f.Text + "." + ask
	}
	return "Salesforce ended it: " + f.Code + "." + ask
}
