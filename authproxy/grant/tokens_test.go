package grant

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

func TestAS12TokenOpensItsServerOnly(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	for _, server := range []string{"", "sales-evil", "SALES", "sale", "sales/", "%73ales", "sales/../all", "all"} {
		_, err := f.Authenticate(t.Context(), tokens.AccessToken, server)
		wantErr(t, err, ErrInvalidToken)
	}
	f.opens(t, tokens, true)
}

func TestAS29AS30TokenText(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	_, code := f.code(t, testSubject)
	a := tokens.AccessToken
	last := map[byte]string{'A': "B", 'Q': "R", 'g': "h", 'w': "x"}[a[len(a)-1]]
	if last == "" {
		last = a[len(a)-1:] + "A"
	}
	for name, text := range map[string]string{
		"empty": "", "prefix": "sfa_", "shorter": a[:len(a)-1], "longer": a + "A", "padded": a + "=", "NUL": a + "\x00", "space before": " " + a, "space after": a + " ",
		"newline inside": a[:20] + "\n" + a[20:], "newline for a character": a[:20] + "\n" + a[21:], "no prefix": a[4:], "upper prefix": "SFA_" + a[4:],
		"other spelling of the last bits": a[:len(a)-1] + last, "fullwidth": "\uff53fa_" + a[4:], "standard alphabet": "sfa_" + "+/" + a[6:],
		"refresh token": tokens.RefreshToken, "refresh token as access token": "sfa_" + tokens.RefreshToken[4:], "code": code, "code as access token": "sfa_" + code[4:],
		"grant id": tokens.Grant.ID, "JWT": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
	} {
		if _, err := f.Authenticate(t.Context(), text, "sales"); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: got %v, want ErrInvalidToken", name, err)
		}
		if name == "refresh token" {
			continue
		}
		if _, err := f.Rotate(t.Context(), rotation(text)); !errors.Is(err, ErrInvalidGrant) {
			t.Errorf("%s as refresh token: got %v, want ErrInvalidGrant", name, err)
		}
	}
	_, err := f.Rotate(t.Context(), rotation(a))
	wantErr(t, err, ErrInvalidGrant)
	f.opens(t, tokens, true)
}

func TestAccessTokenExpires(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	f.clock.Add(testLifetimes.AccessToken - time.Millisecond)
	f.opens(t, tokens, true)
	f.clock.Add(time.Millisecond)
	f.opens(t, tokens, false)
}

func TestRemovedClientIsRefused(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	c := f.cfg
	c.Clients = known{"tool"}
	without, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = without.Authenticate(t.Context(), tokens.AccessToken, "sales")
	wantErr(t, err, ErrInvalidToken)
	_, err = without.Rotate(t.Context(), rotation(tokens.RefreshToken))
	wantErr(t, err, ErrInvalidGrant)
	if alive, err := without.Alive(t.Context(), tokens.Grant.ID); err != nil || alive {
		t.Errorf("alive: %t, %v", alive, err)
	}
}

func TestAS24RotatedTokenAfterGrace(t *testing.T) {
	t.Parallel()
	f := open(t)
	first := f.tokens(t, testSubject)
	second, err := f.Rotate(t.Context(), rotation(first.RefreshToken))
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Add(testLifetimes.RefreshGrace)
	before := f.epoch(t)
	_, err = f.Rotate(t.Context(), rotation(first.RefreshToken))
	var replay *ReplayError
	if !errors.As(err, &replay) || replay.Grant.ID != first.Grant.ID || !replay.Revoked || replay.What != "refresh token" {
		t.Fatalf("got %v, want a replay", err)
	}
	f.opens(t, first, false)
	f.opens(t, second, false)
	_, err = f.Rotate(t.Context(), rotation(second.RefreshToken))
	wantErr(t, err, ErrInvalidGrant)
	if f.epoch(t) != before+1 {
		t.Error("the access epoch did not rise")
	}
}

