package salesforcesim

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Paths of the pages. A request that passed the checks is sent to the first, which is
// how one sees without a browser that client id and callback are right.
const (
	approvalPath = "/setup/secur/RemoteAccessAuthorizationPage.apexp"
	loginPath    = "/login"
	logoutPath   = "/secur/logout.jsp"
)

// authorization is one authorize request that passed the checks. It travels from page
// to page in the source parameter and is checked again at each, so that the simulator
// need not remember it.
type authorization struct {
	app         *ECA
	query       url.Values
	redirectURI string
	scope       string
}

// authorizeRefusal is why a request gets no code: a page of Salesforce where the callback
// cannot be trusted, otherwise a redirect to it.
type authorizeRefusal struct {
	onPage            bool
	code, description string
}

// checkAuthorize checks an authorize request in Salesforce's order.
func (s *Sim) checkAuthorize(o *org, q url.Values) (*authorization, *authorizeRefusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := func(code, description string) (*authorization, *authorizeRefusal) {
		return nil, &authorizeRefusal{onPage: true, code: code, description: description}
	}
	appOrg, app := s.app(q.Get("client_id"))
	if app == nil || s.switches.AppNotPropagated || s.switches.AppDisabled {
		return page("invalid_client_id", "client identifier invalid")
	}
	if !slices.Contains(app.Callbacks, q.Get("redirect_uri")) || s.switches.CallbackNotPropagated {
		return page("redirect_uri_mismatch", "redirect_uri must match configuration")
	}
	if appOrg != o {
		return page("invalid_request", "request not supported on this domain")
	}
	a := &authorization{app: app, query: q, redirectURI: q.Get("redirect_uri")}
	refuse := func(code, description string) (*authorization, *authorizeRefusal) {
		return a, &authorizeRefusal{code: code, description: description}
	}
	if q.Get("response_type") != "code" {
		return refuse("unsupported_response_type", "response type not supported")
	}
	if q.Get("code_challenge") == "" || q.Get("code_challenge_method") != "S256" {
		return refuse("invalid_request", "missing required code challenge")
	}
	a.scope = joinScopes(app.Scopes)
	if asked := strings.Fields(q.Get("scope")); len(asked) > 0 {
		for _, scope := range asked {
			if !hasScope(a.scope, joinScopes([]string{scope})) {
				return refuse("invalid_scope", "the requested scope is not allowed")
			}
		}
		a.scope = joinScopes(asked)
	}
	return a, nil
}

// serveAuthorize is the authorization endpoint.
func (s *Sim) serveAuthorize(w http.ResponseWriter, r *http.Request, o *org) {
	if err := r.ParseForm(); err != nil {
		s.errorPage(w, &authorizeRefusal{onPage: true, code: "invalid_request", description: "malformed request"})
		return
	}
	q := r.Form
	a, refusal := s.checkAuthorize(o, q)
	if refusal != nil {
		s.refuse(w, r, a, refusal)
		return
	}
	user := s.signedIn(r, o)
	switch q.Get("prompt") {
	case "login", "select_account":
		user = nil
		http.SetCookie(w, &http.Cookie{Name: cookieName(o), Path: o.prefix + "/", MaxAge: -1})
		q.Del("prompt")
	}
	if user != nil && s.mayUse(o, a, user) == nil && s.approved(o, a, user) {
		s.sendCode(w, r, o, a, user)
		return
	}
	http.Redirect(w, r, o.base+approvalPath+"?source="+sourceOf(q), http.StatusFound)
}

// serveApproval shows the approval page and takes its answer. Without a login it sends
// the browser to the login page first.
func (s *Sim) serveApproval(w http.ResponseWriter, r *http.Request, o *org) {
	a, source := s.carried(w, r, o)
	if a == nil {
		return
	}
	user := s.signedIn(r, o)
	if user == nil {
		http.Redirect(w, r, o.base+loginPath+"?source="+source, http.StatusSeeOther)
		return
	}
	if refusal := s.mayUse(o, a, user); refusal != nil {
		s.errorPage(w, refusal)
		return
	}
	switch decision := r.PostForm.Get("decision"); {
	case r.Method == http.MethodPost && decision == "deny":
		s.refuse(w, r, a, &authorizeRefusal{code: "access_denied", description: "end-user denied authorization"})
	case r.Method == http.MethodPost && decision == "allow":
		s.mu.Lock()
		s.state.Approvals[approvalKey(o, user.ID, a.app)] = true
		s.save()
		s.mu.Unlock()
		s.sendCode(w, r, o, a, user)
	case s.approved(o, a, user):
		s.sendCode(w, r, o, a, user)
	default:
		render(w, http.StatusOK, "approval", approvalPage{Title: "Allow Access?", Org: o.Name, Action: o.base + approvalPath, Source: source,
			App: a.app.ClientID, Name: user.Name, Username: user.Username, Scopes: strings.Fields(a.scope), SignOut: o.base + logoutPath + "?source=" + source})
	}
}

// serveLogin shows the login form and takes its answer.
func (s *Sim) serveLogin(w http.ResponseWriter, r *http.Request, o *org) {
	a, source := s.carried(w, r, o)
	if a == nil {
		return
	}
	form := loginPage{Title: "Login", Org: o.Name, Action: o.base + loginPath, Source: source, Username: a.query.Get("login_hint")}
	if r.Method != http.MethodPost {
		render(w, http.StatusOK, "login", form)
		return
	}
	form.Username = r.PostForm.Get("username")
	id, ok := s.signIn(o, form.Username, r.PostForm.Get("password"))
	if !ok {
		form.Error = "Please check your username and password."
		render(w, http.StatusOK, "login", form)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName(o), Value: id, Path: o.prefix + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(o.base, "https:")})
	http.Redirect(w, r, o.base+approvalPath+"?source="+source, http.StatusSeeOther)
}

