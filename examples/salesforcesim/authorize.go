package salesforcesim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
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
func (p loginPages) checkAuthorize(o *org, q url.Values) (*authorization, *authorizeRefusal) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	page := func(code, description string) (*authorization, *authorizeRefusal) {
		return nil, &authorizeRefusal{onPage: true, code: code, description: description}
	}
	appOrg, app := p.sim.app(q.Get("client_id"))
	if app == nil || p.sim.switches.AppNotPropagated || p.sim.switches.AppDisabled {
		return page("invalid_client_id", "client identifier invalid")
	}
	if !slices.Contains(app.Callbacks, q.Get("redirect_uri")) || p.sim.switches.CallbackNotPropagated {
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
func (p loginPages) serveAuthorize(w http.ResponseWriter, r *http.Request, o *org) {
	if err := r.ParseForm(); err != nil {
		p.errorPage(w, &authorizeRefusal{onPage: true, code: "invalid_request", description: "malformed request"})
		return
	}
	q := r.Form
	a, refusal := p.checkAuthorize(o, q)
	if refusal != nil {
		p.refuse(w, r, a, refusal)
		return
	}
	user := p.signedIn(r, o)
	switch q.Get("prompt") {
	case "login", "select_account":
		user = nil
		http.SetCookie(w, &http.Cookie{Name: cookieName(o), Path: o.prefix + "/", MaxAge: -1})
		q.Del("prompt")
	}
	if user != nil && p.mayUse(o, a, user) == nil && p.approved(o, a, user) {
		p.sendCode(w, r, o, a, user)
		return
	}
	http.Redirect(w, r, o.base+approvalPath+"?source="+sourceOf(q), http.StatusFound)
}

// mayUse says why a user who is signed in may not use the app.
func (p loginPages) mayUse(o *org, a *authorization, user *User) *authorizeRefusal {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	permitted := len(a.app.PermittedUsers) == 0 || slices.Contains(a.app.PermittedUsers, user.Username)
	if p.sim.grants.userRefusal(o, user.ID) != nil || !permitted {
		return &authorizeRefusal{onPage: true, code: "OAUTH_APPROVAL_ERROR_GENERIC", description: "An unexpected error has occurred during authentication. Please try again."}
	}
	return nil
}

// approved says whether the approval page is skipped: the user answered it before, or
// an administrator pre-authorised them.
func (p loginPages) approved(o *org, a *authorization, user *User) bool {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if len(a.app.PermittedUsers) > 0 {
		return true
	}
	return p.sim.state.Approvals[approvalKey(o, user.ID, a.app)] && a.query.Get("prompt") != "consent"
}

func (p loginPages) sendCode(w http.ResponseWriter, r *http.Request, o *org, a *authorization, user *User) {
	p.sim.mu.Lock()
	value := "aPrx" + p.sim.random.text(48) + "=="
	p.sim.state.Codes[value] = &code{Org: o.Name, UserID: user.ID, ClientID: a.app.ClientID, RedirectURI: a.redirectURI, Scope: a.scope,
		Challenge: a.query.Get("code_challenge"), ExpiresAt: p.sim.now().Add(codeLifetime)}
	p.sim.save()
	p.sim.mu.Unlock()
	redirectBack(w, r, a, url.Values{"code": {value}})
}

// refuse answers a request that gets no code.
func (p loginPages) refuse(w http.ResponseWriter, r *http.Request, a *authorization, refusal *authorizeRefusal) {
	if refusal.onPage {
		p.errorPage(w, refusal)
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

func (p loginPages) errorPage(w http.ResponseWriter, refusal *authorizeRefusal) {
	render(w, http.StatusBadRequest, "message", messagePage{Title: "We can't authorize you", Lines: []string{
		"error=" + refusal.code, "error_description=" + refusal.description,
		"Because of an OAuth error, this application cannot reach the org. " + p.sim.now().UTC().Format(time.RFC3339)}})
}
