package salesforcesim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Orgs: []Org{{Name: "acme", ID: OrgID}, {Name: "sandbox", ID: "00Dxx0000002gPFEAY", Kind: "sandbox"},
		{Name: "dev", ID: "00Dxx0000003gPFEAY", Kind: "developer", MyDomain: "acme-dev"}}})
	get := func(path string) map[string]any {
		t.Helper()
		got := send(t, "GET", s.BaseURL()+path, nil, "")
		if got.status != 200 {
			t.Fatalf("%s: %d", path, got.status)
		}
		return got.json(t)
	}
	const prm, server = "/.well-known/oauth-protected-resource", "/platform/mcp/v1/"

	for path, login := range map[string]string{
		"platform/sobject-all": s.BaseURL(), "no/such-server": s.BaseURL(),
		"sandbox/platform/sobject-all":              s.LoginURL("sandbox"),
		"d/acme-dev/develop/platform/sobject-reads": s.LoginURL("dev"),
	} {
		want := map[string]any{"resource": s.BaseURL() + server + path, "authorization_servers": []any{login}, "scopes_supported": []any{"mcp_api", "refresh_token"}}
		if diff := cmp.Diff(want, get(prm+server+path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	root := get(prm)
	if diff := cmp.Diff(map[string]any{"resource": s.BaseURL(), "authorization_servers": []any{s.BaseURL()},
		"scopes_supported": []any{"api", "sfap_api", "refresh_token", "einstein_gpt_api"}}, root); diff != "" {
		t.Error(diff)
	}

	asmd := get("/.well-known/oauth-authorization-server" + server + "platform/sobject-all")
	if got := asmd["authorization_endpoint"]; got != s.BaseURL()+"/services/oauth2/authorize?prompt=select_account" {
		t.Errorf("authorization_endpoint %v", got)
	}
	if asmd["registration_endpoint"] != nil || !cmp.Equal(asmd["code_challenge_methods_supported"], []any{"S256"}) {
		t.Errorf("%v", asmd)
	}
	for _, base := range []string{s.BaseURL(), s.LoginURL("sandbox")} {
		if got := send(t, "GET", base+"/.well-known/oauth-authorization-server", nil, ""); got.status != 404 {
			t.Errorf("login host's RFC 8414 document: %d", got.status)
		}
	}

	oidc := get("/.well-known/openid-configuration")
	if oidc["issuer"] != s.BaseURL() || oidc["registration_endpoint"] != s.BaseURL()+"/services/oauth2/register" {
		t.Errorf("%v", oidc)
	}
	// What makes ChatGPT refuse a direct connection.
	for _, missing := range []string{"code_challenge_methods_supported", "grant_types_supported"} {
		if oidc[missing] != nil {
			t.Errorf("openid-configuration has %s", missing)
		}
	}
	if got := get("/orgs/sandbox/.well-known/openid-configuration")["token_endpoint"]; got != s.LoginURL("sandbox")+"/services/oauth2/token" {
		t.Errorf("sandbox token endpoint %v", got)
	}
}

func TestDiscoverySwitches(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Switches: Switches{AdvertiseS256: true, AuthorizeWithoutQuery: true, ResourceNamesItself: true}})
	const prm, asmd = "/.well-known/oauth-protected-resource/platform/mcp/v1/a/b", "/.well-known/oauth-authorization-server/platform/mcp/v1/a/b"
	if got := send(t, "GET", s.BaseURL()+"/.well-known/openid-configuration", nil, "").body; !strings.Contains(got, `"S256"`) {
		t.Error("S256 not advertised")
	}
	if got := send(t, "GET", s.BaseURL()+asmd, nil, "").json(t)["authorization_endpoint"]; got != s.BaseURL()+"/services/oauth2/authorize" {
		t.Errorf("authorization_endpoint %v", got)
	}
	setSwitches(t, s, Switches{ResourceMetadata404: true, ServerMetadata404: true})
	for _, path := range []string{prm, asmd} {
		if got := send(t, "GET", s.BaseURL()+path, nil, ""); got.status != 404 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}
