package authproxy

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
)

// proposing is a server in front of which people with one role decide about accounts, and with another about contacts.
func proposing(c *access.Config) {
	about := func(object string, approvers policy.Approvers) policy.Rule {
		return policy.Rule{Effect: policy.Confirm, Classes: []policy.Class{policy.Create, policy.Update, policy.Delete}, Objects: []string{object}, Approvers: approvers}
	}
	rules := &policy.Policy{Name: "proposing", Rules: []policy.Rule{about("Account", "role:security"), about("Contact", "role:sales-ops"), about("User", "role:security")}}
	c.Servers = append(c.Servers, access.Server{Name: "headless", Org: "acme", URL: "https://api.salesforce.com/platform/mcp/v1/platform/headless-360", Policy: rules})
}

// AP-01: a call that is proposed in the place of another is judged as the client's before anybody is asked about
// it: what is denied, of another class, for other people, of a record that it does not name, or more than anybody can read, is no
// proposal, and the call goes on waiting.
func TestAP01ProposalsAreJudged(t *testing.T) {
	t.Parallel()
	b := newBoardOn(t, change{access: proposing})
	b.Access = b.f.Access
	const base, account = "/services/data/v67.0/sobjects/", "Account/001xx000003DGb1AAG"
	first := call("Acme", policy.Rule{Approvers: "role:security"})
	first.Server, first.Tool = "headless", "dispatch"
	dispatch := func(method, path, name string) []byte {
		return fmt.Appendf(nil, `{"body":{"Name":%q},"method":%q,"url":%q}`, name, method, base+path)
	}
	// so long that a proposal may be longer than a person can read
	first.Arguments = dispatch("PATCH", account, strings.Repeat("x", 20_000))
	r := b.hold(first, policy.Update)
	for want, arguments := range map[string][]byte{
		"the rules do not ask":              dispatch("PATCH", "Lead/00Qxx000003DGb1AAG", "Acme"),
		`they answer "deny"`:                dispatch("PATCH", "User/005xx000001Sv6AAAS", "Acme"),
		"of the class create":               dispatch("POST", "Account", "Acme"),
		"of the class delete":               dispatch("DELETE", account, "Acme"),
		"other people decide":               dispatch("PATCH", "Contact/003xx000003DGb1AAG", "Acme"),
		"does not name by its id":           dispatch("PATCH", account+"/Parent", "Acme"),
		"more than a person can read":       dispatch("PATCH", account, strings.Repeat("x", 101_000)),
		"another member or another kind of": []byte(`{"body":{"Name":null},"method":"PATCH","url":"` + base + account + `"}`),
	} {
		if _, err := b.Counter(t.Context(), b.person("bob"), r.ID, arguments); !errors.Is(err, approval.ErrProposal) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if now, err := b.Approvals.Get(t.Context(), r.ID); err != nil || now.State != approval.Pending {
		t.Fatalf("it is %+v, %v", now, err)
	}
	elsewhere := first // whose server is in front of another org now
	elsewhere.Org = "beta"
	if _, err := b.Counter(t.Context(), b.person("bob"), b.hold(elsewhere, policy.Update).ID, dispatch("PATCH", account, "Other")); !errors.Is(err, approval.ErrProposal) ||
		!strings.Contains(err.Error(), "not there any more") {
		t.Errorf("a call to another org: %v", err)
	}
	if _, err := b.Counter(t.Context(), b.person("bob"), r.ID, dispatch("PATCH", account, "Other")); err != nil {
		t.Error(err)
	}
}
