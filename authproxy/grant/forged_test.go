package grant

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

const forgedToken = accessPrefix + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// exec writes as somebody does who has the database and lacks the keys.
func (f *fixture) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := f.db.Writes.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// S7: what somebody writes into the database without the keys gives nobody an access token
// that works, and takes none from others.
func TestS7ForgedAccess(t *testing.T) {
	t.Parallel()
	const hour = int64(time.Hour / time.Millisecond)
	tests := map[string]struct {
		// before is done by the proxy, forge by the attacker; mine and other are grants.
		before func(f *fixture, mine *Tokens)
		forge  func(f *fixture, mine, other string)
	}{
		"revoked grant": {func(f *fixture, mine *Tokens) { f.RevokeGrant(t.Context(), mine.Grant.ID, "test") },
			func(f *fixture, mine, _ string) {
				f.exec(t, `UPDATE grants SET revoked_at = 0, revoked_why = '' WHERE id = $1`, mine)
			}},
		"revoked grant with the MAC of another": {func(f *fixture, mine *Tokens) { f.RevokeGrant(t.Context(), mine.Grant.ID, "test") },
			func(f *fixture, mine, other string) {
				f.exec(t, `UPDATE grants SET revoked_at = 0, mac = (SELECT o.mac FROM grants o WHERE o.id = $1) WHERE id = $2`, other, mine)
			}},
		"revoked access token": {func(f *fixture, mine *Tokens) { f.RevokeToken(t.Context(), mine.AccessToken, "chatgpt") },
			func(f *fixture, mine, _ string) {
				f.exec(t, `UPDATE access_tokens SET revoked_at = 0 WHERE grant_id = $1`, mine)
			}},
		"expired access token": {func(f *fixture, _ *Tokens) { f.clock.Add(time.Hour) },
			func(f *fixture, mine, _ string) {
				f.exec(t, `UPDATE access_tokens SET expires_at = expires_at + $1`, 2*hour)
			}},
		"expired grant": {func(f *fixture, _ *Tokens) { f.clock.Add(91 * 24 * time.Hour) },
			func(f *fixture, mine, _ string) {
				f.exec(t, `UPDATE grants SET expires_at = expires_at + $1`, 10000*hour)
				f.exec(t, `UPDATE access_tokens SET expires_at = expires_at + $1`, 10000*hour)
			}},
		"token of another's grant": {nil, func(f *fixture, mine, other string) {
			f.exec(t, `UPDATE access_tokens SET grant_id = $1 WHERE grant_id = $2`, other, mine)
		}},
		"deleted user": {nil, func(f *fixture, _, _ string) { f.exec(t, `DELETE FROM users WHERE subject = $1`, testSubject) }},
		"username of somebody else": {nil, func(f *fixture, _, _ string) {
			f.exec(t, `UPDATE users SET username = 'admin@acme.example' WHERE subject = $1`, testSubject)
		}},
		"blocked user": {func(f *fixture, _ *Tokens) { f.BlockUser(t.Context(), testOrg, testSubject, "test") },
			func(f *fixture, mine, other string) {
				f.exec(t, `UPDATE users SET blocked_at = 0 WHERE subject = $1`, testSubject)
				f.exec(t, `UPDATE grants SET revoked_at = 0 WHERE id = $1`, mine)
			}},
	}
	for _, column := range db.Grants.Covers[1:] {
		value := `'x'`
		if column[len(column)-3:] == "_at" {
			value = column + ` + 1000`
		}
		tests["grants."+column] = struct {
			before func(f *fixture, mine *Tokens)
			forge  func(f *fixture, mine, other string)
		}{nil, func(f *fixture, mine, _ string) {
			f.exec(t, `UPDATE grants SET `+column+` = `+value+` WHERE id = $1`, mine)
		}}
	}
	for name, tt := range tests {
		f := open(t)
		mine, other := f.tokens(t, testSubject), f.tokens(t, otherSubject)
		if tt.before != nil {
			tt.before(f, mine)
		}
		tt.forge(f, mine.Grant.ID, other.Grant.ID)
		if g, err := f.Authenticate(t.Context(), mine.AccessToken, "sales"); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: the access token opens %+v, %v", name, g, err)
		}
		if name == "revoked access token" || name == "expired access token" || name == "token of another's grant" {
			continue // the grant is what it was
		}
		if alive, err := f.Alive(t.Context(), mine.Grant.ID); err != nil || alive {
			t.Errorf("%s: the grant is alive (%v)", name, err)
		}
		if _, err := f.Rotate(t.Context(), rotation(mine.RefreshToken)); !errors.Is(err, ErrInvalidGrant) {
			t.Errorf("%s: the refresh token: %v", name, err)
		}
		if name != "expired grant" {
			f.opens(t, other, true)
		}
	}
}

