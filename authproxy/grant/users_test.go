package grant

import (
	"errors"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

const otherSubject = "005xx000001Sv6BAAS"

func TestUsers(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	f.tokens(t, testSubject)
	if err := f.SeeUser(ctx, testOrg, otherSubject); err != nil {
		t.Fatal(err)
	}
	if err := f.NameUser(ctx, testOrg, testSubject, "Rep@Acme.example", "Robin Rep"); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{testSubject, testSubject[:15], "rep@acme.example", "REP@acme.EXAMPLE"} {
		got, err := f.FindUsers(ctx, who)
		if err != nil || len(got) != 1 || got[0].Subject != testSubject || got[0].Connections != 1 || got[0].Name != "Robin Rep" {
			t.Errorf("FindUsers(%q) = %+v, %v", who, got, err)
		}
	}
	for _, who := range []string{"", "%", "rep", testSubject + "x", "005XX000001Sv6A"} {
		if got, err := f.FindUsers(ctx, who); err != nil || len(got) != 0 {
			t.Errorf("FindUsers(%q) = %+v, %v; want none", who, got, err)
		}
	}
	if all, err := f.Users(ctx); err != nil || len(all) != 2 {
		t.Errorf("Users: %+v, %v; want 2", all, err)
	}
	// A username that moved belongs to its present holder alone.
	if err := f.NameUser(ctx, testOrg, otherSubject, "rep@acme.example", "Olga Other"); err != nil {
		t.Fatal(err)
	}
	if got, err := f.FindUsers(ctx, "rep@acme.example"); err != nil || len(got) != 1 || got[0].Subject != otherSubject {
		t.Errorf("after it moved: %+v, %v", got, err)
	}
	wantErr(t, f.NameUser(ctx, testOrg, "005xx000001Sv6CAAS", "x", "X"), ErrNotFound)
}

func TestFullID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"005xx000001Sv6A": "005xx000001Sv6AAAS"[:15] + FullID("005xx000001Sv6A")[15:], "00130000000xxxx": "00130000000xxxxAAA", "001D000000IqhSL": "001D000000IqhSLIAZ",
		"short": "short", testSubject: testSubject,
	} {
		if got := FullID(id); got != want {
			t.Errorf("FullID(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestBlockUser(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	tokens := f.tokens(t, testSubject)
	pendingGrant, _ := f.code(t, testSubject)
	other := f.tokens(t, otherSubject)
	before := f.epoch(t)
	n, err := f.BlockUser(ctx, testOrg, testSubject, "test")
	if err != nil || n != 2 {
		t.Errorf("ended %d grants (%v), want 2", n, err)
	}
	if f.epoch(t) == before {
		t.Error("the access epoch did not rise")
	}
	f.opens(t, tokens, false)
	f.opens(t, other, true)
	if blocked, err := f.Blocked(ctx, testOrg, testSubject); err != nil || !blocked {
		t.Errorf("Blocked: %t, %v", blocked, err)
	}
	for _, id := range []string{tokens.Grant.ID, pendingGrant} {
		if alive, err := f.Alive(ctx, id); err != nil || alive {
			t.Errorf("Alive: %t, %v", alive, err)
		}
	}
	_, _, err = f.CreateGrant(ctx, finished(t, f), testSubject)
	wantErr(t, err, ErrBlocked)
	if n, err := f.LiveGrants(ctx, testOrg, testSubject); err != nil || n != 0 {
		t.Errorf("%d live grants (%v)", n, err)
	}
	if err := f.UnblockUser(ctx, testOrg, testSubject); err != nil {
		t.Fatal(err)
	}
	f.opens(t, tokens, false) // what was revoked stays so
	f.opens(t, f.tokens(t, testSubject), true)
	wantErr(t, f.UnblockUser(ctx, testOrg, testSubject), ErrNotFound)

	if _, err := f.BlockUser(ctx, testOrg, "005xx000001Sv6DAAS", "before the first sign-in"); err != nil {
		t.Fatal(err)
	}
	_, _, err = f.CreateGrant(ctx, finished(t, f), "005xx000001Sv6DAAS")
	wantErr(t, err, ErrBlocked)
}

// A person who was blocked and is erased stays blocked: nothing but the id is left, and
// that is what keeps them out. Of one who is not blocked nothing is left.
func TestErasedUserStaysBlocked(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	for _, subject := range []string{testSubject, otherSubject} {
		f.tokens(t, subject)
	}
	if _, err := f.BlockUser(ctx, testOrg, testSubject, "left the company"); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{testSubject, otherSubject} {
		if err := f.EraseUser(ctx, testOrg, subject); err != nil {
			t.Fatal(err)
		}
	}
	u, err := f.User(ctx, testOrg, testSubject)
	if err != nil || u.BlockedAt.IsZero() || u.Altered || u.Username != "" || u.Name != "" {
		t.Errorf("the blocked one: %+v, %v", u, err)
	}
	_, _, err = f.CreateGrant(ctx, finished(t, f), testSubject)
	wantErr(t, err, ErrBlocked)
	if u, err := f.User(ctx, testOrg, otherSubject); !errors.Is(err, ErrNotFound) {
		t.Errorf("the other one: %+v, %v", u, err)
	}
	if err := f.UnblockUser(ctx, testOrg, testSubject); err != nil {
		t.Fatal(err)
	}
	if blocked, err := f.Blocked(ctx, testOrg, testSubject); err != nil || blocked {
		t.Errorf("unblocked, and blocked is %t, %v", blocked, err)
	}
}

func finished(t *testing.T, f *fixture) *AuthorizationRequest {
	t.Helper()
	r := authorizeRequest()
	r.Status, r.GrantID = Done, newGrantID()
	return &r
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	a, b, c := f.tokens(t, testSubject), f.tokens(t, testSubject), f.tokens(t, otherSubject)
	g, err := f.RevokeGrant(ctx, a.Grant.ID, "by the user")
	if err != nil || g.RevokedWhy != "by the user" || g.Subject != testSubject || g.RevokedAt.IsZero() {
		t.Fatalf("RevokeGrant: %+v, %v", g, err)
	}
	f.opens(t, a, false)
	f.opens(t, b, true)
	_, err = f.RevokeGrant(ctx, a.Grant.ID, "again")
	wantErr(t, err, ErrNotFound)
	_, err = f.RevokeGrant(ctx, "grt_none", "x")
	wantErr(t, err, ErrNotFound)
	if n, err := f.RevokeUser(ctx, testOrg, testSubject, "left"); err != nil || n != 1 {
		t.Errorf("RevokeUser ended %d (%v), want 1", n, err)
	}
	f.opens(t, b, false)
	f.opens(t, c, true)
	before := f.epoch(t)
	if ended, err := f.RevokeClient(ctx, "tool", "x"); err != nil || len(ended) != 0 || f.epoch(t) != before {
		t.Errorf("RevokeClient of another client: %+v, %v", ended, err)
	}
	ended, err := f.RevokeClient(ctx, "chatgpt", "x")
	if err != nil || len(ended) != 1 || ended[0].ID != c.Grant.ID {
		t.Errorf("RevokeClient: %+v, %v", ended, err)
	}
	f.opens(t, c, false)
	for _, tt := range []struct {
		f    Filter
		want int
	}{{Filter{}, 0}, {Filter{All: true}, 3}, {Filter{All: true, Subject: testSubject}, 2}, {Filter{All: true, ClientID: "tool"}, 0}, {Filter{All: true, Org: testOrg}, 3}} {
		if got, err := f.Grants(ctx, tt.f); err != nil || len(got) != tt.want {
			t.Errorf("Grants(%+v): %d (%v), want %d", tt.f, len(got), err, tt.want)
		}
	}
}

func TestRevocationWinsEveryRace(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := f.RevokeUser(t.Context(), testOrg, testSubject, "test"); err != nil {
			t.Error(err)
		}
	}()
	race(t, 20, func() error {
		_, err := f.Rotate(t.Context(), rotation(tokens.RefreshToken))
		return err
	}, ErrInvalidGrant)
	<-done
	f.opens(t, tokens, false)
	_, err := f.Rotate(t.Context(), rotation(tokens.RefreshToken))
	wantErr(t, err, ErrInvalidGrant)
}

func TestSweep(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	tokens := f.tokens(t, testSubject)
	f.clock.Add(10 * time.Minute)
	f.opens(t, tokens, true)
	used := f.clock.Now()
	if err := f.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	g, err := f.Grant(ctx, tokens.Grant.ID)
	if err != nil || !g.LastUsedAt.Equal(used) {
		t.Errorf("last used at %v, want %v (%v)", g.LastUsedAt, used, err)
	}
	second, err := f.Rotate(ctx, rotation(tokens.RefreshToken))
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Add(time.Hour)
	if err := f.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Rotate(ctx, rotation(tokens.RefreshToken)); !errors.Is(err, ErrReplayed) {
		t.Errorf("after a sweep a spent refresh token gives %v, want a replay", err)
	}
	_ = second
	idle := f.tokens(t, testSubject)
	f.clock.Add(testLifetimes.RefreshIdle)
	if err := f.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if g, err := f.Grant(ctx, idle.Grant.ID); err != nil || g.RevokedWhy != "idle" {
		t.Errorf("idle grant: %+v, %v", g, err)
	}
	f.clock.Add(30*24*time.Hour - time.Millisecond)
	if err := f.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Grant(ctx, idle.Grant.ID); err != nil {
		t.Errorf("an ended grant within 30 days: %v", err)
	}
	f.clock.Add(time.Millisecond)
	if err := f.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"grants", "codes", "access_tokens", "refresh_tokens", "authorization_requests"} {
		var n int
		if err := f.db.Reads.QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d rows left (%v)", table, n, err)
		}
	}
}

