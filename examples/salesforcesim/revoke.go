package salesforcesim

import (
	"net/http"
	"strings"
)

// serveRevoke is the revocation endpoint, by form or by query. It needs no client authentication.
func (e oauthEndpoints) serveRevoke(w http.ResponseWriter, r *http.Request, _ *org) {
	if e.sim.Switches().RevokeDown {
		htmlError(w, http.StatusServiceUnavailable)
		return
	}
	if err := r.ParseForm(); err != nil {
		writeJSON(w, http.StatusBadRequest, badRequest("invalid_request", "malformed form"))
		return
	}
	if refusal := e.revoke(r.Form.Get("token")); refusal != nil {
		writeJSON(w, refusal.status, refusal)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// revoke ends an access token alone, or a refresh token with all access tokens made
// from it. A token that is revoked already is an invalid one.
func (e oauthEndpoints) revoke(token string) *oauthError {
	e.sim.mu.Lock()
	defer e.sim.mu.Unlock()
	if t := e.sim.state.RefreshTokens[token]; t != nil {
		g := e.sim.state.Grants[t.Grant]
		if !t.RotatedAt.IsZero() || !g.RevokedAt.IsZero() {
			return badRequest("invalid_token", "the token is not valid")
		}
		e.sim.grants.endGrant(g, "refresh token revoked")
		e.sim.save()
		return nil
	}
	if t := e.sim.grants.accessToken(token); t != nil && !e.sim.grants.revoked(t) && e.sim.now().Before(t.ExpiresAt) {
		t.RevokedAt = e.sim.now()
		e.sim.save()
		return nil
	}
	if !strings.HasPrefix(token, "5Aep") && !strings.HasPrefix(token, "00D") && strings.Count(token, ".") != 2 {
		return badRequest("unsupported_token_type", "this kind of token is not supported")
	}
	return badRequest("invalid_token", "the token is not valid")
}
