package approval

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/policy"
)

// What is over is listed for whom it concerns, however much newer there is of others: every request once, the newest
// first, on as many pages as there are, and each page is found by an index.
func TestProcessesListWhatIsOver(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	stores, d := pair(t, func() time.Time { return at })
	s := stores[0]
	escalated := policy.Confirmation{Approvers: "role:b", Escalate: policy.Escalation{After: 10 * time.Minute, To: "role:lead"}}
	confirmations := []policy.Confirmation{
		{Approvers: policy.Requester}, {Approvers: "role:a"}, {Approvers: "role:a", StepUp: true}, {Approvers: "role:ab"}, {Approvers: "2 of role:a and role:b"}, escalated,
	}
	var all []Request // the newest first
	for i := range 90 {
		b := binding(fmt.Sprint("call ", i))
		b.Subject, b.GrantID, b.Confirmation = fmt.Sprint("005", i%3), fmt.Sprint("g", i), confirmations[i%len(confirmations)]
		r := submit(t, s, b)
		if i%4 < 2 { // the others expire, or wait in the end
			if _, err := s.Deny(t.Context(), r.ID, actor.Operator("root", ""), ""); err != nil {
				t.Fatal(err)
			}
		}
		if i%5 != 0 { // some of one moment
			at = at.Add(90 * time.Second)
		}
		all = append(all, *r)
	}
	at = all[len(all)-1].CreatedAt.Add(time.Second)
	slices.SortFunc(all, func(a, b Request) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return slices.Compare([]byte(a.ID), []byte(b.ID))
	})
	ran := dbtest.Watch(t, d)
	s = stores[1]
	for _, who := range []Concerned{
		{}, {Users: []Requester{{"acme", "0051"}}}, {Users: []Requester{{"other", "0051"}}}, {Roles: []string{"a"}}, {Roles: []string{"ab", "lead"}}, {Roles: []string{"b"}}, {Roles: []string{"nobody's"}},
		{Users: []Requester{{"acme", "0050"}, {"acme", "0052"}}, Roles: []string{"a", "b"}},
	} {
		var want []string
		for i := range all {
			r := &all[i]
			own := slices.Contains(who.Users, Requester{r.Org, r.Subject})
			asked := slices.ContainsFunc(r.Factors(), func(f Factor) bool { return slices.Contains(who.Roles, f.Role) }) || slices.Contains(who.Roles, r.EscalatedTo(at))
			now, err := s.Get(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if (own || asked) && now.State != Pending {
				want = append(want, r.ID)
			}
		}
		for _, most := range []int{1, 7, 100} {
			var got []string
			for behind := (Place{}); ; {
				page, err := s.Over(t.Context(), who, behind, most)
				if err != nil {
					t.Fatal(err)
				}
				for i := range page {
					got = append(got, page[i].ID)
					behind = page[i].PlaceOf()
				}
				if len(page) < most {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%+v, %d at once: %d %v, want %d %v", who, most, len(got), got, len(want), want)
			}
		}
	}
	if scans := ran.Scans(t); len(scans) > 0 || ran.Len() == 0 {
		t.Errorf("without an index: %q", scans)
	}
}
