package salesforce

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Token is a verified answer of the token endpoint.
type Token struct {
	// AccessToken is the JWT for the MCP gateway.
	AccessToken string
	// RefreshToken replaces the one used; empty if Salesforce did not rotate it.
	RefreshToken string
	// ExpiresAt is the JWT's exp: Salesforce sends no expires_in.
	ExpiresAt time.Time
	// OrgID and Subject say whose it is: org id and user id, 18 characters each.
	OrgID, Subject string
	// Scope is the JWT's scp, space-separated.
	Scope string
}

// String says whose token it is, without the token.
func (t Token) String() string {
	return fmt.Sprintf("salesforce token of %s in %s until %s", t.Subject, t.OrgID, t.ExpiresAt.UTC().Format(time.RFC3339))
}

// GoString is [Token.String]; it keeps the token out of %#v.
func (t Token) GoString() string { return t.String() }

// LogValue logs [Token.String].
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText gives [Token.String], so that JSON logs do not hold the token either.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// accept checks an answer of the token endpoint and verifies its access token.
// instance_url, id and api_instance_url are not read: they must not choose anything.
func (c *Client) accept(ctx context.Context, o *org, answer *oauth2.Token) (*Token, error) {
	if !strings.EqualFold(text(answer, "token_type"), "Bearer") {
		return nil, NewError(wrongType, "token_type is not Bearer")
	}
	if err := o.checkScope(text(answer, "scope"), false); err != nil {
		return nil, err
	}
	access := text(answer, "access_token")
	claims, err := o.verify(ctx, access, c.now())
	if err != nil {
		return nil, err
	}
	return &Token{
		AccessToken:  access,
		RefreshToken: text(answer, "refresh_token"),
		ExpiresAt:    claims.expiresAt,
		OrgID:        o.OrgID,
		Subject:      claims.subject,
		Scope:        claims.scope,
	}, nil
}

// checkScope refuses more than was asked for; the JWT's scope must also hold mcp_api.
func (o *org) checkScope(scope string, needMCP bool) error {
	granted := strings.Fields(scope)
	for _, s := range granted {
		if !slices.Contains(o.Scopes, s) {
			return NewError(widerScope, "the token has a scope that was not asked for")
		}
	}
	if needMCP && !slices.Contains(granted, scopeMCP) {
		return NewError(missingScope, "the token lacks mcp_api")
	}
	return nil
}
