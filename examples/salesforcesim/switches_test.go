package salesforcesim

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFaultsValidate(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Switches: Switches{BigAnswer: true}})
	err := s.SetSwitches(Switches{Framing: "xml", HostileToken: "all", TokenStatus: 99})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"framing", "hostile_token", "token_status"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	if diff := cmp.Diff(Switches{BigAnswer: true}, s.Switches()); diff != "" {
		t.Errorf("refused switches changed something: %s", diff)
	}
	if _, err := New(Config{BaseURL: "http://x", Switches: Switches{Drift: "sideways"}}); err == nil {
		t.Error("New accepts unknown switches")
	}
}

// TestSwitchesAreDocumented keeps the list of switches in the package documentation complete.
func TestSwitchesAreDocumented(t *testing.T) {
	t.Parallel()
	doc := readFile(t, "doc.go")
	for field := range reflect.TypeFor[Switches]().Fields() {
		if name := field.Tag.Get("json"); !strings.Contains(doc, name) {
			t.Errorf("doc.go lacks %s", name)
		}
	}
}

// TestBrokenAnswers: each switch strikes once; after the effect unless told otherwise.
func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	switches := map[string]struct {
		switches Switches
		check    func(reply, error) bool
	}{
		"empty":     {Switches{EmptyAnswers: 1}, func(r reply, err error) bool { return err == nil && r.status == 200 && r.body == "" }},
		"dropped":   {Switches{DroppedConnections: 1}, func(_ reply, err error) bool { return err != nil }},
		"html":      {Switches{HTMLErrors: 1}, func(r reply, _ error) bool { return r.status == 502 && strings.Contains(r.body, "<html>") }},
		"html 503":  {Switches{HTMLErrors: 1, HTMLStatus: 503}, func(r reply, _ error) bool { return r.status == 503 }},
		"truncated": {Switches{TruncatedStreams: 1}, func(r reply, _ error) bool { return strings.HasSuffix(r.body, `"resu`) }},
		"wrong id":  {Switches{WrongAnswerIDs: 1}, func(r reply, _ error) bool { return strings.Contains(r.body, "not-the-id") }},
	}
	s := start(t, Config{})
	c := connect(t, s, "platform/sobject-all")
	for name, test := range switches {
		for _, before := range []bool{false, true} {
			if name == "wrong id" && before {
				continue
			}
			account := strings.ReplaceAll(name, " ", "") + map[bool]string{true: " before", false: " after"}[before]
			test.switches.BeforeEffect = before
			setSwitches(t, s, test.switches)
			if got := c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); got.status != 200 || !strings.Contains(got.body, `"result":{}`) {
				t.Errorf("%s: struck another method: %+v", account, got)
			}
			got, err := trySend("POST", c.url, c.header(), createAccount(account))
			if !test.check(got, err) {
				t.Errorf("%s: %+v %v", account, got, err)
			}
			want := 1
			if before {
				want = 0
			}
			if n := accountsNamed(s, account); n != want {
				t.Errorf("%s: %d accounts, want %d", account, n, want)
			}
			if got := c.post(callUserInfo); !strings.Contains(got.body, RepUsername) {
				t.Errorf("%s: struck twice: %+v", account, got)
			}
		}
	}
}

func TestFaultMethod(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := connect(t, s, "platform/sobject-reads")
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	setSwitches(t, s, Switches{EmptyAnswers: -1, Method: "tools/list"})
	for range 2 {
		if got := c.post(list); got.body != "" {
			t.Errorf("%s", got.body)
		}
	}
	if got := c.post(callUserInfo); got.body == "" {
		t.Error("tools/call struck")
	}
	setSwitches(t, s, Switches{EmptyAnswers: -1, Method: "*"})
	if got := c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); got.body != "" {
		t.Error("ping not struck")
	}
}

func TestFraming(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := connect(t, s, "platform/sobject-reads")
	const call = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getUserInfo","arguments":{},"_meta":{"progressToken":"p"}}}`
	for _, framing := range []string{"sse", "keepalive"} {
		setSwitches(t, s, Switches{Framing: framing, ProgressNotifications: 2, ServerRequest: "sampling/createMessage", AnswerDelay: Duration(250 * time.Millisecond)})
		began := time.Now()
		got := c.post(call)
		data, comments := events(got.body)
		if got.header.Get("Content-Type") != "text/event-stream" || comments != (framing == "keepalive") || len(data) != 4 {
			t.Fatalf("%s: %v, comments %v, %d events: %s", framing, got.header, comments, len(data), got.body)
		}
		for i, want := range []string{`"notifications/progress"`, `"notifications/progress"`, `"sampling/createMessage"`, `"result"`} {
			if !strings.Contains(data[i], want) {
				t.Errorf("%s: event %d: %s", framing, i, data[i])
			}
		}
		if time.Since(began) < 250*time.Millisecond {
			t.Errorf("%s: no delay", framing)
		}
		if !strings.Contains(got.body, "event: message\ndata: ") {
			t.Errorf("%s: %s", framing, got.body)
		}
	}
	setSwitches(t, s, Switches{Framing: "random"})
	kinds := map[string]int{}
	for range 60 {
		got := c.post(call)
		kinds[got.header.Get("Content-Type")]++
		if !strings.Contains(got.body, RepUsername) {
			t.Fatal(got.body)
		}
	}
	if len(kinds) != 2 {
		t.Errorf("random framing: %v", kinds)
	}
}

