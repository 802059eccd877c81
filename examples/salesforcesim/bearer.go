package salesforcesim

import (
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// holder is whom a bearer token speaks for at the gateway.
type holder struct {
	org   *org
	user  *User
	grant string
}

// bearer verifies an access token as the gateway does. Only JWTs count: an opaque token
// is invalid here.
func (g gateway) bearer(raw string) (*holder, error) {
	g.sim.mu.Lock()
	defer g.sim.mu.Unlock()
	var o *org
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(g.sim.now))
	token, err := parser.Parse(raw, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		keyOrg, key := g.sim.keys.named(kid)
		if key == nil {
			return nil, errInvalidToken
		}
		o = keyOrg
		return key, nil
	})
	if err != nil || token.Header["tty"] != "sfdc-core-token" {
		return nil, errInvalidToken
	}
	claims := token.Claims.(jwt.MapClaims)
	text := func(name string) string { value, _ := claims[name].(string); return value }
	audience, _ := claims.GetAudience()
	appOrg, app := g.sim.app(text("client_id"))
	user := g.sim.user(o, strings.TrimPrefix(text("sub"), "uid:"))
	switch {
	case text("iss") != o.base, !slices.Contains(audience, o.base), app == nil, appOrg != o, user == nil, g.sim.switches.AppDisabled,
		!slices.Contains(strings.Fields(text("scp")), "mcp_api"):
		return nil, errInvalidToken
	}
	known := g.sim.state.AccessTokens[text("sfi")]
	if known == nil {
		return nil, errInvalidToken
	}
	if (g.sim.grants.revoked(known) || user.Frozen) && !g.sim.switches.RevocationLag {
		return nil, errInvalidToken
	}
	return &holder{org: o, user: user, grant: known.Grant}, nil
}
