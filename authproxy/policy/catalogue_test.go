package policy

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/policy/reach"
)

// ClassOf returns the effect class of one call by the whole catalogue. Arguments
// that cannot be read make it Unknown.
func ClassOf(tool string, args jsontext.Value) Class {
	return (&Policy{}).ClassOf(tool, args)
}

// ClassOf is the function ClassOf with the part of the catalogue that the policy
// believes, see [Policy.For].
func (p *Policy) ClassOf(tool string, args jsontext.Value) Class {
	v, _ := p.catalogue.Read(tool, args)
	return v.Class
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	id := `"id":"001xx000003DGb1AAG"`
	tests := []struct {
		tool, args string
		want       Class
	}{
		{"getObjectSchema", ``, Read},
		{"getUserInfo", `{}`, Read},
		{"soqlQuery", `{"q":"SELECT Id FROM Account"}`, Read},
		{"soqlQuery", `{"query":"SELECT Id FROM Account"}`, Read},
		{"soqlQuery", `{"q":"SELECT Id FROM Account FOR VIEW"}`, SideEffect},
		{"soqlQuery", `{}`, Unknown},
		{"find", `{"search":"FIND {x}"}`, Read},
		{"createSobjectRecord", create, Create},
		{"updateSobjectRecord", `{"sobject-name":"Account",` + id + `,"body":{}}`, Update},
		{"updateRelatedRecord", `{"sobject-name":"Contact",` + `"id":"003xx000003DGb1AAG"` + `,"relationship-path":"Account","body":{}}`, Update},
		{"deleteRelatedRecord", `{"sobject-name":"Contact",` + `"id":"003xx000003DGb1AAG"` + `,"relationship-path":"Account"}`, Delete},
		{"updateRelatedRecord", `{"sobject-name":"Account",` + id + `,"relationship-path":"Owner","body":{}}`, Admin},
		{"deleteSobjectRecord", account, Delete},
		{"deleteRelatedRecord", `{"sobject-name":"Account",` + id + `,"relationship-path":"Owner"}`, Admin},
		{"getRelatedRecords", `{"sobject-name":"Account",` + id + `,"relationship-path":"Contacts"}`, Read},
		{"listRecentSobjectRecords", `{"sobject-name":"Account"}`, Read},
		{"post_dc_query_sql", `{"sql":"x"}`, Read},
		{"search_metadata_types", `{}`, Read},
		{"fetch_engagement_interaction", `{}`, Read},
		{"create_engagement_interaction", `{}`, Create},
		{"delete_engagement_interaction", `{}`, Delete},
		{"grid_list_workbooks", `{}`, Read},
		{"grid_delete_workbook", `{}`, Delete},
		{"grid_delete_rows", `{}`, Delete},
		{"grid_delete_everything", `{}`, Unknown},
		{"grid_apply_grid", `{}`, Unknown},
		{"grid_run_worksheet", `{}`, Unknown},
		{"enqueue_backup", `{}`, Create},
		{"update_selection_records", `{}`, Update},
		{"publish_cms_content", `{}`, Update},
		{"search_electronic_media", `{}`, Read},
		{"get_or_create_cms_workspace_and_web_app_channel", `{}`, Create},
		{"analyze_data", `{}`, Read},
		{"execute_query", `{}`, Read},
		{"execute", `{"toolName":"d360_segment_delete","paramsJson":"{}"}`, Delete},
		{"execute", `{"toolName":"d360_dataspace_member_add"}`, Admin},
		{"execute", `{"toolName":"d360_of_tomorrow"}`, Unknown},
		{"execute_metadata_action", `{"metadataType":"Flow","actionName":"deploy","parameters":{}}`, Admin},
		{"execute_metadata_action", `{"metadataType":"ExperienceSiteLwr","actionName":"getSiteContentMetadata","parameters":{}}`, Read},
		{"execute_metadata_action", `{"metadataType":"Other","actionName":"getSiteContentMetadata"}`, Admin},
		{"prompt:einstein_gpt__revenueReconciliationAnalysis", ``, Read},
		{"prompt:anything", ``, Unknown},
		{"resource:ui://widget/x", ``, Read},
		{"resource:https://example.com", ``, Unknown},
		{"describeGlobal", ``, Unknown},
	}
	for _, tt := range tests {
		if got := ClassOf(tt.tool, []byte(tt.args)); got != tt.want {
			t.Errorf("%s %s = %s, want %s", tt.tool, tt.args, got, tt.want)
		}
	}
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	const v = "/services/data/v67.0"
	tests := []struct {
		method, url, rest string // rest: further arguments
		class             Class  // "": refused
		objects           string
	}{
		{"GET", v + "/limits", "", Read, "?"},
		{"GET", v + "/sobjects/Account/001xx000003DGb1AAG", "", Read, "Account"},
		{"GET", v + "/sobjects/Account/describe", "", Read, "Account ?"},
		{"GET", v + "/sobjects/Contact/003xx000003DGb1AAG/Account", "", Read, "Account Contact"},
		{"GET", v + "/sobjects/Contact/003xx000003DGb1AAG/Boss__r", "", Read, "Contact ?"},
		{"GET", v + "/query?q=SELECT+Id+FROM+Account", "", Read, "Account"},
		{"GET", v + "/query/?q=SELECT%20Id%20FROM%20User", "", Read, "User"},
		{"GET", v + "/query", `"queryParams":{"q":"SELECT Id FROM User"}`, Read, "User"},
		{"GET", v + "/queryAll?q=SELECT+Id+FROM+Account+FOR+VIEW", "", SideEffect, "Account"},
		{"GET", v + "/tooling/query?q=SELECT+Id+FROM+ApexClass", "", Read, "ApexClass"},
		{"GET", v + "/search?q=FIND+%7Bx%7D+RETURNING+User", "", Read, "User"},
		{"GET", v + "/query?explain=SELECT+Id+FROM+User", "", Unknown, "?"},
		{"GET", v + "/query?q=SELECT+Id+FROM+Account&extra=1", "", Unknown, "?"},
		{"GET", v + "/Query?q=SELECT+Id+FROM+Account+FOR+VIEW", "", Unknown, "?"},
		{"GET", v + "/tooling/executeAnonymous?anonymousBody=delete+x", "", Admin, "?"},
		{"GET", v + "/tooling/runTestsSynchronous/?classnames=x", "", Admin, "?"},
		{"GET", "/services/apexrest/getSomething", "", Unknown, "?"},
		{"GET", "/id/00D/005", "", Unknown, "?"},
		{"GET", v + "/limits", `"headers":{"Accept":"application/json"}`, Read, "?"},
		{"GET", v + "/limits", `"headers":{"X-Whatever":"1"}`, Unknown, "?"},
		{"GET", v + "/limits", `"body":{"a":1}`, Unknown, "?"},
		{"GET", v + "/limits", `"surprise":1`, Unknown, "?"},
		{"POST", v + "/sobjects/Account", `"body":{"Name":"x"}`, Create, "Account"},
		{"POST", v + "/sobjects/Account", `"body":"{}"`, "", ""},
		{"PATCH", v + "/sobjects/Account/001xx000003DGb1AAG", `"body":{"Name":"x"}`, Update, "Account"},
		{"PATCH", v + "/sobjects/Account/Ext__c/7", `"body":{"Name":"x"}`, Unknown, "Account ?"},
		{"DELETE", v + "/sobjects/Account/001xx000003DGb1AAG", "", Delete, "Account"},
		{"DELETE", v + "/sobjects/Account/001xx000003DGb1AAG", `"headers":{"X-Odd":"1"}`, Delete, "Account ?"},
		{"DELETE", v + "/sobjects/Account/Ext__c/7", "", Delete, "Account ?"},
		{"DELETE", v + "/anything", "", Delete, "?"},
		{"DELETE", v + "/sobjects/Account", "", Delete, "Account"},
		{"PATCH", v + "/sobjects/Account", `"body":{}`, Unknown, "Account"},
		{"GET", v + "/sobjects/Account", "", Read, "Account"},
		{"GET", v + "/sobjects", "", Read, "?"},
		{"DELETE", v + "/sobjects/Contact/003xx000003DGb1AAG/Account", "", Delete, "Account Contact"},
		{"GET", v + "/query", `"queryParams":{"q":"SELECT Id FROM User","pageSize":5}`, Unknown, "?"},
		{"GET", v + "/sobjects/Account/001xx000003DGb1AAG", `"queryParams":{"fields":"Id","x":true}`, Read, "Account"},
		{"POST", v + "/sobjects/User/005xx000001Sv6AAAS/password", `"body":{"NewPassword":"x"}`, Admin, "User"},
		{"POST", v + "/composite", `"body":{}`, Unknown, "?"},
		{"POST", v + "/query", `"queryParams":{"q":"SELECT Id FROM User"}`, Unknown, "?"},
		{"PUT", v + "/sobjects/Account/001xx000003DGb1AAG", "", Unknown, "Account"},
		{"POST", v + "/connect/archive/run-rtbf", "", Delete, "?"},
		{"POST", v + "/connect/archive/run-masking", "", Delete, "?"},

		{"get", v + "/limits", "", "", ""},
		{"TRACE", v + "/limits", "", "", ""},
		{"GET", "https://evil.example" + v + "/limits", "", "", ""},
		{"GET", v + "/sobjects/Account/../User", "", "", ""},
		{"GET", v + "/sobjects/%2e%2e/User", "", "", ""},
		{"GET", v + "//sobjects/User", "", "", ""},
		{"GET", v + "/sobjects/Account\\User", "", "", ""},
		{"GET", v + "/sobjects/Account?_HttpMethod=DELETE", "", "", ""},
		{"GET", v + "/limits", `"queryParams":{"_HttpMethod":"PATCH"}`, "", ""},
		{"GET", v + "/limits", `"headers":{"X-HTTP-Method-Override":"DELETE"}`, "", ""},
		{"GET", v + "/query?q=SELECT+Id+FROM+Account&Q=SELECT+Id+FROM+User", "", "", ""},
		{"GET", v + "/query?q=SELECT+Id+FROM+Account", `"queryParams":{"q":"SELECT Id FROM User"}`, "", ""},
		{"GET", v + "/query?q=%zz", "", "", ""},
		{"GET", v + "/query?q=nonsense", "", "", ""},
		{"GET", v + "/limits", `"headers":"x"`, "", ""},
		{"GET", v + "/limits", `"queryParams":{"a":null}`, "", ""},
		{"GET", v + "/sobjects/Account/003xx000003DGb1AAG", "", "", ""},
	}
	for _, tt := range tests {
		args := `{"method":` + quote(tt.method) + `,"url":` + quote(tt.url)
		if tt.rest != "" {
			args += "," + tt.rest
		}
		args += "}"
		f, refused := read(call("dispatch", args))
		if tt.class == "" {
			if refused == nil {
				t.Errorf("%s: read as %s %v", args, f.Class, f.ObjectNames())
			}
			continue
		}
		if refused != nil {
			t.Errorf("%s: refused: %s", args, refused.Text)
			continue
		}
		if got := strings.Join(f.ObjectNames(), " "); f.Class != tt.class || got != tt.objects {
			t.Errorf("%s: %s %s, want %s %s", args, f.Class, got, tt.class, tt.objects)
		}
		if _, refused := read(call("dispatch_readonly", args)); (refused == nil) != (tt.method == "GET") {
			t.Errorf("dispatch_readonly with %s: refused %v", tt.method, refused)
		}
	}
}

