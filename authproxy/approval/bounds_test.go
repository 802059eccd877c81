package approval

import (
	"bytes"
	"testing"

	"sfmcp-proxy/authproxy/policy"
)

// The answer of a spent call is kept for its repeat up to 64 KiB, and not beyond.
func TestResultIsBounded(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	for size, kept := range map[int]bool{1: true, 64 << 10: true, 64<<10 + 1: false} {
		b := binding("of a size")
		r := submit(t, s, b)
		decide(t, s, r.ID, true)
		if _, err := s.Spend(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		result := bytes.Repeat([]byte("r"), size)
		if err := s.Settle(t.Context(), r.ID, Done, result); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Outcome != Done || bytes.Equal(got.Result, result) != kept || !kept && got.Result != nil {
			t.Errorf("%d bytes: %d are kept, %q", size, len(got.Result), got.Outcome)
		}
		if _, err := s.db.Writes.Exec(`DELETE FROM approvals`); err != nil {
			t.Fatal(err)
		}
	}
}

// AP-06: the requester decides only where the rule says so and names nobody else.
func TestAP06OfRequester(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	for approvers, want := range map[policy.Approvers]bool{policy.Requester: true, "role:approvers": false, "role:leads": false} {
		r, err := s.Submit(t.Context(), binding("for "+string(approvers)).by(approvers), "create")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), r.ID); err != nil || got.OfRequester() != want || r.OfRequester() != want {
			t.Errorf("%s: %t, %v", approvers, !want, err)
		}
	}
}
