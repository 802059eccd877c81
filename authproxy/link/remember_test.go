package link_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
)

// With a watcher the store remembers access tokens. None of what changes a link may be
// missed for that.
func TestRememberedTokenFollowsItsLink(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, token := signedIn(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { p.DB.WatchAccess(ctx, 50*time.Millisecond, func() {}) })
	t.Cleanup(func() { cancel(); watching.Wait() })
	eventually(t, "remembered token", func() bool {
		if got, err := p.Token(ctx, "acme", alice); err != nil || got != token.AccessToken {
			t.Fatalf("another token or %v", err)
		}
		// Nobody tells the store of this change, so only a token that it remembers is good.
		if _, err := p.DB.Writes.Exec(`UPDATE links SET state = 'needs_reauth'`); err != nil {
			t.Fatal(err)
		}
		_, err := p.Token(ctx, "acme", alice)
		if _, restored := p.DB.Writes.Exec(`UPDATE links SET state = 'active'`); restored != nil {
			t.Fatal(restored)
		}
		return err == nil
	})
	second, err := p.Refused(ctx, "acme", alice, token.AccessToken)
	if err != nil || second == token.AccessToken {
		t.Fatalf("the refused token again, or %v", err)
	}
	if got, err := p.Token(ctx, "acme", alice); got != second || err != nil {
		t.Errorf("after a refusal: another token than the new one, or %v", err)
	}
	f.clock.pass(31 * time.Minute)
	third, err := p.Token(ctx, "acme", alice)
	if err != nil || third == second {
		t.Errorf("an expired token, or %v", err)
	}
	if err := p.Revoke(ctx, "acme", alice, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Token(ctx, "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("after Revoke: %v", err)
	}
}