// Blocking revokes as well; this is about a grant that exists all the same.
func TestBlockedUserIsRefusedWhateverTheGrantSays(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	_, code := f.code(t, testSubject)
	if _, err := f.db.Writes.Exec(`UPDATE users SET blocked_at = 1 WHERE subject = $1`, testSubject); err != nil {
		t.Fatal(err)
	}
	f.opens(t, tokens, false)
	_, err := f.Rotate(t.Context(), rotation(tokens.RefreshToken))
	wantErr(t, err, ErrInvalidGrant)
	_, err = f.Redeem(t.Context(), redemption(code))
	wantErr(t, err, ErrInvalidGrant)
	if alive, err := f.Alive(t.Context(), tokens.Grant.ID); err != nil || alive {
		t.Errorf("alive: %t, %v", alive, err)
	}
}

// CL-05: a person is org and user id. A username that somebody else has now, or has in
// another org, or that is written like two, gives nobody's grants away.
func TestCL05RecycledNames(t *testing.T) {
	t.Parallel()
	f := open(t)
	const successor, elsewhere = "005xx000001Sv8AAAS", "beta"
	first := f.tokens(t, testSubject)
	second := f.tokens(t, successor)
	for _, username := range []string{"rep@acme.example", "rep@acme@example.com", "REP@acme.example", "rep@acme.example.sandbox", ""} {
		for _, who := range []struct{ org, subject string }{{testOrg, testSubject}, {testOrg, successor}} {
			if err := f.NameUser(t.Context(), who.org, who.subject, username, "Riley"); err != nil {
				t.Fatal(err)
			}
		}
		for _, owner := range []struct {
			tokens  *Tokens
			subject string
		}{{first, testSubject}, {second, successor}} {
			g, err := f.Authenticate(t.Context(), owner.tokens.AccessToken, "sales")
			if err != nil || g.Subject != owner.subject {
				t.Errorf("%q: the token of %s acts for %v, %v", username, owner.subject, g, err)
			}
			grants, err := f.Grants(t.Context(), Filter{Org: testOrg, Subject: owner.subject})
			if err != nil || len(grants) != 1 || grants[0].ID != owner.tokens.Grant.ID {
				t.Errorf("%q: %s has the connections %v, %v", username, owner.subject, grants, err)
			}
		}
		if grants, err := f.Grants(t.Context(), Filter{Org: elsewhere, Subject: testSubject}); err != nil || len(grants) != 0 {
			t.Errorf("%q: the same user id in another org has %v, %v", username, grants, err)
		}
	}
	if n, err := f.RevokeUser(t.Context(), testOrg, successor, "test"); err != nil || n != 1 {
		t.Errorf("ended %d, %v", n, err)
	}
	f.opens(t, first, true)
	f.opens(t, second, false)
}

