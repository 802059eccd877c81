package grant

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// cutOff is a store on the database of f whose next COMMIT gets no answer, whether or not it
// reaches the server.
func (f *fixture) cutOff(t *testing.T, reaches bool) *Store {
	t.Helper()
	network := dbtest.Between(t, f.url)
	d, err := db.Open(t.Context(), db.Config{URL: network.URL(f.url)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		if !network.Lost() {
			t.Error("no COMMIT came")
		}
	})
	if err := d.Claim(t.Context(), dbtest.Ring(t, f.url)); err != nil {
		t.Fatal(err)
	}
	c := f.cfg
	c.DB = d
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	network.LoseCommit(reaches)
	return s
}

// FT-35: the answer to a COMMIT is lost. A client is told that it failed, and whatever became
// of it, what is asked for again has at most one effect: no second pair of tokens for a code, one
// successor of a refresh token. Of a revocation it is found out: it is done, once.
func TestFaultFT35LostCommit(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	for _, reaches := range []bool{true, false} {
		f := open(t)
		count := func(query string, args ...any) (n int) {
			if err := f.db.Reads.QueryRow(query, args...).Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		id, code := f.code(t, testSubject)
		if tokens, err := f.cutOff(t, reaches).Redeem(t.Context(), redemption(code)); err == nil || errors.Is(err, ErrInvalidGrant) {
			t.Errorf("reaches %t: redeemed: %v, %v", reaches, tokens, err)
		}
		tokens, err := f.Redeem(t.Context(), redemption(code))
		if reaches != errors.Is(err, ErrReplayed) || !reaches && err != nil { // nobody has the tokens of the first: the grant ends
			t.Errorf("reaches %t: redeemed again: %v", reaches, err)
		}
		if n := count(`SELECT count(*) FROM refresh_tokens WHERE grant_id = $1`, id); n > 1 {
			t.Errorf("reaches %t: %d refresh tokens of one code", reaches, n)
		}
		if tokens == nil {
			tokens = f.tokens(t, testSubject)
		}
		if next, err := f.cutOff(t, reaches).Rotate(t.Context(), rotation(tokens.RefreshToken)); err == nil || errors.Is(err, ErrInvalidGrant) {
			t.Errorf("reaches %t: rotated: %v, %v", reaches, next, err)
		}
		next, err := f.Rotate(t.Context(), rotation(tokens.RefreshToken))
		if err != nil {
			t.Fatalf("reaches %t: rotated again: %v", reaches, err)
		}
		if n := count(`SELECT count(*) FROM refresh_tokens WHERE grant_id = $1 AND rotated_at = 0`, tokens.Grant.ID); n != 1 {
			t.Errorf("reaches %t: %d leaves", reaches, n)
		}
		if ended, err := f.cutOff(t, reaches).RevokeGrant(t.Context(), tokens.Grant.ID, "gone"); err != nil || ended.ID != tokens.Grant.ID {
			t.Errorf("reaches %t: revoked: %+v, %v", reaches, ended, err)
		}
		if _, err := f.RevokeGrant(t.Context(), tokens.Grant.ID, "gone"); !errors.Is(err, ErrNotFound) {
			t.Errorf("reaches %t: revoked again: %v", reaches, err)
		}
		if _, err := f.Rotate(t.Context(), rotation(next.RefreshToken)); !errors.Is(err, ErrInvalidGrant) {
			t.Errorf("reaches %t: after the revocation: %v", reaches, err)
		}
	}
}
