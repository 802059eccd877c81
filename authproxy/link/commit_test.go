package link_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/seal"
)

// FT-53: the answer to the COMMIT of new tokens is lost with the network, and before it is back another
// process has refreshed once more. The tokens are those of the login in use: none is revoked.
func TestFaultFT53LostCommitOfTokensRevokesNothing(t *testing.T) {
	f, other, p, network := nearAndFar(t)
	f.clock.pass(time.Hour)
	done := p.losesCommit(t, network)
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

// losesCommit has a process whose way is cut ask for a token: the answer to the COMMIT of the new ones is lost. What it
// is told comes once the network is back.
func (p *process) losesCommit(t *testing.T, network *dbtest.Network) (done chan error) {
	t.Helper()
	network.LoseCommit(true)
	done = make(chan error)
	go func() {
		_, err := p.Token(t.Context(), "acme", alice)
		done <- err
	}()
	eventually(t, "the COMMIT is lost", network.Lost)
	network.Cut()
	return done
}

// FT-53: the answer to the COMMIT that notes a lost login is lost with the network. That the login is lost is told
// all the same, once, and its refresh token is revoked once.
func TestFaultFT53LostCommitOfLostLoginIsTold(t *testing.T) {
	f, _, p, network := nearAndFar(t)
	f.set(func() {
		f.token = func(w http.ResponseWriter, r *http.Request) {
			network.LoseCommit(true)
			answer(http.StatusBadRequest, `{"error":"invalid_grant"}`)(w, r)
		}
	})
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrNeedsReauth) {
		t.Error(err)
	}
	p.drain(t)
	if state := p.state(t); state != link.NeedsReauth || !network.Lost() {
		t.Errorf("the login is %s; a COMMIT was lost: %t", state, network.Lost())
	}
	if told := p.seen(); !slices.Equal(told, []link.EventKind{link.LoginLost, link.RevokedUpstream}) {
		t.Errorf("told: %v", told)
	}
}

// FT-46, FT-53: the answer to the COMMIT of new tokens is lost with the network, and before it is back the row is
// sealed with a new key. The tokens are those of the login in use: none is revoked.
func TestFaultFT53LostCommitOfTokensThatWereSealedAnew(t *testing.T) {
	f, other, p, network := nearAndFar(t)
	f.clock.pass(time.Hour)
	var before, after int64
	version := func(v *int64) bool { return other.db.Reads.QueryRow(`SELECT version FROM links`).Scan(v) == nil }
	if !version(&before) {
		t.Fatal("there is no login")
	}
	done := p.losesCommit(t, network)
	eventually(t, "the tokens are there", func() bool { return version(&after) && after > before })
	for _, purpose := range []string{"access", "refresh"} {
		at := seal.Place{Table: "links", Row: "acme/" + alice, Org: "acme", Subject: alice, Purpose: purpose}
		var sealed string
		if err := other.db.Reads.QueryRow(`SELECT sealed_` + purpose + ` FROM links`).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		token, err := other.Ring.Open(at, sealed)
		if err != nil {
			t.Fatal(err)
		}
		if sealed, err = other.Ring.Seal(at, token); err != nil {
			t.Fatal(err)
		}
		if _, err := other.db.Writes.Exec(`UPDATE links SET sealed_`+purpose+` = $1`, sealed); err != nil {
			t.Fatal(err)
		}
	}
	network.Heal()
	if err := <-done; err != nil {
		t.Errorf("whoever asked first is told: %v", err)
	}
	p.drain(t)
	if state := other.state(t); state != "active" || len(f.revoked) > 0 {
		t.Errorf("the login is %s, and %d tokens were revoked", state, len(f.revoked))
	}
	f.sent(t, 1)
}

// FT-53: the answer to the COMMIT of a new login is lost with the network, whether that reached the server or not. The login is
// stored, whoever brought it is told so, and the one before it alone is ended.
func TestFaultFT53LostCommitOfNewLogin(t *testing.T) {
	f, _, far, network := nearAndFar(t)
	for i, reaches := range []bool{true, false} {
		fresh := f.signIn(alice)
		network.LoseCommit(reaches)
		if err := far.Replace(t.Context(), "acme", fresh); err != nil || !network.Lost() {
			t.Fatalf("reaches: %t: %v; a COMMIT was lost: %t", reaches, err, network.Lost())
		}
		far.drain(t)
		if got, err := far.Token(t.Context(), "acme", alice); err != nil || got != fresh.AccessToken {
			t.Errorf("reaches: %t: the login in use is another one: %v", reaches, err)
		}
		if slices.Contains(f.revoked, fresh.RefreshToken) || len(f.revoked) != i+1 {
			t.Errorf("reaches: %t: revoked %d tokens, the new one among them: %t", reaches, len(f.revoked), slices.Contains(f.revoked, fresh.RefreshToken))
		}
	}
}
