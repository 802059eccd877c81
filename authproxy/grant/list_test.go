package grant

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Lists are read page by page without losing or repeating one, also where several began at one
// moment, and the counts say what the lists have.
func TestListsAndCountsOfGrants(t *testing.T) {
	t.Parallel()
	f, ctx := open(t), t.Context()
	for i := range 6 {
		f.tokens(t, []string{testSubject, otherSubject}[i%2])
		if i%3 == 2 {
			f.clock.Add(time.Second)
		}
	}
	ended := f.tokens(t, testSubject)
	if _, err := f.RevokeGrant(ctx, ended.Grant.ID, "x"); err != nil {
		t.Fatal(err)
	}
	if err := f.NameUser(ctx, testOrg, otherSubject, "Éva@acme.example", "Éva Okafor"); err != nil {
		t.Fatal(err)
	}

	all, err := f.Grants(ctx, Filter{})
	if err != nil || len(all) != 6 {
		t.Fatalf("%d grants, %v", len(all), err)
	}
	var paged []Grant
	page := Filter{Limit: 2}
	for range 4 {
		next, err := f.Grants(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		if paged = append(paged, next...); len(next) > 0 {
			page.Before = &next[len(next)-1]
		}
	}
	if diff := cmp.Diff(all, paged); diff != "" {
		t.Errorf("page by page (-all +paged):\n%s", diff)
	}
	client, server := all[0].ClientID, all[0].Server
	for _, tt := range []struct {
		name string
		f    Filter
		want int
	}{
		{"with those that ended", Filter{All: true}, 7}, {"of a user", Filter{Org: testOrg, Subject: testSubject}, 3}, {"of a client and a server", Filter{ClientID: client, Server: server}, 6},
		{"of another server", Filter{Server: "none"}, 0}, {"of another client", Filter{ClientID: "none", All: true}, 0},
	} {
		listed, err := f.Grants(ctx, tt.f)
		if err != nil || len(listed) != tt.want {
			t.Errorf("%s: %d, %v", tt.name, len(listed), err)
		}
		amounts, err := f.Amounts(ctx, tt.f)
		n := 0
		for _, a := range amounts {
			n += a.N
		}
		if err != nil || n != tt.want {
			t.Errorf("%s: counted %d, %v", tt.name, n, err)
		}
	}
	for _, id := range [][]string{nil, {client}, {"none", client}} {
		of, err := f.ByClient(ctx, id...)
		if err != nil || len(of) != 1 || of[client].Grants != 6 || of[client].Users != 2 || of[client].LastUsedAt.IsZero() != all[0].LastUsedAt.IsZero() {
			t.Errorf("by client %q: %+v, %v", id, of, err)
		}
	}
	for _, tt := range []struct {
		part string
		want []string
	}{{"éVA", []string{otherSubject}}, {"okafor", []string{otherSubject}}, {strings.ToLower(testSubject), []string{testSubject}}, {"nobody", nil}} {
		users, err := f.ByName(ctx, tt.part)
		var found []string
		for _, u := range users {
			found = append(found, u.Subject)
		}
		if err != nil || !slices.Equal(found, tt.want) {
			t.Errorf("called %q: %v, %v", tt.part, found, err)
		}
	}
}
