package mcpforward

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/limit"
)

func get(r *http.Request) { r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0 }

// RS-10: access that ends while a stream is being opened, at whatever moment, leaves no
// stream open, though another client of the same user has one, and is told as such.
func TestRS10CutOffBeforeTheStream(t *testing.T) {
	t.Parallel()
	var atOnce, later atomic.Pointer[func()]
	run := func(p *atomic.Pointer[func()]) {
		if f := p.Swap(nil); f != nil {
			(*f)()
		}
	}
	w, server := withAsking(t)
	w.handler.Links = slowLinks{w.handler.Links, func() { run(&later) }}
	admit := w.handler.admit
	w.handler.admit = func(ctx context.Context, token, server string) (access.Caller, error) {
		caller, err := admit(ctx, token, server)
		run(&atOnce)
		return caller, err
	}
	cut := func(c *client) *func() {
		f := func() {
			if _, err := w.grants.RevokeGrant(context.Background(), c.grant, "test"); err != nil {
				t.Error(err)
			}
			w.handler.Recheck(context.Background())
		}
		return &f
	}
	alone := w.capable("asking", `{}`)
	later.Store(cut(alone))
	if a := alone.send(alone.request(nil, get)); a.status != http.StatusUnauthorized {
		t.Errorf("while Salesforce is asked: %d %s", a.status, a.body)
	}
	other := w.connect(salesforcesim.RepID, "claude", "asking")
	stream := other.open(other.request(nil, get))
	c := w.capable("asking", `{}`)
	atOnce.Store(cut(c))
	if a := c.send(c.request(nil, get)); a.status != http.StatusUnauthorized {
		t.Errorf("while the request is looked at: %d %s", a.status, a.body)
	}
	server.changes <- "notifications/tools/list_changed"
	if m := stream.next(); m == nil {
		t.Error("the other client's stream has ended, too")
	}
}

// A proxy that shuts down opens no more streams, and says that Salesforce is not the reason.
func TestNoStreamsWhileDraining(t *testing.T) {
	t.Parallel()
	w, _ := withAsking(t)
	c := w.capable("asking", `{}`)
	w.handler.Drain()
	w.handler.draining = saidLate{w.handler.draining}
	if a := c.send(c.request(nil, get)); a.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// saidLate has ended, and runs what waits for its end a while later, as a busy machine does.
type saidLate struct{ context.Context }

func (saidLate) Done() <-chan struct{}          { return make(chan struct{}) }
func (saidLate) AfterFunc(f func()) func() bool { return time.AfterFunc(100*time.Millisecond, f).Stop }

// Log messages come to who asked for them, with the call that they belong to.
func TestLogMessages(t *testing.T) {
	t.Parallel()
	w, _ := withAsking(t)
	quiet, loud := w.capable("asking", `{}`), w.capable("asking", `{}`)
	if a := loud.call("logging/setLevel", `{"level":"info"}`); a.status != http.StatusOK || !strings.Contains(a.body, `"result":{}`) {
		t.Fatalf("logging/setLevel: %s", a.body)
	}
	if a := loud.call("logging/setLevel", `{"level":"loud"}`); a.Error == nil || a.Error.Code != -32602 {
		t.Errorf("a level that there is not: %s", a.body)
	}
	if a := loud.tool("log", `{}`); len(a.messages) != 2 || !strings.Contains(a.messages[0], "wanted info") {
		t.Errorf("loud: %s", a.body)
	}
	if a := quiet.tool("log", `{}`); strings.Contains(a.body, "notifications/message") {
		t.Errorf("quiet: %s", a.body)
	}
}

// FW-32: what a hosted server says on a stream belongs to no call, so nobody could hide fields in it, or note that it holds
// text of people outside. Where rules ask for either, no log message passes there, and nothing beside the name
// of what has changed.
func TestFW32StreamsTellNothingOfRecords(t *testing.T) {
	t.Parallel()
	const logged = `notifications/message {"level":"error","data":"SSN 078-05-1120"}`
	const changed = `notifications/tools/list_changed {"text":"SSN 078-05-1120"}`
	for name, tt := range map[string]struct {
		rules  []policy.Rule
		passes bool
	}{
		"nothing is hidden": {[]policy.Rule{{Effect: policy.Allow}}, true},
		"fields are masked": {[]policy.Rule{{Effect: policy.Allow, Mask: []string{"Contact.SSN__c"}}}, false},
		"fields are dropped for others": {[]policy.Rule{{Effect: policy.Allow, Classes: []policy.Class{policy.Read}, Drop: []string{"*.SSN__c"}},
			{Effect: policy.Allow}}, false},
		"outside text counts": {[]policy.Rule{{Effect: policy.Confirm, Classes: []policy.Class{policy.Update}, After: policy.OutsideText}, {Effect: policy.Allow}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newAsking(t)
			w := newWorld(t, func(c *setup) {
				c.Servers = append(c.Servers, access.Server{Name: "asking", Org: "acme", URL: server.URL + "/platform/mcp/v1/custom/Asking",
					Policy: &policy.Policy{Name: "asking", Rules: tt.rules}, Groups: []string{"*"}})
			})
			c := w.capable("asking", `{}`)
			if a := c.call("logging/setLevel", `{"level":"info"}`); a.Error != nil {
				t.Fatalf("logging/setLevel: %s", a.body)
			}
			stream := c.open(c.request(nil, get))
			server.changes <- logged
			server.changes <- changed
			m := stream.next()
			if passed := m != nil && m.Method == "notifications/message"; passed != tt.passes {
				t.Errorf("first came %+v", m)
			} else if passed {
				m = stream.next()
			}
			if m == nil || m.Method != "notifications/tools/list_changed" || strings.Contains(m.raw, "SSN") {
				t.Errorf("then came %+v", m)
			}
		})
	}
}

// FW-33: nothing that a hosted server writes beside a list is taken for the list, or for whom it may be kept for.
func TestFW33ListsInOtherSpellings(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t)
	server.beside = `"Tools":[{"name":"hidden"}],"\uff54ools":[{"name":"hidden"}],"NextCursor":"hidden","CacheScope":"public","TTLMS":9,"vendor":"stays",`
	for what, a := range map[string]*answer{
		"with a session": w.capable("asking", `{}`).call("tools/list", `{}`), "without": w.modernAt(salesforcesim.RepID, "chatgpt", "asking").ask("tools/list", ""),
	} {
		if a.Result == nil || len(a.Result.Tools) != 4 || !strings.Contains(a.body, "stays") {
			t.Errorf("%s: %s", what, a.body)
		}
		others := []string{"hidden"}
		if what == "without" { // else nothing is read of how long it may be kept
			others = append(others, "public", "TTLMS")
		}
		for _, other := range others {
			if strings.Contains(a.body, other) {
				t.Errorf("%s: %q is in %s", what, other, a.body)
			}
		}
	}
}

