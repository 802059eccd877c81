package company

import (
	"context"
	"errors"
	"fmt"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// ErrClient is a provider that does not take our client id or secret.
var ErrClient = errors.New("the identity provider does not take the client")

// Reach asks the provider now for its metadata and its keys, without its client and without what is kept of earlier answers. The error wraps
// [ErrUnavailable] with what failed.
func (s *SignIn) Reach(ctx context.Context, issuer string) error {
	of, err := s.provider(issuer)
	if err != nil {
		return err
	}
	_, err = newProvider(of.Provider, of.config).answers(ctx)
	return err
}

// answers are the provider's metadata, with keys that were fetched.
func (p *provider) answers(ctx context.Context) (*found, error) {
	f, err := p.discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := f.keys.Ready(oidc.ClientContext(ctx, p.http)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return f, nil
}

// Examine asks the provider now for its metadata, its keys, and whether it takes our client, with a code that it has
// never given. The error wraps [ErrClient], or [ErrUnavailable] with what failed. A provider that says only that the code is
// not one has taken the client.
func (s *SignIn) Examine(ctx context.Context, issuer string) error {
	p, err := s.provider(issuer)
	if err != nil {
		return err
	}
	f, err := p.answers(ctx)
	if err != nil {
		return err
	}
	ctx = oidc.ClientContext(ctx, p.http)
	_, err = f.oauth.Exchange(ctx, "examined", oauth2.VerifierOption(derived("verifier", newSecret())))
	refused, answered := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case err == nil, answered && refused.Response.StatusCode < 500 && refused.ErrorCode != "invalid_client" && refused.ErrorCode != "unauthorized_client":
		return nil
	case answered && refused.Response.StatusCode < 500:
		return fmt.Errorf("%w (%s)", ErrClient, refused.ErrorCode)
	}
	return fmt.Errorf("%w: its token endpoint gave no answer", ErrUnavailable)
}
