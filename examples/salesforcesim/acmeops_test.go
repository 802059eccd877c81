package salesforcesim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/examples/salesforcesim/records"
)

func acme(t *testing.T, u *User) toolClient {
	c := callAs(t, u)
	c.server = "custom/AcmeOps"
	return c
}

func TestCreateAccountWithOpportunity(t *testing.T) {
	t.Parallel()
	c := acme(t, rep())
	r := c.call("createAccountWithOpportunity", `{"inputs":[{"accountName":"Juniper Labs","opportunityName":"Juniper pilot","closeDate":"2026-06-30","amount":1200.5}]}`)
	var results []any
	if err := json.Unmarshal([]byte(r.text()), &results); err != nil || r.IsError {
		t.Fatalf("%v: %s", err, r.text())
	}
	account, opportunity := records.RecordID("001", 6), records.RecordID("006", 7)
	want := []any{map[string]any{"actionName": "createAccountWithOpportunity", "isSuccess": true, "errors": nil,
		"outputValues": map[string]any{"accountId": account, "opportunityId": opportunity}}}
	if diff := cmp.Diff(want, results); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"results": want}, r.Structured); diff != "" {
		t.Errorf("structuredContent (-want +got):\n%s", diff)
	}
	rows := c.d.All("Opportunity")
	if got := rows[len(rows)-1]; got["AccountId"] != account || got["StageName"] != "Prospecting" || got["Amount"] != 1200.5 {
		t.Errorf("opportunity %v", got)
	}
}

// Arguments without the wrapper fail with these words on a live org.
func TestActionNeedsWrapper(t *testing.T) {
	t.Parallel()
	c := acme(t, rep())
	const want = `[{"message":"The HTTP entity body is required, but this request has no entity body.","errorCode":"JSON_PARSER_ERROR"}]`
	for _, args := range []string{
		`{"accountName":"Flat","opportunityName":"x","closeDate":"2026-06-30"}`, `{}`, ``, `{"inputs":[]}`, `{"inputs":{"accountName":"x"}}`, `{"inputs":[1]}`,
	} {
		if r := c.call("createAccountWithOpportunity", args); !r.IsError || r.text() != want || r.Structured != nil {
			t.Errorf("%s: %s", args, r.text())
		}
	}
	if n := len(c.d.All("Account")); n != 5 {
		t.Errorf("%d accounts, want 5", n)
	}
}

// A run that fails says so inside of a result that is no error, and leaves nothing behind.
func TestActionFailsInPayload(t *testing.T) {
	t.Parallel()
	c := acme(t, rep())
	r := c.call("createAccountWithOpportunity", `{"inputs":[{"accountName":"Half","opportunityName":"x","closeDate":"soon"},
		{"accountName":"Whole","opportunityName":"y","closeDate":"2026-06-30"},{"opportunityName":"z"}]}`)
	var results []struct {
		IsSuccess bool            `json:"isSuccess"`
		Errors    []records.Error `json:"errors"`
	}
	if err := json.Unmarshal([]byte(r.text()), &results); err != nil || r.IsError || len(results) != 3 {
		t.Fatalf("%v: %s", err, r.text())
	}
	if results[0].IsSuccess || results[0].Errors[0].Code != "JSON_PARSER_ERROR" || !results[1].IsSuccess || results[2].IsSuccess {
		t.Errorf("results %+v", results)
	}
	if got := c.d.All("Account"); len(got) != 6 || got[5]["Name"] != "Whole" {
		t.Errorf("%d accounts, want the one of the run that succeeded", len(got))
	}
}

func TestAccountSummary(t *testing.T) {
	t.Parallel()
	c := acme(t, rep())
	args := `{"inputs":[{"accountId":"` + cascadeID + `"}]}`
	r := c.call("getAccountSummary", args)
	want := `"outputValues":{"accountId":"` + cascadeID + `","name":"Cascade Health Partners","openOpportunities":1,"pipeline":320000.0,"openCases":1}`
	if r.IsError || !strings.Contains(r.text(), want) {
		t.Errorf("summary %s", r.text())
	}
	if ui := string(r.Meta["salesforce/uiMetadata"]); !strings.Contains(ui, summaryWidget) {
		t.Errorf("widget %s", ui)
	}
	c.u.HiddenObjects = append(c.u.HiddenObjects, "Case")
	c.u.HiddenFields = []string{"Account.Name", "Opportunity.Amount"}
	r = c.call("getAccountSummary", args)
	if all := r.text() + string(r.Meta["salesforce/uiMetadata"]); strings.Contains(all, "openCases") || strings.Contains(all, "Cascade") || strings.Contains(all, "320000") {
		t.Errorf("the summary shows what is hidden: %s", all)
	}
	r = c.call("getAccountSummary", `{"inputs":[{"accountId":"nonsense"}]}`)
	if !strings.Contains(r.text(), "MALFORMED_ID") || r.Meta["salesforce/uiMetadata"] != nil {
		t.Errorf("unknown account: %s", r.text())
	}
	tool := named(t, listed(t, "custom/AcmeOps", listOptions{}), "getAccountSummary")
	if diff := cmp.Diff(map[string]any{"ui": map[string]any{"resourceUri": summaryWidget}}, tool.Meta); diff != "" {
		t.Errorf("_meta of the definition (-want +got):\n%s", diff)
	}
}
