package people

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/company"
)

// Whoever is known to hold a role can be named, also when what their provider said is too old to give it; not
// who is blocked, and nobody whose row somebody else wrote. They are found by what people call them.
func TestHoldersAndNamed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, i := range []company.Identity{
		{Subject: "ann", Name: "Ann Okafor", Email: "ann@acme.example", Groups: []string{"approvers"}},
		{Subject: "ann2", Name: "Ann Okafor", Groups: []string{"approvers"}},
		{Subject: "bob", Name: "Bob", Groups: []string{"others"}},
		{Subject: "blocked", Name: "Bela", Groups: []string{"approvers"}},
		{Subject: "forged", Name: "Fay", Groups: []string{"others"}},
		{Subject: "sam", Name: "Sam"},
	} {
		i.Issuer, i.CheckedAt = issuer, f.now
		if _, err := f.Start(t.Context(), i, "", math.MaxInt64); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Link(t.Context(), Link{Org: "acme", Subject: "005B", Issuer: issuer, Person: "blocked"}); err != nil {
		t.Fatal(err)
	}
	f.Blocked = func(_ context.Context, org, subject string) (bool, error) {
		return org == "acme" && subject == "005B", nil
	}
	if _, err := f.DB.Writes.ExecContext(t.Context(), `UPDATE company_people SET groups = '["approvers"]' WHERE subject = 'forged'`); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(24 * time.Hour)
	subjects := func(all []Person, err error) (found []string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			found = append(found, p.Subject)
		}
		return found
	}
	for role, want := range map[string][]string{"approver": {"ann", "ann2"}, "security": {"sam"}, "nothing": nil} {
		if got := subjects(f.Holders(t.Context(), role)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", role, got)
		}
	}
	for who, want := range map[string][]string{"ann okafor": {"ann", "ann2"}, "ANN@acme.example": {"ann"}, "ann2": {"ann2"}, "Fay": nil, "%": nil, "": nil} {
		if got := subjects(f.Named(t.Context(), who)); !slices.Equal(got, want) {
			t.Errorf("called %q: %v", who, got)
		}
	}
	var none *Store
	if all, err := none.Named(t.Context(), "ann"); len(all) != 0 || err != nil {
		t.Errorf("without a company: %v, %v", all, err)
	}
}
