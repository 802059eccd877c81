package reach

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/policy/soql"
)

// readSOQL and readSOSL read what soqlQuery and find are given.
func readSOQL(text string) (*Value, *Refusal) { return Catalogue{}.Read("soqlQuery", queryOf(text)) }
func readSOSL(text string) (*Value, *Refusal) { return Catalogue{}.Read("find", queryOf(text)) }

func queryOf(text string) jsontext.Value {
	quoted, err := jsontext.AppendQuote([]byte(`{"q":`), text)
	if err != nil {
		panic(err)
	}
	return append(quoted, '}')
}

func TestSOQLReach(t *testing.T) {
	t.Parallel()
	tests := []struct {
		query string
		want  string // objects, sorted, joined by spaces
	}{
		{"SELECT Id FROM Account", "Account"},
		{"select id from account", "Account"},
		{"SELECT\n\tId\r\nFROM\tAccount", "Account"},
		{"SELECT Id FROM My_Object__c", "My_Object__c"},
		{"SELECT Id FROM Group", "Group"},
		{"SELECT Id FROM Order ORDER BY EffectiveDate", "Order"},
		{"SELECT a.Name FROM Account a", "Account"},
		{"SELECT Account.Name FROM Account", "Account"},
		{"SELECT Account.Name FROM Contact", "Account Contact"},
		{"SELECT Contact.Account.Owner.Profile.Name FROM Contact", "Account Contact Group Profile User"},
		{"SELECT Id FROM Contact c, c.Account a WHERE a.Name = 'x'", "Account Contact"},
		{"SELECT Id FROM Contact AS c", "Contact"},
		{"SELECT Id FROM Account, User", "Account ?"},
		{"SELECT Id FROM a.Account", "?"},
		{"SELECT Id, (SELECT Id FROM b.c.Contacts) FROM Account", "Account ?"},
		{"SELECT Id, (SELECT Id FROM Feeds), (SELECT Id FROM Plans) FROM Account", "Account AccountFeed ?"},
		{"SELECT CreatedBy.Manager.Name FROM Lead", "Lead User"},
		{"SELECT Parent.Name FROM Account", "Account"},
		{"SELECT Parent.CaseNumber FROM CaseComment", "Case CaseComment"},
		{"SELECT Parent.Name FROM Attachment", "Attachment ?"},
		{"SELECT Who.Name FROM Task", "Contact Lead Task"},
		{"SELECT What.Name FROM Task", "Task ?"},
		{"SELECT Boss__r.Name FROM Contact", "Contact ?"},
		{"SELECT Boss__r.Account.Name FROM Contact", "Account Contact ?"},
		{"SELECT Id, (SELECT Id FROM Contacts), (SELECT Id FROM Opportunities) FROM Account", "Account Contact Opportunity"},
		{"SELECT Id, (SELECT Contact.LastName FROM Account.Contacts) FROM Account", "Account Contact"},
		{"SELECT a.Id, (SELECT Id FROM a.Contacts) FROM Account a", "Account Contact"},
		{"SELECT a.Id, (SELECT Id FROM b.Contacts) FROM Account a", "Account Contact"},
		{"SELECT Id, (SELECT Id, (SELECT Id FROM CaseComments) FROM Cases) FROM Account", "Account Case CaseComment"},
		{"SELECT Id, (SELECT Id FROM Histories) FROM Account", "Account AccountHistory"},
		{"SELECT Id, (SELECT Id FROM Shares) FROM Plan__c", "Plan__Share Plan__c"},
		{"SELECT Id, (SELECT Id FROM Plans__r) FROM Account", "Account ?"},
		{"SELECT Id, (SELECT Owner.Email FROM Contacts) FROM Account", "Account Contact Group User"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Owner.IsActive = true)", "Account Contact Group User"},
		{"SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Opportunity) AND Name != null", "Account Opportunity"},
		{"SELECT TYPEOF What WHEN Account THEN Phone, Owner.Name WHEN Opportunity THEN Amount END FROM Event", "Account Event Group Opportunity User"},
		{"SELECT TYPEOF What WHEN Account THEN Phone ELSE Name END FROM Event", "Account Event ?"},
		{"SELECT TYPEOF Owner WHEN User THEN Profile.Name END FROM Case", "Case Profile User"},
		{"SELECT COUNT(Id) FROM Account GROUP BY Owner.Name", "Account Group User"},
		{"SELECT Name FROM Account ORDER BY Owner.Name", "Account Group User"},
		{"SELECT COUNT(Id) c FROM Account GROUP BY Name HAVING MAX(Owner.Name) > 'A'", "Account Group User"},
		{"SELECT FORMAT(MIN(Account.AnnualRevenue)) m FROM Contact", "Account Contact"},
		{"SELECT Owner.Name FROM Account Owner", "Account ?"}, // alias or relation?
		{"SELECT x__c.Name FROM Account x__c", "Account ?"},
	}
	for _, tt := range tests {
		f, refused := readSOQL(tt.query)
		if refused != nil {
			t.Errorf("%s: refused: %s", tt.query, refused.Text)
			continue
		}
		if got := strings.Join(f.ObjectNames(), " "); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.query, got, tt.want)
		}
		if f.Class != Read {
			t.Errorf("%s: class %s", tt.query, f.Class)
		}
	}
}

