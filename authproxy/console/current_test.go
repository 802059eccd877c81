package console

import (
	"context"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
)

// records answer what Salesforce has at the moment.
type records struct{ is approval.Current }

func (r *records) Current(context.Context, *approval.Request) (approval.Current, bool) {
	return r.is, true
}

func TestPageShowsBeforeAndAfter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	salesforce := &records{}
	s.console.Currents = salesforce
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"body":{"Name":"Acme","Phone":"2"},"id":"001000000000001AAA","sobject-name":"Account"}`, "requester")
	path := "/approvals/" + waiting.ID
	salesforce.is = approval.Current{Records: []approval.CurrentRecord{{ID: "001000000000001AAA", Name: "Acme <b>\u202eltd"}},
		Fields: []approval.CurrentField{
			{Name: "Same", Now: jsontext.Value(`1.0`), Then: jsontext.Value(`1.0`)},
			{Name: "Phone", Now: jsontext.Value(`"old\u200b<i>"`), Then: jsontext.Value(`"2"`)},
			{Name: "Revenue", Now: jsontext.Value(`12345678901234567890.0`), Then: jsontext.Value(`null`)},
			{Name: "Secret", Then: jsontext.Value(`"x"`), Hidden: true},
		}}
	// site.ask makes a call that creates; the record is shown as what is called the same.
	alice.get(path).want(t, 200, "There is a record of this name already", "Acme <b>⟨U+202E⟩ltd")
	page := *waiting
	page.Class = "update"
	shown, read := s.console.beforeAfter(t.Context(), &page)
	if read.Records[0].Name == "" || len(shown.Fields) != 4 || shown.Creates {
		t.Fatalf("%+v, %+v", shown, read)
	}
	if f := shown.First(); f[0].Now != "old⟨U+200B⟩<i>" || f[1].Now != "12345678901234567890.0" || f[1].Then != "empty" || f[2].Now != "" || !f[2].Hidden || !f[3].Same {
		t.Errorf("%+v", f)
	}

	salesforce.is = approval.Current{Missing: "Salesforce did not answer."}
	got := alice.get(path)
	got.want(t, 200, "What is there now is not known", "Salesforce did not answer.", "not what it would replace", "Approve this call?")
	alice.post(path, map[string][]string{"decision": {"deny"}})
	if after := alice.get(path); strings.Contains(after.body, "What is there now") {
		t.Error("a decided call is still compared with Salesforce")
	}
}
