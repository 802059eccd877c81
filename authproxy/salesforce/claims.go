package salesforce

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// leeway for clocks that differ (RFC 8725 says a few minutes at most).
	leeway = 60 * time.Second
	// maxLifetime is twice what Salesforce can be set to (720 minutes); a token that
	// claims more is not one of its.
	maxLifetime = 24 * time.Hour
)

// jwtClaims are the claims that are read, each under its exact name and in its own type.
type jwtClaims struct {
	Issuer    string         `json:"iss"`
	Audience  jsontext.Value `json:"aud"`
	Subject   string         `json:"sub"`
	ClientID  string         `json:"client_id"`
	Scope     string         `json:"scp"`
	ExpiresAt jsontext.Value `json:"exp"`
	NotBefore jsontext.Value `json:"nbf"`
	IssuedAt  jsontext.Value `json:"iat"`
}

// checkClaims checks what go-oidc does not (client, scope, subject, nbf and iat to the
// minute, how long the token lives) and what it does once more, as we read it.
func (o *org) checkClaims(c *jwtClaims, now time.Time) (*identity, error) {
	registered := jwt.RegisteredClaims{Issuer: c.Issuer, Audience: audience(c.Audience)}
	timesErr := c.times(&registered)
	err := jwt.NewValidator(jwt.WithIssuer(o.Issuer), jwt.WithAudience(o.Issuer), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(func() time.Time { return now })).Validate(registered)
	switch {
	case c.Issuer == "" || errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return nil, NewError(wrongIssuer, "the token has another issuer")
	case len(registered.Audience) == 0 || errors.Is(err, jwt.ErrTokenInvalidAudience):
		return nil, NewError(wrongAudience, "the token is for another audience")
	case c.ClientID != o.ClientID:
		return nil, NewError(wrongClient, "the token was issued to another client")
	}
	if err := o.checkScope(c.Scope, true); err != nil {
		return nil, err
	}
	switch {
	case timesErr != nil:
		return nil, NewError(wrongTime, "the token's exp, nbf or iat is missing or no whole number")
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, NewError(expired, "the token has expired")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return nil, NewError(notYetValid, "the token is from the future")
	case err != nil:
		return nil, NewError(malformedToken, "the access token is not a well-formed JWT")
	case registered.ExpiresAt.After(now.Add(maxLifetime)):
		return nil, NewError(wrongTime, "the token lives longer than Salesforce lets one live")
	}
	user, isUser := strings.CutPrefix(c.Subject, "uid:")
	subject, err := NormalizeID(user)
	if err != nil || !isUser || !strings.HasPrefix(subject, "005") {
		return nil, NewError(WrongSubject, "the token's subject is no user")
	}
	return &identity{subject: subject, scope: c.Scope, expiresAt: registered.ExpiresAt.UTC()}, nil
}

// audience reads both forms of RFC 7519 section 4.1.3: a string, or a list of them.
func audience(v jsontext.Value) []string {
	var one string
	if json.Unmarshal(v, &one) == nil && v.Kind() == '"' {
		return []string{one}
	}
	var several []string
	if json.Unmarshal(v, &several) != nil {
		return nil
	}
	return several
}

// times reads exp, nbf and iat, which must all be there, into the claims: whole seconds
// alone, because "1e300", strings and fractions have readers that differ.
func (c *jwtClaims) times(into *jwt.RegisteredClaims) error {
	for _, t := range []struct {
		said jsontext.Value
		into **jwt.NumericDate
	}{{c.ExpiresAt, &into.ExpiresAt}, {c.NotBefore, &into.NotBefore}, {c.IssuedAt, &into.IssuedAt}} {
		seconds, err := strconv.ParseInt(string(t.said), 10, 64)
		if err != nil || seconds <= 0 || seconds > 1<<40 {
			return errors.New("no whole number of seconds")
		}
		*t.into = jwt.NewNumericDate(time.Unix(seconds, 0))
	}
	return nil
}
