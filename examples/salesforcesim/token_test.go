package salesforcesim

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTokenAnswer(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := start(t, Config{Now: clock.Now})
	got := postForm(t, s.tokenURL(), redeemForm(getCode(t, s, RepUsername, RepPassword), "resource", "https://elsewhere.example"))
	body := got.json(t)
	if got.status != 200 || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, cache %q", got.status, got.header.Get("Cache-Control"))
	}
	// There is no expires_in.
	want := []string{"access_token", "api_instance_url", "id", "instance_url", "issued_at", "refresh_token", "scope", "signature", "token_format", "token_type"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(body))); diff != "" {
		t.Error(diff)
	}
	for name, value := range map[string]string{"scope": "refresh_token mcp_api", "token_type": "Bearer", "token_format": "jwt",
		"instance_url": s.BaseURL(), "api_instance_url": s.BaseURL(), "id": s.BaseURL() + "/id/" + OrgID + "/" + RepID, "issued_at": "1790856000000"} {
		if body[name] != value {
			t.Errorf("%s: got %v, want %s", name, body[name], value)
		}
	}
	if !strings.HasPrefix(body["refresh_token"].(string), "5Aep861") {
		t.Errorf("refresh token %v", body["refresh_token"])
	}
	if raw, err := base64.StdEncoding.DecodeString(body["signature"].(string)); err != nil || len(raw) != 32 {
		t.Errorf("signature %v", body["signature"])
	}
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	newCode := func() string { return getCode(t, s, RepUsername, RepPassword) }
	spent := newCode()
	if got := postForm(t, s.tokenURL(), redeemForm(spent)); got.status != 200 {
		t.Fatal(got.body)
	}
	tests := []struct {
		name              string
		form              url.Values
		code, description string
	}{
		{"unknown client", redeemForm(newCode(), "client_id", "3MVG9x"), "invalid_client_id", "client identifier invalid"},
		{"confidential app without secret", redeemForm(newCode(), "client_id", ConfidentialClientID), "invalid_client", "invalid client credentials"},
		{"public app with a secret", redeemForm(newCode(), "client_secret", "x"), "invalid_client", "invalid client credentials"},
		{"grant type", form("grant_type", "password", "client_id", PublicClientID), "unsupported_grant_type", "grant type not supported"},
		{"no grant type", form("client_id", PublicClientID), "unsupported_grant_type", "grant type not supported"},
		{"client credentials are off", form("grant_type", "client_credentials", "client_id", PublicClientID), "unsupported_grant_type", "grant type not supported"},
		{"unknown code", redeemForm("aPrxNothing=="), "invalid_grant", "invalid authorization code"},
		{"spent code", redeemForm(spent), "invalid_grant", "expired authorization code"},
		{"other redirect", redeemForm(newCode(), "redirect_uri", "https://x.example/"), "redirect_uri_mismatch", "redirect_uri must match configuration"},
		{"wrong verifier", redeemForm(newCode(), "code_verifier", strings.Repeat("x", 43)), "invalid_grant", "invalid code verifier"},
		{"no verifier", redeemForm(newCode(), "code_verifier", ""), "invalid_grant", "invalid code verifier"},
		{"unknown refresh token", refreshForm("5Aep861nothing"), "invalid_grant", "expired access/refresh token"},
	}
	for _, test := range tests {
		got := postForm(t, s.tokenURL(), test.form)
		want := map[string]any{"error": test.code, "error_description": test.description}
		if diff := cmp.Diff(want, got.json(t)); got.status != 400 || diff != "" {
			t.Errorf("%s: status %d, %s", test.name, got.status, diff)
		}
	}
	if live := len(s.Grants(GrantFilter{})); live != 1 {
		t.Errorf("%d grants after refusals, want 1", live)
	}
}

func TestTokenRequestShape(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	_, refresh := issueTokens(t, s)
	f := refreshForm(refresh).Encode()
	isForm := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for name, got := range map[string]reply{
		"GET":   send(t, "GET", s.tokenURL()+"?"+f, nil, ""),
		"query": send(t, "POST", s.tokenURL()+"?"+f, isForm, ""),
		"JSON":  send(t, "POST", s.tokenURL(), http.Header{"Content-Type": {"application/json"}}, `{"grant_type":"refresh_token"}`),
	} {
		if got.status != 400 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if got := postForm(t, s.tokenURL(), refreshForm(refresh)); got.status != 200 {
		t.Errorf("refusals spent the token: %s", got.body)
	}
}

// TestShortVerifier: RFC 7636 wants at least 43 characters, even where the hash fits.
func TestShortVerifier(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	code := getCode(t, s, RepUsername, RepPassword, "code_challenge", challengeOf("short"))
	if got := postForm(t, s.tokenURL(), redeemForm(code, "code_verifier", "short")).json(t); got["error_description"] != "invalid code verifier" {
		t.Errorf("%v", got)
	}
}

func TestConfidentialApp(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	code := func() string { return getCode(t, s, RepUsername, RepPassword, "client_id", ConfidentialClientID) }
	got := postForm(t, s.tokenURL(), redeemForm(code(), "client_id", ConfidentialClientID, "client_secret", ConfidentialSecret))
	if got.status != 200 {
		t.Fatalf("secret in the form: %s", got.body)
	}
	f := redeemForm(code())
	f.Del("client_id")
	basic := http.Header{"Content-Type": {"application/x-www-form-urlencoded"},
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(ConfidentialClientID+":"+ConfidentialSecret))}}
	if got := send(t, "POST", s.tokenURL(), basic, f.Encode()); got.status != 200 {
		t.Errorf("secret by Basic: %s", got.body)
	}
	// isSecretRequiredForRefreshToken is on.
	refresh := refreshForm(got.json(t)["refresh_token"].(string))
	refresh.Set("client_id", ConfidentialClientID)
	if got := postForm(t, s.tokenURL(), refresh).json(t); got["error"] != "invalid_client" {
		t.Errorf("refresh without secret: %v", got)
	}
	refresh.Set("client_secret", ConfidentialSecret)
	if got := postForm(t, s.tokenURL(), refresh); got.status != 200 {
		t.Errorf("refresh with secret: %s", got.body)
	}
}

