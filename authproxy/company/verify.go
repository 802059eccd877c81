package company

import (
	"context"
	"crypto/subtle"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/jwks"
)

// Bounds of what an id token says.
const (
	maxSubject = 255 // OpenID Connect Core 2
	maxName    = 200
	maxGroups  = 5000
	// maxIssued is how long ago it may have been issued: it was asked for just now.
	maxIssued = 10 * time.Minute
	// skew is how far clocks may be apart.
	skew = time.Minute
)

// claims are those of an id token that are read (OpenID Connect Core 2, 5.1).
type claims struct {
	Subject         string         `json:"sub"`
	AuthorizedParty string         `json:"azp"`
	Nonce           string         `json:"nonce"`
	IssuedAt        int64          `json:"iat"`
	AuthTime        int64          `json:"auth_time"`
	ACR             string         `json:"acr"`
	Name            string         `json:"name"`
	Email           string         `json:"email"`
	EmailVerified   jsontext.Value `json:"email_verified"`
}

// verify believes an id token or says why not. accessToken is what came with it, for claims that
// stand elsewhere.
func (p *provider) verify(ctx context.Context, f *found, a Attempt, nonce, raw, accessToken string) (Identity, error) {
	refused := func(why string) (Identity, error) { return Identity{}, fmt.Errorf("%w: %s", ErrRefused, why) }
	token, err := f.verifier.Verify(ctx, raw) // iss, aud, exp, nbf, algorithm, signature
	if errors.Is(err, jwks.ErrUnavailable) {
		return Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err != nil {
		return refused("the id token does not verify: " + err.Error())
	}
	var text stdjson.RawMessage
	var c claims
	all := map[string]jsontext.Value{}
	if token.Claims(&text) != nil || json.Unmarshal(text, &c) != nil || json.Unmarshal(text, &all) != nil { // strict: no name twice
		return refused("the id token's claims are malformed")
	}
	now := p.config.Now()
	issued, authTime := time.Unix(c.IssuedAt, 0), time.Unix(c.AuthTime, 0)
	switch {
	case len(token.Audience) > 1 && c.AuthorizedParty == "" || c.AuthorizedParty != "" && c.AuthorizedParty != p.ClientID:
		return refused("the id token is for another client")
	case subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(nonce)) != 1:
		return refused("the id token's nonce is not ours")
	case c.IssuedAt == 0 || now.Sub(issued) > maxIssued || issued.Sub(now) > skew:
		return refused("the id token was not issued just now")
	case c.AuthTime < 0 || authTime.Sub(now) > skew:
		return refused("the id token's auth_time is in the future")
	case !isName(c.Subject, maxSubject):
		return refused("the id token's sub is empty, too long or not text")
	case a.How == Freshly && (c.AuthTime == 0 || now.Sub(authTime) > FreshFor+skew):
		return refused("the person did not sign in anew")
	case a.How == Freshly && p.ACR != "" && c.ACR != p.ACR:
		return refused("the person did not sign in as strongly as was asked for")
	}
	i := p.identity(c, now)
	if p.asksUserInfo(f, all) {
		if all, err = p.userInfo(ctx, f, accessToken, c.Subject); err != nil {
			return Identity{}, err
		}
	}
	if i.Groups, err = p.groups(all); err != nil {
		return refused(err.Error())
	}
	return i, nil
}

// identity is what verified claims say of a person, without groups.
func (p *provider) identity(c claims, now time.Time) Identity {
	i := Identity{Issuer: p.Issuer, Subject: c.Subject, CheckedAt: now}
	if p.ACR != "" && isName(c.ACR, maxName) { // another provider may mean something else by it
		i.ACR = c.ACR
	}
	if c.AuthTime > 0 {
		i.AuthTime = time.Unix(c.AuthTime, 0)
	}
	if isName(c.Name, maxName) {
		i.Name = c.Name
	}
	if string(c.EmailVerified) == "true" && isName(c.Email, maxSubject) {
		i.Email = c.Email
	}
	return i
}

// groups are those of the claim that a role names.
func (p *provider) groups(all map[string]jsontext.Value) (kept []string, err error) {
	claim, ok := all[p.GroupsClaim]
	if p.GroupsClaim == "" || !ok {
		return nil, nil
	}
	var groups []string
	if claim.Kind() != '[' || json.Unmarshal(claim, &groups) != nil || len(groups) > maxGroups {
		return nil, fmt.Errorf("the claim %q is no list of names of groups", p.GroupsClaim)
	}
	for _, g := range p.config.named(p.Issuer) {
		if slices.Contains(groups, g) && !slices.Contains(kept, g) {
			kept = append(kept, g)
		}
	}
	return kept, nil
}

// isName reports whether a text can be shown on one line.
func isName(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
