package salesforcesim

import (
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// serveRevoke is the revocation endpoint, by form or by query. It needs no client authentication.
func (s *Sim) serveRevoke(w http.ResponseWriter, r *http.Request, _ *org) {
	if s.Switches().RevokeDown {
		htmlError(w, http.StatusServiceUnavailable)
		return
	}
	if err := r.ParseForm(); err != nil {
		writeJSON(w, http.StatusBadRequest, badRequest("invalid_request", "malformed form"))
		return
	}
	if refusal := s.revoke(r.Form.Get("token")); refusal != nil {
		writeJSON(w, refusal.status, refusal)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// revoke ends an access token alone, or a refresh token with all access tokens made
// from it. A token that is revoked already is an invalid one.
func (s *Sim) revoke(token string) *oauthError {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.state.RefreshTokens[token]; t != nil {
		g := s.state.Grants[t.Grant]
		if !t.RotatedAt.IsZero() || !g.RevokedAt.IsZero() {
			return badRequest("invalid_token", "the token is not valid")
		}
		s.endGrant(g, "refresh token revoked")
		s.save()
		return nil
	}
	if t := s.accessToken(token); t != nil && !s.revoked(t) && s.now().Before(t.ExpiresAt) {
		t.RevokedAt = s.now()
		s.save()
		return nil
	}
	if !strings.HasPrefix(token, "5Aep") && !strings.HasPrefix(token, "00D") && strings.Count(token, ".") != 2 {
		return badRequest("unsupported_token_type", "this kind of token is not supported")
	}
	return badRequest("invalid_token", "the token is not valid")
}

// accessToken finds a token that was issued here, opaque or JWT; the caller holds mu.
func (s *Sim) accessToken(token string) *accessToken {
	if t := s.state.AccessTokens[token]; t != nil && strings.HasPrefix(token, "00D") {
		return t
	}
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation()).Parse(token, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		_, key := s.keyNamed(kid)
		if key == nil {
			return nil, errInvalidToken
		}
		return key, nil
	})
	if err != nil {
		return nil
	}
	id, _ := parsed.Claims.(jwt.MapClaims)["sfi"].(string)
	return s.state.AccessTokens[id]
}

// serveIntrospect is the introspection endpoint (RFC 7662). It needs a client secret,
// so a public app cannot use it.
func (s *Sim) serveIntrospect(w http.ResponseWriter, r *http.Request, o *org) {
	if refusal := parseForm(r); refusal != nil {
		writeJSON(w, refusal.status, refusal)
		return
	}
	s.mu.Lock()
	app, refusal := s.authenticateApp(r, o)
	if refusal != nil || app.Secret == "" {
		s.mu.Unlock()
		writeJSON(w, http.StatusUnauthorized, &oauthError{Code: "invalid_client", Description: "invalid client credentials"})
		return
	}
	answer := s.introspection(app, r.PostForm.Get("token"))
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, answer)
}

// introspection describes a token to an app; the caller holds mu. The subject is the
// identity URL here, unlike in the JWT.
func (s *Sim) introspection(app *ECA, token string) map[string]any {
	inactive := map[string]any{"active": false}
	describe := func(g *grant, kind string) map[string]any {
		u := s.user(s.org(g.Org), g.UserID)
		if u == nil || u.Frozen || (g.ClientID != app.ClientID && !app.IntrospectAll) {
			return inactive
		}
		return map[string]any{"active": true, "scope": g.Scope, "client_id": g.ClientID, "username": u.Username,
			"sub": identityURL(s.org(g.Org), g.UserID), "token_type": kind}
	}
	now := s.now()
	if t := s.state.RefreshTokens[token]; t != nil {
		if g := s.state.Grants[t.Grant]; t.RotatedAt.IsZero() && g.RevokedAt.IsZero() {
			return describe(g, "refresh_token")
		}
		return inactive
	}
	t := s.accessToken(token)
	if t == nil || s.revoked(t) || now.After(t.ExpiresAt) {
		return inactive
	}
	answer := describe(s.state.Grants[t.Grant], "access_token")
	if answer["active"] == true {
		answer["exp"], answer["iat"], answer["nbf"] = t.ExpiresAt.Unix(), t.IssuedAt.Unix(), t.IssuedAt.Unix()-15
	}
	return answer
}
