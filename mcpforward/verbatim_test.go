package mcpforward

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// AP-03: what a person agreed to is what Salesforce gets, byte for byte, and every other value,
// type, spelling of a number, presence or absence is another call that waits for itself.
func TestAP03ValuesReachSalesforceAsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "held", Rules: []policy.Rule{{Effect: policy.Confirm}}}
	})
	c := rep(w)
	for _, value := range []string{
		`1`, `1.0`, `1.00`, `1e0`, `10e-1`, `"1"`, `"1.0"`, `true`, `"true"`, `null`, `"null"`, `""`, `" "`, `[]`, `[1]`, `["1"]`, `[null]`, `{}`, `{"a":1}`, `{"A":1}`,
		`0`, `-0`, `-0.0`, `12345678901234567890`, `12345678901234567891`, `9007199254740993`, `9007199254740992`, `0.1`, `0.10000000000000001`, `1e400`, `123456789012345678901234567890.12345678901234567890`,
		`"é"`, "\"e\u0301\"", `"É"`, "\"a\u200bb\"", "\"a\u202eb\"", "\"\u2028\"", "\"\ufeff\"", `"😀"`, "\"\u0430cme\"", `"acme"`, `"acme "`,
		`"\""`, `"\\"`, `"\\n"`, `"\n"`, `"\r\n"`, `"\t"`, `"\u0001"`, `"<b>&amp;</b>"`, `"&"`, `"a/b"`, `"\ud83d\ude01"`,
	} {
		arguments := `{"sobject-name":"Account","body":{"Name":"Verbatim","Value__c":` + value + `}}`
		if a := c.create(arguments); !strings.Contains(a.text(), "/approvals/apr_") {
			t.Errorf("%s is not another call: %s", value, a.body)
			continue
		}
		shown := w.waiting().Arguments
		canonical := jsontext.Value(value)
		if err := canonical.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if !bytes.Contains(shown, append([]byte(`"Value__c":`), canonical...)) {
			t.Errorf("%s is shown as %s", value, shown)
		}
		w.decide(true)
		before := len(w.forwarded())
		c.create(arguments)
		if n := len(w.forwarded()); n != before+1 {
			t.Errorf("%s was sent %d times", value, n-before)
			continue
		}
		// The order of members says nothing, and is the client's; what is shown has them sorted.
		_, sent, _ := strings.Cut(w.sent("tools/call"), `"arguments":`)
		sent = strings.TrimSuffix(sent, "}}")
		if sorted, err := jsontext.AppendFormat(nil, []byte(sent), jsontext.ReorderRawObjects(true)); err != nil || !bytes.Equal(sorted, shown) || !strings.Contains(sent, `"Value__c":`+string(canonical)) {
			t.Errorf("%s was sent as %s, %v", shown, sent, err)
		}
	}
	// Without the value it is another call, too; spelled another way, it is the same one.
	w.wantHeld("absence", c.create(`{"sobject-name":"Account","body":{"Name":"Verbatim"}}`))
	before := len(w.sim.Requests(salesforcesim.RequestFilter{RPC: "tools/call"}))
	for _, same := range []string{"\"\\u00e9\"", "\"\\u00E9\""} {
		if a := c.create(`{"body":{"Value__c":` + same + `,"Name":"Verbatim"},"sobject-name":"Account"}`); strings.Contains(a.text(), "/approvals/apr_") {
			t.Errorf("%s is another call: %s", same, a.body)
		}
	}
	if n := len(w.sim.Requests(salesforcesim.RequestFilter{RPC: "tools/call"})); n != before {
		t.Errorf("a repeat was sent %d times more", n-before)
	}
}
