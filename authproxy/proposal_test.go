package authproxy

import (
	"errors"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
)

// AP-01: a call that is proposed in the place of another is judged as the client's before anybody is asked about
// it: what is denied, of another class, or for other people, is no proposal, and the call goes on waiting.
func TestAP01ProposalsAreJudged(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.Access = b.f.Access
	first := call("Acme", policy.Rule{Approvers: "role:security"})
	first.Arguments = []byte(`{"body":{"Name":"Acme"},"sobject-name":"Account"}`)
	r := b.hold(first, policy.Create)
	for arguments, want := range map[string]string{
		`{"body":{"Name":"Acme"},"sobject-name":"User"}`: "the rules do not ask",
		`{"body":{"Name":"Acme"},"sobject-name":"../x"}`: "the rules do not ask",
	} {
		if _, err := b.Counter(t.Context(), b.person("bob"), r.ID, []byte(arguments)); !errors.Is(err, approval.ErrProposal) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", arguments, err)
		}
	}
	if now, err := b.Approvals.Get(t.Context(), r.ID); err != nil || now.State != approval.Pending {
		t.Fatalf("it is %+v, %v", now, err)
	}
	if _, err := b.Counter(t.Context(), b.person("bob"), r.ID, []byte(`{"body":{"Name":"Other"},"sobject-name":"Account"}`)); err != nil {
		t.Error(err)
	}
}
