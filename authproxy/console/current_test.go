package console

import (
	"context"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
)

// records answer what Salesforce has at the moment.
type records struct {
	is    approval.Current
	named []approval.CurrentRecord
}

func (r *records) Current(context.Context, *approval.Request) (approval.Current, bool) {
	return r.is, true
}

func (r *records) NamesTogether(context.Context, []*approval.Request) []approval.CurrentRecord {
	return r.named
}

func (r *records) Names(context.Context, *approval.Request, approval.Current) []approval.CurrentRecord {
	return r.named
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
	shown := (&currentPage{Console: s.console, Request: &page, read: salesforce.is}).shown()
	if len(shown.Fields) != 4 || shown.Creates {
		t.Fatalf("%+v", shown)
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

// A record is linked to the org's own host and to no other: neither an id nor a host that
// Salesforce, or a call, says makes an address.
func TestRecordIsLinkedIntoItsOrg(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, tt := range [][3]string{
		{"acme", "001000000000001AAA", "https://acme.my.salesforce.com/001000000000001AAA"},
		{"acme", "001000000000001", "https://acme.my.salesforce.com/001000000000001"},
		{"acme", "", ""}, {"acme", "../setup", ""}, {"acme", "//evil.example/001", ""}, {"acme", "00100000000000?", ""}, {"gone", "001000000000001AAA", ""},
	} {
		if got := s.console.recordAddress(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s %q: %q", tt[0], tt[1], got)
		}
	}
	s.console.Currents = &records{is: approval.Current{Records: []approval.CurrentRecord{{ID: "001000000000001AAA", Name: "Acme"}}}}
	alice := s.signIn("acme", "005A")
	page := alice.get("/approvals/" + alice.ask(`{"body":{"Name":"Acme"},"sobject-name":"Account"}`, "requester").ID)
	page.want(t, 200, "Open in Salesforce (new tab)")
	if !strings.Contains(page.body, `href="https://acme.my.salesforce.com/001000000000001AAA" target="_blank" rel="noopener noreferrer"`) {
		t.Errorf("no link: %s", page.body)
	}
	s.console.Currents = nil
	alice.get("/approvals/"+alice.ask(`{"b":1}`, "requester").ID).want(t, 200, "cannot be read here", "exactly what it sends")
}

// Beside an id stands what its record is called, escaped like all that comes from Salesforce, or that
// this cannot be read; in the values of before and after, and in the list of all values.
func TestPageNamesRecordsBesideIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.console.Currents = &records{
		is: approval.Current{Records: []approval.CurrentRecord{{ID: "003000000000001AAA", Name: "Ann"}}, Fields: []approval.CurrentField{
			{Name: "AccountId", Now: jsontext.Value(`"001000000000001AAA"`), Then: jsontext.Value(`"001000000000002"`)},
			{Name: "OwnerId", Now: jsontext.Value(`null`), Then: jsontext.Value(`"005000000000009AAA"`)}}},
		named: []approval.CurrentRecord{{ID: "001000000000001AAA", Object: "Account", Name: "Old <b>\u202eltd"},
			{ID: "001000000000002AAA", Object: "Account", Name: "New & co"}, {ID: "005000000000009AAA", Object: "User"}},
	}
	alice := s.signIn("acme", "005A")
	waiting := alice.askTool("updateSobjectRecord", "update", `{"body":{"AccountId":"001000000000002","OwnerId":"005000000000009AAA"},"id":"003000000000001AAA","sobject-name":"Contact"}`)
	page := alice.get("/approvals/" + waiting.ID)
	page.want(t, 200, "What would change", "Account Old <b>⟨U+202E⟩ltd", "Account New & co", "User, its name cannot be read here")
	if n := strings.Count(page.body, "New &amp; co"); n != 2 {
		t.Errorf("the new account is named %d times", n)
	}
	if !strings.Contains(page.body, `href="https://acme.my.salesforce.com/001000000000002AAA"`) {
		t.Error("the record is not linked")
	}
}

// A delete shows what hangs on the record, what does not, and what nobody counted.
func TestPageShowsWhatHangsOnADelete(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.console.Currents = &records{is: approval.Current{Records: []approval.CurrentRecord{{ID: "001000000000001AAA", Name: "Acme"}},
		Hanging:   []approval.CurrentChildren{{Relation: "Contacts", Count: 3}, {Relation: "Tasks", Count: 100, More: true}, {Relation: "Cases"}},
		Uncounted: []string{"Opportunities"}}}
	alice := s.signIn("acme", "005A")
	waiting := alice.askTool("deleteSobjectRecord", "delete", `{"id":"001000000000001AAA","sobject-name":"Account"}`)
	alice.get("/approvals/"+waiting.ID).want(t, 200, "What hangs on it", "3 Contacts", "more than 100 Tasks", "None: Cases", "do not let them be read: Opportunities", "as far as one query tells")
}
