package dbtest

import (
	"testing"

	"sfmcp-proxy/authproxy/db"
)

// Refuse makes every INSERT into a table and every UPDATE of its rows fail, as on a full
// disk, until the function that it returns is called.
func Refuse(t testing.TB, d *db.DB, table string) (accept func()) {
	t.Helper()
	before := []string{
		`CREATE TRIGGER full_insert BEFORE INSERT ON ` + table + ` BEGIN SELECT RAISE(FAIL, 'disk full'); END`,
		`CREATE TRIGGER full_update BEFORE UPDATE ON ` + table + ` BEGIN SELECT RAISE(FAIL, 'disk full'); END`,
	}
	after := []string{`DROP TRIGGER full_insert`, `DROP TRIGGER full_update`}
	if onPostgres {
		before = []string{
			`CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING ERRCODE = ''disk_full''; END'`,
			`CREATE TRIGGER disk_full BEFORE INSERT OR UPDATE ON ` + table + ` FOR EACH ROW EXECUTE FUNCTION disk_full()`,
		}
		after = []string{`DROP FUNCTION disk_full CASCADE`}
	}
	run := func(statements []string) {
		for _, s := range statements {
			if _, err := d.Writes.Exec(s); err != nil {
				t.Errorf("%s: %v", s, err)
			}
		}
	}
	run(before)
	return func() { run(after) }
}
