package salesforcesim

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// mint makes the access token of a grant, a JWT as Salesforce makes them, spoiled as
// Switches.HostileToken says; the caller holds mu.
func (gs grantStore) mint(o *org, g *grant, id string, issued, expires time.Time) (string, error) {
	hostile := gs.sim.switches.HostileToken
	if hostile == "other_org" && len(gs.sim.orgs) > 1 {
		// A token that another org issued, right in itself.
		o = gs.sim.orgs[(slices.Index(gs.sim.orgs, o)+1)%len(gs.sim.orgs)]
	}
	key := gs.sim.keys.signer(o)
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": o.base, "aud": []string{o.base}, "sub": "uid:" + g.UserID, "scp": g.Scope, "client_id": g.ClientID,
		"iat": issued.Unix(), "nbf": issued.Unix() - 15, "exp": expires.Unix(),
		"mty": "oauth", "sfi": id, "roles": []string{}, "hsc": false,
	})
	token.Header = map[string]any{"tnk": "core/" + o.Instance + "/" + o.ID, "ver": "1.0", "kid": key.ID,
		"tty": "sfdc-core-token", "typ": "JWT", "alg": "RS256"}
	gs.spoil(token, hostile, o, g)

	switch hostile {
	case "alg_none":
		token.Method, token.Header["alg"] = jwt.SigningMethodNone, "none"
		return token.SignedString(jwt.UnsafeAllowNoneSignatureType)
	case "hs256_public_key":
		token.Method, token.Header["alg"] = jwt.SigningMethodHS256, "HS256"
		der, err := x509.MarshalPKIXPublicKey(&key.private.PublicKey)
		if err != nil {
			return "", err
		}
		return token.SignedString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	case "bad_signature":
		// A key of the org, but not the one that kid names.
		return token.SignedString(gs.sim.state.Keys[o.Name][0].private)
	}
	return token.SignedString(key.private)
}

// spoil changes the one claim or header that a hostile token has wrong.
func (gs grantStore) spoil(token *jwt.Token, hostile string, o *org, g *grant) {
	claims := token.Claims.(jwt.MapClaims)
	switch hostile {
	case "unknown_kid":
		token.Header["kid"] = "CORE_ATJWT." + o.ID[:15] + ".1"
	case "wrong_tty":
		token.Header["tty"] = "sfdc-ui-token"
	case "other_org":
		if len(gs.sim.orgs) == 1 {
			token.Header["tnk"] = "core/" + o.Instance + "/00Dxx0000009zzZEAQ"
		}
	case "wrong_iss":
		claims["iss"] = "https://attacker.my.salesforce.com"
	case "wrong_aud":
		claims["aud"] = []string{"https://attacker.my.salesforce.com"}
	case "wrong_client_id":
		claims["client_id"] = "3MVG9anotherExternalClientApp"
	case "missing_scope":
		claims["scp"] = "refresh_token api"
	case "wider_scope":
		claims["scp"] = "refresh_token mcp_api api"
	case "other_user":
		claims["sub"] = "uid:005xx000001Sv9ZAAS"
		for _, u := range o.Users {
			if u.ID != g.UserID {
				claims["sub"] = "uid:" + u.ID
			}
		}
	case "expired":
		claims["exp"] = claims["iat"].(int64) - 3600
	case "not_yet_valid":
		claims["nbf"] = claims["iat"].(int64) + 3600
	case "no_exp":
		delete(claims, "exp")
	}
}

var errInvalidToken = errors.New("invalid access token")
