package soql

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkPlaces fails the test unless the fields and the limit of a query, and of those inside of
// it, stand in the text where it says.
func checkPlaces(t *testing.T, text string, q *Query) {
	t.Helper()
	for _, f := range q.Fields {
		if !strings.HasPrefix(text[f.Offset:], f.Path[0]) {
			t.Errorf("%v does not stand at %d of %q", f.Path, f.Offset, text)
		}
	}
	checkLimitPlace(t, text, q.Limit, q.LimitAt)
	for _, inner := range slices.Concat(q.Children, q.SemiJoins) {
		checkPlaces(t, text, inner)
	}
}

func checkLimitPlace(t *testing.T, text string, limit int, at [2]int) {
	t.Helper()
	if number := text[at[0]:at[1]]; limit == Unlimited && number != "" || limit != Unlimited && number != strconv.Itoa(limit) {
		t.Errorf("the limit is not %q in %q", number, text)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	const query = `SELECT Id, MAX(Amount) m, (SELECT Id FROM Contacts ORDER BY Name LIMIT 5) FROM Account
		WHERE Id IN (SELECT AccountId FROM Case WHERE Status = 'x') GROUP BY Rating HAVING MAX(Amount) > 7 LIMIT 12 FOR VIEW`
	q, err := ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	checkPlaces(t, query, q)
	const search = " FIND {a} IN ALL FIELDS RETURNING Account(Id, Name WHERE Rating = 'x' LIMIT 3), Contact(Name) LIMIT 20"
	s, err := ParseSearch(search)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range s.Returning {
		checkPlaces(t, search, q)
	}
	checkLimitPlace(t, search, s.Limit, s.LimitAt)
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	const text = `SELECT Id, toLabel(Status__c) s, c.Account.Name, TYPEOF What WHEN Account THEN Phone, Owner.Name ELSE Id END,
		(SELECT Subject FROM c.Cases LIMIT 5) FROM Contact AS c, c.Account a
		WHERE (NOT Phone LIKE '%1%') AND DISTANCE(Spot__c, GEOLOCATION(37.7,-122.4), 'mi') < 20
		AND Id IN (SELECT ContactId FROM Task WHERE Due__c = NEXT_N_DAYS:3)
		GROUP BY ROLLUP(Region__c) ORDER BY Rank__c DESC NULLS LAST LIMIT 10 FOR VIEW`
	got, err := ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) int { return strings.Index(text, name) }
	field := func(clause Clause, dotted string, functions ...string) Field {
		return Field{Path: strings.Split(dotted, "."), Clause: clause, Functions: functions, Offset: at(dotted)}
	}
	want := &Query{
		From: []Source{{Path: Path{"Contact"}, Offset: at("Contact AS"), Alias: "c"}, {Path: Path{"c", "Account"}, Offset: at("c.Account a"), Alias: "a"}},
		Fields: []Field{
			field(Select, "Id"), field(Select, "Status__c", "TOLABEL"), field(Select, "c.Account.Name"),
			{Path: Path{"Phone"}, Clause: Where, Offset: at("Phone LIKE")}, field(Where, "Spot__c", "DISTANCE"),
			{Path: Path{"Id"}, Clause: Where, Offset: at("Id IN")}, field(GroupBy, "Region__c", "ROLLUP"), field(OrderBy, "Rank__c"),
		},
		Items: []Item{{First: 0, End: 1}, {Function: "TOLABEL", First: 1, End: 2, Alias: "s"}, {First: 2, End: 3}},
		TypeOfs: []TypeOf{{
			Path: Path{"What"}, Offset: at("What WHEN"), Else: []Field{{Path: Path{"Id"}, Clause: Select, Offset: at("Id END")}},
			Whens: []When{{Object: "Account", Fields: []Field{{Path: Path{"Phone"}, Clause: Select, Offset: at("Phone, Owner")}, field(Select, "Owner.Name")}}},
		}},
		Children: []*Query{{
			From: []Source{{Path: Path{"c", "Cases"}, Offset: at("c.Cases")}}, Fields: []Field{field(Select, "Subject")}, Items: []Item{{End: 1}},
			Limit: 5, LimitAt: [2]int{at("LIMIT 5") + 6, at("LIMIT 5") + 7},
		}},
		SemiJoins: []*Query{{
			From: []Source{{Path: Path{"Task"}, Offset: at("Task")}}, Fields: []Field{field(Select, "ContactId"), field(Where, "Due__c")}, Items: []Item{{End: 1}},
			Limit: Unlimited, LimitAt: [2]int{at(":3") + 2, at(":3") + 2},
		}},
		Limit: 10, LimitAt: [2]int{at("LIMIT 10") + 6, at("LIMIT 10") + 8}, Grouped: true, Traces: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseQueryAggregates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SELECT COUNT() FROM Account":                           true,
		"SELECT COUNT(Id), MAX(Owner.Name) FROM Account":        true,
		"SELECT COUNT(Id) FROM Account GROUP BY Name":           true,
		"SELECT COUNT(Id), Name FROM Account GROUP BY Name":     false,
		"SELECT FORMAT(MIN(Amount)) FROM Opportunity":           true, // of the one value
		"SELECT FORMAT(Amount), MAX(Amount) FROM Opportunity":   false,
		"SELECT COUNT(Id), (SELECT Id FROM Cases) FROM Account": false,
	} {
		q, err := ParseQuery(text)
		if err != nil || q.OnlyAggregates != want {
			t.Errorf("%s: %+v, %v", text, q, err)
		}
	}
}

