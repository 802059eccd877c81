package listing

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
)

// printed is what a listing prints for people and for programs.
func printed(t *testing.T, print func(Printer) error) (table, lines string) {
	t.Helper()
	for _, asJSON := range []bool{false, true} {
		var out, notes bytes.Buffer
		if err := print(Printer{Out: &out, Notes: &notes, JSON: asJSON}); err != nil {
			t.Fatal(err)
		}
		if asJSON {
			lines = out.String() + notes.String()
		} else {
			table = out.String() + notes.String()
		}
	}
	return table, lines
}

// A login that fails stands below the table with what to change, and in its own members for
// programs; a name that would be obeyed by a terminal is written out.
func TestUsersWithALoginThatFails(t *testing.T) {
	t.Parallel()
	seen := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	u := User{User: grant.User{Org: "acme", Subject: "005xx000001Sv6AAAS", Username: "rep@acme.example", Name: "\x1b[31mRep", LastSeenAt: seen},
		Login: link.Status{State: link.NeedsReauth, Failure: link.Failure{Kind: salesforce.Dead, Lost: true, Hint: "sign in again"}}}
	table, lines := printed(t, func(p Printer) error { return p.Users([]User{u}) })
	for _, want := range []string{"SALESFORCE LOGIN", `\x1b[31mRep`, "rep@acme.example (005xx000001Sv6AAAS) in org acme", "sign in again"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	var row struct {
		LastSeen   string `json:"last_seen"`
		LoginEnded string `json:"login_ended"`
		LoginClass string `json:"login_class"`
	}
	if err := json.Unmarshal([]byte(lines), &row); err != nil || row.LastSeen != "2026-01-31T08:00:00Z" || row.LoginEnded != "" || row.LoginClass != "lost" {
		t.Errorf("%+v, %v in %s", row, err, lines)
	}
}

// Nothing to list is no line for programs, and is said to people beside the listing.
func TestNothingToList(t *testing.T) {
	t.Parallel()
	if table, lines := printed(t, func(p Printer) error { return p.Grants(nil) }); table != "none\n" || lines != "" {
		t.Errorf("%q, %q", table, lines)
	}
}

// Whoever may not use a server is denied there, whatever the policy allows.
func TestDecisionOutsideTheServersGroups(t *testing.T) {
	t.Parallel()
	d := Decision{Decision: policy.Decision{Effect: policy.Allow, Rule: 2, Class: policy.Read}, Policy: "p", Listed: true}
	if table, _ := printed(t, func(p Printer) error { return p.Decision(d) }); !strings.HasPrefix(table, "ALLOW\n") || !strings.Contains(table, "listed:  true") {
		t.Errorf("%s", table)
	}
	d.Outside = true
	table, lines := printed(t, func(p Printer) error { return p.Decision(d) })
	if !strings.HasPrefix(table, "DENY\n") || !strings.Contains(table, "listed:  false") || !strings.Contains(lines, `"rule":0`) {
		t.Errorf("%s%s", table, lines)
	}
}

// What left and what was made stands in the table where there is room, and in JSON always.
func TestU5EntriesShowRecords(t *testing.T) {
	t.Parallel()
	const first, second = "001xx000003DGb1AAG", "003xx000004TmiQAAS"
	query := audit.Entry{Seq: 7, Actor: actor.User("005xx000001Sv6AAAS"), Action: audit.ToolCall, Tool: "soqlQuery", Outcome: audit.OK, Rows: new(int64(250)), RecordsTotal: 251,
		AnswerDigest: strings.Repeat("a", 64), Records: []audit.Records{{Class: "read", Object: "Account", IDs: []string{first}}, {Class: "read", Object: "Contact", IDs: []string{second}}}}
	empty := audit.Entry{Seq: 8, Actor: query.Actor, Action: audit.ToolCall, Tool: "soqlQuery", Outcome: audit.OK, Rows: new(int64(0))}
	create := audit.Entry{Seq: 9, Actor: query.Actor, Action: audit.ToolCall, Tool: "createSobjectRecord", Outcome: audit.OK, RecordsTotal: 1,
		Records: []audit.Records{{Class: "create", Object: "Account", IDs: []string{first}}}}
	table, lines := printed(t, func(p Printer) error {
		p.Width = 160
		return p.Entries(func(each func(audit.Entry) error) error { return errors.Join(each(query), each(empty), each(create)) })
	})
	for _, want := range []string{`(?m)^TIME .* ABOUT .* ROWS`, `(?m) 7 .* ` + first + ` \+250 .* 250 +-$`, `(?m) 8 .* 0 +-$`, `(?m) 9 .* ` + first + ` +- +- +-$`} {
		if !regexp.MustCompile(want).MatchString(table) {
			t.Errorf("no %s in\n%s", want, table)
		}
	}
	for _, want := range []string{`"rows":250`, `"records_total":251`, `"answer_digest":"aaaa`, `"records":[{"class":"read","object":"Account","ids":["` + first + `"]}`, `"rows":0`, `"class":"create"`} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %s in %s", want, lines)
		}
	}
}

