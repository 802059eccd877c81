package grant

import (
	"errors"
	"os"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// What people had with an earlier version, which authenticated no rows, goes on with this
// one: connections, a refresh within the grace window, sign-ins under way, codes, blocks.
func TestUpgradeKeepsConnections(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx, third := t.Context(), "005xx000001Sv6CAAS"
	first := f.tokens(t, testSubject)
	second, err := f.Rotate(ctx, rotation(first.RefreshToken))
	if err != nil {
		t.Fatal(err)
	}
	ended := f.tokens(t, testSubject)
	if _, err := f.RevokeGrant(ctx, ended.Grant.ID, "test"); err != nil {
		t.Fatal(err)
	}
	if err := f.NameUser(ctx, testOrg, testSubject, "rep@acme.example", "Rep"); err != nil {
		t.Fatal(err)
	}
	_, code := f.code(t, otherSubject)
	pending, err := f.Requests.Open(ctx, authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.BlockUser(ctx, testOrg, third, "test"); err != nil {
		t.Fatal(err)
	}

	// As the earlier version would have left it.
	ring := dbtest.Ring(t, f.url)
	for _, g := range db.Guards() {
		f.exec(t, `UPDATE `+g.Table+` SET `+g.Column+` = ''`)
	}
	mark, err := ring.Seal(seal.Place{Table: "meta", Row: "ring", Purpose: "claim"}, []byte("sfmcp-proxy"))
	if err != nil {
		t.Fatal(err)
	}
	f.exec(t, `UPDATE meta SET value = $1 WHERE name = 'ring'`, mark)
	f.exec(t, `DELETE FROM meta WHERE name = 'blocked'`)
	if err := os.Remove(ring.Path() + ".in-use"); err != nil {
		t.Fatal(err)
	}
	f.opens(t, second, false)

	if err := f.db.Claim(ctx, ring); err != nil {
		t.Fatal(err)
	}
	f.opens(t, first, true)
	f.opens(t, second, true)
	f.opens(t, ended, false)
	if g, err := f.Authenticate(ctx, second.AccessToken, "sales"); err != nil || g.Username != "rep@acme.example" {
		t.Errorf("%+v, %v", g, err)
	}
	again, err := f.Rotate(ctx, rotation(first.RefreshToken))
	if err != nil || again.RefreshToken != second.RefreshToken {
		t.Errorf("a refresh within the window: %v", err)
	}
	if _, err := f.Rotate(ctx, rotation(second.RefreshToken)); err != nil {
		t.Errorf("a refresh: %v", err)
	}
	f.clock.Add(testLifetimes.RefreshGrace)
	if _, err := f.Rotate(ctx, rotation(second.RefreshToken)); !errors.Is(err, ErrReplayed) {
		t.Errorf("a spent token: %v", err)
	}
	if _, err := f.Redeem(ctx, redemption(code)); !errors.Is(err, ErrInvalidGrant) { // its minute is over
		t.Error(err)
	}
	if _, err := f.Requests.Send(ctx, pending, "browser"); err != nil {
		t.Errorf("a sign-in under way: %v", err)
	}
	if blocked, err := f.Blocked(ctx, testOrg, third); err != nil || !blocked {
		t.Errorf("blocked: %t, %v", blocked, err)
	}
	f.exec(t, `DELETE FROM users WHERE subject = $1`, third)
	if blocked, err := f.Blocked(ctx, testOrg, third); err != nil || !blocked {
		t.Errorf("blocked, and the row deleted: %t, %v", blocked, err)
	}
}
