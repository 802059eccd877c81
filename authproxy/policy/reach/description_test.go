package reach

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// account is how an org describes an object with relations and formulas of its own.
const account = `{"name":"Account","fields":[
	{"name":"Plan__c","type":"reference","referenceTo":["Plan__c"],"relationshipName":"Plan__r"},
	{"name":"OwnerId","type":"reference","referenceTo":["User"],"relationshipName":"Owner"},
	{"name":"Keeper__c","calculatedFormula":"IF(ISBLANK(Plan__r.Keeper__r.SSN__c), 'Secret__r.Text__c', Owner.Email) & \"Fax\" /* Phone */ & Twice__c & $User.Alias"},
	{"name":"Twice__c","calculatedFormula":"TEXT( Fax ) + Keeper__c"},
	{"name":"Spot","type":"location"},{"name":"SpotLat","compoundFieldName":"Spot"}],
	"childRelationships":[{"childSObject":"Plan__c","field":"Account__c","relationshipName":"Plans__r"},{"childSObject":"Secret__c","field":"Account__c","relationshipName":null}]}`

const plan = `{"name":"Plan__c","fields":[{"name":"Keeper__c","type":"reference","referenceTo":["Contact"],"relationshipName":"Keeper__r"}],"childRelationships":[]}`

// described makes the schema of a user who was told the texts in own, where others were told
// those in others.
func described(t *testing.T, own []string, others ...string) *Schema {
	t.Helper()
	in := func(texts []string) map[string]*Description {
		all := map[string]*Description{}
		for _, text := range texts {
			read := ReadDescriptions(jsontext.Value(text), []string{"Account", "Plan__c", "Task", "Contact"})
			if len(read) == 0 {
				t.Fatalf("nothing is read of %s", text)
			}
			for _, d := range read {
				all[strings.ToLower(d.Object)] = all[strings.ToLower(d.Object)].Merged(d)
			}
		}
		return all
	}
	return NewSchema(in(own), in(slices.Concat(own, others)))
}

func reachedWith(t *testing.T, s *Schema, tool, arguments string) *Value {
	t.Helper()
	v, refused := Catalogue{Schema: s}.Read(tool, jsontext.Value(arguments))
	if refused != nil {
		t.Fatalf("%s: %v", arguments, refused)
	}
	return v
}

