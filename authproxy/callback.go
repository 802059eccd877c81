package authproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/ui"
)

// Time limits after the return from Salesforce. The whole goes on when the browser is
// gone: a code that was spent must end in a stored or a revoked login.
const (
	callbackLimit = 75 * time.Second
	profileLimit  = 5 * time.Second
)

// person is who signed in at Salesforce.
type person struct {
	access.Person
	login link.Kept // what came with it, once it is stored
}

// personOf is the user of that id, blocked or not, with the username where it is known.
func (s *Server) personOf(ctx context.Context, org, subject string) person {
	return person{Person: access.Person{Org: org, Subject: subject, Username: usernameOf(ctx, s.Grants, org, subject)}}
}

// inBrowser is who is signed in, in that org, in the browser of a request; the zero person if
// nobody is. It is for the log: it says whose browser it was, not who acted.
func (s *Server) inBrowser(r *http.Request, org string) person {
	session, err := s.Sessions.Current(r)
	if err != nil || session.Org != org {
		return person{}
	}
	return s.personOf(r.Context(), session.Org, session.Subject)
}

func (p person) entry(action audit.Action, outcome audit.Outcome, reason string) audit.Entry {
	return audit.Entry{Actor: actor.User(p.Subject), Action: action, Outcome: outcome, Reason: reason,
		Org: p.Org, Subject: p.Subject, Username: p.Username}
}

// callback takes a person back from Salesforce (RFC 6749 4.1.2 of our leg). Nothing
// is asked of Salesforce before state and login cookie fit a request that was sent.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil || repeated(q) != "" {
		return loginOver(http.StatusBadRequest, errors.New("malformed callback"))
	}
	state := q.Get("state")
	login, _ := s.Cookies.Login(r, state)
	req, verifier, err := s.Grants.Requests.Finish(r.Context(), state, login)
	switch {
	case errors.Is(err, grant.ErrOtherBrowser): // login CSRF, or a link that was passed on
		s.recordRefusal(r.Context(), audit.Entry{Actor: actor.Browser, Action: audit.LoginFinish, Outcome: audit.Denied, Reason: "other_browser"})
		return loginOver(http.StatusForbidden, err)
	case errors.Is(err, grant.ErrNoRequest):
		return loginOver(http.StatusBadRequest, err)
	case err != nil:
		return err
	}
	s.Cookies.ClearLogin(w, state)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callbackLimit)
	defer cancel()
	if req.Kind == grant.Authorize {
		if err := s.whileStopped(ctx); err != nil {
			s.recordRefusal(ctx, audit.Entry{Actor: actor.Browser, Action: audit.LoginFinish, Outcome: audit.Denied, Reason: "stopped",
				Org: req.Org, Client: req.ClientID, Server: req.Server})
			return err
		}
	}
	who, refused := s.logIn(ctx, r, req, q, verifier)
	if refused == nil && req.Kind == grant.SignIn {
		return s.finishSignIn(ctx, w, r, req, who)
	}
	if refused == nil {
		refused = s.finishAuthorization(ctx, w, r, req, who)
	}
	if refused != nil {
		return s.refusalOf(ctx, req, refused)
	}
	return nil
}

func loginOver(status int, cause error) *pageError {
	return &pageError{status: status, title: "This sign-in cannot go on",
		text:   "It was used already, took too long, or was started in another browser. Nothing was done.",
		detail: "Start again from the program that you want to connect, or sign in again.",
		links:  []ui.Link{{Text: "Sign in again", Path: "/signin"}}, cause: cause}
}

// endedMeanwhile tells somebody whose access was ended while they signed in.
func endedMeanwhile(cause error) *pageError {
	page := loginOver(http.StatusForbidden, cause)
	page.text = ui.Capital(textEnded) + "."
	page.detail = ""
	return page
}

// refusalOf is an error that goes to the client where there is one, otherwise to the person.
func (s *Server) refusalOf(ctx context.Context, req *grant.AuthorizationRequest, refused *oauthError) error {
	if req.Kind == grant.Authorize {
		if err := s.stillStands(ctx, req); err != nil {
			return err
		}
		if page, ok := errors.AsType[*pageError](refused.cause); ok {
			return page
		}
		return &redirectError{redirectURI: req.RedirectURI, state: req.State, oauthError: refused}
	}
	status := http.StatusForbidden
	if refused.code != accessDenied {
		status = http.StatusBadGateway
	}
	page := &pageError{status: status, title: "You are not signed in", text: ui.Capital(refused.description) + ".", cause: refused.cause,
		links: []ui.Link{{Text: "Try again", Path: "/signin?" + url.Values{"org": {req.Org}, "return_to": {ui.SafeReturnTo(req.ReturnTo)}}.Encode()}}}
	if errors.Is(refused.cause, errSomebodyElse) {
		page.title = "Salesforce is open as somebody else"
		page.detail = "Nothing was changed. Log out of Salesforce in this browser and try again; to change the person, sign out here first."
	}
	return page
}