func TestParseSearch(t *testing.T) {
	t.Parallel()
	const text = "find {a OR \\} b*} IN name FIELDS RETURNING Account(Id, Owner.Name n WHERE Industry = 'x' LIMIT 5), User WITH SNIPPET LIMIT 7 UPDATE TRACKING"
	got, err := ParseSearch(text)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) int { return strings.Index(text, name) }
	want := &Search{
		Scope: "NAME",
		Returning: []*Query{
			{
				From: []Source{{Path: Path{"Account"}, Offset: at("Account")}}, Limit: 5, LimitAt: [2]int{at("LIMIT 5") + 6, at("LIMIT 5") + 7},
				Fields: []Field{{Path: Path{"Id"}, Clause: Select, Offset: at("Id,")}, {Path: Path{"Owner", "Name"}, Clause: Select, Offset: at("Owner")}, {Path: Path{"Industry"}, Clause: Where, Offset: at("Industry")}},
				Items:  []Item{{End: 1}, {First: 1, End: 2, Alias: "n"}},
			},
			{From: []Source{{Path: Path{"User"}, Offset: at("User")}}, Limit: Unlimited, LimitAt: [2]int{at("User") + 4, at("User") + 4}},
		},
		Limit: 7, LimitAt: [2]int{at("LIMIT 7") + 6, at("LIMIT 7") + 7}, Snippets: true, Traces: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		search bool
		text   string
		offset int
		cause  error
	}{
		{false, "SELECT Id FROM Account; SELECT Id FROM User", 22, ErrCharacter},
		{false, "SELECT Id FROM Account WHERE Name = 'x", 36, ErrCharacter},
		{false, "SELECT Id FROM Account WHERE Name = :name", 36, ErrSyntax},
		{false, "SELECT Id FROM Account WHERE Name = Industry", 36, ErrSyntax},
		{false, "SELECT Id FROM Account LIMIT five", 29, ErrSyntax},
		{false, "SELECT Id FROM Account LIMIT 5 LIMIT 6", 31, ErrSyntax},
		{false, "SELECT Id FROM", 14, ErrSyntax},
		{false, "SELECT For FROM Account", 7, ErrSyntax},
		{false, strings.Repeat(" ", MaxLength+1), MaxLength, ErrTooLong},
		{true, "SELECT Id FROM Account", 0, ErrSyntax},
		{true, "FIND {x} RETURNING Account; FIND {y}", 26, ErrCharacter},
		{true, "FIND {x} RETURNING Account WITH EVERYTHING", 32, ErrSyntax},
		{true, "FIND {x} RETURNING", 18, ErrSyntax},
	} {
		var err error
		if tt.search {
			_, err = ParseSearch(tt.text)
		} else {
			_, err = ParseQuery(tt.text)
		}
		var mistake *Error
		if !errors.As(err, &mistake) || mistake.Offset != tt.offset || !errors.Is(err, tt.cause) {
			t.Errorf("%.60s: %v, expected offset %d, %v", tt.text, err, tt.offset, tt.cause)
		}
	}
}

