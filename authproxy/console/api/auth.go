package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/party"
)

const howToAuthenticate = `Send "Authorization: Bearer sft_…" with a token that 'console token create' made.`

// authenticated is the token that a request shows, in its Authorization header and nowhere else
// (RFC 6750 2.1): an address ends up in logs, and a cookie is sent by whatever page asks.
func (a *API) authenticated(r *http.Request) (*apitoken.Token, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return nil, a.failed(r, unauthorized.is("The request shows no token.", howToAuthenticate).with("WWW-Authenticate", `Bearer realm="console"`))
	}
	scheme, secret, found := strings.Cut(values[0], " ")
	if len(values) > 1 || !found || !strings.EqualFold(scheme, "bearer") {
		return nil, a.failed(r, unauthorized.is("The Authorization header is not one bearer token.", howToAuthenticate).with("WWW-Authenticate", `Bearer realm="console", error="invalid_request"`))
	}
	token, err := a.Tokens.Use(r.Context(), strings.TrimSpace(secret))
	switch {
	case errors.Is(err, apitoken.ErrUnknown):
		return nil, a.failed(r, unauthorized.is("The token is not known.", howToAuthenticate).with("WWW-Authenticate", invalidToken))
	case errors.Is(err, apitoken.ErrOver):
		return nil, a.refused(r, token, unauthorized.is("The token is revoked or at its end.", "Have another one made with 'console token create'.").with("WWW-Authenticate", invalidToken))
	case err != nil:
		return nil, err
	}
	if !a.requests.Admits(token.ID, a.Now()) {
		return nil, tooMany.is("The token was used more often than it may.", "Wait a few seconds, then go on more slowly.").with("Retry-After", "5")
	}
	return token, nil
}

const invalidToken = `Bearer realm="console", error="invalid_token"`

// failed counts a request that opens nothing against its network.
func (a *API) failed(r *http.Request, p *Problem) error {
	if !a.mayFail(r) {
		return tooMany.is("Too many requests without a good token came from your network.", "Correct the token, wait a minute, then try again.").with("Retry-After", "60")
	}
	return p
}

func (a *API) mayFail(r *http.Request) bool {
	address, _ := netip.ParseAddr(audit.OriginOf(r.Context()).Source)
	return a.failures.Admits(party.Of(address), a.Now())
}

// refused records that a token was shown that opens nothing, or not this, as often as one network
// may fail.
func (a *API) refused(r *http.Request, t *apitoken.Token, p *Problem) error {
	if err := a.failed(r, p); err != error(p) {
		return err
	}
	e := audit.Entry{Actor: t.Actor(), Action: audit.APITokenUse, Outcome: audit.Denied, Object: t.ID, Reason: r.Method + " " + a.formOf(r) + ": " + p.Detail}
	if _, err := a.Audit().Append(context.WithoutCancel(r.Context()), e); err != nil {
		return err
	}
	return p
}

// formOf is the form of the address that a request asks for: whom it was to reach nobody has looked up, and the entry
// that says it is not erased with them.
func (a *API) formOf(r *http.Request) string {
	var match mux.RouteMatch
	if a.router.Match(r, &match) && match.Route != nil {
		if form, err := match.Route.GetPathTemplate(); err == nil {
			return form
		}
	}
	return "an address that there is not"
}

// Audit is the log of what is read and refused.
func (a *API) Audit() *audit.Log { return a.Reads.Audit }

// admitted reports whether a token has a role that a route is for.
func admitted(t *apitoken.Token, route Route) bool { return slices.Contains(route.Roles, t.Role) }

// byMethod serves one address.
func (a *API) byMethod(routes map[string]Route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, _ := r.Context().Value(callKey{}).(*apitoken.Token)
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		route, ok := routes[method]
		switch {
		case token == nil: // nobody leads here but ServeHTTP
			a.send(w, r, a.told(r, unauthorized.is("The request shows no token.", howToAuthenticate)))
		case !ok:
			a.send(w, r, a.told(r, wrongMethod.is("This address does not take "+r.Method+".", "Use "+strings.Join(allowedOf(routes), " or ")+".").with("Allow", strings.Join(allowedOf(routes), ", "))))
		case !admitted(token, route):
			err := a.refused(r, token, forbidden.is("A token of the role "+token.Role+" may not do this.", "Use a token of the role "+strings.Join(route.Roles, " or ")+"."))
			a.send(w, r, a.told(r, a.problemOf(r, err)))
		case route.file != nil:
			a.filed(w, r, token, route)
		default:
			a.send(w, r, a.served(r, token, route))
		}
	}
}

// allowedOf are the methods of an address, in order.
func allowedOf(routes map[string]Route) (allowed []string) {
	for method := range routes {
		allowed = append(allowed, method)
		if method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	return allowed
}
