package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
)

// bearer returns the token of an Authorization header with one bearer token: the scheme
// in any case (RFC 9110 11.1), spaces, and a b64token (RFC 6750 2.1), which is
// [A-Za-z0-9._~+/-]+ and then any number of =.
func bearer(header string) (token string, ok bool) {
	scheme, rest, _ := strings.Cut(header, " ")
	token = strings.TrimLeft(rest, " ")
	text := strings.TrimRight(token, "=")
	return token, strings.EqualFold(scheme, "bearer") && text != "" && consistsOf(text, "._~+/-")
}

// authenticate finds out who calls. Everything that is wrong gets the same challenge,
// whether the server exists or not.
func (r *request) authenticate() error {
	headers := r.http.Header.Values("Authorization")
	// RFC 6750 2.3 is not offered: a token in a URL is a token in a log.
	if len(headers) != 1 || r.http.URL.RawQuery != "" && r.http.URL.Query().Has("access_token") {
		return &challenge{}
	}
	token, ok := bearer(headers[0])
	if !ok {
		return &challenge{}
	}
	r.token = token
	return r.authorize(r.http.Context())
}

// authorize asks whether the token opens the endpoint, and notes who calls. It runs when a
// request comes and again right before it is forwarded (SR-RS-1).
func (r *request) authorize(ctx context.Context) error {
	caller, err := r.admit(ctx, r.token, r.name)
	if denied, ok := errors.AsType[*access.DeniedError](err); ok {
		r.grant = denied.Caller.Grant
		r.refuseToken(denied)
		return &challenge{invalid: denied.Denial != access.ScopeMissing, insufficient: denied.Denial == access.ScopeMissing}
	}
	switch {
	case errors.Is(err, access.ErrInvalidToken):
		return &challenge{invalid: true}
	case err != nil:
		return unavailable("access could not be checked", err)
	}
	r.admitted = caller
	r.server, r.grant, r.who = caller.Server, caller.Grant, caller.Principal
	return nil
}

// alive reports whether the grant still holds: without a look at the database if nothing was
// taken from anybody since the caller was admitted.
func (r *request) alive(ctx context.Context) (bool, error) {
	if r.Access.StillAdmits(r.admitted) {
		return true, nil
	}
	return r.Access.Alive(ctx, r.grant.ID)
}

// refuseToken records that a good token was refused.
func (r *request) refuseToken(denied *access.DeniedError) {
	if !r.allowances.Of(r.user()).Allow() {
		return
	}
	action := audit.ServerUse
	if denied.Denial == access.ForeignToken {
		action = audit.TokenUse
	}
	e := r.entry(action, audit.Denied)
	e.Reason = denied.Error()
	r.Audit.Record(r.http.Context(), e)
}

// challenge is the answer to a request without a good token (RFC 6750 3, RFC 9728 5.1).
type challenge struct {
	invalid      bool // a token came and is not good
	insufficient bool // the token is good and lacks the scope
}

func (c *challenge) Error() string { return "no access" }

// header is the challenge for the endpoint of that name, which need not exist.
func (h *Handler) header(c *challenge, server string) string {
	v := fmt.Sprintf(`Bearer resource_metadata="%s/.well-known/oauth-protected-resource/mcp/%s", scope="%s"`, h.Access.PublicURL(), server, access.Scope)
	switch {
	case c.insufficient:
		return v + `, error="insufficient_scope"`
	case c.invalid:
		return v + `, error="invalid_token"`
	}
	return v
}

func (c *challenge) status() int {
	if c.insufficient {
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}

func (c *challenge) body() string {
	switch {
	case c.insufficient:
		return `{"error":"insufficient_scope"}`
	case c.invalid:
		return `{"error":"invalid_token"}`
	}
	return `{"error":"unauthorized"}`
}
