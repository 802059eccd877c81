package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

func TestApproveAndSpend(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"body":{"AnnualRevenue":1250000.00,"Name":"Nordwind"},"sobject-name":"Account"}`, "requester")
	path := "/approvals/" + waiting.ID
	alice.get("/approvals").want(t, 200, "createSobjectRecord", "Account · Nordwind", "Waiting", "creates records")
	alice.get(path).want(t, 200, "Approve this call?", "createSobjectRecord", "creates records", "005A", "ChatGPT", "chatgpt", "Sales, confirmed writes", "acme",
		"AnnualRevenue", "1250000.00", "Nordwind", "sobject-name", "all 3 of them", approval.Digest(waiting.Arguments), "10:15 UTC",
		`{"body":{"AnnualRevenue":1250000.00`)

	got := alice.post(path, url.Values{"decision": {"approve"}})
	if got.status != http.StatusSeeOther || got.location != path {
		t.Fatalf("approving = %d to %q", got.status, got.location)
	}
	page := alice.get(path)
	page.want(t, 200, "Approved", "Go back to your chat and ask the assistant to repeat the call", "by you")
	if strings.Contains(page.body, `name="decision"`) {
		t.Error("a decided call still offers a decision")
	}
	want := []audit.Entry{
		{Actor: actor.User("005A"), Action: audit.ApprovalDecide, Object: waiting.ID, Outcome: audit.Intent, Decision: "approve"},
		{Actor: actor.User("005A"), Action: audit.ApprovalDecide, Object: waiting.ID, Outcome: audit.OK, Decision: "approve", IntentSeq: 1},
	}
	checkDecisions(t, s, want)
	if _, err := s.approvals.Spend(t.Context(), binding("acme", "005A", `{"body":{"AnnualRevenue":1250000.00,"Name":"Nordwind"},"sobject-name":"Account"}`)); err != nil {
		t.Errorf("spending: %v", err)
	}
	alice.get(path).want(t, 200, "Being made")
}

// checkDecisions compares the parts that tell decisions apart, and that each entry
// says which call it is about.
func checkDecisions(t *testing.T, s *site, want []audit.Entry) {
	t.Helper()
	var got []audit.Entry
	for _, e := range s.decisions() {
		if e.Org != "acme" || e.Subject != "005A" || e.Client != "chatgpt" || e.Server != "sales" || e.Tool != "createSobjectRecord" ||
			e.Class != "create" || e.ArgumentsDigest == "" || e.PolicyVersion == "" || e.DefinitionHash == "" || e.Grant == "" || e.Approval != e.Object {
			t.Errorf("entry does not say what was decided: %+v", e)
		}
		got = append(got, audit.Entry{Actor: e.Actor, Action: e.Action, Object: e.Object, Outcome: e.Outcome, Decision: e.Decision, Reason: e.Reason, IntentSeq: e.IntentSeq})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit (-want +got): %s", diff)
	}
}

func TestDeny(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"a":1}`, "requester")
	alice.post("/approvals/"+waiting.ID, url.Values{"decision": {"deny"}}).want(t, http.StatusSeeOther)
	alice.get("/approvals/"+waiting.ID).want(t, 200, "Denied", "will not be made")
	checkDecisions(t, s, []audit.Entry{{Actor: actor.User("005A"), Action: audit.ApprovalDecide, Object: waiting.ID, Outcome: audit.OK, Decision: "deny"}})
	if _, err := s.approvals.Spend(t.Context(), binding("acme", "005A", `{"a":1}`)); err == nil {
		t.Error("a denied call can be spent")
	}
}

