package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
)

var begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// story makes the entries of a time: one a second, numbered from first on.
type story struct {
	seq     int64
	entries []audit.Entry
}

func (s *story) add(e audit.Entry) int64 {
	s.seq++
	e.Seq, e.At = s.seq, begin.Add(time.Duration(s.seq)*time.Second)
	s.entries = append(s.entries, e)
	return s.seq
}

// call is an entry of a call by a person; what is not said stays empty.
func call(who, server, tool, class string, outcome audit.Outcome) audit.Entry {
	return audit.Entry{Actor: actor.User(who), Action: audit.ToolCall, Object: tool, Outcome: outcome, Org: "acme", Subject: who, Username: who + "@acme.example",
		Client: "chatgpt", Server: server, Tool: tool, Class: class}
}

// made adds a call that was made: its intent and its outcome.
func (s *story) made(e audit.Entry, rows int64) {
	intent := e
	intent.Outcome = audit.Intent
	e.IntentSeq = s.add(intent)
	if rows >= 0 {
		e.Rows = &rows
	}
	s.add(e)
}

func verdictOf(e audit.Entry) insights.Verdict {
	return map[audit.Decision]insights.Verdict{audit.Approve: insights.Approved, audit.Deny: insights.Denied}[e.Decision]
}

// collected gives the entries to a collector and makes the report.
func collected(entries []audit.Entry, change func(*Given)) *Report {
	until := begin.Add(time.Hour)
	c := NewCollector(Config{Since: begin, Until: until, Verdict: verdictOf, DecidedBy: actor.Actor.String})
	for _, e := range entries {
		c.Add(e)
	}
	n := int64(len(entries))
	g := Given{Made: until, By: "operator:o", Version: "v", Begins: begin.Add(-time.Hour), Oldest: 1, Newest: n, Signed: n, Readable: n, Lifetime: time.Minute, Shown: 50}
	if change != nil {
		change(&g)
	}
	return c.Report(g)
}

func (r *Report) number(t *testing.T, name string) int64 {
	t.Helper()
	for _, c := range r.Counts {
		if c.Name == name {
			return c.Value
		}
	}
	t.Fatalf("no number %q", name)
	return 0
}

func aMonth() []audit.Entry {
	var s story
	s.made(call("rep", "sales", "soqlQuery", "read", audit.OK), 40)
	masked := call("rep", "sales", "soqlQuery", "read", audit.OK)
	masked.Hidden, masked.Cut = 7, 2
	s.made(masked, 400)
	s.made(call("boss", "sales", "soqlQuery", "read", audit.Failed), -1)
	s.made(call("boss", "sales", "createSobjectRecord", "create", audit.Unknown), -1)
	for i, reason := range []string{"masked field", "masked field", "too many rows"} {
		e := call("rep", "sales", "soqlQuery", "read", audit.Denied)
		e.Decision, e.Rule, e.Reason = audit.Deny, "rule 1", reason
		if i == 2 {
			e.Subject, e.Username = "boss", "boss@acme.example"
		}
		s.add(e)
	}
	for range 2 { // the same call twice waits once
		held := call("rep", "sales", "createSobjectRecord", "create", audit.Held)
		held.Rule, held.Approval = "rule 2", "apr_1"
		s.add(held)
	}
	s.add(audit.Entry{Actor: actor.Operator("o", "alice"), Action: audit.ApprovalDecide, Outcome: audit.OK, Decision: audit.Approve, Approval: "apr_1", Org: "acme", Subject: "rep"})
	spent := call("rep", "sales", "createSobjectRecord", "create", audit.OK)
	spent.Approval = "apr_1"
	s.made(spent, -1)
	s.add(call("rep", "sales", "createSobjectRecord", "create", audit.Repeated))
	shadow := call("rep", "sales", "soqlQuery", "read", audit.Intent)
	shadow.Decision = audit.Deny.InShadow()
	s.add(shadow) // and its outcome never comes
	s.add(audit.Entry{Actor: actor.Proxy, Action: audit.PolicyChange, Outcome: audit.OK, Object: "read-only", Server: "sales", Reason: "group leads may now delete"})
	s.add(audit.Entry{Actor: actor.Operator("o", "alice"), Action: audit.DefinitionAccept, Outcome: audit.Intent, Object: "soqlQuery", Server: "sales"})
	s.add(audit.Entry{Actor: actor.Operator("o", "alice"), Action: audit.DefinitionAccept, Outcome: audit.OK, Object: "soqlQuery", Server: "sales"})
	s.add(audit.Entry{Actor: actor.Operator("o", ""), Action: audit.UserBlock, Outcome: audit.OK, Object: "1 connections", Reason: "left", Org: "acme", Subject: "rep", Username: "rep@acme.example"})
	s.add(audit.Entry{Actor: actor.User("rep"), Action: audit.PromptGet, Outcome: audit.OK, Org: "acme", Subject: "rep"})
	return s.entries
}

