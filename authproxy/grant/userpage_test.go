package grant

import (
	"fmt"
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/db"
)

// Pages of users are what all users are, with their connections and whether somebody changed them; what
// is selected is counted from the first of a page on.
func TestUserPages(t *testing.T) {
	t.Parallel()
	f, ctx := open(t), t.Context()
	const many = 2*countedAtOnce + 5
	for i := range many {
		subject := fmt.Sprintf("005xx%010dAAA", i)
		if err := f.SeeUser(ctx, testOrg, subject); err != nil {
			t.Fatal(err)
		}
		if err := f.NameUser(ctx, testOrg, subject, fmt.Sprintf("user%03d@acme.example", many-i), fmt.Sprintf("Ünal %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	f.tokens(t, "005xx0000000007AAA")
	f.tokens(t, "005xx0000000007AAA")
	f.exec(t, `UPDATE users SET name = 'forged' WHERE subject = $1`, "005xx0000000009AAA")
	all, err := f.Users(ctx)
	if err != nil {
		t.Fatal(err)
	}
	page, selected, err := f.UserPage(ctx, UserQuery{Limit: many - 1})
	if err != nil || selected != many || !slices.Equal(page, all[:many-1]) {
		t.Errorf("a page of %d users, %d selected, %v: not as all are", len(page), selected, err)
	}
	var ids []string
	query := UserQuery{ByID: true, Limit: 10}
	for left := many; ; left -= len(page) {
		if page, selected, err = f.UserPage(ctx, query); err != nil || selected != left {
			t.Fatalf("%d selected, want %d, %v", selected, left, err)
		}
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			ids = append(ids, u.Subject)
		}
		query.Behind = db.UserKey{Org: testOrg, Subject: ids[len(ids)-1]}
	}
	if !slices.IsSorted(ids) || len(ids) != many {
		t.Errorf("page by page: %d, %v", len(ids), ids)
	}
	for _, tt := range []struct {
		name string
		q    UserQuery
		want int
	}{
		{"by name, whatever the case", UserQuery{Part: "ünAL 12"}, 6}, {"nobody", UserQuery{Part: "nobody"}, 0},
		{"changed", UserQuery{Fits: func(u *User) bool { return u.Altered }}, 1}, {"both", UserQuery{Part: "user", Fits: func(u *User) bool { return u.Altered }}, 1},
	} {
		tt.q.Limit = 2
		page, selected, err := f.UserPage(ctx, tt.q)
		if err != nil || selected != tt.want || len(page) != min(tt.want, 2) {
			t.Errorf("%s: %d of %d, %v", tt.name, len(page), selected, err)
		}
	}
	for who, want := range map[string]string{"005xx0000000007": "user118@acme.example", "005xx0000000007AAA": "user118@acme.example", "USER118@acme.example": "user118@acme.example", "": "", "other": ""} {
		u, err := f.FindUser(ctx, testOrg, who)
		if got := u; err == nil && got.Username != want || err != nil && want != "" {
			t.Errorf("%q: %+v, %v", who, got, err)
		}
	}
}
