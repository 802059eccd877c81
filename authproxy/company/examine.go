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

// Examine asks the provider now for its metadata, its keys, and whether it takes our client, with a code that it has
// never given. The error wraps [ErrClient], or [ErrUnavailable] with what failed. A provider that says only that the code is
// not one has taken the client.
func (s *SignIn) Examine(ctx context.Context, issuer string) error {
	p, err := s.provider(issuer)
	if err != nil {
		return err
	}
	f, err := p.discover(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	ctx = oidc.ClientContext(ctx, p.http)
	if err := f.keys.Ready(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
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
