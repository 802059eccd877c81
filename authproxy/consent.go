package authproxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// consentPage shows who asks for what (MCP security considerations, confused deputy):
// every authorization is asked for anew, none is remembered.
func (s *Server) consentPage(id string, req *grant.AuthorizationRequest, c client.Client) ui.ConsentPage {
	server, lives := s.Access.Server(req.Server), s.Grants.Lifetimes()
	org, _ := s.Access.Org(req.Org)
	page := ui.ConsentPage{
		RequestID: id, ClientName: c.Name, ClientID: c.ID,
		VerifiedHost: c.Host, Unverified: c.Kind != client.Configured,
		RedirectHost: destination(req.RedirectURI), Local: client.LocalRedirect(req.RedirectURI),
		ServerName: server.Name, ServerTitle: server.Title, ServerDescription: server.Description, Resource: req.Resource,
		Scopes: org.Scopes, OrgName: org.Name, OrgHost: org.Host(),
		AccessLifetime: ui.Span(lives.AccessToken), ConnectionLifetime: ui.Span(lives.RefreshAbsolute),
		FormTargets: append(formTargets(org), req.RedirectURI),
	}
	summary := server.Policy.Summary(policy.Principal{Org: req.Org, Client: c.ID}) // the user is not known yet
	for _, class := range policy.Classes() {
		text := ui.Capital(policy.InWords(class))
		switch {
		case slices.Contains(summary.Free, class):
			page.Can = append(page.Can, text)
		case slices.Contains(summary.Confirmed, class):
			page.NeedsApproval = append(page.NeedsApproval, text)
		default:
			page.Cannot = append(page.Cannot, text)
		}
	}
	return page
}

// formTargets are where a form may lead that ends at the org's login. Browsers apply
// form-action to every redirect on the way, and an org with single sign-on redirects to
// its identity provider, which no one here knows: so any https host.
func formTargets(o access.Org) []string {
	if strings.HasPrefix(o.LoginURL, "https:") {
		return []string{"https:"}
	}
	return []string{o.LoginURL}
}

// destination is what a person reads of a redirect URI: the host, or all of it where a
// program's own scheme says who gets the answer.
func destination(uri string) string {
	if u, err := url.Parse(uri); err == nil && u.Scheme != "http" && u.Scheme != "https" {
		return uri
	}
	return hostOf(uri)
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

// consent takes the decision. The form holds the secret id of the request, good for
// the browser whose cookie it was opened with: that is its protection against forgery,
// next to the check of where the form came from. Everything else comes from the stored
// request, whatever the form says.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) error {
	form, err := s.guard.Form(w, r)
	if err != nil {
		return err
	}
	browser, _ := s.Cookies.ReadBrowser(r)
	id := form.Get("request")
	shown, marked := s.Marks.Read(form.Get("shown"), browser, id)
	tooSoon := marked && s.Marks.TooSoon(r, shown)
	switch form.Get("decision") {
	case "allow":
		if err := s.whileStopped(r.Context()); err != nil {
			return err // the question stays open: it may be over before its time is
		}
		if !marked || tooSoon {
			return s.askAgain(w, r, shown, id, browser)
		}
		return s.allow(w, r, id, browser)
	case "deny":
		if tooSoon {
			return s.askAgain(w, r, shown, id, browser)
		}
		return s.deny(w, r, id, browser)
	}
	return &pageError{status: http.StatusBadRequest, title: "Nothing was done", text: "The form said neither Allow nor Deny.",
		detail: "Go back to the question and answer it, or start again from the program that you want to connect."}
}

// askAgain shows the question of a request once more, whose decision came sooner than anybody can
// read it, or from no page that we showed to this browser. The page is as old as it was.
func (s *Server) askAgain(w http.ResponseWriter, r *http.Request, shown ui.Shown, id, browser string) error {
	req, err := s.Grants.Requests.Pending(r.Context(), id, browser)
	if err != nil {
		return consentOver(err)
	}
	if refused := s.stillStands(r.Context(), req); refused != nil {
		return refused
	}
	c, err := s.Clients.LastKnown(r.Context(), req.ClientID)
	if err != nil {
		return err
	}
	if shown.At.IsZero() {
		shown = ui.Shown{Browser: browser, Page: id, At: s.Now()}
	}
	page := s.consentPage(id, req, c)
	page.Again, page.Mark = true, s.Marks.Mark(shown)
	s.render(w, r, http.StatusConflict, page)
	return nil
}

func (s *Server) allow(w http.ResponseWriter, r *http.Request, id, browser string) error {
	sent, err := s.Grants.Requests.Send(r.Context(), id, browser)
	if err != nil {
		return consentOver(err)
	}
	if refused := s.stillStands(r.Context(), sent.Request); refused != nil {
		return refused
	}
	return s.toSalesforce(w, sent)
}

// toSalesforce sends the browser to the org's login with the cookie that it must bring
// back (SR-UI-2: both exist only from here on).
func (s *Server) toSalesforce(w http.ResponseWriter, sent *grant.SentRequest) error {
	address := s.Salesforce.AuthorizeURL
	if sent.Request.Kind == grant.Authorize { // or it would be whoever Salesforce is open as, unnamed
		address = s.Salesforce.ChooseAccountURL
	}
	target, err := address(sent.Request.Org, sent.State, sent.Verifier)
	if err != nil {
		return err
	}
	s.Cookies.SetLogin(w, sent.State, sent.Login, s.Grants.Lifetimes().Consent)
	redirect(w, http.StatusSeeOther, target)
	return nil
}

func (s *Server) deny(w http.ResponseWriter, r *http.Request, id, browser string) error {
	req, again, err := s.Grants.Requests.Deny(r.Context(), id, browser)
	if err != nil {
		return consentOver(err)
	}
	if !again {
		who := s.inBrowser(r, req.Org)
		s.record(r.Context(), audit.Entry{Actor: actor.Browser, Action: audit.ConsentDecide, Outcome: audit.Denied,
			Org: req.Org, Subject: who.Subject, Username: who.Username, Client: req.ClientID, Server: req.Server, Reason: "denied by the person"})
	}
	if refused := s.stillStands(r.Context(), req); refused != nil {
		return refused
	}
	s.respond(w, http.StatusSeeOther, req.RedirectURI, url.Values{
		"error": {accessDenied}, "error_description": {"the person denied the connection"},
	}, req.State)
	return nil
}

// stillStands checks a stored request against the current configuration.
func (s *Server) stillStands(ctx context.Context, req *grant.AuthorizationRequest) error {
	if req.Kind != grant.Authorize {
		return errors.New("a sign-in has no consent")
	}
	c, err := s.Clients.LastKnown(ctx, req.ClientID)
	if err != nil && !errors.Is(err, client.ErrUnknown) {
		return err
	}
	server := s.Access.Server(req.Server)
	if err != nil || !c.AllowsRedirect(req.RedirectURI) || server == nil || server.Org != req.Org || s.Access.Resource(server.Name) != req.Resource {
		return badLink("The setup of this proxy has changed meanwhile.", errors.New("client or server changed"))
	}
	return nil
}

func consentOver(err error) error {
	if !errors.Is(err, grant.ErrNoRequest) {
		return err
	}
	return &pageError{status: http.StatusForbidden, title: "This question is over",
		text:   "It was answered, took too long, or was asked in another browser. Nothing was done.",
		detail: "Start again from the program that you want to connect.", cause: err}
}
