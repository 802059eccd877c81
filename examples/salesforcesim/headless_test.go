package salesforcesim

import (
	"encoding/json"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim/records"
)

func headless(t *testing.T, u *User) toolClient {
	c := callAs(t, u)
	c.server = "platform/headless-360"
	return c
}

func TestDiscoverAndDescribe(t *testing.T) {
	t.Parallel()
	c := headless(t, rep())
	results := func(args string) []any {
		c.t.Helper()
		r := c.call("discover", args)
		if r.IsError {
			t.Fatalf("%s: %s", args, r.text())
		}
		return r.decode(t)["results"].([]any)
	}
	first := results(`{"query":"delete record"}`)[0].(map[string]any)
	if first["id"] != "rest-record-delete" {
		t.Errorf("first result %v", first)
	}
	if n := len(results(`{"query":"record","limit":2}`)); n != 2 {
		t.Errorf("%d results, want 2", n)
	}
	if got := results(`{"query":"account","resultType":"sor"}`); len(got) != 1 {
		t.Errorf("systems of record: %v", got)
	}
	if got := results(`{"query":"list","domain":"analytics"}`); len(got) != 1 {
		t.Errorf("analytics: %v", got)
	}
	for _, limit := range []string{"0", "51", `"5"`} {
		if r := c.call("discover", `{"query":"record","limit":`+limit+`}`); r.code(t) != "INVALID_ARGUMENT" {
			t.Errorf("limit %s: %s", limit, r.text())
		}
	}
	if got := c.call("describe", `{"id":"rest-record-delete"}`).decode(t); got["callWith"] != "dispatch" {
		t.Errorf("describe: %v", got)
	}
	if got := c.call("describe", `{"id":"nothing"}`).code(t); got != "NOT_FOUND" {
		t.Errorf("describe nothing: %q", got)
	}
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	c := headless(t, rep())
	const data = "/services/data/v67.0/"
	for _, tt := range []struct {
		args   string
		status float64
		says   string
	}{
		{`{"method":"GET","url":"` + data + `query?q=SELECT+COUNT()+FROM+Lead"}`, 200, `"totalSize":2`},
		{`{"method":"GET","url":"` + data + `query","queryParams":{"q":"SELECT Id FROM Secret__c"}}`, 400, "INVALID_TYPE"},
		{`{"method":"GET","url":"` + data + `query/01gNothing-2000"}`, 400, "INVALID_QUERY_LOCATOR"},
		{`{"method":"GET","url":"` + data + `search?q=FIND+{Fjord}+RETURNING+Lead"}`, 200, `"searchRecords":[{`},
		{`{"method":"GET","url":"` + data + `sobjects"}`, 200, `"sobjects":[{`},
		{`{"method":"GET","url":"` + data + `sobjects/Account"}`, 200, `"recentItems":[{`},
		{`{"method":"GET","url":"` + data + `sobjects/Account/describe"}`, 200, `"childRelationships"`},
		{`{"method":"GET","url":"` + data + `sobjects/Account/` + northwindID + `"}`, 200, "Northwind Logistics"},
		{`{"method":"GET","url":"` + data + `sobjects/Account/` + records.RecordID("001", 99) + `"}`, 404, "NOT_FOUND"},
		{`{"method":"GET","url":"` + data + `sobjects/Secret__c/describe"}`, 404, "NOT_FOUND"},
		{`{"method":"GET","url":"` + data + `limits"}`, 200, "DailyApiRequests"},
		{`{"method":"POST","url":"` + data + `sobjects/Task","body":{"Subject":"dispatched"}}`, 201, `"success":true`},
		{`{"method":"POST","url":"` + data + `sobjects/Account","body":{}}`, 400, "REQUIRED_FIELD_MISSING"},
		{`{"method":"patch","url":"` + data + `sobjects/Account/` + northwindID + `","body":{"Rating":"Cold"}}`, 204, `"body":null`},
		{`{"method":"POST","url":"` + data + `sobjects/Account/` + northwindID + `?_HttpMethod=PATCH","body":{"Rating":"Warm"}}`, 204, `"body":null`},
		{`{"method":"DELETE","url":"` + data + `sobjects/Lead/` + records.RecordID("00Q", 2) + `"}`, 204, `"body":null`},
		{`{"method":"DELETE","url":"` + data + `sobjects/User/` + RepID + `"}`, 403, "INSUFFICIENT_ACCESS_OR_READONLY"},
	} {
		r := c.call("dispatch", tt.args)
		got := r.decode(t)
		if got["status_code"] != tt.status || !strings.Contains(string(records.Encode(got)), tt.says) || r.IsError {
			t.Errorf("%s\n got %.300s\nwant %v with %s", tt.args, r.text(), tt.status, tt.says)
		}
	}
	if n := len(c.d.All("Lead")); n != 1 {
		t.Errorf("%d leads after the delete, want 1", n)
	}
}