// Every number is what the entries say, each call counted once.
func TestReportCounts(t *testing.T) {
	t.Parallel()
	r := collected(aMonth(), nil)
	for name, want := range map[string]int64{
		"people who called a tool": 2, "calls": 11, "sent to Salesforce": 5, "writes sent": 2, "denied": 3, "held": 2, "calls that began to wait": 1,
		"answered from a record": 1, "failed": 2, "of unknown outcome": 1, "without an outcome": 1, "passed in shadow mode": 1, "records given": 440,
		"values hidden": 7, "records left out": 2, "prompts and resources": 1, "configuration changes": 1, "definition changes": 1, "stops and blocks": 1,
	} {
		if got := r.number(t, name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if p := r.People.Rows; len(p) != 2 || p[0].Subject != "rep" || p[0].Calls != 8 || p[0].Writes != 1 || p[0].Denied != 2 || p[0].Tools != 2 || !slices.Equal(p[0].Servers, []string{"sales"}) {
		t.Errorf("people: %+v", p)
	}
	if d := r.Denials.Rows; len(d) != 1 || d[0].Rule != "rule 1" || d[0].People != 2 || d[0].Reasons[0] != (Reason{"masked field", 2}) || d[0].LastEntry != 11 {
		t.Errorf("denials: %+v", d)
	}
	if a := r.Approvals.Rows; len(a) != 1 || a[0].Result != "approved" || a[0].Outcome != "ok" || a[0].Decided.Sub(a[0].Asked) != 2*time.Second || !strings.Contains(a[0].By, "alice") {
		t.Errorf("approvals: %+v", a)
	}
	if d := r.Deciding.Rows; len(d) != 3 || d[0].Held != 1 || d[0].Approved != 1 || d[0].MedianMS != 2000 {
		t.Errorf("deciding: %+v", d)
	}
	if m := r.Masked.Rows; len(m) != 1 || m[0].Hidden != 7 || m[0].Cut != 2 {
		t.Errorf("masked: %+v", m)
	}
	if p := r.Readers.Rows; len(p) != 1 || p[0].Records != 440 || p[0].Largest != 400 || p[0].LargestEntry != 4 {
		t.Errorf("readers: %+v", p)
	}
	if e := r.Stops.Rows; len(e) != 1 || e[0].Object != "rep@acme.example 1 connections" || e[0].Text != "left" {
		t.Errorf("stops: %+v", e)
	}
	if len(r.Log.Missing) != 0 {
		t.Errorf("missing: %q", r.Log.Missing)
	}
}

// A report says what the log does not hold.
func TestReportSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	erased := call("user-0123", "sales", "soqlQuery", "read", audit.OK)
	erased.Personal = audit.Erased
	var s story
	s.add(erased)
	for name, tt := range map[string]struct {
		entries []audit.Entry
		change  func(*Given)
		want    string
	}{
		"pruned":         {aMonth(), func(g *Given) { g.Oldest = 100 }, "Entries 1 to 99 were removed by age"},
		"younger":        {aMonth(), func(g *Given) { g.Begins = begin.Add(time.Minute) }, "The log begins at 2026-03-01T00:01:00Z, within the time"},
		"damaged":        {aMonth(), func(g *Given) { g.Readable -= 3 }, "3 entries within the range cannot be read"},
		"cut off":        {aMonth(), func(g *Given) { g.Signed += 2 }, "was signed with"},
		"other replicas": {aMonth(), func(g *Given) { g.OtherLogs = []string{"web-2", "web-3"} }, "is not counted here: web-2, web-3."},
		"erased people":  {s.entries, nil, "1 entries are about people who were erased"},
		"nothing at all": {nil, func(g *Given) { g.Oldest = 0 }, "The log has no entry."},
	} {
		if r := collected(tt.entries, tt.change); len(r.Log.Missing) != 1 || !strings.Contains(r.Log.Missing[0], tt.want) {
			t.Errorf("%s: %q, want %q", name, r.Log.Missing, tt.want)
		}
	}
}

// However many people, tools, rules and reasons there are, a collector holds so many, and counts
// all the same.
func TestD15ReportIsBounded(t *testing.T) {
	before := bounds
	t.Cleanup(func() { bounds = before })
	bounds.People, bounds.Tools, bounds.Rules, bounds.Reasons, bounds.Approvals, bounds.Events = 5, 5, 5, 5, 5, 5
	var s story
	for i := range 40 {
		e := call(fmt.Sprint("u", i), "sales", fmt.Sprint("t", i), "read", audit.Denied)
		e.Rule, e.Reason = fmt.Sprint("rule ", i), fmt.Sprint("reason ", i)
		s.add(e)
		e.Rule = "rule 0"
		s.add(e)
		e.Outcome, e.Approval = audit.Held, fmt.Sprint("apr_", i)
		s.add(e)
		e.Outcome, e.Approval, e.Hidden = audit.OK, "", 1
		s.made(e, 1)
		s.add(audit.Entry{Actor: actor.Proxy, Action: audit.PolicyChange, Outcome: audit.OK, Object: fmt.Sprint("policy ", i)})
	}
	r := collected(s.entries, func(g *Given) { g.Shown = 4 })
	if r.number(t, "calls") != 160 || r.number(t, "records given") != 40 || r.number(t, "values hidden") != 40 || r.number(t, "configuration changes") != 40 {
		t.Errorf("%+v", r.Counts)
	}
	var people, denied int64
	for _, p := range collected(s.entries, nil).People.Rows {
		people += p.Calls
	}
	for _, d := range collected(s.entries, nil).Denials.Rows {
		denied += d.Calls
	}
	if people != 160 || denied != 80 {
		t.Errorf("%d calls of people, %d denials", people, denied)
	}
	if r.People.Total != 6 || len(r.People.Rows) != 4 || r.Approvals.Total != 5 || r.Changes.Total != 40 || len(r.Log.Missing) != 6 {
		t.Errorf("people %d, approvals %d, changes %d, missing %q", r.People.Total, r.Approvals.Total, r.Changes.Total, r.Log.Missing)
	}
}

// AD-06: what clients and Salesforce call things is text in every format.
func TestAD06ReportShowsTextAsText(t *testing.T) {
	t.Parallel()
	hostile := "<script>alert(1)</script>|`x`\u202e\n## [a](javascript:b) https://evil.example"
	e := call("rep", "sales", "soqlQuery", "read", audit.Denied)
	e.Username, e.Tool, e.Rule, e.Reason, e.Client, e.Server = hostile, hostile, hostile, hostile, hostile, hostile
	var s story
	s.add(e)
	r := collected(s.entries, func(g *Given) { g.By = hostile })
	for name, write := range map[string]func(io.Writer) error{"html": r.WriteHTML, "md": r.WriteMarkdown, "json": r.WriteJSON} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if name != "json" && (strings.Contains(text, "<script>alert") || strings.Contains(text, "\u202e") || strings.Contains(text, "\n## [a]")) {
			t.Errorf("%s:\n%s", name, text)
		}
		if name == "md" && (strings.Contains(text, "](javascript") && !strings.Contains(text, `\](javascript`) || strings.Contains(text, "https://evil")) {
			t.Errorf("a link in Markdown:\n%s", text)
		}
		if name == "json" && !json.Valid(out.Bytes()) {
			t.Error("no JSON")
		}
	}
}

// What needs no mark stands as it is, so that the Markdown can be read before it is rendered.
func TestMarkdownIsReadable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-29T12:52:48Z (rule 2)": "2026-11-29T12:52:48Z (rule 2)",
		"- a list":                      `\- a list`,
		"+1":                            `\+1`,
		"[a](b) a_b|c":                  `\[a\](b) a\_b\|c`,
		"http://a.example":              `http\://a.example`,
		"@all":                          `\@all`,
	} {
		if got := marked(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The page needs nothing else and holds no script; each list has a heading, and each table one.
func TestReportPageStandsAlone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := collected(aMonth(), func(g *Given) { g.Shown = 1 })
	if err := r.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(?i)<(script|link|iframe|img)|<[^>]* (src|href|on[a-z]+)=|url\(|@import`).FindString(out.String()); found != "" {
		t.Errorf("the page has %q", found)
	}
	if text := out.String(); strings.Count(text, "<h2>") != 12 || strings.Count(text, "<table>") != strings.Count(text, "</thead>") || !strings.Contains(text, "The first 1 of 2") {
		t.Errorf("%s", text)
	}
}