func TestAnnotationsAreExplicitAndTheWorstCase(t *testing.T) {
	t.Parallel()
	tests := []struct {
		tool string
		want Hints
	}{
		{"getUserInfo", Hints{ReadOnly: true, Idempotent: true}},
		{"soqlQuery", Hints{}},
		{"createSobjectRecord", Hints{}},
		{"updateSobjectRecord", Hints{Destructive: true, Idempotent: true}},
		{"deleteSobjectRecord", Hints{Destructive: true, Idempotent: true}},
		{"dispatch", Hints{Destructive: true, OpenWorld: true}},
		{"anything", Hints{Destructive: true, OpenWorld: true}},
	}
	for _, tt := range tests {
		if got := hintsOf((reach.Catalogue{}).Tool(tt.tool).Classes); got != tt.want {
			t.Errorf("%s = %+v, want %+v", tt.tool, got, tt.want)
		}
	}
	readOnly := given(allow(class(Read)))
	for _, name := range []string{"soqlQuery", "find", "dispatch", "dispatch_readonly"} {
		if got := readOnly.Annotations(rep, name); !got.ReadOnly {
			t.Errorf("%s under a policy of reads = %+v", name, got)
		}
	}
	if got := given().Annotations(rep, "deleteSobjectRecord"); !got.Destructive {
		t.Errorf("a denied tool = %+v", got)
	}
	if got := given(confirm()).Annotations(rep, "dispatch"); got.ReadOnly || !got.Destructive {
		t.Errorf("dispatch under confirm = %+v", got)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	newcomer := Principal{Org: "acme", Client: "chatgpt"}
	tests := []struct {
		name   string
		policy *Policy
		want   []string
	}{
		{"nothing", given(), []string{"It may do nothing with your records."}},
		{"reads", given(allow(class(Read))), []string{"It may read records that you can see in Salesforce."}},
		{"contract", confirmWrites, []string{
			"It may read records that you can see in Salesforce.",
			"It may create records, change records and delete records, each time only after a person agreed.",
		}},
		{"deny first", given(deny(class(Delete)), allow(class(Read, Delete))), []string{"It may read records that you can see in Salesforce."}},
		{"other client", given(allow(clients("cursor"))), []string{"It may do nothing with your records."}},
		{"any user", given(deny(users("a@b.example")), allow(class(Read), groups("sales"))), []string{"It may read records that you can see in Salesforce."}},
		{"a tool", given(allow(tools("createSobjectRecord", "prompt:x"), class(Create, Delete))), []string{"It may create records."}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, tt.policy.Summary(newcomer).Lines()); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	s := confirmWrites.Summary(newcomer)
	if !s.Reads || !s.ConfirmedWrites || s.FreeWrites || s.Shadow {
		t.Errorf("contract: %+v", s)
	}
	shadow := given(confirm(class(Create)))
	shadow.Mode = Shadow
	if s := shadow.Summary(rep); !s.Shadow || !s.FreeWrites || !s.ConfirmedWrites {
		t.Errorf("shadow: %+v", s)
	}
}
