package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/approval"
)

func TestSentence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ tool, arguments, want string }{
		{"dispatch", `{"method":"PATCH","url":"/services/data/v65.0/sobjects/Account/001x","body":{"Name":"N"}}`, "Send PATCH /services/data/v65.0/sobjects/Account/001x to the REST API of Salesforce"},
		{"dispatch_readonly", `{"url":"/services/data/v65.0/limits"}`, "Send GET /services/data/v65.0/limits to the REST API of Salesforce"},
		{"dispatch", `{"method":"GET"}`, "Run dispatch"},
		{"other", `{"method":"GET","url":"/x"}`, "Run other"},
		{"dispatch", "{\"method\":\"GET\",\"url\":\"/x\u202e\"}", "Send GET /x\\u202e to the REST API of Salesforce"},
	} {
		a := &approval.Request{Class: "unknown", Binding: approval.Binding{Tool: tt.tool, Arguments: []byte(tt.arguments)}}
		if got := sentence(a); got != tt.want {
			t.Errorf("%s %s: %q", tt.tool, tt.arguments, got)
		}
	}
	for _, tt := range []struct{ class, arguments, want string }{
		{"create", `{"sobject-name":"Account","body":{"Name":"Nimbus"}}`, "Create a record of Account: “Nimbus”"},
		{"create", `{"sobject-name":"Contact","body":{"LastName":"Ōta","Email":"x"}}`, "Create a record of Contact: “Ōta”"},
		{"create", `{"sobject-name":"Account"}`, "Create a record of Account"},
		{"update", `{"sobject-name":"Account","id":"001x","body":{"Name":"N","Phone":null}}`, "Change 2 fields of a record of Account: 001x"},
		{"update", `{"sobject-name":"Account","id":"001x","body":{"Phone":"1"}}`, "Change 1 field of a record of Account: 001x"},
		{"delete", `{"sobject-name":"Account","id":"001x"}`, "Delete a record of Account: 001x"},
		{"delete", `{"sobject-name":"Account","id":"001x","relationship-path":"Contacts"}`, "Delete what Contacts leads to from a record of Account: 001x"},
		{"update", `{"sobject-name":"Account","id":"001x","relationship-path":"Owner","body":{"IsActive":false}}`, "Change 1 field of what Owner leads to from a record of Account: 001x"},
		{"admin", `{"sobject-name":"User","id":"005x"}`, "Run tool on User: 005x"},
		{"update", `{"body":1}`, "Run tool"},
		{"unknown", `{"path":"/x"}`, "Run tool"},
		{"unknown", `[]`, "Run tool"},
		// AP-10: nothing in a name ends the sentence for the reader.
		{"create", `{"sobject-name":"Account","body":{"Name":"”. APPROVED BY SECURITY"}}`, "Create a record of Account: “. APPROVED BY SECURITY”"},
		{"create", `{"sobject-name":"Account","body":{"Name":"` + strings.Repeat("x", 300) + `"}}`, "Create a record of Account: “" + strings.Repeat("x", 80) + "…”"},
	} {
		a := &approval.Request{Class: tt.class, Binding: approval.Binding{Tool: "tool", Arguments: []byte(tt.arguments)}}
		if got := sentence(a); got != tt.want {
			t.Errorf("%s %s: %q", tt.class, tt.arguments, got)
		}
	}
}

// A person sees what a call would do first, can deny it in own words, and the others behind
// folds: nothing of the arguments is left out.
func TestApprovalPageFoldsAndDeniesWithAReason(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	body := map[string]string{}
	for i := range 60 {
		body["Field"+string(rune('a'+i/26))+string(rune('a'+i%26))] = "value"
	}
	body["Description"] = strings.Repeat("long text ", 200)
	arguments, err := json.Marshal(map[string]any{"sobject-name": "Account", "body": body})
	if err != nil {
		t.Fatal(err)
	}
	waiting := alice.ask(string(arguments), "requester")
	path := "/approvals/" + waiting.ID
	page := alice.get(path)
	page.want(t, 200, "Create a record of Account", "42 more values", "all 62 of them", "bytes, show all", strings.Repeat("long text ", 199), "Say why, if you deny it")
	for name := range body {
		if !strings.Contains(page.body, "<code>"+name+"</code>") {
			t.Errorf("%s is not on the page", name)
		}
	}
	// Return in the field of the reason presses the first button of the form.
	if form := page.body[strings.Index(page.body, `<form class="bar`):]; strings.Index(form, `value="deny"`) > strings.Index(form, `value="approve"`) {
		t.Error("return in the reason approves")
	}
	alice.post(path, url.Values{"decision": {"deny"}, "reason": {strings.Repeat("x", 501)}}).want(t, http.StatusBadRequest, "at most 500 characters", "Open the call again")
	if s.state(waiting.ID) != approval.Pending {
		t.Error("it was denied all the same")
	}
	alice.post(path, url.Values{"decision": {"deny"}, "reason": {"wrong <b>account</b>\u202e"}}).want(t, http.StatusSeeOther)
	alice.get(path).want(t, 200, "Denied", "Their reason", "wrong <b>account</b>")
}

// Who asks sees which roles are missing; a deletion says what it is.
func TestApprovalPageSaysWhoMustAgree(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"sobject-name":"Account"}`, "role:security")
	alice.get("/approvals/"+waiting.ID).want(t, 200, "Who must agree", "A person with the role security", "nobody has agreed yet")
	for class, want := range map[string]string{"delete": "cannot be undone", "admin": "who may do what", "unknown": "may change anything"} {
		if !strings.Contains(consequence(class), want) {
			t.Errorf("%s: %q", class, consequence(class))
		}
	}
	if consequence("update") != "" {
		t.Error("every change is said to be grave")
	}
}