func TestSOQLFields(t *testing.T) {
	t.Parallel()
	f, refused := readSOQL(`SELECT Id, toLabel(Status__c) s, COUNT_DISTINCT(Email), c.Account.Name, (SELECT Subject FROM Cases)
		FROM Contact c WHERE (NOT Phone LIKE '%1%') AND CALENDAR_YEAR(convertTimezone(CreatedDate)) = 2026
		AND DISTANCE(Spot__c, GEOLOCATION(37.7,-122.4), 'mi') < 20 AND Id IN (SELECT ContactId FROM Task WHERE Due__c = NEXT_N_DAYS:3)
		GROUP BY ROLLUP(Region__c) ORDER BY Rank__c DESC NULLS LAST LIMIT 10`)
	if refused != nil {
		t.Fatal(refused.Text)
	}
	var got []string
	for _, at := range f.Fields {
		got = append(got, strings.ToLower(at.Object+"."+at.Name))
	}
	slices.Sort(got)
	got = slices.Compact(got) // several clauses name the id
	want := []string{
		"account.name", "case.subject", "contact.accountid", "contact.createddate", "contact.email", "contact.id", "contact.phone",
		"contact.rank__c", "contact.region__c", "contact.spot__c", "contact.status__c", "task.contactid", "task.due__c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSOQLSideEffects(t *testing.T) {
	t.Parallel()
	for _, q := range []string{
		"SELECT Id FROM Account FOR VIEW",
		"SELECT Id FROM Account LIMIT 1 for\nreference",
		"SELECT Id FROM Account FOR VIEW, REFERENCE",
		"SELECT Id FROM Account FOR UPDATE",
		"SELECT Title FROM Knowledge__kav UPDATE TRACKING",
		"SELECT Title FROM Knowledge__kav UPDATE VIEWSTAT, TRACKING",
		"SELECT Id FROM Account FOR REFERENCE UPDATE VIEWSTAT",
		"SELECT Id, (SELECT Id FROM Contacts FOR VIEW) FROM Account",
		"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact FOR VIEW)",
	} {
		f, refused := readSOQL(q)
		if refused != nil || f.Class != SideEffect {
			t.Errorf("%s: class %q, refused %v", q, f.Class, refused)
		}
	}
	f, refused := readSOQL("SELECT Id FROM Account WHERE Name = 'FOR VIEW' AND View__c = 'x\\' FOR VIEW'")
	if refused != nil || f.Class != Read {
		t.Errorf("words in a string: class %q, refused %v", f.Class, refused)
	}
}

func TestSOSLReach(t *testing.T) {
	t.Parallel()
	tests := []struct{ query, want string }{
		{"FIND {acme} RETURNING Account", "Account"},
		{"find {acme} in name fields returning account(id, name), Contact(Email)", "Account Contact"},
		{"FIND {a OR b*} RETURNING Account(Id, Owner.Name WHERE Industry = 'x' ORDER BY Name LIMIT 5 OFFSET 1), User", "Account Group User"},
		{"FIND {acme} RETURNING Account(Id USING ListView = MyView)", "Account"},
		{"FIND {acme} RETURNING Account(toLabel(Status__c) s, FORMAT(Amount) a)", "Account"},
		{"FIND {acme}", "?"},
		{"FIND {acme} IN EMAIL FIELDS LIMIT 5", "?"},
		{`FIND {"Acme \} Inc" AND x} RETURNING Account`, "Account"},
		{"FIND {x RETURNING User} RETURNING Account", "Account"},
		{"FIND {x} RETURNING Account WITH HIGHLIGHT WITH SNIPPET(target_length=120) WITH SPELL_CORRECTION = false LIMIT 3", "Account"},
		{"FIND {x} RETURNING Account WITH DIVISION = 'Global' WITH NETWORK IN ('a','b') WITH METADATA = 'LABELS'", "Account"},
		{"FIND {x} RETURNING Faq__kav WITH DATA CATEGORY Geo__c AT Usa__c", "Faq__kav"},
	}
	for _, tt := range tests {
		f, refused := readSOSL(tt.query)
		if refused != nil {
			t.Errorf("%s: refused: %s", tt.query, refused.Text)
			continue
		}
		if got := strings.Join(f.ObjectNames(), " "); got != tt.want || f.Class != Read {
			t.Errorf("%s\n got %s, class %s\nwant %s", tt.query, got, f.Class, tt.want)
		}
	}
	for _, q := range []string{"FIND {x} RETURNING Faq__kav UPDATE TRACKING", "FIND {x} LIMIT 1 UPDATE VIEWSTAT, TRACKING"} {
		if f, refused := readSOSL(q); refused != nil || f.Class != SideEffect {
			t.Errorf("%s: class %q, refused %v", q, f.Class, refused)
		}
	}
}

// A refusal says what is wrong and from where on, and repeats nothing of the query. For the audit log it is
// the same wherever that is.
func TestQueriesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		read func(string) (*Value, *Refusal)
		text string
		want string
	}{
		{readSOQL, "SELECT Id FROM Account; SELECT Id FROM User", textCharacter + " It cannot be read from character 23 on."},
		{readSOQL, "SELECT Id FROM Account WHERE Name = 'Zürich' LIMIT 5;", textCharacter + " It cannot be read from character 53 on."},
		{readSOQL, "SELECT Id FROM Account WHERE Name = \"Acme\"", textCharacter + " It cannot be read from character 37 on."},
		{readSOQL, "SELECT Id FROM Account WHERE Name = :name", textQuery + " It cannot be read from character 37 on."},
		{readSOQL, "SELECT Id FROM Account WHERE Amount > 1,000", textQuery + " It cannot be read from character 40 on."},
		{readSOQL, "SELECT Id FROM Account WHERE", textQuery + " Something is missing at its end."},
		{readSOQL, "SELECT Id FROM Account" + strings.Repeat(" ", soql.MaxLength), textTooLong},
		{readSOSL, "FIND {Account; DROP} RETURNING Account(", textSearch + " Something is missing at its end."},
		{readSOSL, "FIND {x} RETURNING Account; FIND {y}", textSearch + " It cannot be read from character 27 on."},
		{readSOSL, "FIND {x} RETURNING \u00fc", textSearch + " It cannot be read from character 20 on."},
		{readSOSL, "FIND x", textSearch},
		{readSOSL, "FIND {x}" + strings.Repeat(" ", soql.MaxLength), textTooLong},
	} {
		f, refused := tt.read(tt.text)
		if refused == nil || refused.Text != tt.want || strings.Contains(refused.Text, "Account") || strings.ContainsAny(refused.Error(), "0123456789") {
			t.Errorf("%.60s: %v, reaches %v", tt.text, refused, f.ObjectNames())
		}
	}
}
