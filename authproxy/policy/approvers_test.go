package policy

import "testing"

func TestApprovers(t *testing.T) {
	t.Parallel()
	for a, want := range map[Approvers]struct {
		valid bool
		role  string
	}{
		Requester: {true, ""}, "role:approver": {true, "approver"}, "role:requester": {true, "requester"},
		"": {}, "role:": {}, "role": {}, "role:a b": {}, "Requester": {}, "ROLE:x": {}, " requester": {}, "requester,role:x": {}, "role:x\x00": {}, "role: x": {},
	} {
		if a.Valid() != want.valid || a.Role() != want.role {
			t.Errorf("%q: valid %v, role %q", a, a.Valid(), a.Role())
		}
	}
}
