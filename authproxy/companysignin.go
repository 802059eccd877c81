package authproxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/ui"
)

// companySigning is the sign-in with the company, and its link to a Salesforce user.
type companySigning struct{ *Server }

// startCompany goes to the identity provider that the link names. Opening it does nothing by
// itself: it is the answer that signs somebody in, and only in the browser that began.
func (s companySigning) startCompany(w http.ResponseWriter, r *http.Request) error {
	if err := navigated(r); err != nil {
		return err
	}
	q, err := query(r)
	if err != nil {
		return badLink("The link that brought you here is broken.", err)
	}
	how := company.How(single(q, "how"))
	if how != company.Silently && how != company.Freshly {
		how = company.AsUsual
	}
	last, err := s.People.DB.LastCut(r.Context())
	if err != nil {
		return err
	}
	address, state, secret, err := s.Company.Start(r.Context(), company.Attempt{Issuer: single(q, "issuer"), How: how, ReturnTo: ui.SafeReturnTo(single(q, "return_to")), LastCut: last})
	if err != nil {
		return s.companyRefused(r.Context(), "", err)
	}
	s.Cookies.SetLogin(w, state, secret, company.AttemptLifetime)
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

// finishCompany takes a person back from the identity provider.
func (s companySigning) finishCompany(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil || repeated(q) != "" {
		return loginOver(http.StatusBadRequest, errors.New("malformed callback"))
	}
	state := q.Get("state")
	secret, _ := s.Cookies.Login(r, state)
	attempt, err := s.Company.Begun(state, secret)
	if err != nil {
		return s.companyRefused(r.Context(), "", err)
	}
	s.Cookies.ClearLogin(w, state)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callbackLimit)
	defer cancel()
	who, err := s.Company.Finish(ctx, attempt, secret, q)
	if errors.Is(err, company.ErrLoginRequired) { // then with a page
		http.Redirect(w, r, company.SignInPath(attempt.Issuer, ui.SafeReturnTo(attempt.ReturnTo), company.AsUsual), http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return s.companyRefused(ctx, attempt.ReturnTo, err)
	}
	id, err := s.startPerson(ctx, r, who, attempt)
	if errors.Is(err, errEnded) {
		return endedMeanwhile(err)
	}
	if err != nil {
		return err
	}
	s.Cookies.SetPerson(w, id, s.People.Lifetime)
	redirect(w, http.StatusSeeOther, ui.SafeReturnTo(attempt.ReturnTo))
	return nil
}

// endedMeanwhileResult is what the log has of a sign-in by somebody who was cut off since it was begun.
var endedMeanwhileResult = audit.Result{Outcome: audit.Denied, Reason: "ended_meanwhile"}

// errEnded refuses a sign-in with the company by somebody who was cut off since it was begun.
var errEnded = errors.New(textEnded)

// startPerson signs a browser in as a person, recorded first. What ends everything of a Salesforce user who is the same human notes
// that first and ends their sessions last, so that a session that is there without such a note is either ended by that or not concerned.
func (s companySigning) startPerson(ctx context.Context, r *http.Request, who company.Identity, attempt company.Attempt) (id string, err error) {
	previous, _ := s.Cookies.ReadPerson(r)
	stands := func(ctx context.Context) (audit.Result, error) {
		cut, err := s.People.CutSince(ctx, who.Issuer, who.Subject, attempt.LastCut)
		if err == nil && cut {
			return endedMeanwhileResult, errEnded
		}
		return audit.Result{}, err
	}
	err = Give(ctx, s.Audit, audit.Entry{Actor: actor.Person(who.Issuer, who.Subject), Action: audit.SessionCreate}, func(ctx context.Context) (audit.Result, error) {
		if result, err := stands(ctx); err != nil { // then nothing of them is stored
			return result, err
		}
		if id, err = s.People.Start(ctx, who, previous, attempt.LastCut); errors.Is(err, people.ErrCutOff) {
			return endedMeanwhileResult, errEnded
		} else if err != nil {
			return audit.Result{}, err
		}
		result, err := stands(ctx)
		if err != nil {
			err = errors.Join(err, s.People.End(ctx, id))
		}
		return result, err
	})
	return id, err
}

// companyRefused records a sign-in that failed, and is the page that says why. What the
// provider wrote is for the log alone.
func (s companySigning) companyRefused(ctx context.Context, returnTo string, err error) error {
	page := &pageError{status: http.StatusForbidden, title: "You are not signed in", cause: err,
		links: []ui.Link{{Text: "Try again", Path: "/signin?" + url.Values{"return_to": {ui.SafeReturnTo(returnTo)}}.Encode()}}}
	reason := "refused"
	switch {
	case errors.Is(err, company.ErrOtherBrowser):
		reason = "other_browser"
		page = loginOver(http.StatusForbidden, err)
	case errors.Is(err, company.ErrOver):
		reason = "too_late"
		page = loginOver(http.StatusBadRequest, err)
	case errors.Is(err, company.ErrUnknownProvider):
		return badLink("The link that brought you here names a company sign-in that is not set up.", err)
	case errors.Is(err, company.ErrUnavailable):
		reason = "unavailable"
		page.status = http.StatusServiceUnavailable
		page.title, page.text = "Your company's sign-in does not answer", "Nothing was done, and nobody gets a role without it. Try again in a moment."
		page.detail = "If a call, or cutting somebody off, cannot wait, your administrator can do it at the command line."
	case errors.Is(err, company.ErrRefused):
		page.text = "Your company's sign-in refused, or gave an answer that this proxy does not believe. Nothing was done."
		page.detail = "If it happens again, give your administrator the number below: the log says why."
	default:
		return err
	}
	s.Log.WarnContext(ctx, "company sign-in failed", "error", err)
	s.recordRefusal(ctx, audit.Entry{Actor: actor.Browser, Action: audit.LoginFinish, Outcome: audit.Denied, Reason: "company_" + reason})
	return page
}

// linkPerson makes the Salesforce user and the person of the company, who are both signed in
// in this browser, one human. It takes a form of ours, so that no link or page of somebody else
// does it.
func (s companySigning) linkPerson(w http.ResponseWriter, r *http.Request) error {
	form, err := s.guard.Form(w, r)
	if err != nil {
		return err
	}
	session, err := s.Sessions.Current(r)
	if err != nil && !errors.Is(err, ui.ErrNoSession) {
		return err
	}
	id, _ := s.Cookies.ReadPerson(r)
	person, personErr := s.People.Current(r.Context(), id)
	if personErr != nil && !errors.Is(personErr, people.ErrNoSession) {
		return personErr
	}
	if err != nil || personErr != nil {
		return &pageError{status: http.StatusUnauthorized, title: "Sign in with both first",
			text:  "To say that they are one person, this browser must be signed in at Salesforce and with your company. Nothing was done.",
			links: []ui.Link{{Text: "Sign in", Path: "/signin?return_to=%2Faccount"}}}
	}
	if err := session.CheckCSRF(form); err != nil {
		return err
	}
	// The person was shown in the form; another sign-in since then is another decision.
	if form.Get("person") != person.ID {
		return &ui.Refusal{Status: http.StatusForbidden, Text: "The company sign-in of this browser has changed since the page was shown. Open it again."}
	}
	err = s.Cutoff.Link(r.Context(), people.Link{Org: session.Org, Subject: session.Subject, Issuer: person.Issuer, Person: person.Subject})
	if errors.Is(err, people.ErrLinked) {
		return &pageError{status: http.StatusConflict, title: "This Salesforce user is somebody else already",
			text: "It is linked to another person of your company. Nothing was changed. An administrator can take that link away: user unlink.", cause: err}
	}
	if err != nil {
		return err
	}
	redirect(w, http.StatusSeeOther, "/account")
	return nil
}

// endPerson signs the browser out of the company's sign-in here, not at the provider.
func (s *Server) endPerson(w http.ResponseWriter, r *http.Request, p *people.Person) error {
	id, _ := s.Cookies.ReadPerson(r)
	if err := s.People.End(r.Context(), id); err != nil {
		return err
	}
	s.Cookies.ClearPerson(w)
	s.record(r.Context(), audit.Entry{Actor: actor.Person(p.Issuer, p.Subject), Action: audit.SessionEnd, Outcome: audit.OK, Object: p.ID})
	return nil
}

// providers are those that people may sign in with.
func (s *Server) providers() []company.Provider {
	if s.Company == nil || s.People == nil {
		return nil
	}
	return s.Company.Providers()
}

// person is who is signed in with the company in the browser of r, and the session's id; nil:
// nobody.
func (s *Server) person(r *http.Request) (*people.Person, string, error) {
	id, ok := s.Cookies.ReadPerson(r)
	if !ok || s.People == nil {
		return nil, "", nil
	}
	p, err := s.People.Current(r.Context(), id)
	if errors.Is(err, people.ErrNoSession) {
		return nil, "", nil
	}
	return p, id, err
}
