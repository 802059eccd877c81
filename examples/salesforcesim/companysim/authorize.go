package companysim

import (
	"crypto/sha256"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const cookieName = "company-sim"

// codeLifetime is how long a code may be redeemed.
const codeLifetime = time.Minute

var loginPage = template.Must(template.New("login").Parse(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>Acme sign-in (simulated)</title>
<style>body{font:16px/1.5 system-ui;max-width:24rem;margin:1.5rem auto;padding:0 1rem}input,button{font:inherit;display:block;width:100%;box-sizing:border-box;margin:.3rem 0 1rem;padding:.5rem}label.row input{display:inline;width:auto;margin-right:.5rem}</style>
<h1>Acme sign-in</h1><p>A simulated identity provider.</p>{{with .Wrong}}<p role="alert">{{.}}</p>{{end}}
<form method="post"><label>Username <input name="username" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<label class="row"><input type="checkbox" name="mfa" value="yes"{{if .MFA}} checked{{end}}>with a second factor</label>
<button>Sign in</button></form>{{range .Offered}}
<form method="post"><input type="hidden" name="username" value="{{.Username}}"><input type="hidden" name="password" value="{{.Password}}">{{if $.MFA}}<input type="hidden" name="mfa" value="yes">{{end}}
<button class="person">Sign in as {{.Name}}</button></form>{{end}}</html>`))

// authorize signs a person in (OpenID Connect Core 3.1.2). The caller holds mu.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back := q.Get("redirect_uri")
	if q.Get("client_id") != p.config.ClientID || !p.knows(back) {
		http.Error(w, "unknown client or redirect_uri", http.StatusBadRequest)
		return
	}
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || !strings.Contains(" "+q.Get("scope")+" ", " openid ") {
		p.answer(w, r, url.Values{"error": {"invalid_request"}})
		return
	}
	mfa := strings.Contains(" "+q.Get("acr_values")+" ", " "+MFA+" ")
	if at, ok := p.signedIn(r); ok && r.Method == http.MethodGet && q.Get("prompt") != "login" && p.isFresh(q.Get("max_age"), at) && (!mfa || at.acr == MFA) {
		p.giveCode(w, r, at)
		return
	}
	if q.Get("prompt") == "none" {
		p.answer(w, r, url.Values{"error": {"login_required"}})
		return
	}
	if r.Method != http.MethodPost {
		p.showLogin(w, "", mfa)
		return
	}
	u, ok := p.find(r.PostFormValue("username"), r.PostFormValue("password"))
	if !ok {
		p.showLogin(w, "Username or password is wrong.", mfa)
		return
	}
	at := login{subject: u.Subject, at: p.config.Now(), acr: Password}
	if r.PostFormValue("mfa") != "" {
		at.acr = MFA
	}
	cookie := random()
	p.sessions[cookie] = at
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	p.giveCode(w, r, at)
}

func (p *Provider) showLogin(w http.ResponseWriter, wrong string, mfa bool) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	var offered []User
	if p.config.OfferUsers {
		offered = p.config.Users
	}
	_ = loginPage.Execute(w, map[string]any{"Wrong": wrong, "MFA": mfa, "Offered": offered}) // nobody is left to tell
}

func (p *Provider) signedIn(r *http.Request) (login, bool) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return login{}, false
	}
	at, ok := p.sessions[c.Value]
	_, known := p.users[at.subject]
	return at, ok && known
}

func (p *Provider) isFresh(maxAge string, at login) bool {
	if maxAge == "" {
		return true
	}
	seconds, err := strconv.Atoi(maxAge)
	return err == nil && p.config.Now().Sub(at.at) < time.Duration(seconds)*time.Second
}

func (p *Provider) giveCode(w http.ResponseWriter, r *http.Request, at login) {
	q, text := r.URL.Query(), random()
	p.codes[text] = code{login: at, nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), redirectURI: q.Get("redirect_uri"),
		expires: p.config.Now().Add(codeLifetime)}
	p.answer(w, r, url.Values{"code": {text}})
}

// answer goes back to the client (RFC 6749 4.1.2, RFC 9207).
func (p *Provider) answer(w http.ResponseWriter, r *http.Request, with url.Values) {
	q := r.URL.Query()
	with.Set("state", q.Get("state"))
	with.Set("iss", p.config.Issuer)
	if p.faults.OtherIss {
		with.Set("iss", p.config.Issuer+"/other")
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+with.Encode(), http.StatusSeeOther)
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return encode(sum[:])
}
