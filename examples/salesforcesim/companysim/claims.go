package companysim

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"time"

	"sfmcp-proxy/examples/salesforcesim/rsakey"
)

// Faults are ways to answer wrongly.
type Faults struct {
	Down                bool           `json:"down"`                  // 503 for everything
	NoKeys              bool           `json:"no_keys"`               // 503 for the key set
	OtherMetadataIssuer bool           `json:"other_metadata_issuer"` // the metadata names another issuer
	OtherIss            bool           `json:"other_iss"`             // the answer says that it is another provider's (RFC 9207)
	NoIDToken           bool           `json:"no_id_token"`
	OtherKey            bool           `json:"other_key"`        // signed by a key that is not published
	Algorithm           string         `json:"algorithm"`        // none, or HS256 with the public modulus as secret
	Claims              map[string]any `json:"claims"`           // in the place of the right ones; null: left out
	Raw                 string         `json:"raw"`              // text of the claims as a whole
	GroupsElsewhere     bool           `json:"groups_elsewhere"` // groups are not in the id token, only at the userinfo endpoint
	UserInfo            string         `json:"userinfo"`         // text of what that endpoint answers as a whole
	UserInfoStatus      int            `json:"userinfo_status"`  // status of its answers; 0: 200
}

// claims are those of an id token (OpenID Connect Core 2), as text.
func (p *Provider) claims(c code) []byte {
	if p.faults.Raw != "" {
		return []byte(p.faults.Raw)
	}
	u, now := p.users[c.subject], p.config.Now()
	claims := map[string]any{
		"iss": p.config.Issuer, "sub": u.Subject, "aud": p.config.ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"auth_time": c.at.Unix(), "acr": c.acr, "name": u.Name, "email": u.Email, "email_verified": u.EmailVerified,
	}
	if c.nonce != "" {
		claims["nonce"] = c.nonce
	}
	if u.Groups != nil && !p.faults.GroupsElsewhere {
		claims["groups"] = u.Groups
	}
	for name, value := range p.faults.Claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err) // texts, numbers and lists of them
	}
	return text
}

// sign makes a JWS of claims in compact form (RFC 7515 7.1).
func (p *Provider) sign(claims []byte) (string, error) {
	algorithm := "RS256"
	if p.faults.Algorithm != "" {
		algorithm = p.faults.Algorithm
	}
	header, err := json.Marshal(map[string]string{"alg": algorithm, "kid": "company-1", "typ": "JWT"})
	if err != nil {
		return "", err
	}
	input := encode(header) + "." + encode(claims)
	switch algorithm {
	case "none":
		return input + ".", nil
	case "HS256":
		mac := hmac.New(sha256.New, p.key.N.Bytes())
		mac.Write([]byte(input))
		return input + "." + encode(mac.Sum(nil)), nil
	}
	key := p.key
	if p.faults.OtherKey {
		if key, err = rsakey.Nth("company", 1); err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return input + "." + encode(signature), err
}