// logIn turns Salesforce's answer into a stored login of an unblocked user.
func (s *Server) logIn(ctx context.Context, r *http.Request, req *grant.AuthorizationRequest, q url.Values, verifier string) (person, *oauthError) {
	who := s.inBrowser(r, req.Org) // as far as is known before Salesforce says
	deny := func(code, description, reason string, cause error) (person, *oauthError) {
		entry := audit.Entry{Actor: actor.Browser, Action: audit.LoginFinish, Outcome: audit.Denied, Reason: reason,
			Org: req.Org, Subject: who.Subject, Username: who.Username, Client: req.ClientID, Server: req.Server}
		if e, ok := errors.AsType[*salesforce.Error](cause); ok {
			entry.Status = e.Case()
		}
		s.record(ctx, entry)
		return person{}, &oauthError{code: code, description: description, cause: cause}
	}
	org, _ := s.Access.Org(req.Org)
	switch {
	case q.Has("iss") && q.Get("iss") != org.Issuer: // RFC 9207 2.4: an answer of another server
		return deny(accessDenied, "the answer came from another Salesforce org", "issuer_mismatch", nil)
	case q.Get("error") != "":
		e := salesforce.ErrorFor(q.Get("error"), q.Get("error_description"))
		return deny(codeFor(e), describe(e), e.Error(), e)
	case q.Get("code") == "":
		return deny(serverError, "Salesforce sent no code", "no_code", nil)
	}
	token, err := s.Salesforce.Exchange(ctx, req.Org, q.Get("code"), verifier)
	if e, ok := errors.AsType[*salesforce.Error](err); ok {
		return deny(codeFor(e), describe(e), e.Error(), e)
	}
	if err != nil {
		return deny(serverError, "Salesforce could not be asked", "exchange", err)
	}
	who = s.personOf(ctx, req.Org, token.Subject)
	if req.Kind == grant.SignIn && s.somebodyElse(r, who) {
		s.record(ctx, who.entry(audit.LoginFinish, audit.Denied, "identity_mismatch"))
		return person{}, &oauthError{code: accessDenied, description: "Salesforce signed in another user than the one who is signed in here",
			cause: errors.Join(errSomebodyElse, s.discard(ctx, who.Org, token))}
	}
	switch err := s.Grants.Requests.Stands(ctx, req, who.Subject); {
	case errors.Is(err, grant.ErrNoRequest):
		return deny(accessDenied, textEnded, "ended_meanwhile", errors.Join(err, s.discard(ctx, who.Org, token)))
	case err != nil:
		return deny(serverError, textNotStored, "internal", errors.Join(err, s.discard(ctx, who.Org, token)))
	}
	refused, err := s.keepLogin(ctx, &who, token)
	if err != nil {
		return deny(serverError, textNotStored, "internal", err)
	}
	return who, refused
}

// somebodyElse says whether the browser is signed in as another user of the org. Whoever
// signs in again does so as themselves: a Salesforce that is open as somebody else in
// the same browser must not change under whose name they decide (CL-04).
func (s *Server) somebodyElse(r *http.Request, who person) bool {
	session, err := s.Sessions.Current(r)
	if err != nil {
		return !errors.Is(err, ui.ErrNoSession)
	}
	return session.Org == who.Org && session.Subject != who.Subject
}

var errSomebodyElse = errors.New("the browser is signed in as another user")

// keepLogin stores the login and learns how people know the user. A blocked user's
// login is stored too, but only to be revoked at once, with retries.
func (s *Server) keepLogin(ctx context.Context, who *person, token *salesforce.Token) (refused *oauthError, err error) {
	replace := func(ctx context.Context) (_ audit.Result, err error) {
		who.login, err = s.Links.Keep(ctx, who.Org, token)
		return audit.Result{}, err
	}
	if err := s.blockedByPseudonym(ctx, who.Org, who.Subject); err != nil {
		return nil, errors.Join(err, s.discard(ctx, who.Org, token))
	}
	_, err = s.Access.Person(ctx, who.Org, who.Subject)
	blocked := errors.Is(err, grant.ErrBlocked)
	switch {
	case blocked:
		_, err = replace(ctx)
	case err == nil: // without an entry it is not stored: it would serve the connections that the user has already
		if err = Give(ctx, s.Audit, who.entry(audit.LoginFinish, "", ""), replace); err != nil {
			return &oauthError{code: serverError, description: textNotStored, cause: errors.Join(err, s.discard(ctx, who.Org, token))}, nil
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.discard(ctx, who.Org, token))
	}
	if blocked {
		s.endLink(ctx, *who, "user is blocked")
		s.record(ctx, who.entry(audit.LoginFinish, audit.Denied, "user_blocked"))
		return &oauthError{code: accessDenied, description: "this user is blocked here"}, nil
	}
	if err := s.nameUser(ctx, who); err != nil {
		s.dropLink(ctx, *who, "the user could not be stored")
		return nil, err
	}
	return nil, nil
}

