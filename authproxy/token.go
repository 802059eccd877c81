package authproxy

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
)

// tokenAnswer is RFC 6749 5.1.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
}

// token is the token endpoint. It never waits for Salesforce (clients give it 10 s).
func (s endpoints) token(r *http.Request, form url.Values) (any, error) {
	var exchange func(context.Context, url.Values) (*grant.Tokens, error)
	switch kind := form.Get("grant_type"); {
	case kind == "authorization_code":
		exchange = s.redeem
	case kind == "refresh_token":
		exchange = s.refresh
	case !form.Has("grant_type"):
		return nil, badRequest("grant_type is required")
	default:
		return nil, &oauthError{code: unsupportedGrantType, description: "expected authorization_code or refresh_token"}
	}
	if err := s.identify(r, form); err != nil {
		return nil, err
	}
	t, err := exchange(r.Context(), form)
	if err != nil {
		return nil, err
	}
	return tokenAnswer{
		AccessToken: t.AccessToken, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn / time.Second),
		RefreshToken: t.RefreshToken, Scope: t.Scope,
	}, nil
}

// redeem is RFC 6749 4.1.3 with PKCE. The redirect URI must be repeated: it was sent.
func (s endpoints) redeem(ctx context.Context, form url.Values) (*grant.Tokens, error) {
	if form.Get("code") == "" {
		return nil, badRequest("code is required")
	}
	t, err := s.Grants.Redeem(ctx, grant.Redemption{
		Code: form.Get("code"), ClientID: form.Get("client_id"), RedirectURI: form.Get("redirect_uri"),
		Verifier: form.Get("code_verifier"), Resource: s.Access.InPublicForm(form.Get("resource")),
	})
	if err != nil {
		return nil, s.refuseTokens(ctx, audit.TokenIssue, form, err)
	}
	g := t.Grant
	s.record(ctx, audit.Entry{Actor: actor.Client(g.ClientID), Action: audit.TokenIssue, Outcome: audit.OK,
		Org: g.Org, Subject: g.Subject, Username: g.Username, Client: g.ClientID, Grant: g.ID, Server: g.Server})
	return t, nil
}

// refresh is RFC 6749 6. That it succeeded is not recorded: it gives nothing new.
func (s endpoints) refresh(ctx context.Context, form url.Values) (*grant.Tokens, error) {
	if form.Get("refresh_token") == "" {
		return nil, badRequest("refresh_token is required")
	}
	scope := form.Get("scope")
	if scope != "" { // clients repeat what they authorized with (RFC 6749 6), of which we granted less
		scope = grantedScope(scope)
	}
	t, err := s.Grants.Rotate(ctx, grant.Rotation{
		RefreshToken: form.Get("refresh_token"), ClientID: form.Get("client_id"),
		Resource: s.Access.InPublicForm(form.Get("resource")), Scope: scope, HasLogin: s.hasLogin,
	})
	if err != nil {
		return nil, s.refuseTokens(ctx, audit.TokenRefresh, form, err)
	}
	return t, nil
}

// hasLogin says whether calls of the grant can reach Salesforce. While they cannot, its
// access tokens are answered with 401, and a client that got new ones would go round in
// circles; invalid_grant makes it ask for an authorization, which brings a new login.
func (s endpoints) hasLogin(ctx context.Context, g *grant.Grant) (bool, error) {
	login, err := s.Links.Status(ctx, g.Org, g.Subject)
	return login.State == link.Active, err
}

// refuseTokens records a refusal and makes it one that the client is told (RFC 6749
// 5.2). A replay has ended its grant already; what hangs on it follows. Everything else can
// be asked for again and again, by guesses of somebody who has nothing and by a client that
// never stops.
func (s endpoints) refuseTokens(ctx context.Context, action audit.Action, form url.Values, err error) error {
	client := form.Get("client_id")
	if replay, ok := errors.AsType[*grant.ReplayError](err); ok {
		by := Act{By: actor.Client(client), Why: replay.What + " presented again"}
		if endErr := s.Cutoff.endReplayed(ctx, &replay.Grant, by); endErr != nil {
			s.Log.ErrorContext(ctx, "after a replay", "error", endErr)
		}
		return &oauthError{code: invalidGrant, description: "the grant has ended: authorize again", cause: err}
	}
	refused := &oauthError{cause: err}
	reason := ""
	switch {
	case errors.Is(err, grant.ErrNoLogin):
		reason = "login_lost"
		refused.code, refused.description = invalidGrant, "the Salesforce login is over: authorize again, or sign in at "+s.issuer+"/account"
	case errors.Is(err, grant.ErrInvalidGrant):
		refused.code, refused.description = invalidGrant, "the code or token is not valid for this client: authorize again"
	case errors.Is(err, grant.ErrInvalidTarget):
		refused.code, refused.description = invalidTarget, "this resource was not granted"
	case errors.Is(err, grant.ErrInvalidScope):
		refused.code, refused.description = invalidScope, "this scope was not granted"
	case errors.Is(err, grant.ErrTooOften): // of a token that is good: a dead one is told so however often it comes (AV-05)
		reason = "too_often"
		refused.status, refused.retry = http.StatusTooManyRequests, time.Minute
		refused.code, refused.description = temporarilyUnavailable, "too many refreshes of this connection: use the access token until it expires"
	default:
		return err
	}
	entry := audit.Entry{Actor: actor.Client(client), Action: action, Outcome: audit.Denied, Client: client, Reason: cmp.Or(reason, refused.code)}
	if of, ok := errors.AsType[*grant.RefusedError](err); ok {
		g := of.Grant
		entry.Org, entry.Subject, entry.Username, entry.Grant, entry.Server = g.Org, g.Subject, g.Username, g.ID, g.Server
	}
	s.recordRefusal(ctx, entry)
	return refused
}
