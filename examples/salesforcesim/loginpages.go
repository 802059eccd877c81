package salesforcesim

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Paths of the pages. A request that passed the checks is sent to the first, which is
// how one sees without a browser that client id and callback are right.
const (
	approvalPath = "/setup/secur/RemoteAccessAuthorizationPage.apexp"
	loginPath    = "/login"
	logoutPath   = "/secur/logout.jsp"
)

// loginPages are what a person's browser meets on a login host: the authorization
// endpoint, the login form, the approval page, and the login that its cookie keeps.
type loginPages struct{ sim *Sim }

// serveApproval shows the approval page and takes its answer. Without a login it sends
// the browser to the login page first.
func (p loginPages) serveApproval(w http.ResponseWriter, r *http.Request, o *org) {
	a, source := p.carried(w, r, o)
	if a == nil {
		return
	}
	user := p.signedIn(r, o)
	if user == nil {
		http.Redirect(w, r, o.base+loginPath+"?source="+source, http.StatusSeeOther)
		return
	}
	if refusal := p.mayUse(o, a, user); refusal != nil {
		p.errorPage(w, refusal)
		return
	}
	switch decision := r.PostForm.Get("decision"); {
	case r.Method == http.MethodPost && decision == "deny":
		p.refuse(w, r, a, &authorizeRefusal{code: "access_denied", description: "end-user denied authorization"})
	case r.Method == http.MethodPost && decision == "allow":
		p.sim.mu.Lock()
		p.sim.state.Approvals[approvalKey(o, user.ID, a.app)] = true
		p.sim.save()
		p.sim.mu.Unlock()
		p.sendCode(w, r, o, a, user)
	case p.approved(o, a, user):
		p.sendCode(w, r, o, a, user)
	default:
		render(w, http.StatusOK, "approval", approvalPage{Title: "Allow Access?", Org: o.Name, Action: o.base + approvalPath, Source: source,
			App: a.app.ClientID, Name: user.Name, Username: user.Username, Scopes: strings.Fields(a.scope), SignOut: o.base + logoutPath + "?source=" + source})
	}
}

// serveLogin shows the login form and takes its answer.
func (p loginPages) serveLogin(w http.ResponseWriter, r *http.Request, o *org) {
	a, source := p.carried(w, r, o)
	if a == nil {
		return
	}
	form := loginPage{Title: "Login", Org: o.Name, Action: o.base + loginPath, Source: source, Username: a.query.Get("login_hint")}
	if p.sim.cfg.OfferUsers {
		p.sim.mu.Lock()
		form.Offered = slices.Clone(o.Users)
		p.sim.mu.Unlock()
	}
	if r.Method != http.MethodPost {
		render(w, http.StatusOK, "login", form)
		return
	}
	form.Username = r.PostForm.Get("username")
	id, ok := p.signIn(o, form.Username, r.PostForm.Get("password"))
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
func (p loginPages) serveLogout(w http.ResponseWriter, r *http.Request, o *org) {
	if cookie, err := r.Cookie(cookieName(o)); err == nil {
		p.sim.mu.Lock()
		delete(p.sim.state.Logins, cookie.Value)
		p.sim.save()
		p.sim.mu.Unlock()
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
func (p loginPages) carried(w http.ResponseWriter, r *http.Request, o *org) (*authorization, string) {
	if err := r.ParseForm(); err != nil {
		p.errorPage(w, &authorizeRefusal{code: "invalid_request", description: "malformed form"})
		return nil, ""
	}
	source := r.Form.Get("source")
	raw, err := base64.RawURLEncoding.DecodeString(source)
	var q url.Values
	if err == nil {
		q, err = url.ParseQuery(string(raw))
	}
	if err != nil || source == "" {
		p.errorPage(w, &authorizeRefusal{code: "1800", description: "There was a problem in setting up your remote access"})
		return nil, ""
	}
	a, refusal := p.checkAuthorize(o, q)
	if refusal != nil {
		p.refuse(w, r, a, refusal)
		return nil, ""
	}
	return a, source
}

func sourceOf(q url.Values) string { return base64.RawURLEncoding.EncodeToString([]byte(q.Encode())) }

// signIn starts a browser session and returns its cookie value.
func (p loginPages) signIn(o *org, username, password string) (string, bool) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	userOrg, user := p.sim.userNamed(username)
	if user == nil || userOrg != o || user.Password != password || password == "" {
		return "", false
	}
	id := p.sim.random.text(24)
	p.sim.state.Logins[id] = o.Name + " " + user.ID
	p.sim.save()
	return id, true
}

// signedIn is the user of the browser session, nil without one.
func (p loginPages) signedIn(r *http.Request, o *org) *User {
	cookie, err := r.Cookie(cookieName(o))
	if err != nil {
		return nil
	}
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	orgName, userID, _ := strings.Cut(p.sim.state.Logins[cookie.Value], " ")
	if orgName != o.Name {
		return nil
	}
	return p.sim.user(o, userID)
}

func cookieName(o *org) string { return "salesforcesim_sid_" + o.Name }
