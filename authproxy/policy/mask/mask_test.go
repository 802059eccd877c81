package mask

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// rec is a record as Salesforce answers it.
func rec(object, members string) string {
	return `{"attributes":{"type":"` + object + `","url":"/services/data/v64.0/sobjects/` + object + `/003xx000004TmiQAAS"}` + members + `}`
}

func list(records ...string) string {
	return `{"totalSize":1.0,"done":true,"records":[` + strings.Join(records, ",") + `]}`
}

func quoted(text string) jsontext.Value {
	b, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		panic(err)
	}
	return b
}

// hide reads the answer as a text and as a value, which must come to the same.
func hide(t *testing.T, h *Hiding, asked Asked, answer string) (string, Done, error) {
	t.Helper()
	r := h.NewReader(asked)
	out, err := r.Text(quoted(answer))
	var done Done
	if err == nil {
		done, err = r.End()
	}
	again := h.NewReader(asked)
	value, err2 := again.Value(jsontext.Value(answer))
	if err == nil && err2 == nil {
		text, _ := jsontext.AppendUnquote(nil, out)
		if string(text) != string(value) {
			t.Errorf("as a text %s, as a value %s", text, value)
		}
	}
	if err != nil {
		return "", Done{}, err
	}
	text, err := jsontext.AppendUnquote(nil, out)
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if !jsontext.Value(text).IsValid() {
		t.Fatalf("not JSON any more: %s", text)
	}
	return string(text), done, nil
}

// contacts hides as the example policies do.
func contacts() *Hiding {
	return New([]string{"Contact.SSN__c", "*.Birthdate", "Contact.MailingStreet", "Lead.LastName", "Account.Active__c", "Account.Seats__c"},
		[]string{"Contact.Email", "Account.BillingAddress", "Site__c.Spot__c"})
}

