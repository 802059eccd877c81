package authproxy

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
)

// Error codes of RFC 7591 3.2.2.
const (
	invalidClientMetadata = "invalid_client_metadata"
	invalidRedirectURI    = "invalid_redirect_uri"
)

// maxRegistration bounds the body of a registration; those of known programs have a few hundred bytes.
const maxRegistration = 16 << 10

// registrationAnswer is RFC 7591 3.2.1: what was registered, which can be less than what
// was asked for.
type registrationAnswer struct {
	ClientID        string   `json:"client_id"`
	IssuedAt        int64    `json:"client_id_issued_at"` // Unix seconds
	ClientName      string   `json:"client_name,omitempty"`
	RedirectURIs    []string `json:"redirect_uris"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	ApplicationType string   `json:"application_type,omitempty"`
}

// register is the client registration endpoint (RFC 7591 3). It is there only when the
// configuration says so. What it gives is a name: nothing opens by it before a person
// has consented, on a page that says that nobody has verified it. Nothing that the
// request names is fetched.
func (s endpoints) register(w http.ResponseWriter, r *http.Request) {
	m, err := registrationRequest(w, r)
	if err != nil {
		s.writeError(r.Context(), w, err)
		return
	}
	c, err := s.Clients.Register(r.Context(), m, from(r.Context()))
	if err != nil {
		s.writeError(r.Context(), w, registrationError(err))
		return
	}
	// Bounded like refusals: anybody can do this as often as the rate limit allows.
	s.recordRefusal(r.Context(), audit.Entry{Actor: actor.Stranger, Action: audit.ClientRegister, Outcome: audit.OK, Client: c.ID})
	writeJSON(w, http.StatusCreated, registrationAnswer{
		ClientID: c.ID, IssuedAt: c.CreatedAt.Unix(), ClientName: c.Name, RedirectURIs: c.RedirectURIs,
		AuthMethod: clientdoc.MethodNone, GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"},
		ApplicationType: c.ApplicationType,
	})
}

func registrationRequest(w http.ResponseWriter, r *http.Request) (*clientdoc.Metadata, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return nil, &oauthError{status: http.StatusMethodNotAllowed, code: invalidRequest, description: "use POST"}
	case err != nil || kind != "application/json" || r.Header.Get("Content-Encoding") != "":
		return nil, &oauthError{status: http.StatusUnsupportedMediaType, code: invalidRequest, description: "expected application/json"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRegistration))
	if err != nil {
		return nil, &oauthError{code: invalidClientMetadata, description: "the request is too large, or did not arrive", cause: err}
	}
	m, err := clientdoc.ParseRegistration(body)
	if _, ok := errors.AsType[*clientdoc.RedirectError](err); ok {
		return nil, registrationError(err)
	}
	if err != nil {
		return nil, &oauthError{code: invalidClientMetadata, description: "the client metadata is not valid", cause: err}
	}
	return m, nil
}

// registrationError makes a refusal of the store one that the client is told.
func registrationError(err error) error {
	if wrong, ok := errors.AsType[*clientdoc.RedirectError](err); ok {
		return &oauthError{code: invalidRedirectURI, cause: err, description: "redirect URIs are https, or http on 127.0.0.1, [::1] or localhost; " +
			"of one: " + strings.ReplaceAll(wrong.Cause.Error(), `"`, "'")} // RFC 6749 5.2 has no quotes in it
	}
	if errors.Is(err, client.ErrTooMany) {
		return &oauthError{status: http.StatusServiceUnavailable, code: temporarilyUnavailable, description: "too many clients are registered", cause: err}
	}
	if errors.Is(err, client.ErrUnknown) {
		return &oauthError{status: http.StatusForbidden, code: accessDenied, description: "clients cannot register themselves here"}
	}
	return err
}
