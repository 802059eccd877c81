package export

import (
	"errors"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// FT-46: where a destination stands under a key that is not here yet is not taken for changed by somebody, which would
// send everything again.
func TestFaultFT46PositionBehindAKey(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	p := positions{dbtest.OpenURL(t, url), time.Now}
	at, err := p.take(t.Context(), "collector", "log", "a")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.advance(t.Context(), at, "a", 5); !ok || err != nil {
		t.Fatal(ok, err)
	}
	back := dbtest.Behind(t, p.db, db.ExportPositions, dbtest.Ring(t, url))
	if at, err := p.take(t.Context(), "collector", "log", "a"); !errors.Is(err, db.ErrKeyMissing) {
		t.Errorf("%+v, %v", at, err)
	}
	back()
	if at, err := p.take(t.Context(), "collector", "log", "a"); err != nil || at.Seq != 5 {
		t.Errorf("with the key: %+v, %v", at, err)
	}
}
