package analysis

import (
	"fmt"
	"testing"

	"sfmcp-proxy/authproxy/policy"
)

// What a draft would let pass more freely is read first, however few calls that were.
func TestReplaysBeginWithWhatPassesMoreFreely(t *testing.T) {
	r := &Replay{Changes: []Replayed{
		{Tool: "a", From: policy.Allow, To: policy.Deny, Calls: 500}, {Tool: "b", From: policy.Confirm, To: policy.Allow, Calls: 1},
		{Tool: "c", From: policy.Confirm, To: policy.Deny, Calls: 7}, {Tool: "d", From: policy.Deny, To: policy.Confirm, Calls: 3}, {Tool: "e", From: policy.Allow, To: policy.Confirm, Calls: 600},
	}}
	r.Sort()
	order := ""
	for _, c := range r.Changes {
		order += fmt.Sprintf("%s%+d ", c.Tool, c.More())
	}
	if order != "d+1 b+1 e-1 a-1 c-1 " {
		t.Error(order)
	}
}
