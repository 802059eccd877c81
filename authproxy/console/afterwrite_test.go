package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

// lostQuery is that of the site.
func (s *site) lostQuery(a *approval.Request) string { return "SELECT Id FROM " + a.Tool }

// MayUndo refuses where the arguments say that rules do.
func (s *site) MayUndo(_ context.Context, a *approval.Request) error {
	if strings.Contains(string(a.Arguments), "refused") {
		return approval.Refuse(approval.ErrUndo, "the rules do not let the assistant make that call")
	}
	return nil
}

// Undo makes the call back, unless the arguments say that the record moved on.
func (s *site) Undo(_ context.Context, a *approval.Request) (approval.Binding, string, error) {
	if err := s.MayUndo(context.Background(), a); err != nil {
		return approval.Binding{}, "", err
	}
	if strings.Contains(string(a.Arguments), "moved") {
		return approval.Binding{}, "", approval.Refuse(approval.ErrUndo, "the record was changed since")
	}
	b := a.Binding
	b.Tool, b.Arguments = "updateSobjectRecord", jsontext.Value(`{"back":"<b>"}`)
	return b, "update", nil
}

// sent is a call of the person that was approved and sent, and came to that.
func (p *person) sent(arguments string, outcome approval.Outcome, check *approval.Images) *approval.Request {
	p.t.Helper()
	b := binding("acme", p.subject, arguments)
	b.Tool = "updateSobjectRecord"
	r := must[*approval.Request](p.t)(p.approvals.Submit(p.t.Context(), b, "update"))
	p.post("/approvals/"+r.ID, url.Values{"decision": {"approve"}}).want(p.t, http.StatusSeeOther)
	must[*approval.Request](p.t)(p.approvals.Spend(p.t.Context(), b))
	err := p.approvals.Settle(p.t.Context(), r.ID, outcome, nil)
	if check != nil {
		err = errors.Join(err, p.approvals.SaveCheck(p.t.Context(), r.ID, approval.Differs, check))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (s *site) entriesOf(action audit.Action) (all []audit.Entry) {
	s.t.Helper()
	if err := s.audit.List(s.t.Context(), audit.Filter{Action: string(action)}, func(e audit.Entry) error { all = append(all, e); return nil }); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// A call whose answer was lost: the page has the query that tells it, and takes what a person
// found out, once; the call stays spent.
func TestResolve(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	lost := alice.sent(`{"a":1}`, approval.Unknown, nil)
	path := "/approvals/" + lost.ID
	alice.get(path).want(t, 200, "Outcome unknown", "SELECT Id FROM updateSobjectRecord", "never sent again", "It did not happen")
	for name, form := range map[string]url.Values{
		"nothing said": {"reason": {"saw it"}}, "something else": {"happened": {"maybe"}, "reason": {"saw it"}}, "no reason": {"happened": {"yes"}, "reason": {" "}},
		"too long": {"happened": {"yes"}, "reason": {strings.Repeat("x", 501)}},
	} {
		if got := alice.post(path+"/resolve", form); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	if got := s.signIn("acme", "005B").post(path+"/resolve", url.Values{"happened": {"no"}, "reason": {"x"}}); got.status != http.StatusNotFound {
		t.Errorf("somebody else: %d", got.status)
	}
	if got := s.entriesOf(audit.ApprovalResolve); len(got) != 0 {
		t.Errorf("recorded %+v", got)
	}
	alice.post(path+"/resolve", url.Values{"happened": {"yes"}, "reason": {"saw <it>"}}).want(t, http.StatusSeeOther)
	alice.post(path+"/resolve", url.Values{"happened": {"no"}, "reason": {"no"}}).want(t, http.StatusSeeOther)
	page := alice.get(path)
	page.want(t, 200, "It happened: updateSobjectRecord", "it was carried out", "says: it happened", "saw <it>")
	if strings.Contains(page.body, "It may have happened") || strings.Contains(page.body, "user 005A") {
		t.Errorf("what was found out does not stand first, or its author has no name: %s", page.text())
	}
	if strings.Contains(page.body, "It did not happen</button>") {
		t.Error("it is asked for again")
	}
	if got := s.entriesOf(audit.ApprovalResolve); len(got) != 2 || got[0].Outcome != audit.OK || got[0].Reason != "it happened: saw <it>" || got[0].Approval != lost.ID || got[1].Outcome != audit.Denied {
		t.Errorf("recorded %+v", got)
	}
	if got := s.state(lost.ID); got != approval.Spent {
		t.Errorf("it is %s", got)
	}
	done := alice.sent(`{"a":2}`, approval.Done, nil)
	alice.post("/approvals/"+done.ID+"/resolve", url.Values{"happened": {"no"}, "reason": {"x"}}).want(t, http.StatusSeeOther)
	if r := must[*approval.Request](t)(s.approvals.Get(t.Context(), done.ID)); r.Check != nil {
		t.Errorf("a call that was answered is resolved: %+v", r.Check)
	}
}

// Undo makes a call that waits, shows what the assistant must send, and is refused where the record
// moved on; another person's call cannot be undone.
func TestUndoOnThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	images := &approval.Images{Object: "Account", ID: "001000000000001AAA", Read: true, Fields: []approval.Image{{Name: "Phone", Before: jsontext.Value(`"<1>"`), Set: jsontext.Value(`"2"`), After: jsontext.Value(`3.0`)}}}
	done := alice.sent(`{"a":1}`, approval.Done, images)
	path := "/approvals/" + done.ID
	alice.get(path).want(t, 200, "It came out differently", "Phone", "before <1>", "set 2", "after 3.0", "Ask to undo it")
	if got := s.signIn("acme", "005B").post(path+"/undo", url.Values{}); got.status != http.StatusNotFound {
		t.Errorf("somebody else: %d", got.status)
	}
	if got := s.send("POST", path+"/undo", "", alice.header()); got.status == http.StatusSeeOther {
		t.Error("a form of nobody's undoes")
	}
	to := alice.post(path+"/undo", url.Values{})
	to.want(t, http.StatusSeeOther)
	undo := must[*approval.Request](t)(s.approvals.Get(t.Context(), strings.TrimPrefix(to.location, "/approvals/")))
	if undo.State != approval.Pending || undo.UndoOf != done.ID || undo.Author == "" || string(undo.Arguments) != `{"back":"<b>"}` {
		t.Fatalf("%+v", undo)
	}
	alice.get(to.location).want(t, 200, "It takes back another call", "What the assistant must send", `{"back":"<b>"}`, "Approve")
	again := alice.post(path+"/undo", url.Values{})
	again.want(t, http.StatusConflict, "asked for already, as "+undo.ID)
	alice.get(path).want(t, 200, "Somebody asked to undo it", undo.ID)
	alice.post(to.location, url.Values{"decision": {"approve"}}).want(t, http.StatusSeeOther) // the rule asks the requester alone
	alice.get(to.location).want(t, 200, "make the call below")
	must[*approval.Request](t)(s.approvals.Spend(t.Context(), undo.Binding))

	alice.get(path+"/evidence").want(t, 200, "before <1>; set 2; after 3.0", undo.ID)

	moved := alice.sent(`{"a":"moved"}`, approval.Done, images)
	alice.post("/approvals/"+moved.ID+"/undo", url.Values{}).want(t, http.StatusConflict, "Nothing was done: the record was changed since.")
	unread := alice.sent(`{"a":3}`, approval.Done, nil)
	if page := alice.get("/approvals/" + unread.ID); strings.Contains(page.body, "Ask to undo it") {
		t.Error("undo is offered where nothing is known")
	}
	var got []audit.Outcome
	for _, e := range s.entriesOf(audit.ApprovalUndo) {
		got = append(got, e.Outcome)
	}
	if fmt.Sprint(got) != "[intent ok intent denied intent denied]" {
		t.Errorf("recorded %v", got)
	}
}
