package salesforcesim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRevoke(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	revokeURL := s.BaseURL() + "/services/oauth2/revoke"
	access, refresh := issueTokens(t, s)
	second := postForm(t, s.tokenURL(), refreshForm(refresh)).json(t)
	newAccess, newRefresh := second["access_token"].(string), second["refresh_token"].(string)

	// An access token goes alone.
	if got := postForm(t, revokeURL, form("token", access)); got.status != 200 || got.body != "" {
		t.Errorf("access token: %d %q", got.status, got.body)
	}
	if _, err := s.gateway.bearer(access); err == nil {
		t.Error("revoked access token accepted")
	}
	if _, err := s.gateway.bearer(newAccess); err != nil {
		t.Error("the other access token went with it")
	}
	// The refresh token takes all access tokens along. GET works too.
	if got := send(t, "GET", revokeURL+"?token="+newRefresh, nil, ""); got.status != 200 || got.body != "" {
		t.Errorf("refresh token: %d %q", got.status, got.body)
	}
	if _, err := s.gateway.bearer(newAccess); err == nil {
		t.Error("access token survived its refresh token")
	}
	if got := postForm(t, s.tokenURL(), refreshForm(newRefresh)).json(t); got["error_description"] != "expired access/refresh token" {
		t.Errorf("%v", got)
	}
	for token, code := range map[string]string{newRefresh: "invalid_token", access: "invalid_token", refresh: "invalid_token",
		"5Aep861unknown": "invalid_token", "": "unsupported_token_type", "sfa_whatever": "unsupported_token_type"} {
		if got := postForm(t, revokeURL, form("token", token)); got.status != 400 || got.json(t)["error"] != code {
			t.Errorf("%.12q: %d %s, want %s", token, got.status, got.body, code)
		}
	}
	states := []string{}
	for _, token := range s.RefreshTokens(GrantFilter{}) {
		states = append(states, token.State)
	}
	if diff := cmp.Diff([]string{"rotated", "revoked"}, states); diff != "" {
		t.Error(diff)
	}
}

func TestRevokeDown(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Switches: Switches{RevokeDown: true}})
	_, refresh := issueTokens(t, s)
	if got := postForm(t, s.BaseURL()+"/services/oauth2/revoke", form("token", refresh)); got.status != 503 {
		t.Errorf("%d", got.status)
	}
	if got := postForm(t, s.tokenURL(), refreshForm(refresh)); got.status != 200 {
		t.Error("revoked all the same")
	}
}

// TestRevocationLag: with the switch, a revoked JWT opens the gateway until it expires.
func TestRevocationLag(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := start(t, Config{Now: clock.Now, Switches: Switches{RevocationLag: true}})
	access, _ := issueTokens(t, s)
	if n := s.RevokeGrants(GrantFilter{Username: RepUsername}); n != 1 {
		t.Fatalf("%d revoked", n)
	}
	if _, err := s.gateway.bearer(access); err != nil {
		t.Error("refused before it expired")
	}
	clock.Advance(31 * time.Minute)
	if _, err := s.gateway.bearer(access); err == nil {
		t.Error("accepted after it expired")
	}
}

func TestIntrospect(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := start(t, Config{Now: clock.Now})
	introspectURL := s.BaseURL() + "/services/oauth2/introspect"
	access, refresh, err := s.IssueTokens(RepUsername, ConfidentialClientID)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token string) map[string]any {
		t.Helper()
		got := postForm(t, introspectURL, form("token", token, "client_id", ConfidentialClientID, "client_secret", ConfidentialSecret))
		if got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
		return got.json(t)
	}
	now := float64(clock.Now().Unix())
	want := map[string]any{"active": true, "scope": "refresh_token mcp_api", "client_id": ConfidentialClientID, "username": RepUsername,
		"sub": s.BaseURL() + "/id/" + OrgID + "/" + RepID, "token_type": "access_token", "iat": now, "nbf": now - 15, "exp": now + 1800}
	if diff := cmp.Diff(want, ask(access)); diff != "" {
		t.Error(diff)
	}
	if got := ask(refresh); got["active"] != true || got["token_type"] != "refresh_token" {
		t.Errorf("%v", got)
	}
	clock.Advance(time.Minute)
	confidential := form("grant_type", "refresh_token", "client_id", ConfidentialClientID, "client_secret", ConfidentialSecret, "refresh_token", refresh)
	refresh = postForm(t, s.tokenURL(), confidential).json(t)["refresh_token"].(string)
	if diff := cmp.Diff(want, ask(access)); diff != "" {
		t.Errorf("after a refresh that made another token: %s", diff)
	}
	foreign, _ := issueTokens(t, s)
	s.RevokeGrants(GrantFilter{ClientID: ConfidentialClientID})
	for name, token := range map[string]string{"another app's": foreign, "revoked": access, "unknown": "x", "revoked refresh": refresh} {
		if diff := cmp.Diff(map[string]any{"active": false}, ask(token)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, f := range []map[string][]string{form("token", foreign), form("token", foreign, "client_id", PublicClientID)} {
		if got := postForm(t, introspectURL, f); got.status != 401 {
			t.Errorf("without a secret: %d %s", got.status, got.body)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Orgs: []Org{{Name: "acme", ID: OrgID, Apps: []ECA{{ClientID: PublicClientID},
		{ClientID: "profile", Scopes: []string{"mcp_api", "profile"}}}}}})
	mcpOnly, _ := issueTokens(t, s)
	profile, _, err := s.IssueTokens(RepUsername, "profile")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/services/oauth2/userinfo", "/id/" + OrgID + "/" + RepID} {
		bearer := func(token string) reply {
			return send(t, "GET", s.BaseURL()+path, map[string][]string{"Authorization": {"Bearer " + token}}, "")
		}
		if got := send(t, "GET", s.BaseURL()+path, nil, ""); got.status != 403 || got.body != "Missing_OAuth_Token\n" {
			t.Errorf("%s: %d %q", path, got.status, got.body)
		}
		if got := bearer(mcpOnly); got.status != 403 || got.body != "Bad_OAuth_Token\n" {
			t.Errorf("%s: %d %q", path, got.status, got.body)
		}
		if got := bearer(profile); got.status != 200 || got.json(t)["preferred_username"] != RepUsername {
			t.Errorf("%s: %d %q", path, got.status, got.body)
		}
	}
	if got := send(t, "POST", s.BaseURL()+"/services/oauth2/register", nil, `{}`); got.status != 401 || got.json(t)["error"] != "invalid_client" {
		t.Errorf("register: %d %s", got.status, got.body)
	}
}
