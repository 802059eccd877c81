package authproxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/access"
)

func TestAS21Metadata(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	want := map[string]any{
		"issuer":                 f.PublicURL,
		"authorization_endpoint": f.PublicURL + "/oauth/authorize",
		"token_endpoint":         f.PublicURL + "/oauth/token",
		"revocation_endpoint":    f.PublicURL + "/oauth/revoke",
		"scopes_supported":       []any{"mcp", "offline_access"},

		"response_types_supported":                       []any{"code"},
		"response_modes_supported":                       []any{"query"},
		"grant_types_supported":                          []any{"authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported":          []any{"none"},
		"revocation_endpoint_auth_methods_supported":     []any{"none"},
		"code_challenge_methods_supported":               []any{"S256"},
		"authorization_response_iss_parameter_supported": true,
		"request_uri_parameter_supported":                false,
	}
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		r := f.send(t, "GET", path, "")
		if diff := cmp.Diff(want, r.json(t)); diff != "" || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %s", path, r.header.Get("Content-Type"), diff)
		}
	}
	for _, name := range []string{"sales", "all"} {
		r := f.send(t, "GET", "/.well-known/oauth-protected-resource/mcp/"+name, "").json(t)
		if r["resource"] != f.PublicURL+"/mcp/"+name || !cmp.Equal(r["authorization_servers"], []any{f.PublicURL}) || !cmp.Equal(r["scopes_supported"], []any{"mcp"}) {
			t.Errorf("resource metadata of %s: %v", name, r)
		}
	}
	for _, path := range []string{
		"/.well-known/oauth-protected-resource", // ambiguous with several servers
		"/.well-known/oauth-protected-resource/mcp/unknown", "/.well-known/oauth-protected-resource/mcp/SALES", "/.well-known/oauth-protected-resource/mcp/%73ales",
		"/.well-known/oauth-protected-resource/mcp/sales//", "/.well-known/oauth-protected-resource/mcp/", "/.well-known/oauth-protected-resource//mcp/sales",
		"/.well-known/oauth-protected-resource/mcp/../mcp/sales", "/.well-known/oauth-authorization-server/mcp/sales",
	} {
		if r := f.send(t, "GET", path, ""); r.status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, r.status)
		}
	}
}

func TestRootResourceMetadataOfOneServer(t *testing.T) {
	t.Parallel()
	f := start(t, change{access: func(c *access.Config) { c.Servers = c.Servers[:1] }})
	if r := f.send(t, "GET", "/.well-known/oauth-protected-resource", "").json(t); r["resource"] != f.Access.Resource("sales") {
		t.Errorf("%v", r)
	}
}

func TestAS20HostAndForwardedHeaders(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/oauth-protected-resource/mcp/sales"} {
		want := f.send(t, "GET", path, "").body
		for _, headers := range [][]string{
			{"Host", "evil.example"}, {"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-Proto", "javascript"}, {"Forwarded", "host=evil.example;proto=http"},
			{"X-Forwarded-Prefix", "/evil"}, {"X-Original-URL", "/evil"},
		} {
			if got := f.send(t, "GET", path, "", headers...).body; got != want {
				t.Errorf("%s with %v: %s", path, headers, got)
			}
		}
	}
	r := f.send(t, "GET", f.authorizePath("code_challenge", ""), "", "Host", "evil.example", "X-Forwarded-Host", "evil.example")
	if iss := r.location(t).Query().Get("iss"); iss != f.PublicURL {
		t.Errorf("iss %q", iss)
	}
}

func TestAS36NoRegistration(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	if r := f.send(t, "POST", "/oauth/register", `{"redirect_uris":["https://evil.example/cb"]}`, "Content-Type", "application/json"); r.status != http.StatusNotFound {
		t.Errorf("register: %d", r.status)
	}
	if body := f.send(t, "GET", "/.well-known/oauth-authorization-server", "").body; strings.Contains(body, "registration") {
		t.Errorf("registration is advertised: %s", body)
	}
}

func TestAS52CORS(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/oauth-protected-resource/mcp/sales"} {
		for _, method := range []string{"GET", "OPTIONS"} {
			r := f.send(t, method, path, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "mcp-protocol-version")
			if r.header.Get("Access-Control-Allow-Origin") != "*" || r.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s: %v", method, path, r.header)
			}
		}
		if r := f.send(t, "POST", path, "{}"); r.status != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, r.status)
		}
	}
	for _, path := range []string{"/oauth/consent", "/oauth/authorize", "/oauth/callback", "/signin", "/signout"} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			r := f.send(t, method, path, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
			for name := range r.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s answers %s", method, path, name)
				}
			}
		}
	}
}

func TestNewWithoutParts(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "a part is missing") {
		t.Errorf("%v", err)
	}
}