func TestRefreshRotation(t *testing.T) {
	t.Parallel()
	for _, reuse := range []string{"", "plain", "revoke_family"} {
		s := start(t, Config{Switches: Switches{RefreshReuse: reuse}})
		_, first := issueTokens(t, s)
		second, _ := postForm(t, s.tokenURL(), refreshForm(first)).json(t)["refresh_token"].(string)
		if second == "" || second == first {
			t.Fatalf("%q: not rotated: %q", reuse, second)
		}
		if got := postForm(t, s.tokenURL(), refreshForm(first)).json(t); got["error"] != "invalid_grant" || got["error_description"] != "expired access/refresh token" {
			t.Errorf("%q: reuse: %v", reuse, got)
		}
		tokens := s.RefreshTokens(GrantFilter{Username: RepUsername})
		if len(tokens) != 2 || tokens[0].State != "rotated" || tokens[0].Reused != 1 || tokens[0].SHA256 != hash(first) {
			t.Errorf("%q: %+v", reuse, tokens)
		}
		want := map[string]int{"": 200, "plain": 200, "revoke_family": 400}[reuse]
		if got := postForm(t, s.tokenURL(), refreshForm(second)); got.status != want {
			t.Errorf("%q: successor after reuse: %d %s", reuse, got.status, got.body)
		}
	}
}

