package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var begin = time.Date(2026, 7, 15, 15, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }

func calls(user, tool string, seconds ...int) (all []Call) {
	for _, s := range seconds {
		all = append(all, Call{At: at(s), User: user, Tool: tool, Ref: fmt.Sprint(tool, s)})
	}
	return all
}

func refs(all []Call) (names []string) {
	for _, c := range all {
		names = append(names, c.Ref)
	}
	return names
}

// Each call is matched with one at most, and no more are left over than must be.
func TestPair(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		theirs, ours []Call
		matched      int
		there, here  []string
	}{
		"alike":               {calls("u", "q", 1, 2, 3), calls("u", "q", 2, 3, 4), 3, nil, nil},
		"one more there":      {calls("u", "q", 1, 2, 3), calls("u", "q", 2, 3), 2, []string{"q3"}, nil},
		"one more here":       {calls("u", "q", 2), calls("u", "q", 1, 2), 1, nil, []string{"q2"}},
		"too far apart":       {calls("u", "q", 100), calls("u", "q", 1, 300), 0, []string{"q100"}, []string{"q1", "q300"}},
		"at the edge":         {calls("u", "q", 70, 130), calls("u", "q", 10, 190), 2, nil, nil},
		"another person":      {calls("u", "q", 1), calls("v", "q", 1), 0, []string{"q1"}, []string{"q1"}},
		"another tool":        {calls("u", "q", 1), calls("u", "r", 1), 0, []string{"q1"}, []string{"r1"}},
		"the earliest first":  {calls("u", "q", 50, 100), calls("u", "q", 0, 60), 2, nil, nil},
		"in any order":        {calls("u", "q", 100, 50), calls("u", "q", 60, 0), 2, nil, nil},
		"nothing there":       {nil, calls("u", "q", 1), 0, nil, []string{"q1"}},
		"the same many times": {calls("u", "q", 1, 1, 1), calls("u", "q", 1, 1), 2, []string{"q1"}, nil},
	} {
		d := Pair(tt.theirs, tt.ours, Within{Apart: time.Minute})
		if d.Matched != tt.matched || !slices.Equal(refs(d.There), tt.there) || !slices.Equal(refs(d.Here), tt.here) || d.OnlyThere != len(tt.there) || d.OnlyHere != len(tt.here) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// What we did before and after the time of their file is no difference.
func TestPairKnowsTheTimeOfAFile(t *testing.T) {
	t.Parallel()
	d := Pair(calls("u", "q", 100, 200), calls("u", "q", 50, 101, 150, 250), Within{Apart: 10 * time.Second, From: at(100), Until: at(200)})
	if d.Matched != 1 || !slices.Equal(refs(d.There), []string{"q200"}) || !slices.Equal(refs(d.Here), []string{"q150"}) {
		t.Errorf("%+v", d)
	}
}

// Several requests can be one call of ours, and a user without any call has none explained.
func TestCover(t *testing.T) {
	t.Parallel()
	d := Cover(append(calls("u", "", 1, 5, 9, 500), calls("v", "", 5)...), append(calls("u", "q", 6), calls("x", "login", 6)...), append(calls("u", "q", 6), calls("w", "q", 6, 900)...), Within{Apart: time.Minute, From: at(0), Until: at(500)})
	if d.Matched != 3 || !slices.Equal(refs(d.There), []string{"5", "500"}) || !slices.Equal(refs(d.Here), []string{"q6"}) {
		t.Errorf("%+v", d)
	}
}

// line is an event of ChatGPT's app log.
func line(id, kind, email, app, tool, time string) string {
	if kind == "request" {
		return fmt.Sprintf(`{"event_id":%q,"type":"APP_LOG","principal":{"id":"w","type":"CHATGPT_WORKSPACE"},"actor":{"type":"ACCOUNT_USER","user_id":"user-1","user_email":%q},"timestamp":%q,"app_id":"a1","app_name":%q,"app_type":"MCP","conversation_id":"c","log_type":"request","input":{"q":"x"}}`, id, email, time, app)
	}
	return fmt.Sprintf(`{"event_id":%q,"type":"APP_LOG","actor":{"type":"ACCOUNT_USER","user_id":"user-1","user_email":%q},"timestamp":%q,"app_id":"a1","app_name":%q,"log_type":"response","output":[{"response":{"result":{"isError":false}},"connector_name":%q,"action_name":%q}]}`, id, email, time, app, app, tool)
}

const noon = "2026-07-15T15:39:18.792578Z"

func TestReadOpenAI(t *testing.T) {
	t.Parallel()
	text := "\uFEFF" + strings.Join([]string{
		line("1", "request", "Rep@acme.example", "Sales", "", noon),
		line("2", "response", "Rep@acme.example", "Sales", "find", noon),                    // our app
		line("2", "response", "Rep@acme.example", "Sales", "find", noon),                    // again
		line("3", "response", "rep@acme.example", "Other", "soqlQuery", noon),               // Salesforce's tool through another app
		line("4", "response", "rep@acme.example", "My Salesforce", "search", noon),          // an app named after it
		line("5", "response", "rep@acme.example", "Slack", "search", noon),                  // neither
		line("6", "response", "rep@acme.example", "Sales", "Sales.createSobjectRecord", ""), // no time
		`{"event_id":"7","type":"AUTH_LOG"}`, `{"type":"APP_LOG","type":"APP_LOG"}`, `{"a":`, "", `[]`,
		`{"event_id":"8","type":"APP_LOG","timestamp":"` + noon + `","log_type":"response","output":[]}`,
	}, "\n")
	f, err := ReadOpenAI(strings.NewReader(text), OpenAI{Apps: []string{"sales"}, User: func(email string) string { return "<" + email + ">" }})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range f.Calls {
		got = append(got, c.User+" "+c.Tool+" "+c.Ref+" "+c.About)
	}
	want := []string{"<rep@acme.example> find event 2 app Sales", "<rep@acme.example> soqlQuery event 3 app Other", "<rep@acme.example> search event 4 app My Salesforce"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if f.Events != 12 || f.Unreadable != 5 || !strings.HasPrefix(f.FirstUnreadable, "line 7: timestamp") || f.Others["twice in the file"] != 1 || f.Others["app Slack"] != 1 ||
		f.Others["request events: only responses name the tool"] != 1 || f.Others["type AUTH_LOG"] != 1 || len(f.SHA256) != 64 || !f.From.Equal(f.Until) {
		t.Errorf("%+v", f)
	}
}

const heading = `"EVENT_TYPE","TIMESTAMP","REQUEST_ID","ORGANIZATION_ID","USER_ID","URI","METHOD","CONNECTED_APP_ID","CONNECTED_APP_NAME","NEW_COLUMN","TIMESTAMP_DERIVED","USER_ID_DERIVED","ENTITY_NAME"` + "\n"

func row(kind, user, app, time string) string {
	return fmt.Sprintf(`"%s","20260715153918.792","r1","00D","%s","/services/data/v60.0/query","GET","0H4x","%s","x","%s","","Account"`+"\n", kind, user, app, time)
}

func TestReadSalesforce(t *testing.T) {
	t.Parallel()
	s := Salesforce{Apps: []string{"MCP proxy"}, Types: APITypes(), User: func(id string) string { return id + "AAA" }}
	f, err := ReadSalesforce(strings.NewReader(heading+row("RestApi", "005x", "mcp proxy", "2026-07-15T15:39:18.792Z")+row("RestApi", "005y", "MCP proxy", "")+
		row("RestApi", "005x", "Data Loader", noon)+row("Login", "005x", "MCP proxy", noon)+row("RestApi", "", "MCP proxy", noon)+row("RestApi", "005x", "MCP proxy", "yesterday")+
		`"RestApi","x"`+"\n"), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Calls) != 2 || f.Calls[0].User != "005xAAA" || !f.Calls[1].At.Equal(time.Date(2026, 7, 15, 15, 39, 18, 792e6, time.UTC)) ||
		f.Calls[0].About != "RestApi GET /services/data/v60.0/query Account mcp proxy" || f.Calls[0].Ref != "line 2, request r1" {
		t.Errorf("%+v", f.Calls)
	}
	if f.Events != 7 || f.Unreadable != 2 || !slices.Equal(f.UnknownColumns, []string{"NEW_COLUMN"}) || f.Others["app Data Loader"] != 1 || f.Others["type Login"] != 1 || f.Others["no user"] != 1 {
		t.Errorf("%+v", f)
	}
}

// What is no such file says what is expected; what is too large says what to do. Nothing is held
// that the bounds do not allow.
func TestD15ReconcileFilesAreBounded(t *testing.T) {
	before := bounds
	t.Cleanup(func() { bounds = before })
	bounds = limits{200_000, 3000, 20, 40, 3}
	openAI := func(text string) error {
		_, err := ReadOpenAI(strings.NewReader(text), OpenAI{User: func(string) string { return "" }})
		return err
	}
	salesforce := func(text string) error {
		_, err := ReadSalesforce(strings.NewReader(text), Salesforce{Apps: []string{"x"}, Types: APITypes(), User: func(string) string { return "" }})
		return err
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"UTF-16 JSON":       {openAI("\xff\xfe{\x00"), "UTF-8"},
		"UTF-16 CSV":        {salesforce("E\x00V\x00"), "UTF-8"},
		"gzip":              {openAI("\x1f\x8b\x08"), "unpack it"},
		"many events":       {openAI(strings.Repeat(`{"type":"x"}`+"\n", 30)), "more than 20 events"},
		"a large file":      {openAI(strings.Repeat(strings.Repeat("x", 10_000)+"\n", 30)), "200000 bytes"},
		"a large CSV":       {salesforce(heading + strings.Repeat(row("RestApi", "005x", "x", noon), 2000)), "more than"},
		"a row without end": {salesforce(heading + `"RestApi","` + strings.Repeat("x\n", 50_000)), "a row has more than 3000 bytes"},
		"a wrong quote":     {salesforce(heading + `"a"b,c` + "\n"), "cannot be read any more"},
		"many columns":      {salesforce(strings.Repeat("A,", 50) + "B\n"), "51 columns"},
		"no file at all":    {salesforce(""), "the file is empty"},
		"another file":      {salesforce("name,amount\n"), "no column EVENT_TYPE"},
		"a column twice":    {salesforce("EVENT_TYPE,EVENT_TYPE\n"), "twice"},
		"no app":            {salesforce("EVENT_TYPE,TIMESTAMP,USER_ID\n"), "no column CONNECTED_APP_ID"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, tt.err, tt.want)
		}
	}
	long, err := ReadOpenAI(strings.NewReader(strings.Repeat("x", 50_000)+"\n"+line("1", "response", "a@b", "salesforce", "find", noon)), OpenAI{User: func(string) string { return "" }})
	if err != nil || long.Unreadable != 1 || len(long.Calls) != 1 {
		t.Errorf("a long line: %+v, %v", long, err)
	}
	if d := Pair(calls("u", "q", 1, 2, 3, 4, 5), nil, Within{Apart: time.Second}); d.OnlyThere != 5 || len(d.There) != 3 {
		t.Errorf("%+v", d)
	}
	many := &File{}
	for i := range 300 {
		many.other(fmt.Sprint("app ", i))
	}
	if len(many.Others) != 101 || many.Others["others"] != 200 {
		t.Errorf("%d kinds", len(many.Others))
	}
}

// Whatever is in a file, reading ends, and what is taken of it fits into a line.
func FuzzReadFiles(f *testing.F) {
	f.Add(line("1", "response", "a@b", "Salesforce", "find", noon))
	f.Add(heading + row("RestApi", "005x", "x", noon))
	f.Add("\uFEFF{}\n\n[]")
	f.Fuzz(func(t *testing.T, text string) {
		user := func(s string) string { return s }
		for _, read := range []func() (*File, error){
			func() (*File, error) { return ReadOpenAI(strings.NewReader(text), OpenAI{User: user}) },
			func() (*File, error) {
				return ReadSalesforce(strings.NewReader(text), Salesforce{Types: APITypes(), User: user})
			},
		} {
			got, err := read()
			if (got == nil) == (err == nil) {
				t.Fatalf("%v, %v", got, err)
			}
			if got != nil {
				for _, c := range got.Calls {
					if len(c.Name)+len(c.Tool)+len(c.Ref)+len(c.About) > 1000 || c.At.IsZero() {
						t.Fatalf("%+v", c)
					}
				}
			}
		}
	})
}
