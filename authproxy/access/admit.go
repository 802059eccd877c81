package access

import (
	"context"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
)

// ErrInvalidToken: the access token does not open the server, and nothing is known about
// whoever shows it that would be worth an audit entry. It is malformed, unknown, expired
// or revoked; or there is no such server; or the server stands in front of another org,
// or has another URL, than the grant was given for.
var ErrInvalidToken = errors.New("invalid access token")

// Denial is why a good token does not open a server.
type Denial int

const (
	// ForeignToken: it is the token of another server.
	ForeignToken Denial = iota + 1
	// NotInGroups: the user is in none of the server's groups.
	NotInGroups
	// ScopeMissing: the grant does not have [Scope] (RFC 6750 3.1, insufficient_scope).
	ScopeMissing
)

// DeniedError is the answer to a token that is good and does not open the server.
type DeniedError struct {
	Denial Denial
	// Caller is whose token it is, for the audit log. Of a [ForeignToken] it has the grant
	// alone.
	Caller Caller
}

// Error says why, in the words of the audit log.
func (e *DeniedError) Error() string {
	switch e.Denial {
	case ForeignToken:
		return "the token is of server " + e.Caller.Grant.Server
	case NotInGroups:
		return "the user is in none of the server's groups"
	case ScopeMissing:
		return "the token lacks the scope"
	}
	return "denied"
}

// Caller is who calls a server.
type Caller struct {
	Server *Server
	Grant  *grant.Grant
	// Principal is the caller as the server's policy sees it.
	Principal policy.Principal
	// Authenticated is what [Control.StillAdmits] goes by.
	Authenticated grant.Authenticated
}

// Admit lets the bearer of an access token call a server, or returns why not:
// [ErrInvalidToken], a [*DeniedError], or another error when it could not be checked, which
// is no reason to admit anybody.
//
// See the package comment for what is checked. It must be asked when a request comes and
// again right before what it asks for is done (SR-RS-1).
func (c *Control) Admit(ctx context.Context, token, server string) (Caller, error) {
	authenticated, err := c.grants.Authenticate(ctx, token, server)
	g := authenticated.Grant
	if foreign, ok := errors.AsType[*grant.ForeignTokenError](err); ok {
		return Caller{}, &DeniedError{ForeignToken, Caller{Grant: &foreign.Grant}}
	}
	s := c.byName[server]
	switch {
	case errors.Is(err, grant.ErrInvalidToken):
		return Caller{}, ErrInvalidToken
	case err != nil:
		return Caller{}, fmt.Errorf("checking access: %w", err)
	case s == nil:
		return Caller{}, ErrInvalidToken
	case g.Org != s.Org || g.Resource != c.Resource(server): // the configuration has changed since
		return Caller{}, ErrInvalidToken
	}
	groups := c.groupsOf(g.Subject, g.Username)
	caller := Caller{s, g, policy.Principal{Org: g.Org, Subject: g.Subject, Username: g.Username, Client: g.ClientID, Groups: groups}, authenticated}
	switch {
	case !s.admits(groups):
		return Caller{}, &DeniedError{NotInGroups, caller}
	case !holds(g.Scope, Scope):
		return Caller{}, &DeniedError{ScopeMissing, caller}
	}
	return caller, nil
}

// StillAdmits reports that [Control.Admit] would return caller once more, as far as this can
// be told without asking the database: nothing was taken from anybody since, and the token has
// not expired. false says nothing.
func (c *Control) StillAdmits(caller Caller) bool { return c.grants.StillGood(caller.Authenticated) }

// Alive reports whether a grant may still be used: for what runs longer than the request
// that was admitted. An error means that it could not be checked, which is no reason to go
// on. It remembers as [grant.Store.Authenticate] does.
func (c *Control) Alive(ctx context.Context, grantID string) (bool, error) {
	return c.grants.Alive(ctx, grantID)
}