// Only one of two decisions counts; the same one again is no fault, and neither is recorded twice.
func TestUI06ReplayedDecision(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"a":1}`, "requester")
	path := "/approvals/" + waiting.ID
	alice.post(path, url.Values{"decision": {"deny"}}).want(t, http.StatusSeeOther)
	alice.post(path, url.Values{"decision": {"deny"}}).want(t, http.StatusSeeOther)
	alice.post(path, url.Values{"decision": {"approve"}}).want(t, http.StatusGone, "Denied")
	if got := s.state(waiting.ID); got != approval.Denied {
		t.Errorf("the approval is %s", got)
	}
	checkDecisions(t, s, []audit.Entry{
		{Actor: actor.User("005A"), Action: audit.ApprovalDecide, Object: waiting.ID, Outcome: audit.OK, Decision: "deny"},
		{Actor: actor.User("005A"), Action: audit.ApprovalDecide, Object: waiting.ID, Outcome: audit.Denied, Decision: "approve", Reason: "approval_denied"},
	})
}

func TestAP05SomebodyElsesApproval(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"secret":"nordwind"}`, "requester")
	for name, mallory := range map[string]*person{"another user": s.signIn("acme", "005B"), "the same id in another org": s.signIn("other", "005A")} {
		missing := mallory.get("/approvals/apr_" + strings.Repeat("x", 43))
		got := mallory.get("/approvals/" + waiting.ID)
		if got.status != http.StatusNotFound || got.body != missing.body {
			t.Errorf("%s sees %d: %s", name, got.status, got.text())
		}
		for _, decision := range []string{"approve", "deny", "nonsense", ""} {
			mallory.post("/approvals/"+waiting.ID, url.Values{"decision": {decision}}).want(t, http.StatusNotFound)
		}
		if list := mallory.get("/approvals"); strings.Contains(list.body, waiting.ID) {
			t.Errorf("%s finds it in the list", name)
		}
	}
	if got := s.state(waiting.ID); got != approval.Pending || len(s.decisions()) != 0 {
		t.Errorf("the approval is %s, %d entries", got, len(s.decisions()))
	}
}

func TestApproversOtherThanTheRequester(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	for i, approvers := range []policy.Approvers{"role:approver", "role:requester"} {
		waiting := alice.ask(fmt.Sprintf(`{"a":%d}`, i), approvers)
		page := alice.get("/approvals/" + waiting.ID)
		page.want(t, 200, "somebody else")
		if strings.Contains(page.body, `name="decision"`) {
			t.Errorf("approvers %q: the requester is offered a decision", approvers)
		}
		for _, decision := range []string{"approve", "deny"} {
			alice.post("/approvals/"+waiting.ID, url.Values{"decision": {decision}}).want(t, http.StatusForbidden, "Somebody else must decide")
		}
		if got := s.state(waiting.ID); got != approval.Pending {
			t.Errorf("approvers %q: the approval is %s", approvers, got)
		}
	}
	if page := alice.get("/account"); strings.Contains(page.text(), "wait for your decision") || strings.Contains(page.text(), "waits for your decision") {
		t.Error("the account page counts what somebody else must decide")
	}
}

