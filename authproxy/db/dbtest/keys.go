package dbtest

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

var rings struct {
	sync.Mutex
	of map[string]*seal.KeyRing
}

// Ring returns the keys of a database: one that has a URL has one ring, in all processes.
func Ring(t testing.TB, url string) *seal.KeyRing {
	t.Helper()
	rings.Lock()
	defer rings.Unlock()
	if ring := rings.of[url]; ring != nil {
		return ring
	}
	file := filepath.Join(t.TempDir(), "keys")
	if err := seal.CreateKeyFile(file); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(file)
	if err != nil {
		t.Fatal(err)
	}
	if rings.of == nil {
		rings.of = map[string]*seal.KeyRing{}
	}
	rings.of[url] = ring
	return ring
}

// Sign gives the rows of guards their MACs, after a test has written them as the program
// could have: what is tested is something else than who may write.
func Sign(t testing.TB, d *db.DB, guards ...db.Guard) {
	t.Helper()
	err := d.Tx(background, func(tx *sql.Tx) error {
		for _, g := range guards {
			if err := sign(tx, d, g); err != nil {
				return fmt.Errorf("%s: %w", g.Table, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func sign(tx *sql.Tx, d *db.DB, g db.Guard) error {
	where := ""
	if g.Gives != "" {
		where = " WHERE " + g.Gives
	}
	rows, err := tx.QueryContext(background, `SELECT `+strings.Join(g.Covers, ", ")+` FROM `+g.Table+where)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all [][]string
	for rows.Next() {
		values := make([]string, len(g.Covers))
		into := make([]any, len(values))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		all = append(all, values)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, values := range all {
		covered := make([]any, len(values))
		for i, v := range values {
			covered[i] = v
		}
		named := make([]string, g.Names)
		for i := range named {
			named[i] = fmt.Sprintf("%s = $%d", g.Covers[i], i+2)
		}
		args := append([]any{d.MAC(g, covered...)}, covered[:g.Names]...)
		if _, err := tx.ExecContext(background, `UPDATE `+g.Table+` SET `+g.Column+` = $1 WHERE `+strings.Join(named, " AND "), args...); err != nil {
			return err
		}
	}
	return nil
}