// U12: at every width a line fits. On a terminal what people copy or tell apart is whole: who, what, how it ended, ids.
// In a pipe a row is one line, as it is wherever there is room.
func TestU12TablesAreWhole(t *testing.T) {
	t.Parallel()
	const record, request = "001xx000003DGb1AAG", "YLSK5PR5SDR6FOVD"
	at := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	people := []string{"firstname.lastname@subsidiary.acme.example", "firstname.lastnam@subsidiary.acme.example.sandbox"}
	var entries []audit.Entry
	var grants []grant.Grant
	var requests []approval.Request
	for i, who := range people {
		subject := []string{"005xx000001Sv6AAAS", "005xx000001Sv6BAAS"}[i]
		entries = append(entries, audit.Entry{Seq: int64(100000 + i), At: at, Actor: actor.User(subject), Subject: subject, Username: who, Action: audit.ToolCall, Tool: "createSobjectRecord", Decision: audit.Approve,
			Outcome: audit.Unknown, RequestID: request, RecordsTotal: 250, Records: []audit.Records{{IDs: []string{record}}}, Reason: strings.Repeat("a long reason ", 9)})
		grants = append(grants, grant.Grant{ID: "grt_zgbl67xbldqsthqidgs733k5tg", Org: "acme-production", Subject: subject, Username: who, ClientID: "https://client.example/oauth/metadata.json", Server: "sobject-reviewed", CreatedAt: at, RevokedAt: at, RevokedWhy: strings.Repeat("why ", 20)})
		requests = append(requests, approval.Request{ID: "apr_zgbl67xbldqsthqidgs733k5tg", State: approval.Pending, Binding: approval.Binding{Org: "acme-production", Subject: subject, ClientID: "chatgpt", Server: "sobject-reviewed", Tool: "createSobjectRecord"}})
	}
	const plenty = 1000
	for _, width := range []int{80, 100, 160, plenty, -100, -plenty} {
		terminal := width > 0
		width = max(width, -width)
		for name, tt := range map[string]struct {
			print func(Printer) error
			wants []string
		}{
			"entries": {func(p Printer) error {
				return p.Entries(func(each func(audit.Entry) error) error { return errors.Join(each(entries[0]), each(entries[1])) })
			}, []string{people[0], people[1], "createSobjectRecord", "approve, outcome_unknown", record + " +249", request}},
			"connections": {func(p Printer) error { return p.Grants(grants) }, []string{people[0], people[1], grants[0].ID, grants[0].ClientID, "sobject-reviewed", "2026-01-31"}},
			"approvals":   {func(p Printer) error { return p.Approvals(requests) }, []string{requests[0].ID, requests[0].Subject, requests[1].Subject, "createSobjectRecord", "sobject-reviewed"}},
			"users": {func(p Printer) error {
				return p.Users([]User{{User: grant.User{Org: "acme-production", Subject: grants[0].Subject, Username: people[0], Name: strings.Repeat("Name ", 9)}}})
			}, []string{"acme-production", people[0], grants[0].Subject}},
		} {
			var out bytes.Buffer
			if err := tt.print(Printer{Out: &out, Notes: &out, Width: width, Terminal: terminal}); err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.wants {
				if (terminal || width == plenty) && !strings.Contains(out.String(), want) {
					t.Errorf("%s at %d lack %q:\n%s", name, width, want, &out)
				}
			}
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("%s at %d: %d characters: %s", name, width, n, line)
				}
			}
			if n := strings.Count(out.String(), "\n"); n > 3 && (!terminal || width == plenty) {
				t.Errorf("%s at %d, on a terminal: %t, in %d lines:\n%s", name, width, terminal, n, &out)
			}
		}
	}
}

