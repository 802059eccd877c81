package preview

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy/reach"
)

func TestQuestions(t *testing.T) {
	t.Parallel()
	const id = "001000000000001AAA"
	for _, c := range []struct{ tool, arguments, want string }{
		{"updateSobjectRecord", `{"sobject-name":"Account","id":"` + id + `","body":{"Phone":"1","Industry":null}}`,
			"SELECT Id, Name, Industry, Phone FROM Account WHERE Id = '" + id + "' LIMIT 1"},
		{"updateSobjectRecord", `{"sobject-name":"Account","id":"` + id + `","body":{"NAME":"a","name":"b","Id":"x","Owner":{"a":1},"X":[1]}}`,
			"SELECT Id, NAME FROM Account WHERE Id = '" + id + "' LIMIT 1"},
		{"updateSobjectRecord", `{"sobject-name":"Case","id":"` + id + `","body":{"A FROM User --":"x"}}`,
			"SELECT Id, CaseNumber FROM Case WHERE Id = '" + id + "' LIMIT 1"},
		{"deleteSobjectRecord", `{"sobject-name":"CaseComment","id":"` + id + `"}`, "SELECT Id FROM CaseComment WHERE Id = '" + id + "' LIMIT 1"},
		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"O'Neill \\ sons"}}`,
			`SELECT Id, Name FROM Account WHERE Name = 'O\'Neill \\ sons' LIMIT 5`},

		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"` + strings.Repeat("\u00e9", nameLength) + `"}}`,
			"SELECT Id, Name FROM Account WHERE Name = '" + strings.Repeat("\u00e9", nameLength) + "' LIMIT 5"},

		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Phone":"1"}}`, ""},
		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"a\u0000b"}}`, ""},
		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"` + strings.Repeat("x", 256) + `"}}`, ""},
		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Name":7}}`, ""},
		{"updateSobjectRecord", `{"sobject-name":"Account, User","id":"` + id + `","body":{}}`, ""},
		{"deleteSobjectRecord", `{"sobject-name":"Account","id":"x' OR Id != '"}`, ""},
		{"deleteRelatedRecord", `{"sobject-name":"Account","id":"` + id + `"}`, ""},
		{"updateSobjectRecord", `[1]`, ""},
		{"updateSobjectRecord", ``, ""},
	} {
		q, ok := Of(c.tool, []byte(c.arguments))
		got := ""
		if ok {
			got = q.SOQL()
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.tool, c.arguments, got, c.want)
		}
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	var body []string
	for i := range 200 {
		body = append(body, fmt.Sprintf(`"F%d":1`, i))
	}
	q, ok := Of("updateSobjectRecord", []byte(`{"sobject-name":"Account","id":"001000000000001","body":{`+strings.Join(body, ",")+`}}`))
	if !ok || len(q.Fields) != MaxFields {
		t.Errorf("%v, %d fields", ok, len(q.Fields))
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	records, err := Read([]byte(`{"content":[{"type":"text","text":"{\"records\":[{\"Id\":\"001\",\"AnnualRevenue\":12345678901234567890.0,\"Name\":null}]}"}]}`))
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	r := records[0]
	if string(r.Field("annualRevenue")) != "12345678901234567890.0" || r.Text("ID") != "001" || r.Text("Name") != "" || r.Field("Phone") != nil {
		t.Errorf("%s", r)
	}
	for result, want := range map[string]error{
		`{"content":[{"text":"{\"records\":[]}"}]}`:   nil,
		`{"content":[{"text":"{\"records\":null}"}]}`: ErrAnswer,
		`{"content":[{"text":"{}"}]}`:                 ErrAnswer,
		`{"content":[{"text":"none"}]}`:               ErrAnswer,
		`{"content":[]}`:                              ErrAnswer,
		`x`:                                           ErrAnswer,
		`{"isError":true,"content":[{"text":"INVALID_FIELD"}]}`:               ErrRefused,
		`{"content":[{"text":"` + strings.Repeat(" ", maxAnswer+1) + `{}"}]}`: ErrAnswer,
	} {
		if _, err := Read([]byte(result)); !errors.Is(err, want) {
			t.Errorf("%.60s: %v, want %v", result, err, want)
		}
	}
}