// S7: a token that was inserted opens nothing, with whatever MAC of another row.
func TestS7InsertedTokens(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	now := db.Millis(f.clock.Now())
	for i, mac := range []string{`''`, `'x'`, `(SELECT mac FROM access_tokens LIMIT 1)`, `(SELECT mac FROM refresh_tokens LIMIT 1)`, `(SELECT mac FROM grants LIMIT 1)`} {
		access, refresh := seal.Secret(accessPrefix), seal.Secret(refreshPrefix)
		f.exec(t, `INSERT INTO access_tokens (token_hash, grant_id, created_at, expires_at, mac) VALUES ($1, $2, $3, $4, `+mac+`)`,
			seal.Hash(access), tokens.Grant.ID, now, now+1e6)
		f.exec(t, `INSERT INTO refresh_tokens (token_hash, grant_id, created_at, idle_expires_at, mac) VALUES ($1, $2, $3, $4, `+mac+`)`,
			seal.Hash(refresh), tokens.Grant.ID, now, now+1e6)
		if _, err := f.Authenticate(t.Context(), access, "sales"); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%d: access token: %v", i, err)
		}
		if _, err := f.Rotate(t.Context(), rotation(refresh)); !errors.Is(err, ErrInvalidGrant) {
			t.Errorf("%d: refresh token: %v", i, err)
		}
	}
	f.opens(t, tokens, true)
}

// S7: a code that is spent cannot be made good again, nor another's be made one's own.
func TestS7ForgedCodes(t *testing.T) {
	t.Parallel()
	f := open(t)
	for name, forge := range map[string]string{
		"challenge": `UPDATE codes SET code_challenge = '` + challengeOf("x"+testVerifier) + `'`,
		"redirect":  `UPDATE codes SET redirect_uri = 'https://evil.example/'`,
		"client":    `UPDATE codes SET client_id = 'tool'`,
		"time":      `UPDATE codes SET expires_at = expires_at + 1000`,
	} {
		_, code := f.code(t, testSubject)
		f.exec(t, forge+` WHERE code_hash = $1`, seal.Hash(code))
		r := redemption(code)
		switch name {
		case "challenge":
			r.Verifier = "x" + testVerifier
		case "redirect":
			r.RedirectURI = "https://evil.example/"
		case "client":
			r.ClientID = "tool"
		}
		_, err := f.Redeem(t.Context(), r)
		if wantErr(t, err, ErrInvalidGrant); errors.Is(err, ErrReplayed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, code := f.code(t, testSubject)
	tokens, err := f.Redeem(t.Context(), redemption(code))
	if err != nil {
		t.Fatal(err)
	}
	f.exec(t, `UPDATE codes SET redeemed_at = 0`)
	if _, err := f.Redeem(t.Context(), redemption(code)); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("a spent code: %v", err)
	}
	f.opens(t, tokens, true)
}

// S7: a spent refresh token gets nothing after its grace window, whatever its row says; that
// it comes again still ends the family.
func TestS7RevivedRefreshTokens(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]string{
		"spent":        `UPDATE refresh_tokens SET rotated_at = 0, sealed_successor = '' WHERE token_hash = $1`,
		"just spent":   `UPDATE refresh_tokens SET rotated_at = $2 WHERE token_hash = $1`,
		"of a swapped": `UPDATE refresh_tokens SET rotated_at = 0, mac = (SELECT s.mac FROM refresh_tokens s WHERE s.rotated_at = 0) WHERE token_hash = $1`,
	} {
		f := open(t)
		first := f.tokens(t, testSubject)
		second, err := f.Rotate(t.Context(), rotation(first.RefreshToken))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Rotate(t.Context(), rotation(first.RefreshToken)); err != nil { // within the window
			t.Fatal(err)
		}
		f.clock.Add(testLifetimes.RefreshGrace + time.Minute)
		args := []any{seal.Hash(first.RefreshToken)}
		if name == "just spent" {
			args = append(args, db.Millis(f.clock.Now()))
		}
		var was, sealed string
		var at int64
		if err := f.db.Reads.QueryRow(`SELECT mac, sealed_successor, rotated_at FROM refresh_tokens WHERE token_hash = $1`, args[0]).Scan(&was, &sealed, &at); err != nil {
			t.Fatal(err)
		}
		f.exec(t, forge, args...)
		if _, err := f.Rotate(t.Context(), rotation(first.RefreshToken)); !errors.Is(err, ErrInvalidGrant) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.Rotate(t.Context(), rotation(second.RefreshToken)); err != nil {
			t.Errorf("%s: its successor: %v", name, err)
		}
		f.exec(t, `UPDATE refresh_tokens SET rotated_at = $1, sealed_successor = $2, mac = '' WHERE token_hash = $3`, at, sealed, args[0])
		if _, err := f.Rotate(t.Context(), rotation(first.RefreshToken)); !errors.Is(err, ErrReplayed) {
			t.Errorf("%s, as it was: %v", name, err)
		}
	}
}

