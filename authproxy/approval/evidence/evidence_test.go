package evidence

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

var begin = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

// story is what the log says of a call that two people decided about.
func story(id string) []audit.Entry {
	base := audit.Entry{Org: "acme", Subject: "005R", Username: "rep@acme.example", Client: "chatgpt", Grant: "g1", Server: "sales", Tool: "createSobjectRecord",
		Class: "create", Approval: id, ArgumentsDigest: "d1"}
	entry := func(seq int64, action audit.Action, outcome audit.Outcome, by actor.Actor) audit.Entry {
		e := base
		e.Seq, e.At, e.Action, e.Outcome, e.Actor = seq, begin.Add(time.Duration(seq)*time.Second), action, outcome, by
		return e
	}
	held := entry(3, audit.ToolCall, audit.Held, actor.User("005R"))
	held.Rule, held.Arguments = "rule 2", json.RawMessage(`{"a":1}`)
	refused := entry(5, audit.ApprovalDecide, audit.Denied, actor.User("005R"))
	refused.Decision = audit.Approve
	intent, ok := entry(6, audit.ApprovalDecide, audit.Intent, actor.Person("https://idp", "ann")), entry(7, audit.ApprovalDecide, audit.OK, actor.Person("https://idp", "ann"))
	intent.Decision, ok.Decision = audit.Approve, audit.Approve
	leaves, answered := entry(8, audit.ToolCall, audit.Intent, actor.User("005R")), entry(9, audit.ToolCall, audit.OK, actor.User("005R"))
	answered.AnswerDigest, answered.Records = "a1", []audit.Records{{Class: "create", Object: "Account", IDs: []string{"001000000000001AAA"}}}
	return []audit.Entry{held, entry(4, audit.ApprovalPreview, audit.OK, actor.Proxy), refused, intent, ok, leaves, answered, entry(12, audit.ApprovalRead, audit.OK, actor.Operator("root", ""))}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	r := New("apr_1")
	for _, e := range story("apr_1") {
		r.Add(e)
	}
	r.AddRequest(nil)
	switch {
	case r.Subject != "005R" || r.Rule != "rule 2" || string(r.Arguments) != `{"a":1}` || !r.Asked.Equal(begin.Add(3*time.Second)):
		t.Errorf("who asked: %+v", r)
	case len(r.Decisions) != 2 || r.Decisions[0].Outcome != audit.Denied || r.Decisions[1].By != "person https://idp ann" || !r.Decided.Equal(begin.Add(7*time.Second)):
		t.Errorf("who decided: %+v", r.Decisions)
	case len(r.Seen) != 2 || r.Answer == nil || r.Answer.Digest != "a1" || len(r.Answer.Records) != 1 || !r.Made.Equal(begin.Add(8*time.Second)):
		t.Errorf("what became of it: %+v %+v", r.Seen, r.Answer)
	case r.EntryCount != 8 || len(r.Entries) != 8 || r.FirstEntry != 3 || r.LastEntry != 12 || r.Entries[7].Prove != "sfmcp-proxy audit prove 12":
		t.Errorf("entries: %+v", r.Entries)
	case len(r.Missing) != 1:
		t.Errorf("missing: %q", r.Missing)
	}
}

