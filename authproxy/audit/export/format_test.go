package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/destination"
	"sfmcp-proxy/authproxy/db/dbtest"
)

const testLog = "proxy.example/audit/0123456789abcdef"

// whole is an entry with every member.
func whole() audit.Entry {
	rows := int64(0)
	return audit.Entry{
		Seq: 42, At: time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC), Actor: actor.User("005xx000001Sv6AAAS"), Action: audit.ToolCall, Object: "createSobjectRecord",
		Outcome: audit.OK, Source: "192.0.2.7", RequestID: "REQ", Org: "acme", Subject: "005xx000001Sv6AAAS", Username: "rep@acme.example", Client: "chatgpt",
		Grant: "grt_1", Server: "sales", Tool: "createSobjectRecord", Class: "create", Decision: audit.Allow, Rule: "rule 3 (allow)", ArgumentsDigest: "ad",
		DefinitionHash: "dh", PolicyVersion: "pv", Approval: "apr_1", Status: "200", Reason: "because", AnswerDigest: "an", DurationMS: 12, Bytes: 34,
		Rows: &rows, RecordsTotal: 1, Hidden: 2, Cut: 3, IntentSeq: 41, Records: []audit.Records{{Class: "create", Object: "Account", IDs: []string{"001xx0000000001AAA"}}},
		Arguments: json.RawMessage(`{"a":1.0}`), Sent: json.RawMessage(`{"a":2}`), Personal: audit.Erased, Sealed: "c2VhbGVk",
	}
}

// Every member of an entry is written in every format: one that is added is not forgotten.
func TestEveryMemberIsWritten(t *testing.T) {
	t.Parallel()
	e := whole()
	for i := range reflect.TypeOf(e).NumField() {
		if reflect.ValueOf(e).Field(i).IsZero() {
			t.Errorf("%s of the test's entry is empty", reflect.TypeOf(e).Field(i).Name)
		}
	}
	text, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	names := strings.Split(CSV.Head(), ",")
	line, err := Writer{Format: CSV, Log: testLog, Arguments: true}.Line(e)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := csv.NewReader(bytes.NewReader(line)).Read()
	if err != nil || len(cells) != len(names) {
		t.Fatalf("%d cells under %d names, %v", len(cells), len(names), err)
	}
	for member := range members {
		if i := slices.Index(names, member); i < 0 || cells[i] == "" {
			t.Errorf("CSV lacks %s", member)
		}
	}
	if len(names) != len(members)+2 { // the log, and actor_as, which operators have
		t.Errorf("CSV has %d columns, an entry %d members", len(names), len(members))
	}
	event, err := Writer{Format: OCSF, Log: testLog, Arguments: true}.Line(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"REQ", "acme", "005xx000001Sv6AAAS", "rep@acme.example", "chatgpt", "grt_1", "sales", "createSobjectRecord", "create", "allow", "rule 3 (allow)",
		"ad", "dh", "pv", "apr_1", "200", "because", "an", "001xx0000000001AAA", "Account", "erased", "192.0.2.7", "tool.call"} {
		if !strings.Contains(string(event), `"`+value+`"`) {
			t.Errorf("OCSF lacks %q: %s", value, event)
		}
	}
	for _, member := range []string{`"duration":12`, `"bytes":34`, `"rows":0`, `"records_total":1`, `"hidden":2`, `"cut":3`, `"intent":41`, `"sequence":42`, `"time":1772366400123`,
		`"arguments":{"a":1.0}`, `"sent":{"a":2}`, `"class_uid":6003,"type_uid":600301`, `"status_id":1`, `"uid":"` + testLog + `/42"`} {
		if !strings.Contains(string(event), member) {
			t.Errorf("OCSF lacks %s: %s", member, event)
		}
	}
}

// The line of JSON is that of the log with the log's name in front, which with the number is the
// entry's key.
func TestJSONLine(t *testing.T) {
	t.Parallel()
	e := whole()
	plain, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	line, err := Writer{Format: JSON, Log: testLog, Arguments: true}.Line(e)
	if want := `{"log":"` + testLog + `",` + string(plain[1:]); string(line) != want || err != nil {
		t.Errorf("%s, %v\nwant %s", line, err, want)
	}
	for _, f := range Formats() {
		line, err := Writer{Format: f, Log: testLog}.Line(e)
		if err != nil || strings.Contains(string(line), "1.0") {
			t.Errorf("%s has arguments that were not asked for: %s, %v", f, line, err)
		}
	}
}

// AU-06: whatever is in a field, an entry stays one line of each format, and no cell is a formula.
func TestAU06EntriesStayOneLineAndNoFormula(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`=HYPERLINK("http://evil.example","x")`, "+1+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\t=1+1", "\r=1+1", "\n=1", "  =1", "＝1+1", "|x", "%x", "a,b\"c", "a\nb", "a\r\nb",
		"\x00", "\x1b[31m", "\u202eabc", "\u2028", "'=1", "\xff"} {
		e := whole()
		e.Object, e.Rule, e.Client, e.Reason, e.Source = text, text, text, text, text
		for _, f := range Formats() {
			line, err := Writer{Format: f, Log: testLog}.Line(e)
			if err != nil || bytes.ContainsAny(line, "\n\r\x00\x1b\u202e\u2028") {
				t.Errorf("%s of %q is %q, %v", f, text, line, err)
			}
			if f != CSV {
				if !json.Valid(line) {
					t.Errorf("%s of %q is no JSON: %s", f, text, line)
				}
				continue
			}
			cells, err := csv.NewReader(bytes.NewReader(line)).Read()
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			for i, cell := range cells {
				if first := strings.TrimLeft(cell, " "); first != "" && strings.ContainsAny(first[:1], "=+-@|%\t\r") || strings.HasPrefix(first, "＝") {
					t.Errorf("%q: cell %d is the formula %q", text, i, cell)
				}
			}
		}
	}
}