func TestAS25GraceGivesTheSameSuccessor(t *testing.T) {
	t.Parallel()
	f := open(t)
	first := f.tokens(t, testSubject)
	second, err := f.Rotate(t.Context(), rotation(first.RefreshToken))
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Add(testLifetimes.RefreshGrace - time.Millisecond)
	again, err := f.Rotate(t.Context(), rotation(first.RefreshToken))
	if err != nil {
		t.Fatal(err)
	}
	if again.RefreshToken != second.RefreshToken || again.AccessToken == second.AccessToken {
		t.Error("want the same refresh token and another access token")
	}
	f.opens(t, second, true)
	f.opens(t, again, true)
	third, err := f.Rotate(t.Context(), rotation(again.RefreshToken))
	if err != nil {
		t.Fatal(err)
	}
	late, err := f.Rotate(t.Context(), rotation(first.RefreshToken))
	if err != nil || late.RefreshToken != third.RefreshToken {
		t.Errorf("predecessor's predecessor: got another token than the leaf (%v)", err)
	}
	var leaves int
	if err := f.db.Reads.QueryRow(`SELECT COUNT(*) FROM refresh_tokens WHERE rotated_at = 0`).Scan(&leaves); err != nil || leaves != 1 {
		t.Errorf("%d live leaves (%v), want 1", leaves, err)
	}
}

func TestGraceOff(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.lifetimes.RefreshGrace = 0
	first := f.tokens(t, testSubject)
	if _, err := f.Rotate(t.Context(), rotation(first.RefreshToken)); err != nil {
		t.Fatal(err)
	}
	_, err := f.Rotate(t.Context(), rotation(first.RefreshToken))
	wantErr(t, err, ErrReplayed)
}

func TestSuccessorNeedsPredecessor(t *testing.T) {
	t.Parallel()
	f := open(t)
	first, other := f.tokens(t, testSubject), f.tokens(t, testSubject)
	if _, err := f.Rotate(t.Context(), rotation(first.RefreshToken)); err != nil {
		t.Fatal(err)
	}
	var sealed string
	if err := f.db.Reads.QueryRow(`SELECT sealed_successor FROM refresh_tokens WHERE rotated_at > 0`).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	if _, err := openSuccessor(other.RefreshToken, sealed); err == nil {
		t.Error("another token opens it")
	}
	if _, err := openSuccessor(first.RefreshToken, sealed); err != nil {
		t.Errorf("its predecessor does not: %v", err)
	}
	f.clock.Add(testLifetimes.RefreshGrace)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.db.Reads.QueryRow(`SELECT sealed_successor FROM refresh_tokens WHERE rotated_at > 0`).Scan(&sealed); err != nil || sealed != "" {
		t.Errorf("after the grace window it is still there (%v)", err)
	}
}

