package console

import (
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/ui"
)

var markField = regexp.MustCompile(`name="shown" value="([^"]+)"`)

func (a answer) mark(t *testing.T) string {
	t.Helper()
	found := markField.FindStringSubmatch(a.body)
	if found == nil {
		t.Fatalf("the form has no mark: %s", a.text())
	}
	return found[1]
}

// A decision that comes sooner than anybody can read the page, or from no page that this browser
// was shown, is asked again; the same form counts once there was time.
func TestDecisionSoonerThanReadingIsAskedAgain(t *testing.T) {
	t.Parallel()
	const again = "sooner than anybody can read"
	for _, decision := range []string{"approve", "deny"} {
		t.Run(decision, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.console.Marks.Least = 0
			alice := s.signIn("acme", "005A")
			waiting := alice.ask(`{"a":1}`, "requester")
			path := "/approvals/" + waiting.ID
			form := func(mark string) url.Values { return url.Values{"decision": {decision}, "shown": {mark}} }
			first := alice.get(path).mark(t)
			for _, after := range []time.Duration{0, 400 * time.Millisecond, 599 * time.Millisecond} {
				s.now = s.now.Add(after)
				page := alice.post(path, form(first))
				page.want(t, 409, again)
				if page.mark(t) != first {
					t.Error("the page became younger")
				}
			}
			if s.state(waiting.ID) != approval.Pending || len(s.decisions()) != 0 {
				t.Fatalf("it is %s", s.state(waiting.ID))
			}
			s.now = s.now.Add(time.Millisecond)
			alice.post(path, form(first)).want(t, 303)
			if state := s.state(waiting.ID); state == approval.Pending {
				t.Errorf("it is %s", state)
			}
		})
	}
}

// SR-AP-2: only the mark of this page, shown to this session, stands for an approval. A denial
// takes nothing from anybody, and needs none.
func TestApprovalNeedsTheMarkOfItsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice, second := s.signIn("acme", "005A"), s.signIn("acme", "005A")
	waiting, other := alice.ask(`{"a":1}`, "requester"), alice.ask(`{"a":2}`, "requester")
	path := "/approvals/" + waiting.ID
	own := alice.get(path).mark(t)
	for name, mark := range map[string]string{
		"none":                 "",
		"noise":                "1..x",
		"of another call":      alice.get("/approvals/" + other.ID).mark(t),
		"of another session":   second.get(path).mark(t),
		"of another time":      "1" + own,
		"saying another thing": regexp.MustCompile(`\.\.`).ReplaceAllString(own, ".unread."),
	} {
		alice.post(path, url.Values{"decision": {"approve"}, "shown": {mark}}).want(t, 409, "Nothing is decided yet")
		if s.state(waiting.ID) != approval.Pending {
			t.Fatalf("%s: it is %s", name, s.state(waiting.ID))
		}
	}
	alice.post("/approvals/"+other.ID, url.Values{"decision": {"deny"}, "shown": {""}}).want(t, 303)
	alice.post(path, url.Values{"decision": {"approve"}, "shown": {own}}).want(t, 303)
}

// SR-AP-3: what the page showed of the record is stored with the decision, and a page that shows
// another record is another page.
func TestDecisionSaysWhatWasShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.console.Marks.Least = 0
	phone := func(now string) approval.Current {
		return approval.Current{Records: []approval.CurrentRecord{{ID: "001A", Name: "Acme"}},
			Fields: []approval.CurrentField{{Name: "Phone", Now: jsontext.Value(now), Then: jsontext.Value(`"2"`)}}}
	}
	salesforce := &records{is: phone(`"1"`)}
	s.console.Currents = salesforce
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"a":1}`, "requester")
	path := "/approvals/" + waiting.ID
	first := alice.get(path).mark(t)
	s.now = s.now.Add(ui.ReadingTime / 2)
	salesforce.is = phone(`"3"`)
	page := alice.post(path, url.Values{"decision": {"approve"}, "shown": {first}})
	page.want(t, 409, "sooner")
	s.now = s.now.Add(ui.ReadingTime / 2)
	page = alice.post(path, url.Values{"decision": {"approve"}, "shown": {page.mark(t)}})
	page.want(t, 409, "sooner") // it is a page of its own, shown half a second ago
	s.now = s.now.Add(ui.ReadingTime)
	alice.post(path, url.Values{"decision": {"approve"}, "shown": {page.mark(t)}}).want(t, 303)
	is := phone(`"3"`)
	a, err := s.approvals.Get(t.Context(), waiting.ID)
	if err != nil || len(a.Decisions) != 1 || a.Decisions[0].Shown != is.Shown() {
		t.Errorf("decided %+v, %v", a.Decisions, err)
	}
	if e := s.decisions(); len(e) == 0 || e[0].Reason != "saw the record as "+string(is.Shown()) {
		t.Errorf("recorded %+v", e)
	}

	salesforce.is = approval.Current{Missing: "Salesforce did not answer."}
	unread := alice.ask(`{"a":2}`, "requester")
	mark := alice.get("/approvals/" + unread.ID).mark(t)
	s.now = s.now.Add(ui.ReadingTime)
	alice.post("/approvals/"+unread.ID, url.Values{"decision": {"approve"}, "shown": {mark}}).want(t, 303)
	if a, err := s.approvals.Get(t.Context(), unread.ID); err != nil || a.Decisions[0].Shown != approval.ShownUnread {
		t.Errorf("decided %+v, %v", a.Decisions, err)
	}
}
