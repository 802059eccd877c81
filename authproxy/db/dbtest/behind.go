package dbtest

import (
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// Behind has the MACs of a guard's rows name a key that no ring has, as those have that another process wrote with a key
// that has not come here yet, until the function is called that it returns.
func Behind(t testing.TB, d *db.DB, g db.Guard, ring *seal.KeyRing) (back func()) {
	t.Helper()
	mine, other := ring.IDs()[0]+":", "k"+g.Table+g.Column+":"
	rename := func(from, to string) {
		t.Helper()
		n, err := db.Affected(t.Context(), d.Writes, `UPDATE `+g.Table+` SET `+g.Column+` = $1 || substr(`+g.Column+`, length($2) + 1) WHERE `+g.Column+` LIKE $2 || '%'`, to, from)
		if err != nil || n == 0 {
			t.Fatalf("%s.%s: %d rows, %v", g.Table, g.Column, n, err)
		}
	}
	rename(mine, other)
	return func() { t.Helper(); rename(other, mine) }
}
