package salesforcesim

import (
	"net/http"
	"slices"
	"strings"
)

func identityURL(o *org, userID string) string { return o.base + "/id/" + o.ID + "/" + userID }

// serveIdentity is /services/oauth2/userinfo and /id/{org}/{user}. A token of mcp_api
// alone does not open it.
func (e oauthEndpoints) serveIdentity(w http.ResponseWriter, r *http.Request, o *org) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		http.Error(w, "Missing_OAuth_Token", http.StatusForbidden)
		return
	}
	e.sim.mu.Lock()
	user := e.identified(o, token)
	e.sim.mu.Unlock()
	if user == nil {
		http.Error(w, "Bad_OAuth_Token", http.StatusForbidden)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"sub": identityURL(o, user.ID), "user_id": user.ID, "organization_id": o.ID,
		"preferred_username": user.Username, "name": user.Name, "email": user.Email, "zoneinfo": user.Timezone})
}

// identified is the user whom a token with a fitting scope speaks for; the caller holds mu.
func (e oauthEndpoints) identified(o *org, token string) *User {
	t := e.sim.grants.accessToken(token)
	if t == nil || e.sim.grants.revoked(t) || e.sim.now().After(t.ExpiresAt) {
		return nil
	}
	g := e.sim.state.Grants[t.Grant]
	fitting := slices.ContainsFunc(strings.Fields(g.Scope), func(scope string) bool {
		return slices.Contains([]string{"id", "profile", "openid", "full", "web", "api"}, scope)
	})
	user := e.sim.user(o, g.UserID)
	if g.Org != o.Name || !fitting || user == nil || user.Frozen {
		return nil
	}
	return user
}

// serveRegister answers that nobody may register a client: Salesforce has no open
// dynamic registration.
func (e oauthEndpoints) serveRegister(w http.ResponseWriter, _ *http.Request, _ *org) {
	writeJSON(w, http.StatusUnauthorized, &oauthError{Code: "invalid_client", Description: "invalid client credentials"})
}