// S7: a block holds though its row is reset or deleted, and though the list is: then nobody
// who has not been here signs in until somebody is blocked again.
func TestS7ForgedUnblock(t *testing.T) {
	t.Parallel()
	const reset, remove, list = `UPDATE users SET blocked_at = 0 WHERE subject = $1`, `DELETE FROM users WHERE subject = $1`, `DELETE FROM meta WHERE name = 'blocked'`
	for name, statements := range map[string][]string{
		"reset": {reset}, "deleted": {remove}, "deleted, and the list": {remove, list}, "reset, and the list": {reset, list},
		"the list": {list}, "deleted, and another list": {remove, `UPDATE meta SET value = 'x' WHERE name = 'blocked'`},
		"made anew": {remove, `INSERT INTO users (org, subject, first_seen_at, last_seen_at, mac) SELECT org, $1, 0, 0, mac FROM users LIMIT 1`},
	} {
		f := open(t)
		other := f.tokens(t, otherSubject)
		if _, err := f.BlockUser(t.Context(), testOrg, testSubject, "test"); err != nil {
			t.Fatal(err)
		}
		r := finished(t, f)
		for _, statement := range statements {
			if statement == list || statement[:11] == "UPDATE meta" {
				f.exec(t, statement)
			} else {
				f.exec(t, statement, testSubject)
			}
		}
		if blocked, err := f.Blocked(t.Context(), testOrg, testSubject); err != nil || !blocked {
			t.Errorf("%s: Blocked: %t, %v", name, blocked, err)
		}
		if err := f.SeeUser(t.Context(), testOrg, testSubject); err != nil && !errors.Is(err, ErrBlocked) {
			t.Error(err)
		}
		if _, _, err := f.CreateGrant(t.Context(), r, testSubject); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: a grant: %v", name, err)
		}
		f.opens(t, other, true)
		if _, _, err := f.CreateGrant(t.Context(), finished(t, f), otherSubject); err != nil {
			t.Errorf("%s: a grant of somebody else: %v", name, err)
		}
		// The security team repairs it.
		if _, err := f.BlockUser(t.Context(), testOrg, testSubject, "again"); err != nil {
			t.Fatal(err)
		}
		if err := f.UnblockUser(t.Context(), testOrg, testSubject); err != nil {
			t.Errorf("%s: unblocking: %v", name, err)
		}
		if _, _, err := f.CreateGrant(t.Context(), finished(t, f), testSubject); err != nil {
			t.Errorf("%s: unblocked: %v", name, err)
		}
	}
}

