package grant

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/seal"
)

func TestRedeem(t *testing.T) {
	t.Parallel()
	f := open(t)
	id, code := f.code(t, testSubject)
	if !strings.HasPrefix(code, "sfc_") || !seal.WellFormed(code, codePrefix) {
		t.Errorf("code %q", code)
	}
	tokens, err := f.Redeem(t.Context(), redemption(code))
	if err != nil {
		t.Fatal(err)
	}
	if !seal.WellFormed(tokens.AccessToken, "sfa_") || !seal.WellFormed(tokens.RefreshToken, "sfr_") || tokens.Scope != "mcp offline_access" ||
		tokens.ExpiresIn != testLifetimes.AccessToken || tokens.Grant.ID != id {
		t.Errorf("tokens: %+v", *tokens)
	}
	g, err := f.Authenticate(t.Context(), tokens.AccessToken, "sales")
	if err != nil {
		t.Fatal(err)
	}
	if g.ID != id || g.Org != testOrg || g.Subject != testSubject || g.ClientID != "chatgpt" || g.Resource != testResource ||
		!g.ExpiresAt.Equal(f.clock.Now().Add(testLifetimes.RefreshAbsolute)) {
		t.Errorf("grant: %+v", g)
	}
}

func TestAS04Verifier(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, code := f.code(t, testSubject)
	bad := []string{"", "a" + testVerifier[1:], testVerifier[:42], strings.Repeat("a", 129), testVerifier + " ", challengeOf(testVerifier)}
	for _, verifier := range bad[:4] {
		r := redemption(code)
		r.Verifier = verifier
		_, err := f.Redeem(t.Context(), r)
		wantErr(t, err, ErrInvalidGrant)
	}
	if _, err := f.Redeem(t.Context(), redemption(code)); err != nil {
		t.Fatalf("after four failures: %v", err)
	}
	_, code = f.code(t, testSubject)
	for _, verifier := range bad[1:] {
		r := redemption(code)
		r.Verifier = verifier
		_, err := f.Redeem(t.Context(), r)
		wantErr(t, err, ErrInvalidGrant)
	}
	_, err := f.Redeem(t.Context(), redemption(code))
	wantErr(t, err, ErrInvalidGrant) // the fifth killed it
	if errors.Is(err, ErrReplayed) {
		t.Error("a code that was never redeemed counts as replayed")
	}
}

// FT-03: a store that fails is no wrong code: the client is not told to throw it away.
func TestFaultFT03StoreFailsAtRedemption(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, code := f.code(t, testSubject)
	f.exec(t, `ALTER TABLE codes RENAME COLUMN failures TO gone`)
	if _, err := f.Redeem(t.Context(), redemption(code)); err == nil || errors.Is(err, ErrInvalidGrant) {
		t.Errorf("without the column: %v", err)
	}
	f.exec(t, `ALTER TABLE codes RENAME COLUMN gone TO failures`)
	if _, err := f.Redeem(t.Context(), redemption(code)); err != nil {
		t.Errorf("once it is there again: %v", err)
	}
}

func TestAS05CodeReplay(t *testing.T) {
	t.Parallel()
	f := open(t)
	id, code := f.code(t, testSubject)
	tokens, err := f.Redeem(t.Context(), redemption(code))
	if err != nil {
		t.Fatal(err)
	}
	wrong := redemption(code)
	wrong.Verifier = strings.Repeat("x", 43)
	_, err = f.Redeem(t.Context(), wrong)
	wantErr(t, err, ErrInvalidGrant)
	f.opens(t, tokens, true) // whoever has no verifier cannot revoke

	f.clock.Add(2 * time.Minute) // replay is known long after the code expired
	before := f.epoch(t)
	_, err = f.Redeem(t.Context(), redemption(code))
	var replay *ReplayError
	if !errors.As(err, &replay) || replay.Grant.ID != id || !replay.Revoked || replay.What != "code" {
		t.Fatalf("got %v, want a replay that revoked %s", err, id)
	}
	wantErr(t, err, ErrInvalidGrant)
	f.opens(t, tokens, false)
	_, err = f.Rotate(t.Context(), rotation(tokens.RefreshToken))
	wantErr(t, err, ErrInvalidGrant)
	if f.epoch(t) != before+1 {
		t.Error("the access epoch did not rise")
	}
}

