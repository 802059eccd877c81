package grant

import (
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
)

// ST-03: a sealed successor that was changed ends in an answer that makes the client
// authorize again, not in a failure that it would repeat; other grants go on.
func TestST03DamagedSuccessor(t *testing.T) {
	t.Parallel()
	f := open(t)
	other := f.tokens(t, testSubject)
	for _, damaged := range []string{"cut", "flipped", "%%%", "A", "\x00"} {
		if damaged == "\x00" && dbtest.OnPostgres() {
			continue // no text there
		}
		first := f.tokens(t, testSubject)
		second, err := f.Rotate(t.Context(), rotation(first.RefreshToken))
		if err != nil {
			t.Fatal(err)
		}
		var sealed string
		where := ` WHERE rotated_at > 0 AND grant_id = '` + first.Grant.ID + `'`
		if err := f.db.Reads.QueryRow(`SELECT sealed_successor FROM refresh_tokens` + where).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		switch damaged {
		case "cut":
			damaged = sealed[:len(sealed)/2]
		case "flipped":
			damaged = sealed[:9] + string('A'+(sealed[9]+1)%26) + sealed[10:]
		}
		if _, err := f.db.Writes.Exec(`UPDATE refresh_tokens SET sealed_successor = $1`+where, damaged); err != nil {
			t.Fatal(err)
		}
		_, err = f.Rotate(t.Context(), rotation(first.RefreshToken))
		wantErr(t, err, ErrInvalidGrant)
		if _, err := f.Rotate(t.Context(), rotation(second.RefreshToken)); err != nil {
			t.Errorf("the successor itself: %v", err)
		}
	}
	f.opens(t, other, true)
	if _, err := f.Rotate(t.Context(), rotation(other.RefreshToken)); err != nil {
		t.Errorf("another grant: %v", err)
	}
}
