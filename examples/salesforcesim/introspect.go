package salesforcesim

import "net/http"

// serveIntrospect is the introspection endpoint (RFC 7662). It needs a client secret,
// so a public app cannot use it.
func (e oauthEndpoints) serveIntrospect(w http.ResponseWriter, r *http.Request, o *org) {
	if refusal := parseForm(r); refusal != nil {
		writeJSON(w, refusal.status, refusal)
		return
	}
	e.sim.mu.Lock()
	app, refusal := e.authenticateApp(r, o)
	if refusal != nil || app.Secret == "" {
		e.sim.mu.Unlock()
		writeJSON(w, http.StatusUnauthorized, &oauthError{Code: "invalid_client", Description: "invalid client credentials"})
		return
	}
	answer := e.introspection(app, r.PostForm.Get("token"))
	e.sim.mu.Unlock()
	writeJSON(w, http.StatusOK, answer)
}

// introspection describes a token to an app; the caller holds mu. The subject is the
// identity URL here, unlike in the JWT.
func (e oauthEndpoints) introspection(app *ECA, token string) map[string]any {
	inactive := map[string]any{"active": false}
	describe := func(g *grant, kind string) map[string]any {
		u := e.sim.user(e.sim.org(g.Org), g.UserID)
		if u == nil || u.Frozen || (g.ClientID != app.ClientID && !app.IntrospectAll) {
			return inactive
		}
		return map[string]any{"active": true, "scope": g.Scope, "client_id": g.ClientID, "username": u.Username,
			"sub": identityURL(e.sim.org(g.Org), g.UserID), "token_type": kind}
	}
	now := e.sim.now()
	if t := e.sim.state.RefreshTokens[token]; t != nil {
		if g := e.sim.state.Grants[t.Grant]; t.RotatedAt.IsZero() && g.RevokedAt.IsZero() {
			return describe(g, "refresh_token")
		}
		return inactive
	}
	t := e.sim.grants.accessToken(token)
	if t == nil || e.sim.grants.revoked(t) || now.After(t.ExpiresAt) {
		return inactive
	}
	answer := describe(e.sim.state.Grants[t.Grant], "access_token")
	if answer["active"] == true {
		answer["exp"], answer["iat"], answer["nbf"] = t.ExpiresAt.Unix(), t.IssuedAt.Unix(), t.IssuedAt.Unix()-15
	}
	return answer
}
