package grant

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// FT-39: a request for authorization of a kind, or at a point, that only a newer version knows goes
// on there alone.
func TestFaultFT39RequestsOfALaterVersion(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, column := range []string{"kind", "status"} {
		id, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
		if err != nil {
			t.Fatal(err)
		}
		other, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
		if err != nil {
			t.Fatal(err)
		}
		sent, err := f.Requests.Send(t.Context(), other, "browser")
		if err != nil {
			t.Fatal(err)
		}
		f.exec(t, `UPDATE authorization_requests SET `+column+` = 'of_a_later_version' WHERE request_hash IN ($1, $2)`, seal.Hash(id), seal.Hash(other))
		dbtest.Sign(t, f.db, db.Requests)
		if r, err := f.Requests.Pending(t.Context(), id, "browser"); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s: %+v, %v", column, r, err)
		}
		if r, err := f.Requests.Send(t.Context(), id, "browser"); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s: sent %+v, %v", column, r, err)
		}
		if r, _, err := f.Requests.Finish(t.Context(), sent.State, sent.Login); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s: finished %+v, %v", column, r, err)
		}
	}
}