// Who asked for a call that a role decides about reads who that is and what there is to do;
// whoever else opens the link reads that it is for somebody else, and nothing of the call.
func TestU8CallOfARole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"secret":"nordwind"}`, "role:approver")
	mine := alice.ask(`{"mine":1}`, "requester")
	page := alice.get("/approvals/" + waiting.ID)
	page.want(t, 200, "Waiting", "a person with the role approver", "Nothing is expected of you", "sfmcp-proxy approval approve "+waiting.ID, "asks to run", "Expires", "nordwind")
	list := alice.get("/approvals")
	list.want(t, 200, "Waiting for you", "Waiting for somebody else", "Nothing is expected of you")
	if own, other := strings.Index(list.body, mine.ID), strings.Index(list.body, waiting.ID); own > strings.Index(list.body, "somebody else") || other < own {
		t.Errorf("the list does not tell them apart: %s", list.text())
	}
	for name, colleague := range map[string]*person{"a colleague": s.signIn("acme", "005B"), "of another org": s.signIn("other", "005B"), "same id, another org": s.signIn("other", "005A")} {
		for _, id := range []string{waiting.ID, mine.ID, "apr_" + strings.Repeat("x", 43), "x"} {
			got := colleague.get("/approvals/" + id)
			got.want(t, http.StatusNotFound, "No call waits for you here", "If a colleague sent you the link, it is for them")
			if strings.Contains(got.body, "nordwind") || strings.Contains(got.body, "createSobjectRecord") || strings.Contains(got.body, "005A") && colleague.subject != "005A" {
				t.Errorf("%s learns of the call: %s", name, got.text())
			}
		}
	}
	// Once it is decided, nobody is asked to do anything any more.
	if _, err := s.approvals.Approve(t.Context(), waiting.ID, approval.Decision{By: actor.Operator("root", "carol"), Human: "named carol", Factor: "approver", Role: "approver"}); err != nil {
		t.Fatal(err)
	}
	if page := alice.get("/approvals/" + waiting.ID); strings.Contains(page.body, "approval approve") || !strings.Contains(page.text(), "Go back to your chat") {
		t.Errorf("an approved call: %s", page.text())
	}
}

func TestAP07SafeMethodsNeverDecide(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	id, _ := alice.connect()
	waiting := alice.ask(`{"a":1}`, "requester")
	before := s.dump()
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PROPFIND"} {
		for _, path := range []string{"/approvals/" + waiting.ID, "/approvals/" + waiting.ID + "?decision=approve&csrf_token=" + alice.csrf, "/approvals", "/account", "/account?grant=" + id,
			"/account/disconnect?grant=" + id + "&csrf_token=" + alice.csrf, "/", "/connect/sales"} {
			for _, extra := range []http.Header{{}, {"Purpose": {"prefetch"}}, {"Sec-Purpose": {"prefetch;prerender"}}, {"User-Agent": {"Slackbot-LinkExpanding 1.0"}}, {"X-Http-Method-Override": {"POST"}}} {
				header := alice.header()
				for name, values := range extra {
					header[name] = values
				}
				if got := s.send(method, path, "", header); got.status != 200 && got.status != http.StatusMethodNotAllowed {
					t.Errorf("%s %s = %d", method, path, got.status)
				}
			}
		}
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("a safe method changed the database: %s", diff)
	}
	// A scanner without the session learns nothing at all.
	if got := s.send("GET", "/approvals/"+waiting.ID, "", nil); got.status != http.StatusSeeOther || strings.Contains(got.body, "createSobjectRecord") {
		t.Errorf("without a session: %d %s", got.status, got.body)
	}
}

func TestAP08ForgedDecisions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice, bob := s.signIn("acme", "005A"), s.signIn("acme", "005B")
	second := s.signIn("acme", "005A")
	waiting := alice.ask(`{"a":1}`, "requester")
	path, good := "/approvals/"+waiting.ID, "decision=approve&csrf_token="+alice.csrf+"&shown="+url.QueryEscape(s.console.Marks.Mark(ui.Shown{Browser: alice.csrf, Page: waiting.ID, At: s.now}))
	for name, got := range map[string]answer{
		"no token":                  alice.postRaw(path, "decision=approve", nil),
		"token of another person":   alice.postRaw(path, "decision=approve&csrf_token="+bob.csrf, nil),
		"token of another session":  alice.postRaw(path, "decision=approve&csrf_token="+second.csrf, nil),
		"token in the address":      alice.postRaw(path+"?csrf_token="+alice.csrf, "decision=approve", nil),
		"foreign origin":            alice.postRaw(path, good, http.Header{"Origin": {"https://evil.example"}}),
		"origin null":               alice.postRaw(path, good, http.Header{"Origin": {"null"}}),
		"cross-site":                alice.postRaw(path, good, http.Header{"Sec-Fetch-Site": {"cross-site"}}),
		"sibling domain":            alice.postRaw(path, good, http.Header{"Sec-Fetch-Site": {"same-site"}}),
		"text/plain":                alice.postRaw(path, good, http.Header{"Content-Type": {"text/plain"}}),
		"JSON":                      alice.postRaw(path, `{"decision":"approve","csrf_token":"`+alice.csrf+`"}`, http.Header{"Content-Type": {"application/json"}}),
		"multipart":                 alice.postRaw(path, good, http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}),
		"method override by header": alice.postRaw(path, "decision=deny", http.Header{"X-Http-Method-Override": {"PUT"}}),
	} {
		if got.status != http.StatusForbidden {
			t.Errorf("%s = %d", name, got.status)
		}
	}
	alice.postRaw(path, good+"&decision=deny", nil).want(t, http.StatusBadRequest)
	alice.postRaw(path, "decision=yes&csrf_token="+alice.csrf, nil).want(t, http.StatusBadRequest, "No decision")
	alice.postRaw(path, "csrf_token="+alice.csrf, nil).want(t, http.StatusBadRequest, "No decision")
	if got := s.state(waiting.ID); got != approval.Pending || len(s.decisions()) != 0 {
		t.Errorf("the approval is %s, %d entries", got, len(s.decisions()))
	}
	alice.postRaw(path, good, http.Header{"Origin": {"null"}, "Sec-Fetch-Site": {"same-origin"}}).want(t, http.StatusSeeOther)
}

// What else the form says about the call does not matter: the stored call is approved.
func TestAP02UI08TamperedFields(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting, other := alice.ask(`{"a":1}`, "requester"), alice.ask(`{"a":2}`, "requester")
	alice.post("/approvals/"+waiting.ID, url.Values{"decision": {"approve"}, "id": {other.ID}, "arguments": {`{"a":2}`}, "tool": {"deleteSobjectRecord"}}).want(t, http.StatusSeeOther)
	if s.state(waiting.ID) != approval.Approved || s.state(other.ID) != approval.Pending {
		t.Errorf("approved %s, other %s", s.state(waiting.ID), s.state(other.ID))
	}
	if _, err := s.approvals.Spend(t.Context(), binding("acme", "005A", `{"a":2}`)); err == nil {
		t.Error("the other call was spent")
	}
}

func TestAP10EverythingIsShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	var fields strings.Builder
	for i := range 300 {
		fmt.Fprintf(&fields, `"field%03d":"value%03d",`, i, i)
	}
	long := strings.Repeat("abcdefgh", 1<<13) // a megabyte is refused when it comes: TestS2UnreadableCallsAreNotHeld
	arguments := `{` + fields.String() + `"html":"</pre><form action=//evil.example><button>Approve</button>","lines":"a` + strings.Repeat(`\n`, 10000) +
		`APPROVED BY SECURITY","long":"` + long + `","bidi":"a\u202eb","ansi":"\u001b[2J","look":"\u0430pple.com"}`
	waiting := alice.ask(arguments, "requester")
	page := alice.get("/approvals/" + waiting.ID)
	page.want(t, 200, "all 306 of them", "a⟨U+000A × 10000⟩ APPROVED BY SECURITY", "a⟨U+202E⟩b", "⟨U+001B⟩[2J", long,
		"</pre><form action=//evil.example><button>Approve</button>", "mixes Latin letters", approval.Digest(waiting.Arguments))
	for i := range 300 {
		if !strings.Contains(page.body, fmt.Sprintf("value%03d<", i)) {
			t.Errorf("field %d is missing", i)
		}
	}
	if n := strings.Count(page.body, "<form "); n != 2 { // sign out, decide
		t.Errorf("%d forms on the page", n)
	}
	if strings.LastIndex(page.body, long) > strings.Index(page.body, `value="approve"`) {
		t.Error("the buttons come before the arguments")
	}
}