// serveLogout ends the browser session. From the approval page ("Not you?") it goes on to the login page with the same
// request, which checks it as always.
func (s *Sim) serveLogout(w http.ResponseWriter, r *http.Request, o *org) {
	if cookie, err := r.Cookie(cookieName(o)); err == nil {
		s.mu.Lock()
		delete(s.state.Logins, cookie.Value)
		s.save()
		s.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName(o), Path: o.prefix + "/", MaxAge: -1})
	if source := r.URL.Query().Get("source"); source != "" {
		http.Redirect(w, r, o.base+loginPath+"?"+url.Values{"source": {source}}.Encode(), http.StatusSeeOther)
		return
	}
	render(w, http.StatusOK, "message", messagePage{Title: "Logged out", Lines: []string{"You are logged out of the simulated org " + o.Name + "."}})
}

// carried is the authorize request that a page carries, checked again, and the source
// that carries it on. It answers the request itself, and returns nil, where there is
// none.
func (s *Sim) carried(w http.ResponseWriter, r *http.Request, o *org) (*authorization, string) {
	if err := r.ParseForm(); err != nil {
		s.errorPage(w, &authorizeRefusal{code: "invalid_request", description: "malformed form"})
		return nil, ""
	}
	source := r.Form.Get("source")
	raw, err := base64.RawURLEncoding.DecodeString(source)
	var q url.Values
	if err == nil {
		q, err = url.ParseQuery(string(raw))
	}
	if err != nil || source == "" {
		s.errorPage(w, &authorizeRefusal{code: "1800", description: "There was a problem in setting up your remote access"})
		return nil, ""
	}
	a, refusal := s.checkAuthorize(o, q)
	if refusal != nil {
		s.refuse(w, r, a, refusal)
		return nil, ""
	}
	return a, source
}

func sourceOf(q url.Values) string { return base64.RawURLEncoding.EncodeToString([]byte(q.Encode())) }

// signIn starts a browser session and returns its cookie value.
func (s *Sim) signIn(o *org, username, password string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	userOrg, user := s.userNamed(username)
	if user == nil || userOrg != o || user.Password != password || password == "" {
		return "", false
	}
	id := s.random.text(24)
	s.state.Logins[id] = o.Name + " " + user.ID
	s.save()
	return id, true
}

// signedIn is the user of the browser session, nil without one.
func (s *Sim) signedIn(r *http.Request, o *org) *User {
	cookie, err := r.Cookie(cookieName(o))
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	orgName, userID, _ := strings.Cut(s.state.Logins[cookie.Value], " ")
	if orgName != o.Name {
		return nil
	}
	return s.user(o, userID)
}

func cookieName(o *org) string { return "salesforcesim_sid_" + o.Name }

// mayUse says why a user who is signed in may not use the app.
func (s *Sim) mayUse(o *org, a *authorization, user *User) *authorizeRefusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	permitted := len(a.app.PermittedUsers) == 0 || slices.Contains(a.app.PermittedUsers, user.Username)
	if s.userRefusal(o, user.ID) != nil || !permitted {
		return &authorizeRefusal{onPage: true, code: "OAUTH_APPROVAL_ERROR_GENERIC", description: "An unexpected error has occurred during authentication. Please try again."}
	}
	return nil
}

// approved says whether the approval page is skipped: the user answered it before, or
// an administrator pre-authorised them.
func (s *Sim) approved(o *org, a *authorization, user *User) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(a.app.PermittedUsers) > 0 {
		return true
	}
	return s.state.Approvals[approvalKey(o, user.ID, a.app)] && a.query.Get("prompt") != "consent"
}

func (s *Sim) sendCode(w http.ResponseWriter, r *http.Request, o *org, a *authorization, user *User) {
	s.mu.Lock()
	value := "aPrx" + s.random.text(48) + "=="
	s.state.Codes[value] = &code{Org: o.Name, UserID: user.ID, ClientID: a.app.ClientID, RedirectURI: a.redirectURI, Scope: a.scope,
		Challenge: a.query.Get("code_challenge"), ExpiresAt: s.now().Add(codeLifetime)}
	s.save()
	s.mu.Unlock()
	redirectBack(w, r, a, url.Values{"code": {value}})
}

// refuse answers a request that gets no code.
func (s *Sim) refuse(w http.ResponseWriter, r *http.Request, a *authorization, refusal *authorizeRefusal) {
	if refusal.onPage {
		s.errorPage(w, refusal)
		return
	}
	redirectBack(w, r, a, url.Values{"error": {refusal.code}, "error_description": {refusal.description}})
}

func redirectBack(w http.ResponseWriter, r *http.Request, a *authorization, answer url.Values) {
	target, err := url.Parse(a.redirectURI)
	if err != nil {
		http.Error(w, "bad callback", http.StatusInternalServerError)
		return
	}
	q := target.Query()
	for name, values := range answer {
		q[name] = values
	}
	if state := a.query.Get("state"); state != "" {
		q.Set("state", state)
	}
	target.RawQuery = q.Encode()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, target.String(), http.StatusFound)
}

func (s *Sim) errorPage(w http.ResponseWriter, refusal *authorizeRefusal) {
	render(w, http.StatusBadRequest, "message", messagePage{Title: "We can't authorize you", Lines: []string{
		"error=" + refusal.code, "error_description=" + refusal.description,
		"Because of an OAuth error, this application cannot reach the org. " + s.now().UTC().Format(time.RFC3339)}})
}