// U12: every table fits into a line of a pipe. What it has of unbounded length is shortened or left out there; what is
// bounded, ids, times and fixed words, is whole.
func TestU12EveryTableFits(t *testing.T) {
	t.Parallel()
	const longest, id = 19, 30 // of what is neither text nor an id: a time; of an id of ours
	whole := map[string]int{   // columns of text without a tag, and how long it may be
		"APPROVAL": id, "CONNECTION": id, "TOKEN": id, "REQUESTER": wholeID, "USER ID": wholeID, "SESSION": 16, "TIME": longest, "REQUEST": 16, "DIGEST": shownDigest,
		"LOG": 43, "STATE": 9, "KIND": 10, "ROLE": 8, "METHOD": 6, "EVENT": 12, "OUTCOME": 10, "WHY": 12, "REVIEW": 24, "CHANGE": 17, "APPROVED": 11, "MEDIAN": 8, "P95": 8, "USED": 8, "LIMIT": 8,
		"USERNAME": 40, // of users, whom people tell apart by it
		"PATH":     60,
		"CLIENT":   64, // of clients, and what tools are called: what commands take
		"NAME":     60,
	}
	known := map[string]bool{}
	for _, row := range []any{approvalRow{}, auditRow{}, auditLogRow{}, budgetRow{}, definitionRow{}, exportRow{}, grantRow{}, clientRow{}, insightRow{}, noticeRow{}, replayRow{}, reviewRow{}, itemRow{}, Route{}, sessionRow{}, tokenRow{}, userRow{}} {
		of, least := reflect.TypeOf(row), -gap
		known[of.Name()] = true
		for i := range of.NumField() {
			field := of.Field(i)
			heading, fit := field.Tag.Get("col"), field.Tag.Get("fit")
			if heading == "" || strings.Contains(fit, "drop") || strings.Contains(fit, "spare") {
				continue
			}
			n, isWhole := whole[heading]
			switch isText := field.Type.Kind() == reflect.String; {
			case strings.Contains(fit, "line,id"):
				n = wholeID + 1
			case strings.Contains(fit, "cut") || strings.Contains(fit, "line"):
				n = shortest
			case isText && !isWhole:
				t.Errorf("%s: the column %s is of any length, and has no tag fit", of.Name(), heading)
			case !isText && field.Type == reflect.TypeFor[moment]():
				n = longest
			}
			least += max(n, len(heading)) + gap
		}
		if least > DefaultWidth {
			t.Errorf("%s: a line has %d characters at least, more than %d", of.Name(), least, DefaultWidth)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, of := range regexp.MustCompile("(?s)\ntype (\\w+) struct {\n(.*?)\n}").FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(of[2], `col:"`) && !known[of[1]] {
				t.Errorf("%s: the table of %s is not looked at here", file, of[1])
			}
		}
	}
}

// U12: letters that take two columns are counted as two, and marks over letters as none: columns stand under each other,
// and lines fit, whatever people are called.
func TestU12ColumnsByWhatIsSeen(t *testing.T) {
	t.Parallel()
	const at = "@acme.example"
	var all []User
	for _, name := range []string{"山田太郎", "Zoë", "Zoe\u0308", "Riley", "김철수", strings.Repeat("長", 60)} {
		all = append(all, User{User: grant.User{Org: "acme", Subject: "005xx000001Sv6AAAS", Username: name[:min(len(name), 12)] + at, Name: name}})
	}
	var out bytes.Buffer
	if err := (Printer{Out: &out, Width: 100}).Users(all); err != nil {
		t.Fatal(err)
	}
	column := 0
	for line := range strings.Lines(out.String()) {
		line = strings.TrimRight(line, "\n")
		if n := shownWidth(line); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
		before, _, found := strings.Cut(line, "false")
		if !found {
			continue
		}
		if column == 0 {
			column = shownWidth(before)
		}
		if n := shownWidth(before); n != column {
			t.Errorf("the last column begins at %d, in other lines at %d:\n%s", n, column, &out)
		}
	}
	if column == 0 {
		t.Errorf("%s", &out)
	}
}

// A sign-in with the company is a row as wide as others; programs get what they got.
func TestU12Sessions(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	var one Session
	one.ID, one.Issuer, one.Subject, one.Name, one.Roles = "0123456789ab", "https://login.acme.example/a/rather/long/path/of/a/tenant", strings.Repeat("subject-", 8), "Ann Auditor", []string{"auditor", "security"}
	one.CreatedAt, one.SeenAt, one.ExpiresAt = at, at, at.Add(time.Hour)
	one.Users = []SalesforceUser{{"acme", "005xx000001Sv6AAAS"}}
	table, lines := printed(t, func(p Printer) error { return p.Sessions([]Session{one}) })
	for line := range strings.Lines(table) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > DefaultWidth {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	if !strings.Contains(table, "Ann Auditor") || !strings.Contains(table, one.ID) || !strings.Contains(table, "security") || !strings.Contains(table, "005xx000001Sv6AAAS") {
		t.Errorf("%s", table)
	}
	for _, want := range []string{`"id":"0123456789ab"`, `"roles":["auditor","security"]`, `"begun":"2026-01-31T08:00:00Z"`, `"ends":"2026-01-31T09:00:00Z"`, `"salesforce_users":[{"org":"acme","subject":"005xx000001Sv6AAAS"}]`, `"stale":false`} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %s in %s", want, lines)
		}
	}
	if _, lines := printed(t, func(p Printer) error { return p.Sessions([]Session{{}}) }); !strings.Contains(lines, `"roles":[]`) || !strings.Contains(lines, `"salesforce_users":[]`) {
		t.Errorf("%s", lines)
	}
}