func TestAP11DecisionAfterExpiry(t *testing.T) {
	t.Parallel()
	for _, decision := range []string{"approve", "deny"} {
		s := newSite(t)
		alice := s.signIn("acme", "005A")
		waiting := alice.ask(`{"a":1}`, "requester")
		path := "/approvals/" + waiting.ID
		s.now = waiting.ExpiresAt // the first moment that is too late
		alice.post(path, url.Values{"decision": {decision}}).want(t, http.StatusGone, "Expired", "ask the assistant to make it again")
		page := alice.get(path)
		page.want(t, 200, "Expired")
		if strings.Contains(page.body, `name="decision"`) {
			t.Error("an expired call offers a decision")
		}
		if got := s.state(waiting.ID); got != approval.Expired {
			t.Errorf("the approval is %s", got)
		}
		checkDecisions(t, s, []audit.Entry{{Actor: actor.User("005A"), Action: audit.ApprovalDecide, Object: waiting.ID, Outcome: audit.Denied, Decision: audit.Decision(decision), Reason: "approval_expired"}})
	}
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"a":1}`, "requester")
	s.now = waiting.ExpiresAt.Add(-time.Millisecond)
	alice.post("/approvals/"+waiting.ID, url.Values{"decision": {"approve"}}).want(t, http.StatusSeeOther)
	s.now = waiting.ExpiresAt
	alice.get("/approvals/"+waiting.ID).want(t, 200, "Expired") // approved, and nobody came back
}

func TestVoidedApprovalIsGone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting := alice.ask(`{"a":1}`, "requester")
	if _, err := s.approvals.Void(t.Context(), approval.VoidFilter{GrantID: "grt_1"}, "connection ended"); err != nil {
		t.Fatal(err)
	}
	alice.post("/approvals/"+waiting.ID, url.Values{"decision": {"approve"}}).want(t, http.StatusGone, "Ended")
}

// A decision that gives access is not taken when it cannot be recorded; one that
// takes access away is.
func TestDecisionsWhileTheAuditLogFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	yes, no := alice.ask(`{"a":1}`, "requester"), alice.ask(`{"a":2}`, "requester")
	s.audit.Refuse(func(audit.Entry) error { return errors.New("disk is full") })
	for request, want := range map[*approval.Request]approval.State{yes: approval.Pending, no: approval.Denied} {
		decision := map[*approval.Request]string{yes: "approve", no: "deny"}[request]
		got := alice.post("/approvals/"+request.ID, url.Values{"decision": {decision}})
		if request == yes {
			got.want(t, http.StatusServiceUnavailable, "Nothing was done", "nobody is given anything without an entry")
		} else { // it is done, and told as that
			got.want(t, http.StatusOK, "Done, but not recorded", "it need not be done again")
		}
		if strings.Contains(got.body, "disk") || strings.Contains(got.body, "Try again") && request == no {
			t.Errorf("the page tells the cause: %s", got.text())
		}
		if state := s.state(request.ID); state != want {
			t.Errorf("%s: the approval is %s, want %s", decision, state, want)
		}
	}
}

var ownScript = regexp.MustCompile(`\n<script defer src="/assets/inbox-[0-9a-f]{16}\.js"></script>\n`)

func TestUI10NamesOnApprovalPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	const attack = `"><script>alert(1)</script>{{7*7}}`
	alice.connect()
	if err := s.grants.NameUser(t.Context(), "acme", "005A", attack, attack); err != nil {
		t.Fatal(err)
	}
	b := binding("acme", "005A", `{"x":"`+`\"><script>alert(1)</script>"}`)
	b.Tool, b.Server, b.ClientID = attack, attack, attack
	waiting := must[*approval.Request](t)(s.approvals.Submit(t.Context(), b, attack))
	for _, path := range []string{"/account", "/approvals", "/approvals/" + waiting.ID, "/?" + url.QueryEscape(attack), "/account?" + url.QueryEscape(attack)} {
		page := alice.get(path)
		page.body = ownScript.ReplaceAllString(page.body, "") // the one that a page has, which is a file of ours
		if page.status != 200 || strings.Contains(page.body, "<script") || strings.Contains(page.body, `"">`) {
			t.Errorf("%s = %d %s", path, page.status, page.body)
		}
	}
	alice.get("/approvals/"+waiting.ID).want(t, 200, "{{7*7}}", "may change anything")
}