// What is an id tells its field's name, and its letters; each record counts once, whichever form
// of its id stands there, and no more than there is room for.
func TestIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ arguments, want string }{
		{`{"id":"001000000000001AAA","body":{"OwnerId":"005000000000001","Name":"001000000000009AAA"}}`, "005000000000001 001000000000001AAA"},
		{`{"body":{"AccountId":"001000000000001AAA","ParentId":"001000000000001"}}`, "001000000000001AAA"},
		{`{"body":{"Plan__c":"a01Hs0000000001IAA","Batch__c":"a01Hs0000000001IAB","Lot__c":"ABCDEFGHIJKLMNO","Word__c":"Transportation1"}}`, "a01Hs0000000001IAA"},
		{`{"records":[{"AccountId":"001000000000001AAA"},{"ContactIds":["003000000000001AAA",7,null,"x"]}]}`, "001000000000001AAA 003000000000001AAA"},
		{`{"OwnerId":"005000000000001' OR Id != '"}`, ""}, {`[1]`, ""}, {``, ""}, {`{`, ""},
	} {
		if got := strings.Join(ids(References([]byte(c.arguments), nil)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.arguments, got, c.want)
		}
	}
	now := map[string]json.RawMessage{"OwnerId": json.RawMessage(`"005000000000002AAA"`), "Gone": nil}
	if got := References([]byte(`{"OwnerId":"005000000000001AAA"}`), now); len(got) != 2 {
		t.Errorf("before and after: %v", got)
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"001%012dAAA"`, i))
	}
	if got := References([]byte(`{"ids":[`+strings.Join(many, ",")+`]}`), nil); len(got) != maxNamed {
		t.Errorf("%d ids are asked about", len(got))
	}
}

func ids(all []Reference) (ids []string) {
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	return ids
}

// Of an object of the org's own a record is asked for where the org says that the field leads to it.
func TestNamesOfCustomObjects(t *testing.T) {
	t.Parallel()
	told := reach.ReadDescriptions([]byte(`{"name":"Account","fields":[{"name":"Plan__c","relationshipName":"Plan__r","referenceTo":["Plan__c"]},
		{"name":"Any__c","relationshipName":"Any__r","referenceTo":["Plan__c","Other__c"]}],"childRelationships":[]}`), []string{"Account"})
	all := map[string]*reach.Description{"account": told[0]}
	known := reach.NewSchema(all, all)
	for field, want := range map[string]string{"Plan__c": "Plan__c", "plan__C": "Plan__c", "Any__c": "", "None__c": "", "PlanId": ""} {
		if got := (Reference{"a01Hs0000000001IAA", field}).Object("account", known); got != want {
			t.Errorf("%s leads to %q", field, got)
		}
	}
	q := NamesOf([]Reference{{"a01Hs0000000001IAA", "Plan__c"}, {"a01Hs0000000002IAA", "Any__c"}}, "Account", known)
	if len(q) != 1 || q[0].SOQL() != "SELECT Id, Name FROM Plan__c WHERE Id IN ('a01Hs0000000001IAA') LIMIT 1" {
		t.Errorf("%+v", q)
	}
}

func TestNamesOf(t *testing.T) {
	t.Parallel()
	var got []string
	var all []Reference
	for _, id := range []string{"001000000000001", "006000000000001", "003000000000001", "001000000000002", "500000000000001", "00v000000000001", "a01000000000001AAA"} {
		all = append(all, Reference{ID: id, Field: "Plan__c"})
	}
	for _, q := range NamesOf(all, "Account", nil) {
		got = append(got, q.SOQL())
	}
	want := "SELECT Id, Name FROM Account WHERE Id IN ('001000000000001', '001000000000002') LIMIT 2; SELECT Id, Name FROM Opportunity WHERE Id IN ('006000000000001') LIMIT 1; " +
		"SELECT Id, Name FROM Contact WHERE Id IN ('003000000000001') LIMIT 1"
	if strings.Join(got, "; ") != want {
		t.Errorf("%s", strings.Join(got, "; "))
	}
}

// Questions about several calls are as few, and about as few records, as those about one.
func TestJoined(t *testing.T) {
	t.Parallel()
	account := func(ids ...string) Question { return Question{Object: "Account", Name: "Name", IDs: ids} }
	all := Joined(nil, []Question{account("001000000000001AAA")})
	all = Joined(all, []Question{{Object: "Contact", Name: "Name", IDs: []string{"003000000000001AAA"}}, account("001000000000001", "001000000000002AAA")})
	if len(all) != 2 || strings.Join(all[0].IDs, " ") != "001000000000001AAA 001000000000002AAA" || len(all[1].IDs) != 1 {
		t.Errorf("%+v", all)
	}
	for i := range 100 {
		all = Joined(all, []Question{account(fmt.Sprintf("001%012dAAA", i+10)), {Object: fmt.Sprint("Object", i), Name: "Name", IDs: []string{"x"}}})
	}
	n := 0
	for _, q := range all {
		n += len(q.IDs)
	}
	if n != maxNamed || len(all) != maxNamedObjects {
		t.Errorf("%d records of %d objects", n, len(all))
	}
}

func TestChildren(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		object string
		told   []string
		want   string
	}{
		{"Lead", nil, "CampaignMembers Tasks Events"},
		{"lead", []string{"events", "invoices__r", "feeds"}, "Events invoices__r"},
		{"Invoice__c", nil, ""},
		{"Invoice__c", []string{"lines__r", "x) from user__r"}, "lines__r"},
	} {
		if got := strings.Join(Children(c.object, c.told), " "); got != c.want {
			t.Errorf("%s of %v: %q", c.object, c.told, got)
		}
	}
	q := Question{Object: "Lead", ID: "00Q000000000001", Children: []string{"Tasks", "Events"}}
	if got := q.SOQL(); got != "SELECT Id, (SELECT Id FROM Tasks LIMIT 101), (SELECT Id FROM Events LIMIT 101) FROM Lead WHERE Id = '00Q000000000001' LIMIT 1" {
		t.Error(got)
	}
	many := strings.Repeat(`{"Id":"x"},`, MaxCounted)
	r := Record{"tasks": json.RawMessage(`{"totalSize":1,"records":[{"Id":"x"}]}`), "events": json.RawMessage(`null`), "cases": json.RawMessage(`7`),
		"notes": json.RawMessage(`{"records":[` + many + `{"Id":"x"}]}`)}
	for relation, want := range map[string]string{"Tasks": "1 false true", "Events": "0 false true", "Cases": "0 false false", "Contacts": "0 false false", "Notes": "100 true true"} {
		n, more, ok := r.Count(relation)
		if got := fmt.Sprint(n, more, ok); got != want {
			t.Errorf("%s: %s", relation, got)
		}
	}
}
