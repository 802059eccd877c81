package authproxy

import (
	"encoding/json"
	"net/http"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
)

// scopeOffline is the scope by which clients ask for a refresh token, which they get in any
// case. It stands beside [access.Scope], which opens the endpoint.
const scopeOffline = "offline_access"

// ServerMetadata is the authorization server metadata (RFC 8414 2). It names what
// works and nothing else.
type ServerMetadata struct {
	Issuer                        string   `json:"issuer"`
	AuthorizationEndpoint         string   `json:"authorization_endpoint"`
	TokenEndpoint                 string   `json:"token_endpoint"`
	RevocationEndpoint            string   `json:"revocation_endpoint"`
	RegistrationEndpoint          string   `json:"registration_endpoint,omitempty"`
	ScopesSupported               []string `json:"scopes_supported"`
	ResponseTypesSupported        []string `json:"response_types_supported"`
	ResponseModesSupported        []string `json:"response_modes_supported"`
	GrantTypesSupported           []string `json:"grant_types_supported"`
	TokenAuthMethodsSupported     []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms           []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	RevocationAuthMethods         []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthAlgorithms      []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	CodeChallengeMethodsSupported []string `json:"code_challenge_methods_supported"`
	// ResponseIss: RFC 9207 3. ChatGPT's stable redirect URI depends on it.
	ResponseIss bool `json:"authorization_response_iss_parameter_supported"`
	// RequestURIs: OpenID Connect Discovery 3 takes a document that does not say so for yes.
	RequestURIs bool `json:"request_uri_parameter_supported"`
	// MetadataDocuments: CIMD, "Authorization Server Metadata".
	MetadataDocuments bool `json:"client_id_metadata_document_supported,omitempty"`
}

// ResourceMetadata is the protected resource metadata of one endpoint (RFC 9728 2).
type ResourceMetadata struct {
	Resource               string   `json:"resource"`
	AuthorizationServers   []string `json:"authorization_servers"`
	ScopesSupported        []string `json:"scopes_supported"`
	BearerMethodsSupported []string `json:"bearer_methods_supported"`
	ResourceName           string   `json:"resource_name,omitempty"`
}

func (s endpoints) serverMetadata(w http.ResponseWriter, r *http.Request) {
	m := ServerMetadata{
		Issuer:                        s.issuer,
		AuthorizationEndpoint:         s.issuer + "/oauth/authorize",
		TokenEndpoint:                 s.issuer + "/oauth/token",
		RevocationEndpoint:            s.issuer + "/oauth/revoke",
		ScopesSupported:               []string{access.Scope, scopeOffline},
		ResponseTypesSupported:        []string{"code"},
		ResponseModesSupported:        []string{"query"},
		GrantTypesSupported:           []string{"authorization_code", "refresh_token"},
		TokenAuthMethodsSupported:     []string{clientdoc.MethodNone},
		RevocationAuthMethods:         []string{clientdoc.MethodNone},
		CodeChallengeMethodsSupported: []string{"S256"},
		ResponseIss:                   true,
	}
	if s.Clients.AcceptsDocuments() { // they are what brings the keys
		m.MetadataDocuments = true
		m.TokenAuthMethodsSupported = []string{clientdoc.MethodNone, clientdoc.MethodPrivateKeyJWT}
		m.TokenAuthAlgorithms = client.AssertionAlgorithms
		m.RevocationAuthMethods, m.RevocationAuthAlgorithms = m.TokenAuthMethodsSupported, m.TokenAuthAlgorithms
	}
	if s.Clients.AcceptsRegistration() {
		m.RegistrationEndpoint = s.issuer + "/oauth/register"
	}
	publish(w, r, m)
}

func (s endpoints) resourceMetadata(w http.ResponseWriter, r *http.Request) {
	if m := s.Access.Server(mux.Vars(r)["server"]); m != nil {
		publish(w, r, s.describe(m))
		return
	}
	publish(w, r, nil)
}

// rootMetadata is for clients that ask for the root form; with several endpoints it
// would be ambiguous.
func (s endpoints) rootMetadata(w http.ResponseWriter, r *http.Request) {
	if servers := s.Access.Servers(); len(servers) == 1 {
		publish(w, r, s.describe(servers[0]))
		return
	}
	publish(w, r, nil)
}

func (s endpoints) describe(m *access.Server) ResourceMetadata {
	return ResourceMetadata{
		Resource:               s.Access.Resource(m.Name),
		AuthorizationServers:   []string{s.issuer},
		ScopesSupported:        []string{access.Scope},
		BearerMethodsSupported: []string{"header"},
		ResourceName:           m.Title,
	}
}

// publish answers with a public document that scripts of any site may read, without
// credentials: clients that run in a browser begin here. That there is none (nil) they may
// read as well, or they take it for a network that is down.
func publish(w http.ResponseWriter, r *http.Request, document any) {
	h := w.Header()
	allowScripts(h)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if document == nil {
			http.NotFound(w, r)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		_ = json.NewEncoder(w).Encode(document)
	case http.MethodOptions:
		answerPreflight(w, "GET, HEAD, OPTIONS")
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// openToScripts lets scripts of any site call an endpoint of clients: a client that is a
// web page redeems its code there. Cookies do not count at these endpoints, and no answer
// may be read by a script that sent some (AS-52).
func openToScripts(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		allowScripts(w.Header())
		if r.Method == http.MethodOptions {
			answerPreflight(w, "POST, OPTIONS")
			return
		}
		h(w, r)
	}
}

// allowScripts lets scripts of any site read the answer (Fetch, CORS protocol). Credentials
// are never allowed with it.
func allowScripts(h http.Header) { h.Set("Access-Control-Allow-Origin", "*") }

// answerPreflight answers the question that a browser asks before a script's request. The
// wildcard for headers does not cover Authorization.
func answerPreflight(w http.ResponseWriter, methods string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "*, Authorization")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