func TestWordsForEveryStateAndClass(t *testing.T) {
	t.Parallel()
	for _, class := range []string{"read", "side_effect", "create", "update", "delete"} {
		if got := classInWords(class); got == classInWords("unknown") || got == "" {
			t.Errorf("class %s is %q", class, got)
		}
	}
	seen := map[string]bool{}
	for _, a := range []approval.Request{
		{State: approval.Pending}, {State: approval.Approved}, {State: approval.Denied}, {State: approval.Countered}, {State: approval.Expired}, {State: approval.Void}, {State: approval.Spent},
		{State: approval.Spent, Outcome: approval.Done}, {State: approval.Spent, Outcome: approval.Failed}, {State: approval.Spent, Outcome: approval.Unknown},
		{State: approval.Spent, Outcome: approval.Done, Check: &approval.Check{Verification: approval.Differs}},
	} {
		a.Confirmation.Approvers = "role:approver"
		status, next := statusInWords(&a), nextInWords(&a)
		if seen[status] || seen[next] || next == "" || status == "Unknown" {
			t.Errorf("%s, %s: %q, %q", a.State, a.Outcome, status, next)
		}
		seen[status], seen[next] = true, true
	}
}

// Only a decision that is stored as the requester's own is "by you"; what an operator
// typed, now or in an earlier version, is not.
func TestWhoDecided(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	decisions := &authproxy.Decisions{Approvals: s.approvals, Grants: s.grants, Audit: s.audit}
	for i, name := range []string{"user 005A", "005A", "you", "proxy", "مدير", "\x1b[31mred\u202e"} {
		waiting := alice.ask(fmt.Sprintf(`{"a":%d}`, i), "requester")
		if _, err := decisions.Decide(t.Context(), approval.Decider{Actor: actor.Operator("root", name)}, waiting.ID, approval.Choice{Approve: true}); err != nil {
			t.Fatal(err)
		}
		page := alice.get("/approvals/" + waiting.ID)
		page.want(t, 200, "by operator:root as "+strconv.Quote(name))
		if strings.Contains(page.text(), "by you") {
			t.Errorf("%q is taken for the viewer", name)
		}
	}
	for i, text := range []string{"user 005A", "Bob", "you"} { // rows of an earlier version
		waiting := alice.ask(fmt.Sprintf(`{"b":%d}`, i), "requester")
		if _, err := s.db.Writes.ExecContext(t.Context(), `UPDATE approvals SET state = 'denied', decided_at = $1, decided_by = $2 WHERE id = $3`,
			s.now.UnixMilli(), text, waiting.ID); err != nil {
			t.Fatal(err)
		}
		page := alice.get("/approvals/" + waiting.ID)
		page.want(t, 200, `by "`+text+`", as an earlier version of this proxy recorded it`)
	}
}