func TestAS26RefreshMisuse(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	for _, tt := range []struct {
		name   string
		change func(*Rotation)
		want   error
	}{
		{"other client", func(r *Rotation) { r.ClientID = "tool" }, ErrInvalidGrant},
		{"unknown client", func(r *Rotation) { r.ClientID = "x" }, ErrInvalidGrant},
		{"other resource", func(r *Rotation) { r.Resource = "https://proxy.example/mcp/all" }, ErrInvalidTarget},
		{"wider scope", func(r *Rotation) { r.Scope = "mcp admin" }, ErrInvalidScope},
		{"scope that opens nothing", func(r *Rotation) { r.Scope = "offline_access" }, ErrInvalidScope},
		{"malformed scope", func(r *Rotation) { r.Scope = "mcp  offline_access" }, ErrInvalidScope},
	} {
		r := rotation(tokens.RefreshToken)
		tt.change(&r)
		if _, err := f.Rotate(t.Context(), r); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	r := rotation(tokens.RefreshToken)
	r.Scope, r.Resource = "mcp", testResource
	narrowed, err := f.Rotate(t.Context(), r) // nothing above spent it
	if err != nil || narrowed.Scope != "mcp" {
		t.Errorf("narrowing: %v, %v", narrowed, err)
	}
}

func TestAS27RefreshLifetimes(t *testing.T) {
	t.Parallel()
	f := open(t)
	idle := f.tokens(t, testSubject)
	f.clock.Add(testLifetimes.RefreshIdle)
	_, err := f.Rotate(t.Context(), rotation(idle.RefreshToken))
	wantErr(t, err, ErrInvalidGrant)

	tokens := f.tokens(t, testSubject)
	start := f.clock.Now()
	for f.clock.Now().Sub(start) < testLifetimes.RefreshAbsolute-time.Minute {
		f.clock.Add(min(testLifetimes.RefreshIdle, testLifetimes.RefreshAbsolute-f.clock.Now().Sub(start)) - time.Minute)
		if tokens, err = f.Rotate(t.Context(), rotation(tokens.RefreshToken)); err != nil {
			t.Fatalf("after %s: %v", f.clock.Now().Sub(start), err)
		}
	}
	if tokens.ExpiresIn > testLifetimes.RefreshAbsolute-f.clock.Now().Sub(start) {
		t.Errorf("access token outlives its grant: %s", tokens.ExpiresIn)
	}
	f.clock.Add(testLifetimes.RefreshAbsolute - f.clock.Now().Sub(start))
	_, err = f.Rotate(t.Context(), rotation(tokens.RefreshToken))
	wantErr(t, err, ErrInvalidGrant)
	if errors.Is(err, ErrReplayed) {
		t.Error("expiry counts as replay")
	}
}

func TestRotateRace(t *testing.T) {
	t.Parallel()
	f := open(t)
	first := f.tokens(t, testSubject)
	var mu sync.Mutex
	successors := map[string]int{}
	won := race(t, 50, func() error {
		tokens, err := f.Rotate(t.Context(), rotation(first.RefreshToken))
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			successors[tokens.RefreshToken]++
		}
		return err
	}, nil)
	if won != 50 || len(successors) != 1 {
		t.Errorf("%d of 50 got tokens of %d successors, want 50 of 1", won, len(successors))
	}
	f.opens(t, first, true)
}

