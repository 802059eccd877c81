package preview

import (
	"errors"
	"fmt"
	"strings"
	"testing"
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