func TestDispatchUnrouted(t *testing.T) {
	t.Parallel()
	c := headless(t, rep())
	for _, tt := range []struct {
		method, url string
		status      float64
		code        string
	}{
		{"GET", "/services/data/v67.0/nothing", 400, "ROUTE_NOT_FOUND"},
		{"PUT", "/services/data/v67.0/sobjects/Account", 400, "ROUTE_NOT_FOUND"},
		{"GET", "/services/apexrest/x", 400, "ROUTE_NOT_FOUND"},
		{"GET", "/services/data/query", 400, "ROUTE_NOT_FOUND"},
		{"GET", "https://elsewhere.example/services/data/v67.0/limits", 400, "ROUTE_NOT_FOUND"},
		{"GET", "%zz", 400, "ROUTE_NOT_FOUND"},
		{"GET", "/services/data/v67.0/analytics/reports", 403, "FUNCTIONALITY_NOT_ENABLED"},
	} {
		r := c.call("dispatch", string(records.Encode(map[string]any{"method": tt.method, "url": tt.url})))
		if got := r.decode(t); !r.IsError || got["status_code"] != tt.status || !strings.Contains(r.text(), tt.code) {
			t.Errorf("%s %s: %s", tt.method, tt.url, r.text())
		}
	}
	for _, tt := range []struct{ tool, args, want string }{
		{"dispatch_readonly", `{"method":"DELETE","url":"/services/data/v67.0/sobjects/Account/` + northwindID + `"}`, "METHOD_NOT_ALLOWED"},
		{"dispatch_readonly", `{"url":"/services/data/v67.0/limits"}`, "METHOD_NOT_ALLOWED"},
		{"dispatch", `{"method":"GET"}`, "MISSING_ARGUMENT"},
		{"dispatch", `{"method":"POST","url":"/services/data/v67.0/sobjects/Task","body":"x"}`, "JSON_PARSER_ERROR"},
	} {
		if got := c.call(tt.tool, tt.args).code(t); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.tool, tt.args, got, tt.want)
		}
	}
	if r := c.call("dispatch_readonly", `{"method":"GET","url":"/services/data/v67.0/limits"}`); r.IsError {
		t.Errorf("dispatch_readonly: %s", r.text())
	}
}

func TestDisplayWidget(t *testing.T) {
	t.Parallel()
	c := headless(t, rep())
	r := c.call("display_widget", `{"recordId":"`+heliosID+`"}`)
	if ui := string(r.Meta["salesforce/uiMetadata"]); r.IsError || !strings.Contains(ui, "Helios Energy GmbH") || !json.Valid([]byte(ui)) {
		t.Errorf("widget %s, text %s", ui, r.text())
	}
	for _, id := range []string{records.RecordID("a00", 1), records.RecordID("001", 99), "nonsense", records.RecordID("zzz", 1)} {
		if got := c.call("display_widget", `{"recordId":"`+id+`"}`).code(t); got != "NOT_FOUND" {
			t.Errorf("%s: %q", id, got)
		}
	}
}

func TestContextTools(t *testing.T) {
	t.Parallel()
	c := callAs(t, rep())
	c.server = "platform/salesforce-api-context"
	for _, tt := range []struct{ tool, args, want string }{
		{"get_data_and_tooling_api_context", `{"objectName":"account"}`, "One account for each legal entity"},
		{"get_data_and_tooling_api_context", `{"objectName":"Secret__c"}`, "NOT_FOUND"},
		{"get_metadata_type_sections", `{"metadataType":"Flow"}`, `"recordUpdates"`},
		{"get_metadata_type_context", `{"metadataType":"flow"}`, "A process that the platform runs."},
		{"get_metadata_type_fields", `{"metadataType":"CustomField"}`, `["fullName","type","required"]`},
		{"get_metadata_type_fields_properties", `{"metadataType":"CustomField"}`, `"description":"API name."`},
		{"get_metadata_type_fields", `{"metadataType":"Wombat"}`, "NOT_FOUND"},
		{"search_metadata_types", `{"query":"mcp permission"}`, `"PermissionSet"`},
		{"search_metadata_types", `{"query":"wombat"}`, `"results":[]`},
		{"search_metadata_types", `{}`, "MISSING_ARGUMENT"},
	} {
		if got := c.call(tt.tool, tt.args).text(); !strings.Contains(got, tt.want) {
			t.Errorf("%s %s: %s", tt.tool, tt.args, got)
		}
	}
}