// blockedByPseudonym blocks a user whom the audit log says was blocked, and who could not be told from the
// log when the database was put back to before they were seen ([Cutoff.Reapply]).
func (s *Server) blockedByPseudonym(ctx context.Context, org, subject string) error {
	pseudonyms, err := s.Audit.Persons().Pseudonyms(ctx, org, subject)
	if err != nil {
		return err
	}
	for _, pseudonym := range pseudonyms {
		blocked, err := s.Grants.Blocked(ctx, org, pseudonym)
		if err != nil {
			return err
		}
		if !blocked {
			continue
		}
		if _, err := s.Grants.BlockUser(ctx, org, subject, again); err != nil {
			return err
		}
		return errors.Join(s.Grants.UnblockUser(ctx, org, pseudonym), s.Grants.EraseUser(ctx, org, pseudonym))
	}
	return nil
}

// textEnded is why a sign-in gives nothing that was begun before everything of the user or the client was ended.
const textEnded = "access was ended while this sign-in was under way: start again"

const textNotStored = "the sign-in could not be stored"

// discard ends a login that cannot be kept: through the queue, which retries, or at once
// where not even that can be written. Like whatever takes away, it has a time of its own: that of the callback may be over.
func (s *Server) discard(ctx context.Context, org string, token *salesforce.Token) error {
	ctx, end := audit.Lasting(ctx)
	defer end()
	err := s.Links.Discard(ctx, org, token)
	if err != nil {
		err = errors.Join(err, s.Salesforce.Revoke(ctx, org, token.RefreshToken))
	}
	return err
}

// nameUser asks how people know the user; the subject alone decides, so it may fail.
func (s *Server) nameUser(ctx context.Context, who *person) error {
	if err := s.Grants.SeeUser(ctx, who.Org, who.Subject); err != nil {
		return err
	}
	if s.Profiles != nil {
		asking, cancel := context.WithTimeout(ctx, profileLimit)
		defer cancel()
		name, username, err := s.Profiles.Profile(asking, who.Org, who.Subject)
		if err == nil && username != "" {
			err = s.Grants.NameUser(ctx, who.Org, who.Subject, username, name)
		}
		if err != nil {
			s.Log.WarnContext(ctx, "user's name is not known", "org", who.Org, "subject", who.Subject, "error", err)
		}
	}
	u, err := s.Grants.User(ctx, who.Org, who.Subject)
	if err == nil {
		who.Username = u.Username
	}
	return err
}

// finishAuthorization makes the grant of a user who may have it and takes the code to
// the client.
func (s *Server) finishAuthorization(ctx context.Context, w http.ResponseWriter, r *http.Request, req *grant.AuthorizationRequest, who person) *oauthError {
	entry := who.entry(audit.GrantCreate, "", "")
	entry.Client, entry.Server, entry.Grant = req.ClientID, req.Server, req.GrantID
	drop := func(code, description string, cause error) *oauthError {
		s.dropLink(ctx, who, description)
		return &oauthError{code: code, description: description, cause: cause}
	}
	refuse := func(code, description, reason string, cause error) *oauthError {
		entry.Outcome, entry.Reason = audit.Denied, reason
		s.record(ctx, entry)
		return drop(code, description, cause)
	}
	if err := s.stillStands(ctx, req); err != nil {
		return refuse(serverError, "the setup has changed meanwhile", "setup_changed", err)
	}
	if err := s.whileStopped(ctx); err != nil { // since the sign-in began
		return refuse(temporarilyUnavailable, "access is stopped", "stopped", err)
	}
	if !s.Access.MayUse(who.Person, req.Server) {
		return refuse(accessDenied, "this user may not connect to this server", "not_in_group", nil)
	}
	code, err := s.createGrant(ctx, entry, req, who)
	switch {
	case errors.Is(err, grant.ErrBlocked):
		s.endLink(ctx, who, "user is blocked")
		return &oauthError{code: accessDenied, description: "this user is blocked here", cause: err}
	case errors.Is(err, grant.ErrNoRequest):
		return drop(accessDenied, textEnded, err)
	}
	if err != nil {
		return drop(failedCode(err), "try again later", err)
	}
	if err := s.Cutoff.EndSurplus(ctx, who.Org, who.Subject); err != nil { // the next connection ends them
		s.Log.ErrorContext(ctx, "surplus connections not ended", "org", who.Org, "subject", who.Subject, "error", err)
	}
	// The same browser now needs no second login to open an approval.
	if err := s.startSession(ctx, w, r, req, who); err != nil {
		s.Log.WarnContext(ctx, "no browser session after an authorization", "error", err)
	}
	s.respond(w, http.StatusSeeOther, req.RedirectURI, url.Values{"code": {code}}, req.State)
	return nil
}

