package reseal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// access is the column of access tokens.
var access = slices.IndexFunc(columns, func(c column) bool { return c.name == "sealed_access" })

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// Every column whose name says that it is sealed is sealed anew, or passes by itself.
func TestEveryColumnIsKnown(t *testing.T) {
	t.Parallel()
	d := dbtest.OpenURL(t, dbtest.SQLite(t, t.TempDir()))
	known := map[string]bool{}
	for _, c := range columns {
		known[c.table+"."+c.name] = true
	}
	rows, err := d.Reads.QueryContext(t.Context(), `SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name LIKE 'sealed%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := 0
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			t.Fatal(err)
		}
		found++
		if !known[column] && passing[column] == "" {
			t.Errorf("%s is not sealed anew, and nothing says why it need not be", column)
		}
	}
	if found < len(passing)+5 {
		t.Errorf("%d sealed columns were found", found)
	}
}

// store is a database with logins of so many users, and its ring.
func store(t *testing.T, url string, users int) (*db.DB, *seal.KeyRing) {
	t.Helper()
	d := dbtest.OpenURL(t, url)
	ring, err := seal.LoadKeyRing(dbtest.Ring(t, url).Path())
	if err != nil {
		t.Fatal(err)
	}
	for i := range users {
		subject := fmt.Sprintf("005%05d", i)
		place := seal.Place{Table: "links", Row: "acme/" + subject, Org: "acme", Subject: subject, Purpose: "access"}
		access, err := ring.Seal(place, []byte("access "+subject))
		if err != nil {
			t.Fatal(err)
		}
		place.Purpose = "refresh"
		refresh, err := ring.Seal(place, []byte("refresh "+subject))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Writes.ExecContext(t.Context(), `INSERT INTO links (org, subject, state, version, sealed_access, access_expires_at, sealed_refresh, created_at, refreshed_at)
			VALUES ('acme', $1, 'active', 1, $2, 0, $3, 0, 0)`, subject, access, refresh); err != nil {
			t.Fatal(err)
		}
	}
	return d, ring
}

func rotate(t *testing.T, ring *seal.KeyRing) {
	t.Helper()
	if err := seal.RotateKeyFile(ring.Path()); err != nil {
		t.Fatal(err)
	}
	if changed, err := ring.Reload(); !changed || err != nil {
		t.Fatal(changed, err)
	}
}

// FT-08: a pass that is cut off anywhere leaves values that open, and the next does the rest. A
// value that somebody changed is left as it is, and told; one that is written meanwhile stays.
func TestFaultFT08PassIsCutOff(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		const users = 2*batch + 10
		d, ring := store(t, url, users)
		rotate(t, ring)
		if _, err := d.Writes.ExecContext(t.Context(), `UPDATE links SET sealed_access = substr(sealed_access, 1, 30) || 'AAAA' || substr(sealed_access, 35) WHERE subject = '00500007'`); err != nil {
			t.Fatal(err)
		}
		w := Worker{Config{DB: d, Ring: ring, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := columns[access]
		go func() { // within the pause after the first batch, or near it
			for {
				if c, err := Counts(context.WithoutCancel(ctx), d, ring); err != nil || c[0].SealedValues > 0 {
					cancel()
					return
				}
			}
		}()
		first, err := w.column(ctx, cancelled)
		cancel()
		if err == nil && first.Sealed < users-1 {
			t.Errorf("it ended early without a word: %+v", first)
		}
		second, err := w.Pass(t.Context())
		if err != nil || second.Left != 1 || first.Sealed+second.Sealed < 2*users-1 {
			t.Errorf("%+v, then %+v, %v", first, second, err)
		}
		counts, err := Counts(t.Context(), d, ring)
		if err != nil || len(counts) != 2 || !counts[0].Seals || counts[0].SealedValues < 2*users-1 || counts[1].SealedValues != 1 {
			t.Errorf("%+v %v", counts, err)
		}
		rows, err := d.Reads.QueryContext(t.Context(), `SELECT subject, sealed_refresh FROM links`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var subject, sealed string
			if err := rows.Scan(&subject, &sealed); err != nil {
				t.Fatal(err)
			}
			plain, err := ring.Open(seal.Place{Table: "links", Row: "acme/" + subject, Org: "acme", Subject: subject, Purpose: "refresh"}, sealed)
			if err != nil || string(plain) != "refresh "+subject || !strings.HasPrefix(sealed, "v1."+ring.IDs()[0]+".") {
				t.Fatalf("%s: %q %v", subject, plain, err)
			}
		}
		if third, err := w.Pass(t.Context()); err != nil || third.Sealed != 0 {
			t.Errorf("a third pass: %+v %v", third, err)
		}
	})
}

// A value that was written between reading and replacing stays as it was written.
func TestValueWrittenMeanwhileStays(t *testing.T) {
	t.Parallel()
	d, ring := store(t, dbtest.URL(t), 1)
	rotate(t, ring)
	w := Worker{Config{DB: d, Ring: ring}}
	values, err := w.read(t.Context(), columns[access], []string{"", ""})
	if err != nil || len(values) != 1 {
		t.Fatal(values, err)
	}
	if _, err := d.Writes.ExecContext(t.Context(), `UPDATE links SET sealed_access = 'newer'`); err != nil {
		t.Fatal(err)
	}
	tx, err := d.Writes.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	done, err := w.replace(t.Context(), tx, columns[0], values)
	if err != nil || done != (Result{}) || tx.Commit() != nil {
		t.Errorf("%+v %v", done, err)
	}
	var now string
	if err := d.Reads.QueryRowContext(t.Context(), `SELECT sealed_access FROM links`).Scan(&now); err != nil || now != "newer" {
		t.Errorf("%q %v", now, err)
	}
}