func TestStreamOfNotifications(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t)
	c := w.capable("asking", `{}`)
	stream := c.open(c.request(nil, get))
	server.changes <- "notifications/tools/list_changed"
	if m := stream.next(); m == nil || m.Method != "notifications/tools/list_changed" {
		t.Fatalf("got %+v", m)
	}
	// Access that ends takes the stream along.
	if _, err := w.grants.RevokeGrant(t.Context(), c.grant, "test"); err != nil {
		t.Fatal(err)
	}
	w.handler.Recheck(t.Context())
	if m := stream.next(); m != nil {
		t.Errorf("after revocation: %s", m.raw)
	}

	// Salesforce offers none, and a client without a session gets none.
	sales := rep(w)
	if a := sales.send(sales.request(nil, get)); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST, DELETE" {
		t.Errorf("at Salesforce: %d %s", a.status, a.body)
	}
	sales.session = "x"
	if a := sales.send(sales.request(nil, get)); a.status != http.StatusNotFound {
		t.Errorf("no session: %d", a.status)
	}
	if len(w.entries("stream.open")) != 2 {
		t.Error("streams are not recorded")
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t)
	c := modern(w)
	c.grant, c.token = w.token(salesforcesim.RepID, "chatgpt", "asking")
	c.url = w.server.URL + "/mcp/asking"
	listen := func(c *client, filter string) *http.Request {
		return c.request(strings.NewReader(`{"jsonrpc":"2.0","id":"sub-1","method":"subscriptions/listen","params":{"notifications":`+filter+`,`+describedMeta+`}}`),
			func(r *http.Request) {
				r.Header.Set(versionHeader, statelessVersion)
				r.Header.Set("Mcp-Method", "subscriptions/listen")
			})
	}
	const marked = `"_meta":{"io.modelcontextprotocol/subscriptionId":"sub-1"}`
	stream := c.open(listen(c, `{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["test://x"]}`))
	if m := stream.next(); m == nil || m.Method != "notifications/subscriptions/acknowledged" ||
		string(m.Params) != `{"notifications":{"toolsListChanged":true},`+marked+`}` {
		t.Fatalf("acknowledged: %+v", m)
	}
	server.changes <- "notifications/prompts/list_changed" // not asked for
	server.changes <- "notifications/tools/list_changed"
	if m := stream.next(); m == nil || m.Method != "notifications/tools/list_changed" || !strings.Contains(string(m.Params), marked) {
		t.Errorf("notification: %+v", m)
	}
	// At Salesforce nothing will come, and that is acknowledged.
	sales := modern(w)
	empty := sales.open(listen(sales, `{"toolsListChanged":true}`))
	if m := empty.next(); m == nil || !strings.HasPrefix(string(m.Params), `{"notifications":{},`) {
		t.Errorf("at Salesforce: %+v", m)
	}
	// A proxy that shuts down ends the stream in good order.
	w.handler.Drain()
	for _, s := range []*events{stream, empty} {
		if m := s.next(); m == nil || string(m.ID) != `"sub-1"` || !strings.Contains(m.raw, `"resultType":"complete"`) || !strings.Contains(m.raw, `"io.modelcontextprotocol/subscriptionId":"sub-1"`) {
			t.Errorf("at the end: %+v", m)
		}
		if m := s.next(); m != nil {
			t.Errorf("after the end: %+v", m)
		}
	}
}

// One user cannot hold more streams than the bound.
func TestAV04StreamsAreBounded(t *testing.T) {
	t.Parallel()
	w, _ := withAsking(t)
	c := w.capable("asking", `{}`)
	for range limit.StreamsPerUser {
		c.open(c.request(nil, get))
	}
	if a := c.send(c.request(nil, get)); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("one more: %d %s", a.status, a.body)
	}
}
