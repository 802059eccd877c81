package salesforcesim

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// codeLifetime is how long an authorization code may be redeemed.
const codeLifetime = 15 * time.Minute

// errDeadToken is what Salesforce says of a refresh token that is revoked, spent,
// expired, evicted or unknown: a client cannot tell these apart.
func errDeadToken() *oauthError { return badRequest("invalid_grant", "expired access/refresh token") }

// serveToken is the token endpoint.
func (e oauthEndpoints) serveToken(w http.ResponseWriter, r *http.Request, o *org) {
	w.Header().Set("Cache-Control", "no-store")
	switches := e.sim.Switches()
	if !wait(r, switches.TokenDelay) {
		return
	}
	if switches.RedirectTo != "" {
		http.Redirect(w, r, switches.RedirectTo, http.StatusTemporaryRedirect)
		return
	}
	if e.sim.strikes(func(f *Switches) *Count { return &f.TokenErrors }) {
		htmlError(w, cmp.Or(switches.TokenStatus, http.StatusServiceUnavailable))
		return
	}
	answer, refusal := e.token(r, o)
	if e.sim.strikes(func(f *Switches) *Count { return &f.TokenRepliesLost }) {
		panic(http.ErrAbortHandler) // what was done stays done, the client does not learn of it
	}
	if refusal != nil {
		writeJSON(w, refusal.status, refusal)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (e oauthEndpoints) token(r *http.Request, o *org) (*tokenAnswer, *oauthError) {
	if refusal := parseForm(r); refusal != nil {
		return nil, refusal
	}
	e.sim.mu.Lock()
	defer e.sim.mu.Unlock()
	app, refusal := e.authenticateApp(r, o)
	if refusal != nil {
		return nil, refusal
	}
	if e.sim.switches.TokenRefusal != "" {
		code, description, _ := strings.Cut(e.sim.switches.TokenRefusal, ": ")
		return nil, badRequest(code, description)
	}
	var g *grant
	refresh := true
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		g, refusal = e.redeem(o, app, r.PostForm)
	case "refresh_token":
		g, refresh, refusal = e.refresh(o, app, r.PostForm.Get("refresh_token"))
	case "client_credentials":
		g, refusal = e.runAs(o, app)
		refresh = false
	default:
		refusal = badRequest("unsupported_grant_type", "grant type not supported")
	}
	if refusal != nil {
		return nil, refusal
	}
	answer, err := e.sim.grants.issue(o, app, g, refresh)
	if err != nil {
		return nil, &oauthError{status: http.StatusInternalServerError, Code: "server_error", Description: err.Error()}
	}
	return answer, nil
}

// redeem turns an authorization code into a grant. A code is spent by the first request
// that knows it, even a wrong one. The caller holds mu.
func (e oauthEndpoints) redeem(o *org, app *ECA, form url.Values) (*grant, *oauthError) {
	c := e.sim.state.Codes[form.Get("code")]
	switch {
	case c == nil || c.ClientID != app.ClientID || c.Org != o.Name:
		return nil, badRequest("invalid_grant", "invalid authorization code")
	case c.Spent || e.sim.now().After(c.ExpiresAt):
		return nil, badRequest("invalid_grant", "expired authorization code")
	}
	c.Spent = true
	if form.Get("redirect_uri") != c.RedirectURI {
		return nil, badRequest("redirect_uri_mismatch", "redirect_uri must match configuration")
	}
	if e.sim.switches.InvalidVerifier != 0 {
		e.sim.switches.InvalidVerifier = max(e.sim.switches.InvalidVerifier-1, -1)
		return nil, badRequest("invalid_grant", "invalid code verifier")
	}
	verifier := form.Get("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	// RFC 7636 4.1: 43 to 128 characters.
	if len(verifier) < 43 || len(verifier) > 128 || base64.RawURLEncoding.EncodeToString(sum[:]) != c.Challenge {
		return nil, badRequest("invalid_grant", "invalid code verifier")
	}
	if refusal := e.sim.grants.userRefusal(o, c.UserID); refusal != nil {
		return nil, refusal
	}
	return e.sim.grants.newGrant(o, app, c.UserID, c.Scope), nil
}

// refresh spends a refresh token. It returns the grant, and whether the answer carries
// a new refresh token; the caller holds mu.
func (e oauthEndpoints) refresh(o *org, app *ECA, presented string) (*grant, bool, *oauthError) {
	t := e.sim.state.RefreshTokens[presented]
	if t == nil {
		return nil, false, errDeadToken()
	}
	g := e.sim.state.Grants[t.Grant]
	now := e.sim.now()
	if g.ClientID != app.ClientID || g.Org != o.Name {
		return nil, false, errDeadToken()
	}
	if !t.RotatedAt.IsZero() {
		t.Reused++
		if e.sim.switches.RefreshReuse == "revoke_family" && g.RevokedAt.IsZero() {
			e.sim.grants.endGrant(g, "refresh token reused")
		}
		e.sim.save()
		return nil, false, errDeadToken()
	}
	if !g.RevokedAt.IsZero() || now.After(g.CreatedAt.Add(app.RefreshMax)) ||
		(app.RefreshIdle > 0 && now.After(t.LastUsedAt.Add(app.RefreshIdle))) {
		return nil, false, errDeadToken()
	}
	if refusal := e.sim.grants.userRefusal(o, g.UserID); refusal != nil {
		return nil, false, refusal
	}
	t.LastUsedAt = now
	rotate := !app.NoRotation && !e.sim.switches.NoRotation
	if rotate {
		t.RotatedAt = now
	}
	return g, rotate, nil
}

// runAs makes a grant of the client-credentials flow; the caller holds mu.
func (e oauthEndpoints) runAs(o *org, app *ECA) (*grant, *oauthError) {
	if !e.sim.switches.ClientCredentials {
		return nil, badRequest("unsupported_grant_type", "grant type not supported")
	}
	userOrg, user := e.sim.userNamed(app.RunAs)
	if app.Secret == "" || user == nil || userOrg != o {
		return nil, badRequest("invalid_grant", "no client credentials user enabled")
	}
	if refusal := e.sim.grants.userRefusal(o, user.ID); refusal != nil {
		return nil, refusal
	}
	return e.sim.grants.newGrant(o, app, user.ID, joinScopes(slices.DeleteFunc(slices.Clone(app.Scopes), func(scope string) bool {
		return scope == "refresh_token" || scope == "offline_access"
	}))), nil
}

// joinScopes writes scopes as Salesforce answers them: refresh_token first,
// offline_access by that name too, none twice.
func joinScopes(scopes []string) string {
	var known []string
	for _, scope := range scopes {
		if scope == "offline_access" {
			scope = "refresh_token"
		}
		switch {
		case slices.Contains(known, scope):
		case scope == "refresh_token":
			known = slices.Insert(known, 0, scope)
		default:
			known = append(known, scope)
		}
	}
	return strings.Join(known, " ")
}

func hasScope(scopes, scope string) bool { return slices.Contains(strings.Fields(scopes), scope) }

// sign is the signature member of a token answer: HMAC-SHA256 under the consumer secret.
func sign(app *ECA, text string) string {
	mac := hmac.New(sha256.New, []byte(app.ClientID+app.Secret))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
