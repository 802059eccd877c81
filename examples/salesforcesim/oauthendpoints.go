package salesforcesim

import (
	"crypto/subtle"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
)

// oauthEndpoints are the endpoints of a login host that programs call: token, revocation,
// introspection, identity, keys and the discovery documents, those of the gateway included.
type oauthEndpoints struct{ sim *Sim }

// oauthError is an error answer of a token, revocation or introspection endpoint.
type oauthError struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

func badRequest(code, description string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, Code: code, Description: description}
}

// parseForm accepts a form in the body and nothing else. Parameters of the URL do not count.
func parseForm(r *http.Request) *oauthError {
	if r.Method != http.MethodPost {
		return badRequest("invalid_request", "must use HTTP POST")
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return badRequest("invalid_request", "must send a form")
	}
	if err := r.ParseForm(); err != nil {
		return badRequest("invalid_request", "malformed form")
	}
	return nil
}

// authenticateApp finds the app of a request and checks its secret, sent in the form or
// by HTTP Basic (RFC 6749 2.3.1); the caller holds mu.
func (e oauthEndpoints) authenticateApp(r *http.Request, o *org) (*ECA, *oauthError) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	appOrg, app := e.sim.app(id)
	if app == nil || e.sim.switches.AppNotPropagated || e.sim.switches.AppDisabled {
		return nil, badRequest("invalid_client_id", "client identifier invalid")
	}
	if appOrg != o {
		return nil, badRequest("invalid_grant", "request not supported on this domain")
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1 {
		return nil, badRequest("invalid_client", "invalid client credentials")
	}
	return app, nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