func TestGatewaySwitches(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := connect(t, s, "platform/sobject-all")
	const update = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"updateSobjectRecord","arguments":{"sobject-name":"Account","id":"001","body":{}}}}`
	const query = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id FROM Account"}}}`
	const unknown = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"no_such"}}`
	for _, test := range []struct {
		name     string
		switches Switches
		body     string
		status   int
		contains string
	}{
		{"down", Switches{Down: true}, callUserInfo, 503, "<html>"},
		{"redirect", Switches{RedirectTo: "https://evil.example/"}, callUserInfo, 307, ""},
		{"not initialized", Switches{NotInitialized: 1}, callUserInfo, 404, "not initialized"},
		{"it was intermittent", Switches{}, callUserInfo, 200, RepUsername},
		{"unexpected", Switches{UnexpectedErrors: 1}, callUserInfo, 200, "Unexpected error while invoking tool getUserInfo"},
		{"update", Switches{UpdateAlwaysUnexpected: true}, update, 200, "Unexpected error while invoking tool updateSobjectRecord"},
		{"API access control", Switches{APIAccessControl: true}, query, 200, "UNKNOWN_EXCEPTION"},
		{"API access control spares the rest", Switches{APIAccessControl: true}, callUserInfo, 200, RepUsername},
		{"unknown tool", Switches{UnknownToolIsError: true}, unknown, 200, `"isError":true`},
		{"limit", Switches{DailyLimitReached: true}, callUserInfo, 200, "REQUEST_LIMIT_EXCEEDED"},
	} {
		setSwitches(t, s, test.switches)
		got := c.post(test.body)
		if got.status != test.status || !strings.Contains(got.body, test.contains) {
			t.Errorf("%s: %d %s", test.name, got.status, got.body)
		}
	}

	setSwitches(t, s, Switches{BigAnswer: true})
	if got := c.post(query); len(got.body) < 1<<20 {
		t.Errorf("big answer: %d bytes", len(got.body))
	}
	setSwitches(t, s, Switches{DuplicateSessionHeaders: true, InitializeDelay: Duration(60 * time.Millisecond)})
	began := time.Now()
	got := c.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`)
	if ids := got.header.Values("Mcp-Session-Id"); len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("session headers %v", ids)
	}
	if time.Since(began) < 60*time.Millisecond {
		t.Error("initialize was not slow")
	}
	setSwitches(t, s, Switches{DeleteAccepted: true})
	if got := send(t, "DELETE", c.url, c.header(), ""); got.status != 200 {
		t.Errorf("DELETE: %d", got.status)
	}
	if got := c.post(callUserInfo); got.status != 400 {
		t.Errorf("after DELETE: %d", got.status)
	}
}

// TestSlowAnswer: the tool has run although its client did not wait.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	for _, slow := range []Switches{{AnswerDelay: Duration(time.Hour)}, {AnswersHeld: true}} {
		s := start(t, Config{Switches: slow})
		c := connect(t, s, "platform/sobject-all")
		ctx, leave := context.WithCancel(t.Context())
		request, _ := http.NewRequestWithContext(ctx, "POST", c.url, strings.NewReader(createAccount("Slow")))
		request.Header = c.header()
		gone := make(chan error)
		go func() {
			response, err := http.DefaultClient.Do(request)
			if err == nil {
				response.Body.Close()
			}
			gone <- err
		}()
		for deadline := time.Now().Add(time.Minute); accountsNamed(s, "Slow") == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the tool does not run")
			}
		}
		leave()
		if err := <-gone; err == nil {
			t.Fatal("answered")
		}
		if n := accountsNamed(s, "Slow"); n != 1 {
			t.Errorf("%d accounts, want 1", n)
		}
	}
}

// TestAnswersHeld: they come when the switch is off, and not before.
func TestAnswersHeld(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"json", "sse", "keepalive"} {
		s := start(t, Config{Switches: Switches{AnswersHeld: true, Framing: framing}})
		c := connect(t, s, "platform/sobject-all")
		answers := make(chan reply, 2)
		for _, name := range []string{"One", "Two"} {
			go func() { answers <- c.post(createAccount(name)) }()
		}
		for deadline := time.Now().Add(time.Minute); accountsNamed(s, "One")+accountsNamed(s, "Two") < 2; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the tools do not run")
			}
		}
		setSwitches(t, s, Switches{AnswersHeld: true, Framing: framing, BigAnswer: true}) // another switch
		if len(answers) > 0 {
			t.Errorf("%s: answered while answers are held", framing)
		}
		setSwitches(t, s, Switches{})
		for range 2 {
			if a := <-answers; !strings.Contains(a.body, "success") {
				t.Errorf("%s: %s", framing, a.body)
			}
		}
	}
}

func TestDurationJSON(t *testing.T) {
	t.Parallel()
	var f Switches
	if err := json.Unmarshal([]byte(`{"initialize_delay":"45s"}`), &f); err != nil || time.Duration(f.InitializeDelay) != 45*time.Second {
		t.Errorf("%v %v", f.InitializeDelay, err)
	}
	if raw, err := json.Marshal(f); err != nil || !strings.Contains(string(raw), `"initialize_delay":"45s"`) {
		t.Errorf("%s %v", raw, err)
	}
	if err := json.Unmarshal([]byte(`{"initialize_delay":"soon"}`), &f); err == nil {
		t.Error("accepted soon")
	}
}