// S12: the page of a call whose arguments are no longer kept says so, and names their digest.
func TestS12PageOfErasedArguments(t *testing.T) {
	t.Parallel()
	p := newSite(t).signIn("acme", "005A")
	asked := p.ask(`{"sobject-name":"Account","body":{"Name":"CANARY"}}`, policy.Requester)
	path := "/approvals/" + asked.ID
	if got := p.get(path); !strings.Contains(got.body, "CANARY") || strings.Contains(got.body, "no longer kept") {
		t.Errorf("while it waits: %s", got.body)
	}
	p.now = p.now.Add(15 * time.Minute)
	if _, err := p.approvals.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, "/approvals"} {
		if got := p.get(path); got.status != http.StatusOK || strings.Contains(got.body, "CANARY") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := p.get(path); !strings.Contains(got.body, "They are no longer kept") || !strings.Contains(got.body, asked.ArgumentsDigest) ||
		strings.Contains(got.body, "no values") {
		t.Errorf("afterwards: %s", got.body)
	}
}

// FW-32: the page of a call says which outside text its client was given before, as text.
func TestFW32PageNamesOutsideText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	before := alice.ask(`{"sobject-name":"Account","body":{"Name":"before"}}`, policy.Requester)
	if text := alice.get("/approvals/" + before.ID).text(); strings.Contains(text, "people outside your organization") {
		t.Error("said though nothing was given")
	}
	reader := outside.Reader{Org: before.Org, Subject: before.Subject, Client: before.ClientID}
	if err := s.outside.Note(t.Context(), reader, []outside.Source{
		{Tool: "soqlQuery", Object: "Case", ID: "500000000000001AAA"}, {Tool: "getAccountSummary"}, {Tool: "find", ID: "<script>alert(1)</script>"},
	}); err != nil {
		t.Fatal(err)
	}
	after := alice.ask(`{"sobject-name":"Account","body":{"Name":"after"}}`, policy.Requester)
	page := alice.get("/approvals/" + after.ID)
	page.want(t, http.StatusOK, "text that people outside your organization can write", "Case 500000000000001AAA", "read by soqlQuery", "an answer, read by getAccountSummary")
	if strings.Contains(page.body, "<script>alert") {
		t.Error("a source is no text")
	}
	s.now = s.now.Add(25 * time.Hour)
	later := alice.ask(`{"sobject-name":"Account","body":{"Name":"later"}}`, policy.Requester)
	if a := s.signIn("acme", "005A").get("/approvals/" + later.ID); strings.Contains(a.text(), "people outside your organization") {
		t.Error("said of the day before")
	}
}
