package listing

import (
	"bytes"
	"encoding/json"
	"errors"
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