// A call that did not leave after all was not made: refused before it left, or failed and its approval given back. Of two
// that were about to leave at the same time that one was made which left.
func TestRegisterOfCallThatDidNotLeave(t *testing.T) {
	t.Parallel()
	call := func(seq int64, outcome audit.Outcome, intent int64, reason string) audit.Entry {
		return audit.Entry{Seq: seq, At: begin.Add(time.Duration(seq) * time.Second), Action: audit.ToolCall, Approval: "apr_1", Outcome: outcome, IntentSeq: intent, Reason: reason}
	}
	decide := func(seq int64, d audit.Decision) audit.Entry {
		return audit.Entry{Seq: seq, At: begin, Action: audit.ApprovalDecide, Approval: "apr_1", Outcome: audit.OK, Decision: d}
	}
	held, agreed := call(1, audit.Held, 0, ""), decide(2, audit.Approve)
	for name, c := range map[string]struct {
		then   []audit.Entry
		result string
		made   int64 // 0: never
	}{
		"under way":              {[]audit.Entry{call(3, audit.Intent, 0, "")}, "approved", 3},
		"refused":                {[]audit.Entry{call(3, audit.Intent, 0, ""), call(4, audit.Denied, 3, "the record is not any more what those who agreed saw")}, "agreed", 0},
		"refused, then denied":   {[]audit.Entry{call(3, audit.Intent, 0, ""), call(4, audit.Denied, 3, ""), call(5, audit.Held, 0, ""), decide(6, audit.Deny)}, "denied", 0},
		"given back":             {[]audit.Entry{call(3, audit.Intent, 0, ""), call(4, audit.Failed, 3, "unavailable; "+approval.GivenBack)}, "agreed", 0},
		"given back, then made":  {[]audit.Entry{call(3, audit.Intent, 0, ""), call(4, audit.Failed, 3, approval.GivenBack), call(5, audit.Intent, 0, ""), call(6, audit.OK, 5, "")}, "approved", 5},
		"failed at Salesforce":   {[]audit.Entry{call(3, audit.Intent, 0, ""), call(4, audit.Failed, 3, "")}, "approved", 3},
		"two, the later refused": {[]audit.Entry{call(3, audit.Intent, 0, ""), call(4, audit.Intent, 0, ""), call(5, audit.Denied, 4, ""), call(6, audit.OK, 3, "")}, "approved", 3},
	} {
		var register Register
		register.Begin(held)
		for _, e := range append([]audit.Entry{held, agreed}, c.then...) {
			register.Add(e)
		}
		r := register.Records()[0]
		made := time.Time{}
		if c.made != 0 {
			made = begin.Add(time.Duration(c.made) * time.Second)
		}
		if r.Result() != c.result || !r.Made.Equal(made) || (r.Answer != nil) != (c.made != 0 && name != "under way") {
			t.Errorf("%s: %q made %v, answer %+v", name, r.Result(), r.Made, r.Answer)
		}
	}
}

// A decision of which nobody knows whether it counted is in the register, as that.
func TestRegisterHasDecisionsInDoubt(t *testing.T) {
	t.Parallel()
	r := New("apr_1")
	for i, outcome := range []audit.Outcome{audit.OK, audit.Unknown, audit.Denied} {
		r.Add(audit.Entry{Seq: int64(i + 1), At: begin, Actor: actor.User(string(rune('a' + i))), Action: audit.ApprovalDecide, Approval: "apr_1", Outcome: outcome, Decision: audit.Approve})
	}
	if got := r.deciders(); got != "approve user a; approve user b (not known whether it counted)" {
		t.Errorf("%q", got)
	}
}

// What the database has is more exact than what the log has.
func TestRecordOfTheDatabase(t *testing.T) {
	t.Parallel()
	r := New("apr_1")
	for _, e := range story("apr_1") {
		r.Add(e)
	}
	decision := approval.Decision{By: actor.Person("https://idp", "ann"), Human: "ann", Factor: "security", Role: "security", At: begin, AuthTime: begin, ACR: "mfa"}
	r.AddRequest(&approval.Request{ID: "apr_1", State: approval.Spent, Outcome: approval.Done, Binding: approval.Binding{Org: "acme", Subject: "005R", Arguments: []byte(`{"a":1.0}`)},
		Decisions: []approval.Decision{decision}, Why: "x"})
	if r.State != approval.Spent || string(r.Arguments) != `{"a":1.0}` || r.Missing != nil {
		t.Errorf("%+v", r)
	}
}

func TestRegisterIsEscaped(t *testing.T) {
	t.Parallel()
	var register Register
	for _, id := range []string{"apr_1", "apr_2"} {
		for _, e := range story(id) {
			if e.Outcome == audit.Held {
				if id == "apr_2" {
					e.Username, e.Client, e.Rule = "=HYPERLINK(\"https://x\")", "  @SUM(1)", "a\nb"
				}
				register.Begin(e)
				register.Begin(e) // repeated while it waits
			}
			register.Add(e)
		}
	}
	register.Add(audit.Entry{Seq: 20, Approval: "apr_9", Action: audit.ToolCall}) // began before
	var b bytes.Buffer
	if err := WriteCSV(&b, register.Records()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	cell := func(row int, name string) string {
		for i, heading := range rows[0] {
			if heading == name {
				return rows[row][i]
			}
		}
		t.Fatalf("no column %s", name)
		return ""
	}
	for name, want := range map[string]string{
		"approval": "apr_1", "username": "rep@acme.example", "result": "approved", "decided_by": "approve person https://idp ann", "seconds_to_decide": "4.0",
		"outcome": "ok", "entries": "8", "first_entry": "3", "last_entry": "12", "asked": "2026-05-01T10:00:03Z",
	} {
		if got := cell(1, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if cell(2, "username") != `'=HYPERLINK("https://x")` || cell(2, "client") != "'  @SUM(1)" || cell(2, "rule") != "'a\nb" {
		t.Errorf("a spreadsheet would compute %q", rows[2])
	}
}