// createGrant makes the grant and its code, recorded first, so that no grant goes
// unrecorded.
func (s *Server) createGrant(ctx context.Context, e audit.Entry, req *grant.AuthorizationRequest, who person) (code string, err error) {
	err = Give(ctx, s.Audit, e, func(ctx context.Context) (audit.Result, error) {
		_, code, err = s.Grants.CreateGrant(ctx, req, who.Subject)
		if errors.Is(err, grant.ErrBlocked) {
			return audit.Result{Outcome: audit.Denied, Reason: "user_blocked"}, err
		}
		if errors.Is(err, grant.ErrNoRequest) {
			return audit.Result{Outcome: audit.Denied, Reason: "ended_meanwhile"}, err
		}
		return audit.Result{}, err
	})
	return code, err
}

// finishSignIn signs the browser in. Only a user with connections keeps a login at
// Salesforce; for everyone else it has shown who they are, and that is all.
func (s *Server) finishSignIn(ctx context.Context, w http.ResponseWriter, r *http.Request, req *grant.AuthorizationRequest, who person) error {
	s.dropLink(ctx, who, "no connections")
	if err := s.startSession(ctx, w, r, req, who); errors.Is(err, grant.ErrNoRequest) {
		return endedMeanwhile(err)
	} else if err != nil {
		return err
	}
	redirect(w, http.StatusSeeOther, ui.SafeReturnTo(req.ReturnTo))
	return nil
}

// startSession signs the browser in, recorded first: with a session approvals are given. What ends
// everything of a user notes that for their sign-ins under way first and ends their sessions last, so that a session that is there
// while its request stands is either ended by that or not concerned.
func (s *Server) startSession(ctx context.Context, w http.ResponseWriter, r *http.Request, req *grant.AuthorizationRequest, who person) error {
	err := Give(ctx, s.Audit, who.entry(audit.SessionCreate, "", ""), func(ctx context.Context) (audit.Result, error) {
		err := s.Sessions.Start(w, r.WithContext(ctx), who.Org, who.Subject)
		if err != nil {
			return audit.Result{}, err
		}
		result := audit.Result{}
		if err = s.Grants.Requests.Stands(ctx, req, who.Subject); err != nil {
			if errors.Is(err, grant.ErrNoRequest) {
				result = endedMeanwhileResult
			}
			_, endErr := s.Sessions.EndUser(ctx, who.Org, who.Subject)
			err = errors.Join(err, endErr)
		}
		return result, err
	})
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	return nil
}

// dropLink ends the login that a sign-in has brought, of a user without live grants. Another one that is under way keeps its
// own: where this one took its place, or is not the one that is stored any more, nothing ends, and [Cutoff.Sweep] ends what nobody
// took.
func (s *Server) dropLink(ctx context.Context, who person, why string) {
	ctx, end := audit.Lasting(ctx)
	defer end()
	if err := s.Links.EndUnused(ctx, who.Org, who.Subject, why, link.Unneeded{Only: &who.login}); err != nil {
		s.Log.ErrorContext(ctx, "login not revoked", "org", who.Org, "subject", who.Subject, "error", err)
	}
}

// endLink ends the login of a user, whoever has brought it.
func (s *Server) endLink(ctx context.Context, who person, why string) {
	ctx, end := audit.Lasting(ctx)
	defer end()
	if err := s.Links.Revoke(ctx, who.Org, who.Subject, why); err != nil {
		s.Log.ErrorContext(ctx, "login not revoked", "org", who.Org, "subject", who.Subject, "error", err)
	}
}

// codeFor is what a client is told of a failure at Salesforce (RFC 6749 4.1.2.1).
func codeFor(e *salesforce.Error) string {
	switch e.Kind {
	case salesforce.Dead, salesforce.Refused:
		return accessDenied
	case salesforce.Transient:
		return temporarilyUnavailable
	}
	return serverError
}

// describe is our own text: what Salesforce wrote goes to log and audit only.
func describe(e *salesforce.Error) string {
	switch codeFor(e) {
	case accessDenied:
		return "the sign-in at Salesforce was refused"
	case temporarilyUnavailable:
		return "Salesforce does not answer at the moment"
	}
	return "the connection to Salesforce is not set up correctly"
}
