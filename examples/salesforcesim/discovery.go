package salesforcesim

import (
	"net/http"
	"strings"
)

// loginScopes are the scopes that a login host lists.
var loginScopes = strings.Fields("cdp_ingest_api custom_permissions cdp_segment_api content cdp_api chatbot_api " +
	"cdp_identityresolution_api interaction_api wave_api einstein_gpt_api cdp_calculated_insight_api chatter_api id api eclair_api " +
	"pardot_api lightning visualforce cdp_query_api sfap_api openid cdp_profile_api refresh_token user_registration_api " +
	"pwdless_login_api forgot_password full offline_access profile web email address phone mcp_api scrt_api event_api")

// serveOpenIDConfiguration is the only discovery document of a login host.
func (e oauthEndpoints) serveOpenIDConfiguration(w http.ResponseWriter, _ *http.Request, o *org) {
	oauth := o.base + "/services/oauth2/"
	document := map[string]any{
		"issuer": o.base, "authorization_endpoint": oauth + "authorize", "token_endpoint": oauth + "token",
		"revocation_endpoint": oauth + "revoke", "userinfo_endpoint": oauth + "userinfo", "jwks_uri": o.base + "/id/keys",
		"registration_endpoint": oauth + "register", "introspection_endpoint": oauth + "introspect",
		"scopes_supported": loginScopes, "response_types_supported": []string{"code", "token", "token id_token"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic", "private_key_jwt"},
	}
	if e.sim.Switches().AdvertiseS256 {
		document["code_challenge_methods_supported"] = []string{"S256"}
	}
	writeJSON(w, http.StatusOK, document)
}

// serveServerMetadata is the gateway's authorization-server document. Its authorization
// endpoint has a query already.
func (e oauthEndpoints) serveServerMetadata(w http.ResponseWriter, r *http.Request, _ *org) {
	switches := e.sim.Switches()
	if switches.ServerMetadata404 {
		http.NotFound(w, r)
		return
	}
	login := e.loginHostOf(strings.TrimPrefix(r.URL.Path, serverMetadataPath))
	authorize := login + "/services/oauth2/authorize"
	if !switches.AuthorizeWithoutQuery {
		authorize += "?prompt=select_account"
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": login, "authorization_endpoint": authorize, "token_endpoint": login + "/services/oauth2/token",
		"jwks_uri": login + "/id/keys", "response_types_supported": []string{"code"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post"},
		"code_challenge_methods_supported":      []string{"S256"},
	})
}

// serveResourceMetadata is the gateway's protected-resource document (RFC 9728). It
// exists for any name, so that it tells nothing about which servers there are.
func (e oauthEndpoints) serveResourceMetadata(w http.ResponseWriter, r *http.Request, _ *org) {
	switches := e.sim.Switches()
	path := strings.TrimPrefix(r.URL.Path, resourceMetadataPath)
	if switches.ResourceMetadata404 {
		http.NotFound(w, r)
		return
	}
	document := map[string]any{"resource": e.sim.cfg.BaseURL + path, "authorization_servers": []string{e.loginHostOf(path)},
		"scopes_supported": []string{"mcp_api", "refresh_token"}}
	if path == "" || path == "/" {
		document["resource"] = e.sim.cfg.BaseURL
		document["scopes_supported"] = []string{"api", "sfap_api", "refresh_token", "einstein_gpt_api"}
	}
	if path == "" || path == "/" || switches.ResourceNamesItself {
		document["authorization_servers"] = []string{e.sim.cfg.BaseURL}
	}
	writeJSON(w, http.StatusOK, document)
}

// loginHostOf is the login host that belongs to a gateway path: the org's own for /d/
// paths, that of the first sandbox for sandbox paths (the part of test.salesforce.com),
// the first org's otherwise (that of login.salesforce.com).
func (e oauthEndpoints) loginHostOf(path string) string {
	at, ok := parseServerPath(strings.TrimPrefix(path, gatewayPrefix))
	for _, o := range e.sim.orgs {
		if ok && at.myDomain != "" && o.MyDomain == at.myDomain {
			return o.base
		}
	}
	if strings.HasPrefix(path, gatewayPrefix+"sandbox/") {
		for _, o := range e.sim.orgs {
			if o.Kind == "sandbox" || o.Kind == "scratch" {
				return o.base
			}
		}
	}
	return e.sim.cfg.BaseURL
}

// serveKeys answers /id/keys with the org's JSON Web Key Set (RFC 7517).
func (e oauthEndpoints) serveKeys(w http.ResponseWriter, _ *http.Request, o *org) {
	e.sim.mu.Lock()
	down, keys := e.sim.switches.KeysDown, e.sim.keys.published(o)
	e.sim.mu.Unlock()
	if down {
		htmlError(w, http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": keys})
}
