package people

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/db"
)

// FT-46: who is one human with a blocked user, and whom a name means, is not known while the key file lacks the key that
// this is stored under. Nobody gets a role by that, and no name is taken for somebody else's.
func TestFaultFT46HumansBehindAKey(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"human_links", "company_people"} {
		f := newFixture(t)
		f.Blocked = func(_ context.Context, org, subject string) (bool, error) { return subject == "005A", nil }
		id := f.start(t, "ann", "", "approvers")
		if err := f.Link(t.Context(), Link{Org: "acme", Subject: "005A", Issuer: issuer, Person: "ann"}); err != nil {
			t.Fatal(err)
		}
		if p, err := f.Current(t.Context(), id); err != nil || !p.Blocked || len(p.Roles) > 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		var mac string
		if err := f.DB.Reads.QueryRowContext(t.Context(), `SELECT mac FROM `+table).Scan(&mac); err != nil {
			t.Fatal(err)
		}
		if _, err := f.DB.Writes.ExecContext(t.Context(), `UPDATE `+table+` SET mac = $1`, "kother"+mac[strings.IndexByte(mac, ':'):]); err != nil {
			t.Fatal(err)
		}
		ann := company.Human(issuer, "ann")
		for _, of := range []struct {
			what string
			ask  func() (any, error)
		}{
			{"session", func() (any, error) { return f.Current(t.Context(), id) }},
			{"role", func() (any, error) { return f.Holds(t.Context(), ann, "approver") }},
			{"name", func() (any, error) { return f.Called(t.Context(), "ann") }},
			{"actor", func() (any, error) { return f.Called(t.Context(), "person "+issuer+" ann") }},
			{"erasure", func() (any, error) { return f.Erase(t.Context(), issuer, "ann") }},
		} {
			if table == "company_people" && (of.what == "actor" || of.what == "erasure") { // which do not ask who that is
				continue
			}
			if got, err := of.ask(); !errors.Is(err, db.ErrKeyMissing) {
				t.Errorf("%s, %s: %+v, %v", table, of.what, got, err)
			}
		}
		if holders, err := f.Holders(t.Context(), "approver"); err != nil || len(holders) > 0 {
			t.Errorf("%s: holders %+v, %v", table, holders, err)
		}
	}
}
