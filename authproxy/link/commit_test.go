package link_test

import (
	"testing"
	"time"
)

// FT-53: the answer to the COMMIT of new tokens is lost with the network, and before it is back another
// process has refreshed once more. The tokens are those of the login in use: none is revoked.
func TestFT53LostCommitOfTokensRevokesNothing(t *testing.T) {
	f, other, p, network := nearAndFar(t)
	f.clock.pass(time.Hour)
	network.LoseCommit(true)
	done := make(chan error)
	go func() {
		_, err := p.Token(t.Context(), "acme", alice)
		done <- err
	}()
	eventually(t, "the COMMIT is lost", network.Lost)
	network.Cut()
	f.clock.pass(time.Hour)
	eventually(t, "another refresh", func() bool { _, err := other.Token(t.Context(), "acme", alice); return err == nil })
	network.Heal()
	if err := <-done; err != nil {
		t.Logf("whoever asked first is told: %v", err) // and comes back
	}
	p.drain(t)
	if state := other.state(t); state != "active" || len(f.revoked) > 0 {
		t.Errorf("the login is %s, and %d tokens were revoked", state, len(f.revoked))
	}
	f.sent(t, 2)
}