// everyEntry is an entry of each action and outcome.
func everyEntry() (all []audit.Entry) {
	for _, d := range audit.Actions() {
		for _, by := range []actor.Actor{actor.User("005xx000001Sv6AAAS"), actor.Proxy, actor.Stranger, actor.Client("chatgpt"), actor.Operator("alice", "Sam"), actor.Person("https://idp.example", "u1")} {
			for _, outcome := range audit.Outcomes() {
				e := whole()
				e.Action, e.Actor, e.Outcome = d.Action, by, outcome
				all = append(all, e, audit.Entry{Seq: 1, At: e.At, Actor: by, Action: d.Action, Outcome: outcome, Source: "command line"},
					audit.Entry{Seq: 1, At: e.At, Actor: by, Action: d.Action, Outcome: outcome})
			}
		}
	}
	return all
}

// Events of every action, actor and outcome are what the published schemas of OCSF say, of the version that
// they name and of the one after.
func TestOCSFByItsSchema(t *testing.T) {
	t.Parallel()
	if dbtest.OnPostgres() {
		t.Skip("nothing is stored here")
	}
	python, err := filepath.Abs("../../../.ci/cache/python/export/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		if slices.Contains(strings.Split(os.Getenv("SFMCP_TEST_REQUIRE"), ","), "python") {
			t.Fatal("the schemas of OCSF are required and missing: run .ci/python-clients")
		}
		t.Skip("no schemas of OCSF here: run .ci/python-clients")
	}
	all, versions := everyEntry(), []string{OCSFVersion, "1.6.0"}
	if os.Getenv("SFMCP_TEST_ROUNDS") == "" { // validating is slow; .ci/run does all
		versions = versions[:1]
		var some []audit.Entry
		for i := 0; i < len(all); i += 13 { // prime to the sizes of the lists that they are made of
			some = append(some, all[i])
		}
		all = some
	}
	var lines bytes.Buffer
	for _, e := range all {
		line, err := Writer{Format: OCSF, Log: testLog, Version: "1.2.3", Arguments: true}.Line(e)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	for _, version := range versions {
		check := exec.Command(python, "testdata/ocsf.py", version)
		check.Stdin = bytes.NewReader(lines.Bytes())
		out, err := check.CombinedOutput()
		if err != nil || string(out) != fmt.Sprintf("held %d\n", len(all)) {
			t.Errorf("%s: %v\n%.4000s", version, err, out)
		}
	}
}

// Which class and activity of OCSF an action is.
func TestOCSFClasses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		action audit.Action
		class  string
		want   string
	}{
		{audit.ToolCall, "read", "600302"}, {audit.ToolCall, "update", "600303"}, {audit.ToolCall, "delete", "600304"}, {audit.ToolCall, "unknown", "600399"},
		{audit.ToolCall, "side_effect", "600399"}, {audit.SessionCreate, "", "300201"}, {audit.SessionEnd, "", "300202"}, {audit.TokenIssue, "", "300203"},
		{audit.UserBlock, "", "300105"}, {audit.UserUnblock, "", "300102"}, {audit.SubjectErase, "", "300106"}, {audit.GrantCreate, "", "300501"},
		{audit.GrantRevoke, "", "300502"}, {audit.StopSet, "", "600303"}, {audit.BudgetAlarm, "", "600399"},
	} {
		e := whole()
		e.Action, e.Class = tt.action, tt.class
		line, err := Writer{Format: OCSF, Log: testLog}.Line(e)
		if err != nil || !strings.Contains(string(line), `"type_uid":`+tt.want+`,`) {
			t.Errorf("%s %s: %s, %v", tt.action, tt.class, line, err)
		}
	}
	for action := range ocsfClasses {
		if !slices.ContainsFunc(audit.Actions(), func(d audit.Described) bool { return d.Action == action }) {
			t.Errorf("%s is no action", action)
		}
	}
}

func TestSeverities(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		action  audit.Action
		outcome audit.Outcome
		want    destination.Severity
	}{
		{audit.ToolCall, audit.OK, destination.Informational}, {audit.ToolCall, audit.Denied, destination.Notice}, {audit.ToolCall, audit.Failed, destination.Warning},
		{audit.ToolCall, audit.Unknown, destination.Critical}, {audit.StoreTamper, audit.Denied, destination.Critical}, {audit.GrantReplay, audit.OK, destination.Critical},
	} {
		if got := severityOf(&audit.Entry{Action: tt.action, Outcome: tt.outcome}); got != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.action, tt.outcome, got, tt.want)
		}
	}
}
