package preview

import (
	"testing"
	"time"
)

func TestSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set, has string
		same     bool
	}{
		{`"a"`, `"a"`, true}, {`" a "`, `"a"`, true}, {`"a"`, `"b"`, false}, {`"<"`, `"\u003c"`, true},
		{`""`, `null`, true}, {`null`, `""`, true}, {`null`, `0`, false}, {`""`, `false`, false},
		{`1.0`, `1`, true}, {`1`, `1.01`, false}, {`12345678901234567890`, `12345678901234567891`, false}, {`1e3`, `1000`, false}, {`-0`, `0`, true},
		{`1`, `"1"`, false}, {`true`, `true`, true}, {`true`, `false`, false}, {`true`, `1`, false}, {`{}`, `[]`, false},
		{`"2026-01-01T10:00:00Z"`, `"2026-01-01T10:00:00.000+0000"`, true}, {`"2026-01-01T10:00:00+01:00"`, `"2026-01-01T09:00:00.000+0000"`, true},
		{`"2026-01-01T10:00:00Z"`, `"2026-01-01T10:00:01.000+0000"`, false},
		{`"001000000000001"`, `"001000000000001AAA"`, true}, {`"001000000000001"`, `"001000000000002AAA"`, false}, {`"001000000000001AAA"`, `"001000000000001AAB"`, false},
		{``, `1`, false}, {`1`, ``, false}, {``, ``, true},
	} {
		if got := Same([]byte(c.set), []byte(c.has)); got != c.same {
			t.Errorf("%s, %s: %v", c.set, c.has, got)
		}
	}
}

func TestRecordOf(t *testing.T) {
	t.Parallel()
	const id = "001000000000001AAA"
	for _, c := range []struct {
		tool, arguments, created, want string
		all                            bool
	}{
		{"updateSobjectRecord", `{"sobject-name":"Account","id":"` + id + `","body":{"Phone":"1"}}`, "", "SELECT Id, Phone FROM Account WHERE Id = '" + id + "' LIMIT 1", true},
		{"updateSobjectRecord", `{"sobject-name":"Account","id":"` + id + `","body":{"Phone":"1","phone":"2"}}`, "", "SELECT Id, Phone FROM Account WHERE Id = '" + id + "' LIMIT 1", false},
		{"updateSobjectRecord", `{"sobject-name":"Account","id":"` + id + `","body":{"Owner":{"a":1}}}`, "", "SELECT Id FROM Account WHERE Id = '" + id + "' LIMIT 1", false},
		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"x"}}`, id, "SELECT Id, Name FROM Account WHERE Id = '" + id + "' LIMIT 1", true},
		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"x"}}`, "", "", false},
		{"createSobjectRecord", `{"sobject-name":"Account","id":"` + id + `","body":{}}`, "x' OR Id != '", "", false},
		{"deleteSobjectRecord", `{"sobject-name":"Account","id":"` + id + `"}`, "", "SELECT Id FROM Account WHERE Id = '" + id + "' LIMIT 1", true},
		{"deleteRelatedRecord", `{"sobject-name":"Account","id":"` + id + `"}`, "", "", false},
		{"updateSobjectRecord", `{"sobject-name":"Account, User","id":"` + id + `"}`, "", "", false},
		{"updateSobjectRecord", `{"sobject-name":"Account","ID":"` + id + `","body":{"Phone":"1"}}`, "", "", false}, // names are as they are
		{"updateSobjectRecord", ``, "", "", false},
	} {
		q, all, ok := RecordOf(c.tool, []byte(c.arguments), c.created)
		got := ""
		if ok {
			got = q.SOQL()
		}
		if got != c.want || ok && all != c.all {
			t.Errorf("%s %s: %q, all %v", c.tool, c.arguments, got, all)
		}
	}
}

func TestLost(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 5, 1, 10, 0, 30, 0, time.FixedZone("", 7200))
	for arguments, want := range map[string]string{
		`createSobjectRecord {"sobject-name":"CaseComment","body":{}}`:                               "SELECT Id, CreatedDate FROM CaseComment WHERE CreatedById = '005000000000001' AND CreatedDate >= 2026-05-01T07:59:30Z ORDER BY CreatedDate LIMIT 20",
		`updateSobjectRecord {"sobject-name":"Account","id":"001000000000001","body":{"Phone":"1"}}`: "SELECT Id, Phone, LastModifiedDate, LastModifiedById FROM Account WHERE Id = '001000000000001' LIMIT 1",
		`deleteSobjectRecord {"sobject-name":"Account","id":"001000000000001"}`:                      "SELECT Id, LastModifiedDate, LastModifiedById FROM Account WHERE Id = '001000000000001' LIMIT 1",
		`createSobjectRecord {"sobject-name":"A' OR"}`:                                               "",
		`invokeApexRest {"sobject-name":"Account"}`:                                                  "",
	} {
		tool, rest := arguments[:19], arguments[19:]
		if arguments[0] == 'i' {
			tool, rest = "invokeApexRest", arguments[14:]
		}
		if got := Lost(tool, []byte(rest), "005000000000001", sent); got != want {
			t.Errorf("%s: %q", arguments, got)
		}
	}
	if got := Lost("createSobjectRecord", []byte(`{"sobject-name":"Account"}`), "x' OR", sent); got != "" {
		t.Errorf("of nobody: %q", got)
	}
}