func TestAS06CodeOfAnotherClient(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, code := f.code(t, testSubject)
	for range maxFailures + 1 {
		r := redemption(code)
		r.ClientID = "tool" // it has the same redirect URI
		_, err := f.Redeem(t.Context(), r)
		wantErr(t, err, ErrInvalidGrant)
		r.ClientID, r.Verifier = "tool", "wrong"
		_, err = f.Redeem(t.Context(), r)
		wantErr(t, err, ErrInvalidGrant)
		r.ClientID = "unknown"
		_, err = f.Redeem(t.Context(), r)
		wantErr(t, err, ErrInvalidGrant)
	}
	if _, err := f.Redeem(t.Context(), redemption(code)); err != nil {
		t.Errorf("its own client afterwards: %v", err)
	}
}

func TestAS08AS10RedemptionMustFit(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, code := f.code(t, testSubject)
	for _, tt := range []struct {
		name   string
		change func(*Redemption)
		want   error
	}{
		{"other registered redirect", func(r *Redemption) { r.RedirectURI = "https://client.example/other" }, ErrInvalidGrant},
		{"no redirect", func(r *Redemption) { r.RedirectURI = "" }, ErrInvalidGrant},
		{"other resource", func(r *Redemption) { r.Resource = "https://proxy.example/mcp/all" }, ErrInvalidTarget},
		{"longer resource", func(r *Redemption) { r.Resource += "/" }, ErrInvalidTarget},
		{"malformed code", func(r *Redemption) { r.Code += "=" }, ErrInvalidGrant},
		{"refresh prefix", func(r *Redemption) { r.Code = "sfr_" + r.Code[4:] }, ErrInvalidGrant},
	} {
		r := redemption(code)
		tt.change(&r)
		if _, err := f.Redeem(t.Context(), r); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	r := redemption(code)
	r.Resource = ""
	tokens, err := f.Redeem(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if tokens.Grant.Resource != testResource {
		t.Errorf("resource %q", tokens.Grant.Resource)
	}
	_, err = f.Authenticate(t.Context(), tokens.AccessToken, "all")
	wantErr(t, err, ErrInvalidToken)
}

func TestAS09CodeExpires(t *testing.T) {
	t.Parallel()
	f := open(t)
	id, code := f.code(t, testSubject)
	f.clock.Add(testLifetimes.Code)
	_, err := f.Redeem(t.Context(), redemption(code))
	wantErr(t, err, ErrInvalidGrant)
	if n, err := f.LiveGrants(t.Context(), testOrg, testSubject); err != nil || n != 0 {
		t.Errorf("%d live grants (%v), want 0", n, err)
	}
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = f.Grant(t.Context(), id)
	wantErr(t, err, ErrNotFound)
}

func TestRedeemRace(t *testing.T) {
	t.Parallel()
	f := open(t)
	id, code := f.code(t, testSubject)
	if won := race(t, 50, func() error {
		_, err := f.Redeem(t.Context(), redemption(code))
		return err
	}, ErrInvalidGrant); won != 1 {
		t.Errorf("%d of 50 got tokens, want 1", won)
	}
	// The others were replays, so nothing survives.
	g, err := f.Grant(t.Context(), id)
	if err != nil || g.RevokedAt.IsZero() {
		t.Errorf("grant after replays: %+v, %v", g, err)
	}
}

func TestRedeemAfterBlockOrRevoke(t *testing.T) {
	t.Parallel()
	f := open(t)
	id, code := f.code(t, testSubject)
	if _, err := f.RevokeGrant(t.Context(), id, "test"); err != nil {
		t.Fatal(err)
	}
	_, err := f.Redeem(t.Context(), redemption(code))
	wantErr(t, err, ErrInvalidGrant)
	_, code = f.code(t, testSubject)
	if n, err := f.BlockUser(t.Context(), testOrg, testSubject, "test"); err != nil || n != 1 {
		t.Fatalf("blocking ended %d grants (%v), want 1", n, err)
	}
	_, err = f.Redeem(t.Context(), redemption(code))
	wantErr(t, err, ErrInvalidGrant)
}