func TestMask(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		asked         Asked
		answer, want  string
		masked, taken int64
	}{
		{"a query", Asked{Shape: Records}, list(rec("Contact", `,"Id":"003","SSN__c":"123","Name":"Ann"`)), list(rec("Contact", `,"Id":"003","SSN__c":"(hidden)","Name":"Ann"`)), 1, 0},
		{"in any case", Asked{}, list(rec("contact", `,"ssn__C":"123"`)), list(rec("contact", `,"ssn__C":"(hidden)"`)), 1, 0},
		{"with a namespace", Asked{}, list(rec("Contact", `,"acme__SSN__c":"123"`)), list(rec("Contact", `,"acme__SSN__c":"(hidden)"`)), 1, 0},
		{"of another object", Asked{}, list(rec("Lead", `,"SSN__c":"123"`)), list(rec("Lead", `,"SSN__c":"123"`)), 0, 0},
		{"of any object", Asked{}, list(rec("Pet__c", `,"Birthdate":"2001-01-01"`)), list(rec("Pet__c", `,"Birthdate":"(hidden)"`)), 1, 0},
		{"the type stays", Asked{}, rec("Account", `,"Active__c":true,"Seats__c":12345678901234567890.10`), rec("Account", `,"Active__c":false,"Seats__c":0`), 2, 0},
		{"null stays", Asked{}, rec("Contact", `,"SSN__c":null`), rec("Contact", `,"SSN__c":null`), 0, 0},
		{"dropped", Asked{}, rec("Contact", `,"Email":"a@b.c","Name":"Ann"`), rec("Contact", `,"Name":"Ann"`), 0, 1},
		{"dropped at the end", Asked{}, rec("Contact", `,"Name":"Ann" , "Email" : "a@b.c"`), rec("Contact", `,"Name":"Ann"`), 0, 1},
		{"all but one", Asked{Aliases: map[string]Action{"a": Dropped, "b": Dropped, "c": Dropped}}, list(rec("AggregateResult", `,"a":1,"b":2,"c":3`)), list(rec("AggregateResult", ``)), 0, 3},
		{"neighbours at the end", Asked{Aliases: map[string]Action{"b": Dropped, "c": Dropped}}, list(rec("AggregateResult", `,"a":1,"b":2,"c":3`)), list(rec("AggregateResult", `,"a":1`)), 0, 2},
		{"neighbours before others", Asked{Aliases: map[string]Action{"a": Dropped, "b": Dropped}}, list(rec("AggregateResult", `,"a":1,"b":2,"c":3`)), list(rec("AggregateResult", `,"c":3`)), 0, 2},
		{"a description of nothing but hidden fields", Asked{}, `{"name":"Account","queryable":true,"fields":[{"name":"BillingStreet"},{"name":"BillingCity"}]}`, `{"name":"Account","queryable":true,"fields":[]}`, 0, 0},
		{"a parent", Asked{}, list(rec("Case", `,"Contact":`+rec("Contact", `,"SSN__c":"1","Account":`+rec("Account", `,"Seats__c":5`)))),
			list(rec("Case", `,"Contact":`+rec("Contact", `,"SSN__c":"(hidden)","Account":`+rec("Account", `,"Seats__c":0`)))), 2, 0},
		{"a child query", Asked{}, list(rec("Account", `,"Contacts":`+list(rec("Contact", `,"SSN__c":"1"`), rec("Contact", `,"SSN__c":"2"`)))),
			list(rec("Account", `,"Contacts":`+list(rec("Contact", `,"SSN__c":"(hidden)"`), rec("Contact", `,"SSN__c":"(hidden)"`)))), 2, 0},
		{"one of several objects", Asked{}, list(rec("Task", `,"Who":`+rec("Name", `,"LastName":"Doe","Type":"Lead"`))), list(rec("Task", `,"Who":`+rec("Name", `,"LastName":"(hidden)","Type":"Lead"`))), 1, 0},
		{"the url names the object", Asked{}, `{"attributes":{"type":"Name","url":"/services/data/v64.0/sobjects/Contact/003"},"SSN__c":"1"}`,
			`{"attributes":{"type":"Name","url":"/services/data/v64.0/sobjects/Contact/003"},"SSN__c":"(hidden)"}`, 1, 0},
		{"the name of a person", Asked{}, rec("Lead", `,"Name":"John Doe","FirstName":"John","LastName":"Doe"`), rec("Lead", `,"Name":"(hidden)","FirstName":"John","LastName":"(hidden)"`), 2, 0},
		{"a part of a compound", Asked{}, rec("Contact", `,"MailingStreet":"1 Elm","MailingAddress":{"city":"Rome","street":"1 Elm"}`),
			rec("Contact", `,"MailingStreet":"(hidden)","MailingAddress":{"city":"Rome","street":"(hidden)"}`), 2, 0},
		{"a compound", Asked{}, rec("Account", `,"BillingStreet":"1 Elm","BillingAddress":{"city":"Rome"},"Name":"A"`), rec("Account", `,"Name":"A"`), 0, 2},
		{"a place", Asked{}, rec("Site__c", `,"Spot__c":{"latitude":1.5,"longitude":2.5},"Spot__Latitude__s":1.5,"Name":"A"`), rec("Site__c", `,"Name":"A"`), 0, 2},
		{"a history", Asked{}, list(rec("ContactHistory", `,"Field":"SSN__c","OldValue":"1","NewValue":2.0`)), list(rec("ContactHistory", `,"Field":"SSN__c"`)), 0, 2},
		{"a copy", Asked{}, list(rec("Account", `,"PersonEmail":"a@b.c","Type":"x"`)), list(rec("Account", `,"Type":"x"`)), 0, 1},
		{"an alias", Asked{Aliases: map[string]Action{"S": Masked}}, list(rec("AggregateResult", `,"s":"1","n":5`)), list(rec("AggregateResult", `,"s":"(hidden)","n":5`)), 1, 0},
		{"no name at all", Asked{Unnamed: Masked}, list(rec("AggregateResult", `,"expr0":17,"Rating":"Hot"`)), list(rec("AggregateResult", `,"expr0":0,"Rating":"Hot"`)), 1, 0},
		{"the page behind an alias", Asked{Aliases: map[string]Action{"s": Masked}}, `{"totalSize":2,"done":false,"nextRecordsUrl":"/q/01g","records":[]}`, `{"totalSize":2,"done":false,"records":[]}`, 0, 1},
		{"a search", Asked{Shape: Records}, `{"searchRecords":[` + rec("Contact", `,"SSN__c":"1"`) + `]}`, `{"searchRecords":[` + rec("Contact", `,"SSN__c":"(hidden)"`) + `]}`, 1, 0},
		{"a record of REST", Asked{}, `{"status_code":200,"body":` + rec("Contact", `,"SSN__c":"1"`) + `,"url":"/services"}`, `{"status_code":200,"body":` + rec("Contact", `,"SSN__c":"(hidden)"`) + `,"url":"/services"}`, 1, 0},
		{"a text in a text", Asked{}, `{"status_code":200,"body":` + string(quoted(rec("Contact", `,"SSN__c":"1"`))) + `}`,
			`{"status_code":200,"body":` + string(quoted(rec("Contact", `,"SSN__c":"(hidden)"`))) + `}`, 1, 0},
		{"attributes that come last", Asked{}, `{"SSN__c":"1","attributes":{"url":"/x/sobjects/Contact/003","type":"Contact"}}`, `{"SSN__c":"(hidden)","attributes":{"url":"/x/sobjects/Contact/003","type":"Contact"}}`, 1, 0},
		{"an action", Asked{}, `[{"actionName":"getX","isSuccess":true,"errors":null,"outputValues":{"ssn":"1","contactSsn":["2"],"contactEmail":"a@b.c","name":"A"}}]`,
			`[{"actionName":"getX","isSuccess":true,"errors":null,"outputValues":{"ssn":"(hidden)","contactSsn":[],"name":"(hidden)"}}]`, 3, 1},
		{"parts of a place that an action answers", Asked{}, `[{"actionName":"getX","isSuccess":true,"errors":null,"outputValues":{"Spot__Latitude__s":1.5,"Spot__GeocodeAccuracy__s":"Zip","spotless":true,"Spotted__City__s":"Rome"}}]`,
			`[{"actionName":"getX","isSuccess":true,"errors":null,"outputValues":{"spotless":true,"Spotted__City__s":"Rome"}}]`, 0, 2},
		{"an action that answers a record", Asked{}, `{"results":[{"isSuccess":true,"outputValues":{"who":` + rec("Contact", `,"SSN__c":"1"`) + `}}]}`,
			`{"results":[{"isSuccess":true,"outputValues":{"who":` + rec("Contact", `,"SSN__c":"(hidden)"`) + `}}]}`, 1, 0},
		{"a description", Asked{Shape: Schema}, `{"sobjects":[{"name":"Contact","label":"Contact","keyPrefix":"003","fields":[{"name":"Email","type":"email"},{"name":"SSN__c","type":"string"},{"name":"Id"}],"childRelationships":[]}]}`,
			`{"sobjects":[{"name":"Contact","label":"Contact","keyPrefix":"003","fields":[{"name":"SSN__c","type":"string"},{"name":"Id"}],"childRelationships":[]}]}`, 0, 0},
		{"nothing to do", Asked{Shape: Records}, "{ \"records\" : [ ] ,\n\"totalSize\":1e2}", "{ \"records\" : [ ] ,\n\"totalSize\":1e2}", 0, 0},
		{"an escaped name", Asked{}, rec("Contact", `,"SS\u004e__c":"1"`), rec("Contact", `,"SS\u004e__c":"(hidden)"`), 1, 0},
	} {
		got, done, err := hide(t, contacts(), tt.asked, tt.answer)
		if err != nil || got != tt.want || done.Masked != tt.masked || done.Dropped != tt.taken {
			t.Errorf("%s: %v, %+v\n got %s\nwant %s", tt.name, err, done, got, tt.want)
		}
	}
}