// checkError fails the test unless text was refused with an error that is right about
// itself.
func checkError(t *testing.T, text string, refused bool, err error) {
	t.Helper()
	var mistake *Error
	switch {
	case err == nil || !refused:
		t.Errorf("read: %q", text)
	case !errors.As(err, &mistake) || mistake.Offset < 0 || mistake.Offset > len(text):
		t.Errorf("%q: %v", text, err)
	case strings.Contains(err.Error(), "Account"):
		t.Errorf("the error repeats the query: %v", err)
	}
}

func TestParseQueryAcceptsWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	for _, q := range []string{
		"SELECT Id, Name FROM Account WHERE AnnualRevenue > 1000000 AND (Industry = 'Energy' OR Industry = 'Tech') LIMIT 20",
		"SELECT Id FROM Lead WHERE CreatedDate >= LAST_N_DAYS:30 AND CreatedDate < TODAY",
		"SELECT Id FROM Lead WHERE CreatedDate = THIS_FISCAL_QUARTER OR CreatedDate = N_DAYS_AGO:3 OR CreatedDate = LAST_90_DAYS",
		"SELECT Id FROM Lead WHERE CreatedDate > 2026-01-31T10:00:00Z AND CloseDate <= 2026-02-01 AND X__c = 2026-01-31T10:00:00.000+01:00",
		"SELECT Id FROM Opportunity WHERE Amount > USD5000.50 OR Amount < -1.5e3 OR Start__c = 10:30:00.000Z",
		"SELECT Id FROM Account WHERE MSP__c INCLUDES ('a;b', 'c') AND T__c EXCLUDES ('d')",
		"SELECT Id FROM Account WHERE Name IN ('O\\'Brien', 'x\\u00e9', '\\%', 'Café ☕', '-- not a comment')",
		"SELECT Id FROM Account USING SCOPE Mine WHERE IsDeleted = false WITH SECURITY_ENFORCED",
		"SELECT Id FROM Account WITH USER_MODE ORDER BY Name ASC NULLS FIRST LIMIT 5 OFFSET 10",
		"SELECT Title FROM Faq__kav WITH DATA CATEGORY Geo__c AT (Usa__c, Uk__c) AND Product__c ABOVE_OR_BELOW Phone__c",
		"SELECT FIELDS(STANDARD) FROM Account LIMIT 200",
		"SELECT Name n, COUNT(Id) FROM Account GROUP BY Name HAVING COUNT(Id) > 1",
		"SELECT COUNT(Id) FROM Lead WHERE A__c = 2026-01-31T10:00:00-0800 GROUP BY Status, CALENDAR_YEAR(CreatedDate)",
		"SELECT Id FROM Account WHERE A__c > .5 AND B__c < -.5 AND C__c = USD5.25",
		"SELECT Title FROM Faq__kav WITH SECURITY_ENFORCED WITH DATA CATEGORY Geo__c AT Usa__c",
		"SELECT LeadSource, GROUPING(LeadSource) g FROM Lead GROUP BY CUBE(LeadSource, Rating)",
	} {
		if _, err := ParseQuery(q); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func TestParseQueryRefuses(t *testing.T) {
	t.Parallel()
	for _, q := range []string{
		"", " ", "SELECT", "SELECT Id", "SELECT FROM Account", "SELECT Id FROM", "SELECT * FROM Account",
		"DELETE FROM Account", "SELECT Id FROM Account;", "SELECT Id FROM Account; SELECT Id FROM User",
		"SELECT Id FROM Account -- x", "SELECT Id /* x */ FROM Account", "SELECT Id FROM Account # x",
		"SELECT Id FROM Account WHERE Name = \"x\"", "SELECT Id FROM Account WHERE Name = 'x", "SELECT Id FROM Account WHERE Name = 'x\\",
		"SELECT Id FROM Account WHERE Name = 'x\\q'", "SELECT Id FROM Account WHERE Name = 'x\x00'",
		"SELECT Id FROM Account WHERE Name = :name", "SELECT Id FROM Account WHERE Name = Industry", "SELECT Id FROM Account WHERE Name",
		"SELECT Id FROM Account WHERE (Name = 'x'", "SELECT Id FROM Account WHERE Name = 'x')", "SELECT Id FROM Account WHERE Name == 'x'",
		"SELECT Id FROM Account FOR", "SELECT Id FROM Account FOR EVER", "SELECT Id FROM Account UPDATE", "SELECT Id FROM Account UPDATE Name",
		"SELECT Id FROM Account FOR VIEW x", "SELECT Id FROM Account FOR VIEW,", "SELECT Id FOR FROM Account", "SELECT For FROM Account",
		"SELECT Id FROM Account LIMIT", "SELECT Id FROM Account LIMIT x", "SELECT Id FROM Account LIMIT -1", "SELECT Id FROM Account LIMIT 1.5",
		"SELECT Id FROM Account LIMIT 99999999999", "SELECT Id FROM Account LIMIT 5 LIMIT 6", "SELECT Id FROM Account LIMIT :n",
		"SELECT Id FROM Account ALL ROWS", "SELECT Id FROM Account WITH SYSTEM_MODE", "SELECT Id FROM Account WITH x = 1",
		"SELECT FIELDS(EVERYTHING) FROM Account", "SELECT EVAL(Name) FROM Account", "SELECT Id, FROM Account", "SELECT Id Name Phone FROM Account",
		"SELECT Id FROM Account WHERE Id IN ()", "SELECT Id FROM Account WHERE Id IN (SELECT Id FROM Account", "SELECT (SELECT Id FROM Contacts FROM Account",
		"SELECT TYPEOF What END FROM Event", "SELECT TYPEOF What WHEN Account THEN Phone FROM Event",
		"SELECT Id\u00a0FROM Account", "SELECT Id FROM Ac\u200bcount", "SELECT Id FROM Аccount", "SELECT Id FROM Account WHERE A = 5x",
		"SELECT Id FROM Account WHERE A = 5 5", "SELECT Id FROM Account WHERE A = 5x5", "SELECT Id FROM Account WHERE A IN (5;5)", "SELECT Id FROM Account WHERE A = 5.",
		"SELECT Id FROM Account/../User", "SELECT Id FROM Account%20", "SELECT _Id FROM Account", "SELECT a.b.c.d.e.f.g.h.i.j.k FROM Account",
	} {
		tree, err := ParseQuery(q)
		checkError(t, q, tree == nil, err)
	}
}

func TestParseSearchRefuses(t *testing.T) {
	t.Parallel()
	for _, q := range []string{
		"", "FIND", "FIND x", "FIND 'x' RETURNING Account", "FIND {x", `FIND {x\}`, `FIND {"x} RETURNING User"} RETURNING Account`,
		"FIND {x{y}} RETURNING Account", "FIND {x} RETURNING", "FIND {x} RETURNING Account(", "FIND {x} RETURNING Account()",
		"FIND {x} RETURNING Account; FIND {y}", "FIND {x} RETURNING Account FOR VIEW", "FIND {x} IN SECRET FIELDS", "FIND {x} IN ALL",
		"FIND {x} RETURNING Account WITH EVERYTHING", "FIND {x} RETURNING Account LIMIT x", "FIND {x} RETURNING Account(Id) UPDATE Name",
		"SELECT Id FROM Account", "FIND {x\x00} RETURNING Account",
		// Whoever decodes the code of a brace first reads another term.
		`FIND {x\u007d RETURNING User(Id)} RETURNING Account`, `FIND {x\u007D} RETURNING Account`, `FIND {\u0022x} RETURNING Account`, `FIND {x\u005c} RETURNING Account`,
		`FIND {x\u7d} RETURNING Account`, `FIND {x\u} RETURNING Account`,
	} {
		tree, err := ParseSearch(q)
		checkError(t, q, tree == nil, err)
	}
}

// The memory of a text that was read is used again, and keeps nothing of the text until then:
// a query can name what somebody looked for.
func TestReleasedMemoryKeepsNoText(t *testing.T) {
	t.Parallel()
	var r reader
	if err := r.read("SELECT Id FROM Contact WHERE Email = 'a@b.example'", 0); err != nil {
		t.Fatal(err)
	}
	lexemes := r.lexemes
	r.release()
	for i, l := range lexemes {
		if l != (lexeme{}) {
			t.Fatalf("number %d is still %+v", i, l)
		}
	}
}
