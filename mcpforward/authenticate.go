package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
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
func (x *exchange) authenticate() error {
	headers := x.r.Header.Values("Authorization")
	// RFC 6750 2.3 is not offered: a token in a URL is a token in a log.
	if len(headers) != 1 || x.r.URL.RawQuery != "" && x.r.URL.Query().Has("access_token") {
		return &challenge{}
	}
	token, ok := bearer(headers[0])
	if !ok {
		return &challenge{}
	}
	x.token = token
	return x.authorize(x.r.Context())
}

// authorize checks the token and everything that hangs on it: audience, expiry,
// grant, user, client, org, group, scope. It runs when a request comes and again
// right before it is forwarded (SR-RS-1).
func (x *exchange) authorize(ctx context.Context) error {
	server := x.servers[x.name]
	g, err := x.Grants.Authenticate(ctx, x.token, x.name)
	switch {
	case errors.Is(err, grant.ErrInvalidToken):
		if foreign, ok := errors.AsType[*grant.ForeignTokenError](err); ok {
			x.grant = &foreign.Grant
			x.refuseToken("token.use", "the token is of server "+foreign.Grant.Server)
		}
		return &challenge{invalid: true}
	case err != nil:
		return unavailable("access could not be checked", err)
	case server == nil:
		return &challenge{invalid: true}
	case g.Org != server.Org || g.Resource != x.resource(x.name):
		return &challenge{invalid: true} // the configuration has changed since
	}
	groups := x.Groups(g.Org, g.Subject, g.Username)
	x.server, x.grant = server, g
	x.who = policy.Principal{Org: g.Org, Subject: g.Subject, Username: g.Username, Client: g.ClientID, Groups: groups}
	if !server.admits(groups) {
		x.refuseToken("server.use", "the user is in none of the server's groups")
		return &challenge{invalid: true}
	}
	if !holds(g.Scope, scope) {
		x.refuseToken("server.use", "the token lacks the scope")
		return &challenge{insufficient: true}
	}
	return nil
}

// holds reports whether a list of scopes (RFC 6749 3.3) has one.
func holds(list, scope string) bool {
	for s := range strings.SplitSeq(list, " ") {
		if s == scope {
			return true
		}
	}
	return false
}

// refuseToken records that a good token was refused.
func (x *exchange) refuseToken(action, reason string) {
	if !x.budgets.Of(x.user()).Allow() {
		return
	}
	e := x.entry(action, audit.Denied)
	e.Reason = reason
	x.record(e)
}

// challenge is the answer to a request without a good token (RFC 6750 3, RFC 9728 5.1).
type challenge struct {
	invalid      bool // a token came and is not good
	insufficient bool // the token is good and lacks the scope
}

func (c *challenge) Error() string { return "no access" }

// header is the challenge for the endpoint of that name, which need not exist.
func (h *Handler) header(c *challenge, server string) string {
	v := fmt.Sprintf(`Bearer resource_metadata="%s/.well-known/oauth-protected-resource/mcp/%s", scope="%s"`, h.PublicURL, server, scope)
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