// What cannot be read is withheld, and the error says nothing of it.
func TestMaskWithholds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer string
		asked        Asked
		want         error
	}{
		{"words", `The number is 123.`, Asked{}, ErrNotJSON},
		{"nothing", ``, Asked{}, ErrNotJSON},
		{"two values", `{} {}`, Asked{}, ErrNotJSON},
		{"a text", `"a"`, Asked{}, ErrNotJSON},
		{"a name twice", `{"a":1,"a":2}`, Asked{}, ErrNotJSON},
		{"a name twice, escaped", rec("Contact", `,"SSN__c":1,"SSN_\u005fc":2`), Asked{}, ErrNotJSON},
		{"half", `{"records":[`, Asked{}, ErrNotJSON},
		{"no record", `{"records":[{"SSN__c":"1"}]}`, Asked{}, ErrShape},
		{"a list of texts", `{"records":["1"]}`, Asked{}, ErrShape},
		{"a report", `{"rows":[{"dataCells":[{"label":"1"}]}]}`, Asked{}, ErrShape},
		{"a table", `{"data":[["1"]],"rowCount":1}`, Asked{}, ErrShape},
		{"no list where one is due", `{"answer":"1"}`, Asked{Shape: Records}, ErrShape},
		{"no description where one is due", `{"answer":"1"}`, Asked{Shape: Schema}, ErrShape},
		{"XML in a reply", `{"status_code":200,"body":"<SSN__c>1</SSN__c>"}`, Asked{}, ErrShape},
	} {
		if got, _, err := hide(t, contacts(), tt.asked, tt.answer); !errors.Is(err, tt.want) || got != "" {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

// P6: lists are cut after as many records as are allowed, those of child queries counted too.
func TestP6Rows(t *testing.T) {
	t.Parallel()
	nothing := New(nil, nil)
	one := rec("Contact", `,"Id":"003"`)
	for _, tt := range []struct {
		name, answer, want string
		rows, cut          int64
	}{
		{"as many", list(one, one), list(one, one), 2, 0},
		{"too many", list(one, one, one), list(one, one), 2, 1},
		{"white space", `{"records": [ ` + one + ` , ` + one + ` ] }`, `{"records": [ ` + one + `] }`, 1, 1},
		{"children", list(rec("Account", `,"Contacts":`+list(one, one)), one), list(rec("Account", `,"Contacts":`+list(one))), 2, 2},
		{"recent", `{"objectDescribe":{},"recentItems":[` + one + `,` + one + `]}`, `{"objectDescribe":{},"recentItems":[` + one + `]}`, 1, 1},
		{"the pages behind it", `{"nextRecordsUrl":"/q","records":[` + one + `,` + one + `]}`, `{"records":[` + one + `]}`, 1, 1},
		{"a record", one, one, 1, 0},
	} {
		got, done, err := hide(t, nothing, Asked{Rows: tt.rows}, tt.answer)
		if err != nil || got != tt.want || done.Cut != tt.cut {
			t.Errorf("%s: %v, %+v\n got %s\nwant %s", tt.name, err, done, got, tt.want)
		}
	}
	if _, _, err := hide(t, nothing, Asked{Rows: 1}, `[`+one+`,`+one+`]`); !errors.Is(err, ErrRows) {
		t.Errorf("records that are in no list: %v", err)
	}
	if got, done, err := hide(t, contacts(), Asked{Rows: 1}, list(rec("Contact", `,"SSN__c":"1"`), rec("Contact", `,"SSN__c":"2"`))); err != nil ||
		got != list(rec("Contact", `,"SSN__c":"(hidden)"`)) || done != (Done{Masked: 1, Cut: 1}) {
		t.Errorf("hidden and cut: %v, %+v, %s", err, done, got)
	}
}

func TestReaches(t *testing.T) {
	t.Parallel()
	h := contacts()
	for path, want := range map[string]Action{
		"Contact.SSN__c": Masked, "contact.email": Dropped, "Lead.SSN__c": Shown,
		"Lead.Name": Masked, "Lead.FirstName": Shown,
		"Contact.MailingAddress": Masked, "Contact.MailingCity": Shown,
		"Account.BillingCity": Dropped, "Site__c.Spot__Latitude__s": Dropped,
		"Contact.*": Dropped, "Opportunity.*": Masked, // its Birthdate
		"ContactHistory.*": Dropped, ".SSN__c": Masked, ".Title": Shown,
	} {
		object, name, _ := strings.Cut(path, ".")
		if got := h.Reaches(Field{Object: object, Name: name}); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

// Nothing of an answer stays in a buffer that the next one gets.
func TestBuffersAreEmptied(t *testing.T) {
	t.Parallel()
	s := &scratch{plain: []byte("123-45-6789"), edited: []byte("123-45-6789")}
	plain, edited := s.plain, s.edited
	s.free()
	for _, b := range [][]byte{plain, edited} {
		if string(b) != strings.Repeat("\x00", len(b)) {
			t.Errorf("%q stays", b)
		}
	}
}
