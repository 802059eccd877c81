package authproxy

import (
	"net/http"
	"net/url"

	"sfmcp-proxy/authproxy/audit"
)

// revoke is the revocation endpoint (RFC 7009 2). A token that is unknown, over or
// another client's is answered like one that was revoked: nothing to learn here. The
// hint about its type is not needed, the prefix shows it.
func (s endpoints) revoke(r *http.Request, form url.Values) (any, error) {
	if err := s.identify(r, form); err != nil {
		return nil, err
	}
	token, client := form.Get("token"), form.Get("client_id")
	if token == "" {
		return nil, badRequest("token is required")
	}
	err := s.Cutoff.RevokeToken(r.Context(), token, client)
	if audit.Unrecorded(err) != nil {
		s.Log.ErrorContext(r.Context(), "revoking a token", "error", err)
	}
	if !audit.TookEffect(err) {
		return nil, &oauthError{status: http.StatusServiceUnavailable, code: temporarilyUnavailable, description: "try again", cause: err}
	}
	return nil, nil
}
