package authproxy

import (
	"context"
	"errors"
	"net/http"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/ui"
)

// signing is the way in and out of a browser session.
type signing struct{ *Server }

// signIn: GET offers the company's sign-in and the orgs, or goes straight to the one that the
// link names, or the only one where there is nothing else; POST goes to the chosen one.
func (s signing) signIn(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		s.page(http.MethodPost, s.chooseOrg)(w, r)
		return
	}
	s.page(http.MethodGet, s.offerOrgs)(w, r)
}

func (s signing) offerOrgs(w http.ResponseWriter, r *http.Request) error {
	if err := navigated(r); err != nil {
		return err
	}
	q, err := query(r)
	if err != nil {
		return badLink("The link that brought you here is broken.", err)
	}
	returnTo := ui.SafeReturnTo(single(q, "return_to"))
	org := single(q, "org")
	orgs := s.Access.Orgs()
	providers := s.providers()
	if len(orgs) == 1 && org == "" && len(providers) == 0 {
		org = orgs[0].Name
	}
	if org != "" {
		return s.startSignIn(w, r, org, returnTo)
	}
	page := ui.SignInPage{ReturnTo: returnTo, CSRF: ui.FormToken(s.Cookies.Browser(w, r))}
	for _, p := range providers {
		page.Companies = append(page.Companies, ui.Link{Text: p.Name, Path: company.SignInPath(p.Issuer, returnTo, company.AsUsual)})
	}
	for _, o := range orgs {
		page.Orgs = append(page.Orgs, ui.SignInOrg{Name: o.Name, Host: o.Host()})
		page.FormTargets = append(page.FormTargets, formTargets(o)...)
	}
	s.render(w, r, http.StatusOK, page)
	return nil
}

func (s signing) chooseOrg(w http.ResponseWriter, r *http.Request) error {
	form, err := s.guard.Form(w, r)
	if err != nil {
		return err
	}
	browser, _ := s.Cookies.ReadBrowser(r)
	if err := ui.CheckToken(form.Get("csrf_token"), browser); err != nil {
		return err
	}
	return s.startSignIn(w, r, form.Get("org"), ui.SafeReturnTo(form.Get("return_to")))
}

// startSignIn goes to Salesforce without asking first: no client gets anything.
func (s signing) startSignIn(w http.ResponseWriter, r *http.Request, org, returnTo string) error {
	if _, known := s.Access.Org(org); !known {
		return &pageError{status: http.StatusBadRequest, title: "No such org", text: "This proxy does not know that Salesforce org. Sign in with one that it knows."}
	}
	browser := s.Cookies.Browser(w, r)
	id, err := s.Grants.Requests.Open(r.Context(), grant.AuthorizationRequest{Kind: grant.SignIn, Org: org, ReturnTo: returnTo, From: from(r.Context())}, browser)
	if err != nil {
		return err
	}
	sent, err := s.Grants.Requests.Send(r.Context(), id, browser)
	if err != nil {
		return err
	}
	return s.toSalesforce(w, sent)
}

// signOut ends the browser session: here, not at Salesforce.
func (s signing) signOut(w http.ResponseWriter, r *http.Request) error {
	form, err := s.guard.Form(w, r)
	if err != nil {
		return err
	}
	person, id, err := s.person(r)
	if err != nil {
		return err
	}
	session, err := s.Sessions.Current(r)
	if errors.Is(err, ui.ErrNoSession) && person == nil {
		return s.signedOut(w, r)
	}
	switch {
	case errors.Is(err, ui.ErrNoSession):
		session, err = nil, ui.CheckToken(form.Get("csrf_token"), id)
	case err == nil:
		err = session.CheckCSRF(form)
	}
	if err != nil {
		return err
	}
	if err := take(r.Context(), func(ctx context.Context) error { return s.endHere(w, r.WithContext(ctx), person, session) }); err != nil {
		return err
	}
	return s.signedOut(w, r)
}

// endHere signs the browser out of what it is signed in with.
func (s signing) endHere(w http.ResponseWriter, r *http.Request, person *people.Person, session *ui.Session) error {
	if person != nil {
		if err := s.endPerson(w, r, person); err != nil {
			return err
		}
	}
	if session == nil {
		return nil
	}
	if err := s.Sessions.End(w, r); err != nil {
		return err
	}
	s.record(r.Context(), s.personOf(r.Context(), session.Org, session.Subject).entry(audit.SessionEnd, audit.OK, ""))
	return nil
}

func (s signing) signedOut(w http.ResponseWriter, r *http.Request) error {
	s.render(w, r, http.StatusOK, ui.MessagePage{
		Title: "You are signed out", Text: "Your connections go on working until you disconnect them.",
		Detail: "This browser may still be logged in to Salesforce. Log out there too if others use it.",
		Links:  []ui.Link{{Text: "Sign in again", Path: "/signin"}},
	})
	return nil
}
