package approval

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
)

// What was decided is told from what was written, without reading it again, which could fail: it is the same as stands there then.
func TestDecidedIsToldAsStored(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	approved, denied, lost := submit(t, s, binding("a")), submit(t, s, binding("b")), submit(t, s, binding("c"))
	decide(t, s, lost.ID, true)
	if _, err := s.Spend(t.Context(), binding("c")); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), lost.ID, Unknown, nil); err != nil {
		t.Fatal(err)
	}
	by := actor.User("005A")
	for id, act := range map[string]func() (*Request, error){
		approved.ID: func() (*Request, error) {
			return s.Approve(t.Context(), approved.ID, Decision{By: by, Org: "acme", Human: SalesforceHuman("acme", "005A")})
		},
		denied.ID: func() (*Request, error) { return s.Deny(t.Context(), denied.ID, by, "not now") },
		lost.ID:   func() (*Request, error) { return s.Resolve(t.Context(), lost.ID, by, DidHappen, "it is there") },
	} {
		got, err := act()
		if err != nil {
			t.Fatal(err)
		}
		there, err := s.Get(t.Context(), id)
		if diff := cmp.Diff(there, got); err != nil || diff != "" {
			t.Errorf("%v, stored and told: %s", err, diff)
		}
	}
}