// S7: a request for authorization leads nobody's code elsewhere, and does not begin in the
// middle.
func TestS7ForgedRequests(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	for _, column := range db.Requests.Covers[1:] {
		if column == "status" || column == "upstream_state_hash" || column == "login_hash" {
			continue // by these it is found
		}
		id, err := f.Requests.Open(ctx, authorizeRequest(), "browser")
		if err != nil {
			t.Fatal(err)
		}
		sent, err := f.Requests.Send(ctx, id, "browser")
		if err != nil {
			t.Fatal(err)
		}
		value := `'x'`
		if column[len(column)-3:] == "_at" {
			value = column + ` + 1000`
		}
		f.exec(t, `UPDATE authorization_requests SET `+column+` = `+value+` WHERE request_hash = $1`, seal.Hash(id))
		if r, _, err := f.Requests.Finish(ctx, sent.State, sent.Login); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s: %+v, %v", column, r, err)
		}
	}
	for name, status := range map[string]Status{"denied": Denied, "done": Done, "pending": Pending} {
		id, err := f.Requests.Open(ctx, authorizeRequest(), "browser")
		if err != nil {
			t.Fatal(err)
		}
		switch status {
		case Denied:
			if _, _, err := f.Requests.Deny(ctx, id, "browser"); err != nil {
				t.Fatal(err)
			}
		case Done:
			sent, err := f.Requests.Send(ctx, id, "browser")
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := f.Requests.Finish(ctx, sent.State, sent.Login); err != nil {
				t.Fatal(err)
			}
		}
		f.exec(t, `UPDATE authorization_requests SET status = 'sent', upstream_state_hash = $1, login_hash = $2 WHERE request_hash = $3`,
			seal.Hash("state"), seal.Hash("login"), seal.Hash(id))
		if _, _, err := f.Requests.Finish(ctx, "state", "login"); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s as sent: %v", name, err)
		}
		f.exec(t, `UPDATE authorization_requests SET status = 'pending', redirect_uri = 'https://evil.example/' WHERE request_hash = $1`, seal.Hash(id))
		if r, err := f.Requests.Pending(ctx, id, "browser"); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s as pending: %+v, %v", name, r, err)
		}
		if _, err := f.Requests.Send(ctx, id, "browser"); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s as pending: %v", name, err)
		}
		f.exec(t, `UPDATE authorization_requests SET status = 'denied' WHERE request_hash = $1`, seal.Hash(id))
		if r, _, err := f.Requests.Deny(ctx, id, "browser"); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s as denied: %+v, %v", name, r, err)
		}
	}
}

// S7: each altered row is told once, with its name; one that names a key which another process may have is not.
func TestS7AlteredRowsAreTold(t *testing.T) {
	t.Parallel()
	f := open(t)
	var told []db.Altered
	f.db.OnAltered(func(a db.Altered) { told = append(told, a) })
	tokens := f.tokens(t, testSubject)
	f.exec(t, `UPDATE grants SET scope = 'mcp', mac = 'gone:' || substr(mac, 11)`)
	var missing []string
	f.db.OnKeyMissing(func(e *db.KeyMissingError) { missing = append(missing, e.ID) })
	// Nobody can know at once whether another process has that key; it gives nothing meanwhile.
	if _, err := f.Authenticate(t.Context(), tokens.AccessToken, "sales"); !errors.Is(err, db.ErrKeyMissing) || len(told) != 0 || len(missing) != 1 || missing[0] != "gone" {
		t.Fatalf("%v, told %+v, missing %v", err, told, missing)
	}
	f.exec(t, `UPDATE grants SET mac = 'no key:' || substr(mac, 6)`)
	for range 3 {
		f.opens(t, tokens, false)
	}
	if len(told) != 1 || told[0].Table != "grants" || told[0].Row != tokens.Grant.ID {
		t.Fatalf("told %+v", told)
	}
	if !strings.Contains(told[0].Why, "it names no key") {
		t.Errorf("%q", told[0].Why)
	}
	for i := range 200 {
		f.exec(t, `INSERT INTO access_tokens (token_hash, grant_id, created_at, expires_at) VALUES ($1, $2, 0, 9999999999999)`,
			seal.Hash(fmt.Sprintf("%s%03d", forgedToken[:len(forgedToken)-4], i)+"A"), tokens.Grant.ID)
	}
	f.exec(t, `UPDATE grants SET scope = $1, mac = $2`, tokens.Grant.Scope, f.db.MAC(db.Grants, tokens.Grant.covered()...))
	for i := range 200 {
		_, err := f.Authenticate(t.Context(), fmt.Sprintf("%s%03d", forgedToken[:len(forgedToken)-4], i)+"A", "sales")
		wantErr(t, err, ErrInvalidToken)
	}
	if len(told) != 100 {
		t.Errorf("%d rows are told, expected no more than 100", len(told))
	}
}
