package grant

import (
	"testing"
	"time"
)

// To block somebody without saying whom, or in which org, is a mistake, and
// blocks nobody.
func TestBlockUserWantsBothNames(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	for _, who := range [][2]string{{"", testSubject}, {testOrg, ""}, {"", ""}} {
		if n, err := f.BlockUser(t.Context(), who[0], who[1], "test"); err == nil || n != 0 {
			t.Errorf("org %q, subject %q: %d ended, %v", who[0], who[1], n, err)
		}
	}
	f.opens(t, tokens, true)
	var rows int
	if err := f.db.Reads.QueryRow(`SELECT COUNT(*) FROM users WHERE org = '' OR subject = ''`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d users without a name, %v", rows, err)
	}
}

// A request whose verifier cannot be opened any more leads nowhere, and says so.
func TestSendRequestThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	f := open(t)
	id, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Requests.Send(t.Context(), id, "browser"); err != nil {
		t.Fatal(err)
	}
	row, err := f.Requests.of(t.Context(), id, "browser", Sent)
	if err != nil {
		t.Fatal(err)
	}
	if row.sealedVerifier, err = f.Requests.ring.Seal(verifierPlace(row.hash, "another org"), []byte("verifier")); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Requests.advance(t.Context(), row); err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
	if sent, err := f.Requests.Send(t.Context(), id, "browser"); err == nil || sent != nil {
		t.Errorf("sent as %+v, %v", sent, err)
	}
}

// A blocked user who was seen is listed as they are, with the time since when.
func TestBlockedUserAsListed(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.tokens(t, testSubject)
	if _, err := f.BlockUser(t.Context(), testOrg, testSubject, "test"); err != nil {
		t.Fatal(err)
	}
	since := f.clock.Now()
	f.clock.Add(time.Hour)
	if u, err := f.User(t.Context(), testOrg, testSubject); err != nil || u.Altered || !u.Blocked() || !u.BlockedAt.Equal(since) {
		t.Errorf("%+v, %v; want blocked since %s", u, err, since)
	}
	if _, err := f.BlockUser(t.Context(), testOrg, testSubject, "again"); err != nil {
		t.Fatal(err)
	}
	if u, err := f.User(t.Context(), testOrg, testSubject); err != nil || !u.BlockedAt.Equal(since) {
		t.Errorf("blocked again: %+v, %v; want blocked since %s", u, err, since)
	}
}