// RS-11: the row of a user that says blocked is enough, also where the list of the blocked was
// lost and the grant is what it was.
func TestRS11BlockedRowAlone(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, code := f.code(t, testSubject)
	tokens := f.tokens(t, testSubject)
	f.exec(t, `UPDATE users SET blocked_at = 1 WHERE subject = $1`, testSubject)
	dbtest.Sign(t, f.db, db.Users)
	_, err := f.Redeem(t.Context(), redemption(code))
	wantErr(t, err, ErrInvalidGrant)
	_, err = f.Rotate(t.Context(), rotation(tokens.RefreshToken))
	wantErr(t, err, ErrInvalidGrant)
	f.opens(t, tokens, false)
}

// FT-41: a sweep looks at what ended since the one before. What is left of a connection that ended earlier goes
// with it, at the latest.
func TestFaultFT41SweepLooksAtWhatIsNew(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	sweep := func() {
		t.Helper()
		if err := f.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	left := func(id string) (n int) {
		t.Helper()
		if err := f.db.Reads.QueryRow(`SELECT COUNT(*) FROM refresh_tokens WHERE grant_id = $1`, id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	tokens := f.tokens(t, testSubject)
	id := tokens.Grant.ID
	sweep()
	if _, err := f.RevokeGrant(ctx, id, "test"); err != nil || left(id) == 0 {
		t.Fatalf("%d tokens are there: %v", left(id), err)
	}
	sweep()
	if n := left(id); n != 0 {
		t.Errorf("%d tokens of a connection that has just ended are left", n)
	}
	f.clock.Add(2 * sweptAgain)
	sweep()
	f.exec(t, `INSERT INTO refresh_tokens (token_hash, grant_id, created_at, idle_expires_at) VALUES ('late', $1, 0, $2)`, id, f.millis()+1<<50)
	if sweep(); left(id) != 1 {
		t.Error("a sweep looks at all that ever ended")
	}
	f.clock.Add(keepEnded)
	if sweep(); left(id) != 0 {
		t.Error("what was left of the connection stays")
	}
	if _, err := f.Grant(ctx, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("the connection: %v", err)
	}
}
