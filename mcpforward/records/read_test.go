package records

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/policy"
)

// Ids with a sound checksum.
const (
	account = "001xx000003DGb1AAG"
	contact = "003xx000004TmiQAAS"
	person  = "005xx000001Sv6AAAS"
	deal    = "006xx000001abcDAAQ"
)

func quote(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// content is the content of a result with those texts.
func content(texts ...string) []byte {
	var blocks []map[string]string
	for _, text := range texts {
		blocks = append(blocks, map[string]string{"type": "text", "text": text})
	}
	b, err := json.Marshal(blocks)
	if err != nil {
		panic(err)
	}
	return b
}

// textsOf are the texts of content blocks as they stand.
func textsOf(content []byte) (texts []jsontext.Value) {
	var blocks []struct{ Text json.RawMessage }
	json.Unmarshal(content, &blocks)
	for _, b := range blocks {
		if len(b.Text) > 0 {
			texts = append(texts, jsontext.Value(b.Text))
		}
	}
	return texts
}

func read(structured string, content []byte, c Call) Found {
	if structured == "" {
		return Read(nil, textsOf(content), c)
	}
	return Read(jsontext.Value(structured), textsOf(content), c)
}

// row is a record as a query answers it.
func row(object, id, more string) string {
	return fmt.Sprintf(`{"attributes":{"type":%q,"url":"/services/data/v64.0/sobjects/%s/%s"}%s}`, object, object, id, more)
}

func named(class policy.Class, object string, ids ...string) (all []policy.Record) {
	for _, id := range ids {
		all = append(all, policy.Record{Class: class, Object: object, ID: id})
	}
	return all
}

func counted(rows int64, named ...policy.Record) Found {
	return Found{Rows: rows, Counted: true, Named: named, Total: int64(len(named))}
}

func only(named ...policy.Record) Found { return Found{Named: named, Total: int64(len(named))} }

// shapes are answers of Salesforce's tools, what was asked, and what is found.
var shapes = map[string]struct {
	text string
	call Call
	want Found
}{
	"query": {`{"totalSize":2.0,"done":true,"records":[` + row("Account", account, `,"Id":"`+account+`","Name":"A \"B\""`) + `,` + row("Account", "001xx000003DGb2AAG", "") + `]}`,
		Call{Class: policy.Read}, counted(2, named(policy.Read, "Account", account, "001xx000003DGb2AAG")...)},
	"query of nothing": {`{"totalSize":0.0,"done":true,"records":[]}`, Call{Class: policy.Read}, counted(0)},
	"count":            {`{"totalSize":17.0,"done":true,"records":[]}`, Call{Class: policy.Read}, counted(0)},
	"aggregates":       {`{"totalSize":2.0,"records":[{"attributes":{"type":"AggregateResult"},"n":3},{"attributes":{"type":"AggregateResult"},"n":4}]}`, Call{Class: policy.Read}, counted(2)},
	"one page of many": {`{"totalSize":5000.0,"done":false,"nextRecordsUrl":"/services/data/v64.0/query/01gxx-2000","records":[` + row("Account", account, "") + `]}`,
		Call{Class: policy.Read}, counted(1, named(policy.Read, "Account", account)...)},
	"parents and children": {`{"records":[` + row("Contact", contact, `,"Account":`+row("Account", account, "")+`,"Cases":{"totalSize":1,"records":[`+row("Case", "500xx000000abcDAAQ", "")+`]},"Owner":null`) + `]}`,
		Call{Class: policy.Read}, counted(2, policy.Record{Class: policy.Read, Object: "Account", ID: account}, policy.Record{Class: policy.Read, Object: "Case", ID: "500xx000000abcDAAQ"}, policy.Record{Class: policy.Read, Object: "Contact", ID: contact})},
	"one parent of many": {`{"records":[` + row("Contact", contact, `,"Account":`+row("Account", account, "")) + `,` + row("Contact", "003xx000004TmiRAAS", `,"Account":`+row("Account", account, "")) + `]}`,
		Call{Class: policy.Read}, counted(2, policy.Record{Class: policy.Read, Object: "Account", ID: account}, policy.Record{Class: policy.Read, Object: "Contact", ID: contact}, policy.Record{Class: policy.Read, Object: "Contact", ID: "003xx000004TmiRAAS"})},
	"other ids in a record": {`{"records":[` + row("Contact", contact, `,"AccountId":"`+account+`","OwnerId":"`+person+`"`) + `]}`, Call{Class: policy.Read}, counted(1, named(policy.Read, "Contact", contact)...)},
	"attributes at the end": {`{"records":[{"Id":"` + account + `","type":"x","url":"/1/2","attributes":{"url":"/x","type":"Account"}}]}`, Call{Class: policy.Read}, counted(1, named(policy.Read, "Account", account)...)},
	"white space":           {" {\n\t\"records\" : [ \r\n" + row("Account", account, "") + " , " + row("Account", account, "") + " ] }\n", Call{Class: policy.Read}, counted(2, named(policy.Read, "Account", account)...)},
	"search":                {`{"searchRecords":[` + row("Account", account, "") + `,` + row("Contact", contact, "") + `]}`, Call{Class: policy.Read}, counted(2, policy.Record{Class: policy.Read, Object: "Account", ID: account}, policy.Record{Class: policy.Read, Object: "Contact", ID: contact})},
	"search, older":         {`[` + row("Account", account, "") + `]`, Call{Class: policy.Read}, counted(1, named(policy.Read, "Account", account)...)},
	"recent":                {`{"recentItems":[` + row("Account", account, `,"Id":"`+account+`"`) + `]}`, Call{Class: policy.Read}, counted(1, named(policy.Read, "Account", account)...)},
	"related":               {`{"records":[` + row("Contact", contact, "") + `]}`, Call{Class: policy.Read, Records: named(policy.Read, "Account", account)}, counted(1, append(named(policy.Read, "Account", account), named(policy.Read, "Contact", contact)...)...)},
	"one record":            {row("Account", account, `,"Name":"A"`), Call{Class: policy.Read, Records: named(policy.Read, "Account", account)}, counted(1, named(policy.Read, "Account", account)...)},
	"rows without a type":   {`{"records":[{"Id":"` + account + `","Name":"A"},{"Name":"B"}]}`, Call{Class: policy.Read}, counted(2, named(policy.Read, "", account)...)},
	"report":                {`{"factMap":{"T!T":{"aggregates":[{"label":"2","value":2}],"rows":[{"dataCells":[{"label":"A","value":"` + account + `"}]},{"dataCells":[]}]}}}`, Call{Class: policy.Read}, counted(2)},
	"Data 360":              {`{"data":[["a",1],["b",2]],"rowCount":2,"done":true,"metadata":{}}`, Call{Class: policy.Read}, counted(2)},
	"data of something":     {`{"data":[["a",1],["b",2]]}`, Call{Class: policy.Read}, Found{}},

	"create":          {`{"id":"` + account + `","success":true,"errors":[]}`, Call{Class: policy.Create, Records: []policy.Record{{Class: policy.Create, Object: "Account"}}}, only(named(policy.Create, "Account", account)...)},
	"create, refused": {`{"id":null,"success":false,"errors":[{"statusCode":"DUPLICATE_VALUE","message":"","fields":[]}]}`, Call{Class: policy.Create, Records: []policy.Record{{Class: policy.Create, Object: "Account"}}}, Found{}},
	"update":          {`{"success":true}`, Call{Class: policy.Update, Records: named(policy.Update, "Account", account)}, only(named(policy.Update, "Account", account)...)},
	"update, refused": {`{"success":false,"errors":[]}`, Call{Class: policy.Update, Records: named(policy.Update, "Account", account)}, Found{}},
	"lookups are not made": {`{"id":"` + contact + `","success":true}`, Call{Class: policy.Create, Records: []policy.Record{{Class: policy.Create, Object: "Contact"}},
		Arguments: []byte(`{"body":{"AccountId":"` + account + `"}}`)}, only(named(policy.Create, "Contact", contact)...)},
	"update of silence":  {``, Call{Class: policy.Update, Records: named(policy.Update, "Account", account)}, only(named(policy.Update, "Account", account)...)},
	"delete":             {`{"success":true}`, Call{Class: policy.Delete, Records: named(policy.Delete, "Account", account[:15])}, only(named(policy.Delete, "Account", account)...)},
	"update and read":    {row("Account", account, ""), Call{Class: policy.Update, Records: named(policy.Update, "Account", account)}, counted(1, named(policy.Update, "Account", account)...)},
	"an error of REST":   {`[{"message":"no","errorCode":"NOT_FOUND"}]`, Call{Class: policy.Delete, Records: named(policy.Delete, "Account", account)}, Found{}},
	"dispatch, created":  {`{"status_code":201,"body":{"id":"` + account + `","success":true,"errors":[]},"url":"/services/data/v64.0/sobjects/Account"}`, Call{Class: policy.Create, Records: []policy.Record{{Class: policy.Create, Object: "Account"}}}, only(named(policy.Create, "Account", account)...)},
	"dispatch, no body":  {`{"status_code":204,"body":null,"url":"/x"}`, Call{Class: policy.Update, Records: named(policy.Update, "Account", account)}, only(named(policy.Update, "Account", account)...)},
	"dispatch, refused":  {`{"body":[{"message":"` + account + `","errorCode":"X"}],"url":"/x","status_code":403}`, Call{Class: policy.Update, Records: named(policy.Update, "Account", account)}, Found{}},
	"dispatch, a query":  {`{"status_code":200,"body":{"totalSize":1,"records":[` + row("Account", account, "") + `]},"url":"/x"}`, Call{Class: policy.Read}, counted(1, named(policy.Read, "Account", account)...)},
	"upsert":             {`[{"id":"` + account + `","success":true,"created":true,"errors":[]},{"id":"` + contact + `","success":true,"created":false,"errors":[]}]`, Call{Class: policy.Unknown}, only(policy.Record{Class: policy.Create, ID: account}, policy.Record{Class: policy.Update, ID: contact})},
	"collection, partly": {`{"status_code":200,"body":[{"id":"` + account + `","success":true,"errors":[]},{"success":false,"id":"` + contact + `","errors":[{"statusCode":"X","message":"` + person + `"}]}]}`, Call{Class: policy.Delete}, only(named(policy.Delete, "", account)...)},
	"tree":               {`{"hasErrors":false,"results":[{"referenceId":"a","id":"` + account + `"},{"referenceId":"b","id":"` + contact + `"}]}`, Call{Class: policy.Create}, only(named(policy.Create, "", account, contact)...)},
	"composite": {`{"status_code":200,"body":{"compositeResponse":[` +
		`{"body":{"id":"` + account + `","success":true,"errors":[]},"httpHeaders":{},"httpStatusCode":201,"referenceId":"a"},` +
		`{"body":{"records":[` + row("Contact", contact, "") + `]},"httpStatusCode":200,"referenceId":"b"},` +
		`{"body":[{"message":"` + person + `","errorCode":"X"}],"httpStatusCode":400,"referenceId":"c"}]}}`,
		Call{Class: policy.Unknown}, counted(1, policy.Record{Class: policy.Create, ID: account}, policy.Record{Class: policy.Read, Object: "Contact", ID: contact})},
	"composite, what failed": {`{"compositeResponse":[{"body":{"records":[` + row("Contact", contact, "") + `]},"httpStatusCode":500},{"body":{"id":"` + account + `","success":true},"httpStatusCode":201}]}`,
		Call{Class: policy.Unknown}, only(named(policy.Create, "", account)...)},
	"batch": {`{"hasErrors":true,"results":[{"statusCode":200,"result":{"searchRecords":[` + row("Contact", contact, "") + `]}},{"statusCode":404,"result":[{"errorCode":"X","message":"x"}]}]}`,
		Call{Class: policy.Unknown}, counted(1, named(policy.Read, "Contact", contact)...)},
	"an action":         {`[{"actionName":"x","isSuccess":true,"errors":null,"outputValues":{"accountId":"` + account + `","opportunityId":"` + deal + `"}}]`, Call{Class: policy.Unknown, Arguments: []byte(`{"inputs":[{"name":"x"}]}`)}, only(named(policy.Unknown, "", account, deal)...)},
	"an action, failed": {`[{"actionName":"x","isSuccess":false,"errors":[{"errorCode":"X"}],"outputValues":{"accountId":"` + account + `"}}]`, Call{Class: policy.Unknown, Arguments: []byte(`{"inputs":[{"caseId":"` + account + `"}]}`)}, Found{}},
	"an action, failed once": {`[{"isSuccess":false,"outputValues":{"made":` + row("Contact", contact, "") + `}},{"isSuccess":true,"outputValues":{"made":` + row("Account", account, "") + `}}]`,
		Call{Class: policy.Create}, counted(1, named(policy.Read, "Account", account)...)},
	"named by arguments": {`{"ok":true}`, Call{Class: policy.SideEffect, Arguments: []byte(`{"inputs":[{"caseId":"` + account + `","note":"about ` + contact + `","owner":["` + person + `"]}]}`)},
		only(named(policy.SideEffect, "", account, person)...)},
	"user":           {`{"id":"` + person + `","username":"rep@acme.example","name":"Specializations","manager":null}`, Call{Class: policy.Read, Arguments: []byte(`{}`)}, only(named(policy.Read, "", person)...)},
	"wrong checksum": {`{"x":"001xx000003DGb1AAH","y":"implementationCost","z":"INSUFFICIENTACCESS"}`, Call{Class: policy.Read}, Found{}},
	"schema":         {`{"sobjects":[{"name":"Account","keyPrefix":"001","fields":[{"name":"Id","type":"id","length":18},{"name":"Records","type":"string"}]}]}`, Call{Class: policy.Read}, Found{}},
	"prose":          {"There are 3 records: " + account, Call{Class: policy.Read}, Found{}},
	"prose in JSON":  {`"` + strings.Repeat("a", 50) + `"`, Call{Class: policy.Read}, Found{}},
	"cut off":        {`{"records":[` + row("Account", account, "") + `,`, Call{Class: policy.Read}, Found{}},
	"two values":     {`{"records":[]} {"records":[]}`, Call{Class: policy.Read}, Found{}},
	"a lone bracket": {`{`, Call{Class: policy.Read}, Found{}},
	"escaped names":  {`{"\u0072ecords":[{}]}`, Call{Class: policy.Read}, Found{}},
	"no id":          {`{"records":[{"attributes":{"type":"Account"},"Id":"001' OR"},{"attributes":{"type":"Account","url":"/x/\u0000"}}]}`, Call{Class: policy.Read}, counted(2)},
	"no such object": {`{"records":[{"attributes":{"type":"` + strings.Repeat("A", 81) + `"},"Id":"` + account + `"}]}`, Call{Class: policy.Read}, counted(1, named(policy.Read, "", account)...)},
	"no object":      {`{"records":[{"attributes":{"type":"Bearer abcdefgh"},"Id":"` + account + `"}]}`, Call{Class: policy.Read}, counted(1, named(policy.Read, "", account)...)},
}

func TestU5Shapes(t *testing.T) {
	t.Parallel()
	for name, s := range shapes {
		if diff := cmp.Diff(s.want, read("", content(s.text), s.call)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if s.text == "" || !json.Valid([]byte(s.text)) {
			continue
		}
		if diff := cmp.Diff(s.want, read(s.text, nil, s.call)); diff != "" {
			t.Errorf("%s, as structuredContent: %s", name, diff)
		}
		// However the text is escaped, it is the same text.
		all := `[{"text":"` + everyByteEscaped(s.text) + `","type":"text"}]`
		if diff := cmp.Diff(s.want, read("", []byte(all), s.call)); diff != "" {
			t.Errorf("%s, all escaped: %s", name, diff)
		}
	}
}

func everyByteEscaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return b.String()
}

// What the texts of an answer say is added up; structuredContent says it all, unless nobody
// knows its shape.
func TestU5Contents(t *testing.T) {
	t.Parallel()
	query := func(object, id string) string { return `{"records":[` + row(object, id, "") + `]}` }
	both := append(named(policy.Read, "Account", account), named(policy.Read, "Contact", contact)...)
	for name, c := range map[string]struct {
		structured, content string
		want                Found
	}{
		"two texts":       {"", string(content(query("Account", account), query("Contact", contact))), counted(2, both...)},
		"a text, a query": {"", string(content("Here they are:", query("Account", account))), counted(1, both[:1]...)},
		"both":            {query("Account", account), string(content(query("Account", account))), counted(1, both[:1]...)},
		"unknown, known":  {`{"x":1}`, string(content(query("Account", account))), counted(1, both[:1]...)},
		"other blocks": {"", `[{"type":"image","data":"` + account + `"}, {"resource":{"text":"{\"records\":[]}"},"type":"resource"} ,` +
			`{"type":"text","annotations":{"text":[1,{"a":"\\"}]},"text":` + quote(query("Account", account)) + `}]`, counted(1, both[:1]...)},
		"no content": {"", "", Found{}},
		"escaped in part": {"", `[{"text":"{\"rec\u006frds\":[{\"attributes\":{\"type\":\"My\u005fObject\u005f\u005fc\"},\"Id\":\"` + account + `\",\"Name\":\"\u003c\u00e9\/\\\"\"}]}"}]`,
			counted(1, named(policy.Read, "My_Object__c", account)...)},
		"a text that ends in a string": {"", `[{"text":"{\"records\":[{\"a","annotations":"\":1}]}"}]`, Found{}},
		"empty":                        {"", "[]", Found{}},
	} {
		if diff := cmp.Diff(c.want, read(c.structured, []byte(c.content), Call{Class: policy.Read})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Many records cost no more than reading them, and few are kept.
func TestU5HostileAnswers(t *testing.T) {
	t.Parallel()
	million := rounds.Sized(t, 200_000, 1_000_000)
	many := func(n int, item string) string { return strings.Repeat(item+",", n-1) + item }
	var rows strings.Builder
	for i := range 300_000 {
		if i > 0 {
			rows.WriteByte(',')
		}
		fmt.Fprintf(&rows, `{"attributes":{"type":"Account","url":"/x/001%012d"}}`, i)
	}
	for name, c := range map[string]struct {
		text  string
		rows  int64
		total int64
	}{
		"300,000 records":    {`{"records":[` + rows.String() + `]}`, 300_000, 300_000},
		"one parent of many": {`{"records":[` + many(1000, row("Contact", contact, `,"Account":`+row("Account", account, ""))) + `]}`, 1000, 2},
		"a million rows":     {`{"records":[` + many(million, "{}") + `]}`, int64(million), 0},
		"a million lists":    {`[` + many(million, `{"records":[]}`) + `]`, 0, 0},
		"an id of 10 MB":     {`{"records":[{"Id":"` + strings.Repeat("0", 10<<20) + `","attributes":{"type":"` + strings.Repeat("A", 1<<20) + `"}}]}`, 1, 0},
		"escapes":            {`{"records":[{"Id":"` + strings.Repeat(`\"`, 4<<20) + `"}]}`, 1, 0},
		"backslashes":        {`{"records":[{"Id":"` + strings.Repeat(`\\`, 4<<20) + `"}]}`, 1, 0},
		"deep":               {`{"records":[{"a":` + strings.Repeat("[", 5*million) + strings.Repeat("]", 5*million) + `}]}`, 1, 0},
		"deep lists":         {strings.Repeat(`{"records":[`, million) + strings.Repeat("]}", million), maxDepth / 2, 0},
		"refusals in others": {strings.Repeat(`{"success":false,"a":`, 400_000) + "1" + strings.Repeat("}", 400_000), 0, 0},
	} {
		b := content(c.text)
		texts := textsOf(b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		got := Read(nil, texts, Call{Class: policy.Read})
		took := time.Since(begin)
		runtime.ReadMemStats(&after)
		if got.Rows != c.rows || got.Total != c.total || int64(len(got.Named)) != min(c.total, Max) {
			t.Errorf("%s: %d rows, %d of %d named", name, got.Rows, len(got.Named), got.Total)
		}
		if again := Read([]byte(c.text), nil, Call{Class: policy.Read}); !cmp.Equal(got, again) {
			t.Errorf("%s, as structuredContent: %s", name, cmp.Diff(got, again))
		}
		took = max(took, time.Since(begin))
		t.Logf("%s: %d bytes in %v, %d allocations", name, len(b), took, after.Mallocs-before.Mallocs)
		if took > time.Minute { // what grows with the square of these sizes takes hours
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// Reading an answer as it stands gives what reading its text does, and no answer breaks it.
func FuzzRead(f *testing.F) {
	for _, s := range shapes {
		f.Add(s.text)
	}
	for _, s := range []string{`{"a":"\\\"é\u2028"}`, "{\"a\":\"\x01\"}", `{"a":"\/\b"}`, "[\"\\", `["\`, `{"é":"\u0022"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := Call{Class: policy.Create, Records: []policy.Record{{Class: policy.Create, Object: "Account"}}, Arguments: []byte(`{}`)}
		quoted := content(text)
		got := read("", quoted, c)
		if int64(len(got.Named)) > got.Total || len(got.Named) > Max {
			t.Errorf("%d of %d named", len(got.Named), got.Total)
		}
		var blocks []struct{ Text string }
		if err := json.Unmarshal(quoted, &blocks); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(read("", []byte(`[{"text":"`+everyByteEscaped16(blocks[0].Text)+`"}]`), c), got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	})
}

func everyByteEscaped16(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r > 0xFFFF {
			hi, lo := (r-0x10000)>>10+0xD800, (r-0x10000)&0x3FF+0xDC00
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{5, 80} {
		rows := make([]string, n)
		for i := range rows {
			rows[i] = row("Account", fmt.Sprintf("001xx%010dAAA", i), fmt.Sprintf(`,"Id":"001xx%010dAAA","Name":"Customer number %d","Industry":"Energy"`, i, i))
		}
		answer := content(`{"totalSize":5.0,"done":true,"records":[` + strings.Join(rows, ",") + `]}`)
		b.Run(fmt.Sprint(len(answer), " bytes"), func(b *testing.B) {
			texts := textsOf(answer)
			b.ReportAllocs()
			b.SetBytes(int64(len(answer)))
			for b.Loop() {
				if got := Read(nil, texts, Call{Class: policy.Read}); got.Rows != int64(n) {
					b.Fatal(got)
				}
			}
		})
	}
}

// Where structuredContent and the texts differ, whoever gets the answer may read either: the greater
// number of rows counts, and the records of both are named. What is the same in both counts once.
func TestTextsBesideStructuredContent(t *testing.T) {
	t.Parallel()
	one := `{"records":[{"attributes":{"type":"Account"},"Id":"` + account + `"}]}`
	for _, x := range []struct {
		structured, text string
		rows, total      int64
	}{
		{`{"records":[]}`, one, 1, 1}, {one, `{"records":[]}`, 1, 1}, {one, one, 1, 1}, {`{"records":[]}`, `{"records":[]}`, 0, 0},
		{one, `{"records":[{"attributes":{"type":"Contact"},"Id":"` + contact + `"},{"attributes":{"type":"Account"},"Id":"` + account + `"}]}`, 2, 2},
		{one, "Found one record.", 1, 1},
	} {
		got := read(x.structured, content(x.text), Call{Class: policy.Read})
		if !got.Counted || got.Rows != x.rows || got.Total != x.total || int64(len(got.Named)) != x.total {
			t.Errorf("%s beside %s: %+v", x.structured, x.text, got)
		}
	}
}