// Relations of an org's own lead where the org says, upwards, downwards, over several objects,
// in paths and in records. Without a description they lead nobody knows where.
func TestRelationsThatTheOrgDescribes(t *testing.T) {
	t.Parallel()
	s := described(t, []string{account, plan})
	for _, tt := range []struct{ tool, arguments, without, with string }{
		{"soqlQuery", `{"q":"SELECT Plan__r.Name FROM Account"}`, "Account ?", "Account Plan__c"},
		{"soqlQuery", `{"q":"SELECT Plan__r.Keeper__r.Email FROM Account"}`, "Account ?", "Account Contact Plan__c"},
		{"soqlQuery", `{"q":"SELECT Id FROM Account WHERE plan__R.Name = 'x'"}`, "Account ?", "Account Plan__c"},
		{"soqlQuery", `{"q":"SELECT Id, (SELECT Id FROM Plans__r) FROM Account"}`, "Account ?", "Account Plan__c"},
		{"soqlQuery", `{"q":"SELECT p.Name FROM Account a, a.Plan__r p"}`, "Account ?", "Account Plan__c"},
		{"soqlQuery", `{"q":"SELECT Other__r.Name FROM Account"}`, "Account ?", "Account ?"},
		{"soqlQuery", `{"q":"SELECT Plan__r.Other__r.Name FROM Account"}`, "Account ?", "Account Plan__c ?"},
		{"soqlQuery", `{"q":"SELECT TYPEOF Plan__r WHEN Case THEN Subject ELSE Name, Keeper__r.Email END FROM Account"}`, "Account Case ?", "Account Case Contact Plan__c"},
		{"soqlQuery", `{"q":"SELECT TYPEOF Owner WHEN User THEN Email ELSE Name END FROM Account"}`, "Account Group User", "Account Group User"},
		{"soqlQuery", `{"q":"SELECT TYPEOF What WHEN Account THEN Name ELSE Id END FROM Task"}`, "Account Task ?", "Account Task ?"},
		{"getRelatedRecords", `{"sobject-name":"Account","id":"001xx000003DGb1AAG","relationship-path":"Plans__r"}`, "Account ?", "Account Plan__c"},
		{"getRelatedRecords", `{"sobject-name":"Account","id":"001xx000003DGb1AAG","relationship-path":"Plan__r/Keeper__r"}`, "Account ?", "Account Contact Plan__c"},
		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"x","Plan__r":{"Key__c":"1"}}}`, "Account ?", "Account Plan__c"},
	} {
		if got := strings.Join(reachedWith(t, nil, tt.tool, tt.arguments).ObjectNames(), " "); got != tt.without {
			t.Errorf("%s reaches %q without a schema, want %q", tt.arguments, got, tt.without)
		}
		v := reachedWith(t, s, tt.tool, tt.arguments)
		if got := strings.Join(v.ObjectNames(), " "); got != tt.with {
			t.Errorf("%s reaches %q, want %q", tt.arguments, got, tt.with)
		}
		if strings.Contains(tt.with, "?") && !strings.Contains(tt.with, "Task") && len(v.Undescribed) > 0 {
			t.Errorf("%s: to ask for %v again does not help", tt.arguments, v.Undescribed)
		}
	}
	if v := reachedWith(t, nil, "soqlQuery", `{"q":"SELECT Plan__r.Name FROM Account"}`); !slices.Equal(v.Undescribed, []string{"Account"}) {
		t.Errorf("a description of %v would help", v.Undescribed)
	}
}

// FW-22: what one user was told of a relation resolves it for this user alone. Another one, who
// may see more behind it, reaches nobody knows what, and what both were told comes together.
func TestFW22NobodyGainsByWhatOthersWereTold(t *testing.T) {
	t.Parallel()
	task := func(objects string) string {
		return `{"name":"Task","fields":[{"name":"WhatId","type":"reference","relationshipName":"What","referenceTo":[` + objects + `]}]}`
	}
	query := `{"q":"SELECT What.Name FROM Task"}`
	for _, tt := range []struct {
		name   string
		own    []string
		others []string
		want   string
	}{
		{"told nothing, another was told", nil, []string{task(`"Account"`)}, "Task ?"},
		{"told", []string{task(`"Account"`)}, nil, "Account Task"},
		{"told less than another", []string{task(`"Account"`)}, []string{task(`"Account","Secret__c"`)}, "Account Secret__c Task"},
		{"told that there is no such relation", []string{`{"name":"Task","fields":[]}`}, []string{task(`"Account"`)}, "Task ?"},
	} {
		if got := strings.Join(reachedWith(t, described(t, tt.own, tt.others...), "soqlQuery", query).ObjectNames(), " "); got != tt.want {
			t.Errorf("%s: reaches %q, want %q", tt.name, got, tt.want)
		}
	}
}

// P3: a description that gives relations other names, or leads standard ones elsewhere, opens
// nothing: the standard stays, and a relation that does not have the name of its field is none.
func TestP3DescriptionsThatLie(t *testing.T) {
	t.Parallel()
	lies := []string{
		`{"name":"OwnerId","relationshipName":"Owner","referenceTo":["Account"]}`,
		`{"name":"Innocent__c","relationshipName":"Secret__r","referenceTo":["Account"]}`,
		`{"name":"Innocent__c","relationshipName":"Contact","referenceTo":["Account"]}`,
		`{"name":"Secret__c","relationshipName":"Secret__r","referenceTo":[]}`,
		`{"name":"Secret__c","relationshipName":"Secret__r","referenceTo":["Account; DROP"]}`,
		`{"name":"Secret__c","relationshipName":"Secret__r"}`,
		`{"name":"Secret__c","relationshipname":"Secret__r","referenceto":["Account"]}`,
	}
	lie := `{"name":"Account","fields":[` + strings.Join(lies, ",") + `],"childRelationships":[{"childSObject":"Account","relationshipName":"Contacts"},{"childSObject":"Account","relationshipName":"Histories"}]}`
	s := described(t, []string{lie})
	for query, want := range map[string]string{
		"SELECT Owner.Name FROM Account":                      "Account Group User",
		"SELECT Secret__r.Name FROM Account":                  "Account ?",
		"SELECT Contact.Name FROM Account":                    "Account Contact",
		"SELECT Id, (SELECT Id FROM Contacts) FROM Account":   "Account Contact",
		"SELECT Id, (SELECT Id FROM Histories) FROM Account":  "Account AccountHistory",
		"SELECT Id, (SELECT Id FROM Secrets__r) FROM Account": "Account ?",
	} {
		if got := strings.Join(reachedWith(t, s, "soqlQuery", `{"q":"`+query+`"}`).ObjectNames(), " "); got != want {
			t.Errorf("%s reaches %q, want %q", query, got, want)
		}
	}
	// Next to an object of which nothing is known, what the org says of another is not all.
	s = described(t, []string{`{"name":"Task","fields":[{"name":"WhatId","relationshipName":"What","referenceTo":["Account","Case"]}]}`, account})
	if got := strings.Join(reachedWith(t, s, "soqlQuery", `{"q":"SELECT What.Plan__r.Name FROM Task"}`).ObjectNames(), " "); got != "Account Case Plan__c Task ?" {
		t.Errorf("reaches %q", got)
	}
}

// Answers that are no descriptions of what was asked for say nothing.
func TestP3WhatIsNoDescription(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `null`, `"x"`, `[]`, `{}`, `{"sobjects":[{"name":"Account","keyPrefix":"001"}]}`, `{"sobjects":{}}`, `[1]`,
		account[:len(account)-1], account + account, `{"name":"Account","name":"Account","fields":[]}`,
		`{"name":"Contact","fields":[]}`, `{"name":"../Account","fields":[]}`, `[` + account + `,` + account + `]`,
		`{"sobjects":[` + account + `],"name":"account","fields":[]}`,
		`{"name":"Account","fields":[` + strings.Repeat(`{"name":"A__c"},`, maxDescribed) + `{"name":"B__c"}]}`,
	} {
		if read := ReadDescriptions(jsontext.Value(text), []string{"Account"}); len(read) > 0 {
			t.Errorf("%.60s is read", text)
		}
	}
	if read := ReadDescriptions(jsontext.Value(`{"sobjects":[`+account+`,`+plan+`]}`), []string{"account", "PLAN__C", "Other"}); len(read) != 2 {
		t.Errorf("%d of 2 descriptions are read", len(read))
	}
}

// FW-22: a formula shows the values of the fields that stand in it, at any depth, and a compound
// those of its parts; texts and comments are no fields.
func TestFW22FormulasShowFields(t *testing.T) {
	t.Parallel()
	told := described(t, nil, account, plan)
	for _, tt := range []struct {
		name    string
		shows   []Ref
		nothing []Ref
	}{
		{"KEEPER__C", []Ref{{"Contact", "ssn__c"}, {"User", "email"}, {"Account", "twice__c"}, {"Account", "fax"}}, []Ref{{"Secret__c", "text__c"}, {"", "text__c"}, {"Account", "phone"}, {"User", "alias"}}},
		{"Twice__c", []Ref{{"Contact", "ssn__c"}, {"Account", "fax"}}, nil},
		{"Spot", []Ref{{"Account", "spotlat"}}, nil},
		{"SpotLat", []Ref{{"Account", "spot"}}, nil},
		{Whole, []Ref{{"Contact", "ssn__c"}}, nil},
	} {
		shown := told.AppendShown(nil, "Account", tt.name)
		for _, ref := range tt.shows {
			if !slices.Contains(shown, ref) {
				t.Errorf("%s does not show %v but %v", tt.name, ref, shown)
			}
		}
		for _, ref := range tt.nothing {
			if slices.Contains(shown, ref) {
				t.Errorf("%s shows %v", tt.name, ref)
			}
		}
	}
	// Where the way is not known, a field of that name may be meant of any object.
	if shown := described(t, nil, account).AppendShown(nil, "Account", "Keeper__c"); !slices.Contains(shown, Ref{"", "ssn__c"}) {
		t.Errorf("shows %v", shown)
	}
}

// A description that was made to cost much costs little: what one formula names, and what a
// chain of formulas leads to, is bounded.
func TestFormulasAreBounded(t *testing.T) {
	t.Parallel()
	var formula, fields strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&formula, "+Owner.F%d__c", i)
	}
	for i := range 300 {
		fmt.Fprintf(&fields, `{"name":"F%d__c","calculatedFormula":"F%d__c`, i, i+1)
		for j := range 50 {
			fmt.Fprintf(&fields, "+F%d__c", (i*50+j)%300)
		}
		fields.WriteString(`"},`)
	}
	s := described(t, nil, `{"name":"Account","fields":[`+fields.String()+`{"name":"Big__c","calculatedFormula":"`+formula.String()+`"}]}`)
	for _, name := range []string{"Big__c", "F0__c", Whole} {
		if n := len(s.AppendShown(nil, "Account", name)); n > maxShows+10 {
			t.Errorf("%s shows %d fields", name, n)
		}
	}
	for _, text := range []string{"'", `"\`, "/*", "$", "$.", "a..b", "::", strings.Repeat("(", 20_000)} {
		formulaPaths(text) // ends
	}
}

// What a formula reads of the settings of an org is of that one object; what it reads of the
// user and of the org is of none that a rule is about, however long the path is.
func TestFW22FormulasOfSettings(t *testing.T) {
	t.Parallel()
	s := described(t, nil, account, plan)
	for path, want := range map[string][]string{
		"$setup.limits__c": {"limits__c"}, "$user": nil, "$user.profile": nil, "$setup": nil, "$setup.a.b": nil, "plan__r": {"Plan__c"}, "plan__r.keeper__r": {"Contact"},
	} {
		if got := s.behind("Account", strings.Split(path, ".")); !slices.Equal(got, want) {
			t.Errorf("%s leads to %v, want %v", path, got, want)
		}
	}
}