func TestAS47RevokeToken(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	tokens := f.tokens(t, testSubject)
	meta := func() (n int) {
		if err := f.db.Reads.QueryRowContext(ctx, `SELECT COUNT(*) FROM meta`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	had := meta()
	for _, tt := range []struct{ name, token, client string }{
		{"another client's refresh token", tokens.RefreshToken, "tool"}, {"another client's access token", tokens.AccessToken, "tool"},
		{"unknown", "sfr_" + tokens.AccessToken[4:], "chatgpt"}, {"garbage", "x", "chatgpt"}, {"empty", "", "chatgpt"},
	} {
		if g, err := f.RevokeToken(ctx, tt.token, tt.client); g != nil || err != nil {
			t.Errorf("%s: %v, %v; want nothing done", tt.name, g, err)
		}
	}
	if n := meta(); n != had { // whoever sends many
		t.Errorf("what ended nothing left %d rows", n-had)
	}
	f.opens(t, tokens, true)

	g, err := f.RevokeToken(ctx, tokens.AccessToken, "chatgpt")
	if err != nil || g == nil || !g.RevokedAt.IsZero() {
		t.Errorf("access token: %+v, %v", g, err)
	}
	f.opens(t, tokens, false)
	second, err := f.Rotate(ctx, rotation(tokens.RefreshToken))
	if err != nil {
		t.Fatalf("refresh after the access token was revoked: %v", err)
	}
	before := f.epoch(t)
	g, err = f.RevokeToken(ctx, tokens.RefreshToken, "chatgpt") // a spent one names its family as well
	if err != nil || g == nil || g.RevokedAt.IsZero() || f.epoch(t) != before+1 {
		t.Errorf("refresh token: %+v, %v", g, err)
	}
	f.opens(t, second, false)
	if g, err := f.RevokeToken(ctx, second.RefreshToken, "chatgpt"); g != nil || err != nil {
		t.Errorf("second time: %v, %v; want nothing done", g, err)
	}
	before = f.epoch(t)
	if g, err := f.RevokeToken(ctx, second.AccessToken, "chatgpt"); g != nil || err != nil || f.epoch(t) != before {
		t.Errorf("access token of a grant that has ended: %v, %v; want nothing done", g, err)
	}
	over := f.tokens(t, testSubject)
	f.clock.Add(testLifetimes.AccessToken)
	if g, err := f.RevokeToken(ctx, over.AccessToken, "chatgpt"); g != nil || err != nil {
		t.Errorf("access token that is over: %v, %v; want nothing done", g, err)
	}
}

// D15: a grant gets so many access tokens within the lifetime of one, and so many refresh
// tokens in a day. Nothing is lost by asking too often, and a dead token is told so.
func TestD15RefreshesAreBounded(t *testing.T) {
	t.Parallel()
	f := open(t)
	have, other := f.tokens(t, testSubject), f.tokens(t, testSubject)
	rotated := 0
	loop := func() {
		t.Helper()
		for {
			next, err := f.Rotate(t.Context(), rotation(have.RefreshToken))
			if errors.Is(err, ErrTooOften) {
				return
			}
			if err != nil {
				t.Fatalf("refresh %d: %v", rotated, err)
			}
			have, rotated = next, rotated+1
		}
	}
	loop()
	if rotated != tokensAtATime-1 { // the first came for the code
		t.Errorf("%d refreshes at once", rotated)
	}
	f.opens(t, have, true)
	if _, err := f.Rotate(t.Context(), rotation(other.RefreshToken)); err != nil {
		t.Errorf("another grant of the user: %v", err)
	}
	_, err := f.Rotate(t.Context(), rotation("sfr_"+strings.Repeat("A", 43)))
	wantErr(t, err, ErrInvalidGrant)
	const perDay = copiesOfAClient * 24 * 4
	if _, err := f.db.Writes.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO refresh_tokens (token_hash, grant_id, created_at, idle_expires_at, rotated_at) SELECT 'spent ' || i, $2, $3, $4, $3 FROM n`,
		perDay-rotated-11, have.Grant.ID, f.millis(), f.millis()+1e9); err != nil {
		t.Fatal(err)
	}
	f.clock.Add(testLifetimes.AccessToken)
	rotated = 0
	if loop(); rotated != 10 {
		t.Errorf("%d refreshes more in that day", rotated)
	}
	f.clock.Add(24 * time.Hour)
	if _, err := f.Rotate(t.Context(), rotation(have.RefreshToken)); err != nil {
		t.Errorf("the next day: %v", err)
	}
}

// D15: a client that revokes each token as it comes makes the access epoch rise no more
// often than a grant has tokens, and not by revoking again.
func TestD15RevocationsAreBounded(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	f := open(t)
	have := f.tokens(t, testSubject)
	first, before := have.RefreshToken, f.epoch(t)
	for i := range tokensAtATime + 100 {
		if _, err := f.RevokeToken(t.Context(), have.AccessToken, "chatgpt"); err != nil {
			t.Fatal(err)
		}
		refresh := have.RefreshToken
		if i%2 == 0 {
			refresh = first // within the grace window, which rotates nothing
		}
		next, err := f.Rotate(t.Context(), rotation(refresh))
		if err != nil && !errors.Is(err, ErrTooOften) {
			t.Fatal(err)
		}
		if err == nil {
			f.opens(t, next, true)
			have = next
		}
	}
	if rises := f.epoch(t) - before; rises != tokensAtATime {
		t.Errorf("the access epoch rose %d times", rises)
	}
	f.opens(t, have, false)
}