func TestRefreshWithoutRotation(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Switches: Switches{NoRotation: true}})
	_, refresh := issueTokens(t, s)
	for range 2 {
		got := postForm(t, s.tokenURL(), refreshForm(refresh))
		if _, carried := got.json(t)["refresh_token"]; got.status != 200 || carried {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

func TestRefreshExpiry(t *testing.T) {
	t.Parallel()
	clock := newClock()
	app := ECA{ClientID: PublicClientID, RefreshMax: 10 * 24 * time.Hour, RefreshIdle: 7 * 24 * time.Hour}
	s := start(t, Config{Now: clock.Now, Orgs: []Org{{Name: "acme", ID: OrgID, Apps: []ECA{app}}}})
	_, idle := issueTokens(t, s)
	_, busy := issueTokens(t, s)
	clock.Advance(6 * 24 * time.Hour)
	busy = postForm(t, s.tokenURL(), refreshForm(busy)).json(t)["refresh_token"].(string)
	clock.Advance(3 * 24 * time.Hour)
	if got := postForm(t, s.tokenURL(), refreshForm(idle)).json(t); got["error_description"] != "expired access/refresh token" {
		t.Errorf("idle for nine days: %v", got)
	}
	busy = postForm(t, s.tokenURL(), refreshForm(busy)).json(t)["refresh_token"].(string)
	clock.Advance(2 * 24 * time.Hour)
	if got := postForm(t, s.tokenURL(), refreshForm(busy)).json(t); got["error_description"] != "expired access/refresh token" {
		t.Errorf("eleven days old: %v", got)
	}
}

// TestFiveApprovals: the sixth approval of a user for an app ends the oldest, other
// users and apps do not count.
func TestFiveApprovals(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	var tokens []string
	for range 5 {
		_, refresh := issueTokens(t, s)
		tokens = append(tokens, refresh)
	}
	for _, other := range [][2]string{{ManagerUsername, PublicClientID}, {RepUsername, ConfidentialClientID}} {
		if _, _, err := s.IssueTokens(other[0], other[1]); err != nil {
			t.Fatal(err)
		}
	}
	states := func() (states []string) {
		for _, token := range s.RefreshTokens(GrantFilter{Username: RepUsername, ClientID: PublicClientID}) {
			states = append(states, token.State)
		}
		return states
	}
	if diff := cmp.Diff([]string{"live", "live", "live", "live", "live"}, states()); diff != "" {
		t.Fatal(diff)
	}
	issueTokens(t, s)
	if diff := cmp.Diff([]string{"revoked", "live", "live", "live", "live", "live"}, states()); diff != "" {
		t.Error(diff)
	}
	if got := postForm(t, s.tokenURL(), refreshForm(tokens[0])).json(t); got["error_description"] != "expired access/refresh token" {
		t.Errorf("evicted: %v", got)
	}
	setSwitches(t, s, Switches{MaxApprovals: 1})
	issueTokens(t, s)
	if got := states(); slices.Index(got, "live") != len(got)-1 {
		t.Errorf("at most one approval: %v", got)
	}
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	_, refresh := issueTokens(t, s)
	try := func(f Switches) reply {
		t.Helper()
		setSwitches(t, s, f)
		return postForm(t, s.tokenURL(), refreshForm(refresh))
	}
	if got := try(Switches{TokenErrors: 1, TokenStatus: 502}); got.status != 502 || !strings.Contains(got.body, "<html>") {
		t.Errorf("HTML error: %d %s", got.status, got.body)
	}
	if got := try(Switches{RedirectTo: "https://evil.example/"}); got.status != 307 || got.header.Get("Location") != "https://evil.example/" {
		t.Errorf("redirect: %d", got.status)
	}
	if got := try(Switches{IPRestricted: true}).json(t); got["error_description"] != "ip restricted" {
		t.Errorf("address: %v", got)
	}
	if got := try(Switches{AppDisabled: true}).json(t); got["error"] != "invalid_client_id" {
		t.Errorf("app disabled: %v", got)
	}
	s.FreezeUser(RepUsername, true)
	if got := try(Switches{}).json(t); got["error"] != "inactive_user" {
		t.Errorf("frozen: %v", got)
	}
	s.FreezeUser(RepUsername, false)

	code := getCode(t, s, RepUsername, RepPassword)
	setSwitches(t, s, Switches{InvalidVerifier: 1})
	if got := postForm(t, s.tokenURL(), redeemForm(code)).json(t); got["error_description"] != "invalid code verifier" {
		t.Errorf("verifier: %v", got)
	}
	if got := s.Switches().InvalidVerifier; got != 0 {
		t.Errorf("invalid_verifier left: %d", got)
	}

	// A lost reply: the token is rotated all the same.
	setSwitches(t, s, Switches{TokenRepliesLost: 1})
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if got, err := trySend("POST", s.tokenURL(), header, refreshForm(refresh).Encode()); err == nil {
		t.Errorf("answered: %+v", got)
	}
	if got := try(Switches{}).json(t); got["error"] != "invalid_grant" {
		t.Errorf("after a lost reply: %v", got)
	}
}

func TestOpaqueTokens(t *testing.T) {
	t.Parallel()
	withAPI := ECA{ClientID: PublicClientID, Scopes: []string{"mcp_api", "refresh_token", "api"}}
	for name, cfg := range map[string]Config{
		"switch":    {Switches: Switches{OpaqueTokens: true}},
		"api scope": {Orgs: []Org{{Name: "acme", ID: OrgID, Apps: []ECA{withAPI}}}},
	} {
		s := start(t, cfg)
		access, _ := issueTokens(t, s)
		if !strings.HasPrefix(access, OrgID[:15]+"!AQ") {
			t.Errorf("%s: access token %q", name, access)
		}
		c := &mcpClient{t: t, url: s.ServerURL("", "platform/sobject-reads"), token: access}
		if got := c.post(callUserInfo); got.status != 401 || !strings.Contains(got.body, `{"message":"Invalid token"}`) {
			t.Errorf("%s: gateway: %d %s", name, got.status, got.body)
		}
	}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	apps := []ECA{{ClientID: "runs", Secret: "s", RunAs: RepUsername}, {ClientID: "does-not", Secret: "s"}}
	s := start(t, Config{Switches: Switches{ClientCredentials: true}, Orgs: []Org{{Name: "acme", ID: OrgID, Apps: apps}}})
	try := func(id string) map[string]any {
		return postForm(t, s.tokenURL(), form("grant_type", "client_credentials", "client_id", id, "client_secret", "s")).json(t)
	}
	if got := try("runs"); got["access_token"] == nil || got["refresh_token"] != nil || got["scope"] != "mcp_api" {
		t.Errorf("%v", got)
	}
	if got := try("does-not"); got["error_description"] != "no client credentials user enabled" {
		t.Errorf("%v", got)
	}
}

// TestClientCredentialsOfDefaultApp: the switch does something in the org that everybody gets.
func TestClientCredentialsOfDefaultApp(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Orgs: []Org{{Name: "acme", ID: OrgID}, {Name: "second", ID: "00Dxx0000002gPFEAY"}}})
	setSwitches(t, s, Switches{ClientCredentials: true})
	for org, suffix := range map[string]string{"acme": "", "second": ".second"} {
		f := form("grant_type", "client_credentials", "client_id", ConfidentialClientID+suffix, "client_secret", ConfidentialSecret)
		if got := postForm(t, s.LoginURL(org)+"/services/oauth2/token", f).json(t); got["access_token"] == nil || got["refresh_token"] != nil {
			t.Errorf("%s: %v", org, got)
		}
		if grants := s.Grants(GrantFilter{Username: RepUsername + suffix}); len(grants) != 1 {
			t.Errorf("%s: runs as %+v", org, grants)
		}
	}
}
