package mcpforward

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
)

// What a client is told when Salesforce fails, and what is recorded: a write that may
// have happened is of unknown outcome, keeps its approval spent and is not sent again.
func TestSalesforceFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault     func(*salesforcesim.Switches)
		say       string // part of what is told of a write
		unknown   bool   // whether it happened
		readsHeal bool   // a read succeeds nevertheless
		created   int    // records
	}{
		"dropped after":    {func(f *salesforcesim.Switches) { f.DroppedConnections = 1 }, "not known", true, true, 1},
		"dropped before":   {func(f *salesforcesim.Switches) { f.DroppedConnections, f.BeforeEffect = 1, true }, "not known", true, true, 0},
		"truncated stream": {func(f *salesforcesim.Switches) { f.TruncatedStreams = 1 }, "not known", true, true, 1},
		"empty answer":     {func(f *salesforcesim.Switches) { f.EmptyAnswers = 1 }, "not known", true, true, 1},
		"HTML error":       {func(f *salesforcesim.Switches) { f.HTMLErrors = 1 }, "not known", true, true, 1},
		"other id":         {func(f *salesforcesim.Switches) { f.WrongAnswerIDs = 1 }, "not known", true, false, 1},
		"unexpected error": {func(f *salesforcesim.Switches) { f.UnexpectedErrors = 1 }, "not known", true, true, 0},
		"limit, 429":       {func(f *salesforcesim.Switches) { f.DailyLimitReached, f.LimitSignal = true, "429" }, "limit of the Salesforce org is reached; try again later. The call was not carried out", false, false, 0},
		"session lost":     {func(f *salesforcesim.Switches) { f.NotInitialized = 1 }, `"success":true`, false, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			cl := rep(w)
			w.wantHeld("first", cl.create(createAccount))
			approved := w.decide(true)
			w.faults(c.fault)
			a := cl.create(createAccount)
			if a.status != http.StatusOK || !strings.Contains(a.text(), c.say) {
				t.Errorf("told %d %s", a.status, a.body)
			}
			writes := slices.DeleteFunc(w.sim.Requests(salesforcesim.RequestFilter{Path: "/platform/mcp/"}),
				func(r salesforcesim.Request) bool { return !strings.Contains(r.Body, "createSobjectRecord") })
			if c.unknown && len(writes) != 1 {
				t.Errorf("the write was sent %d times", len(writes))
			}
			if got := w.accounts("Nimbus"); got != c.created {
				t.Errorf("%d records", got)
			}
			r, err := w.approvals.Get(t.Context(), approved.ID)
			if err != nil {
				t.Fatal(err)
			}
			entries := w.entries("tool.call")
			last := entries[len(entries)-1]
			if c.unknown {
				if r.State != approval.Spent || r.Outcome != approval.Unknown || last.Outcome != audit.Unknown {
					t.Errorf("ended %s %s, recorded %s", r.State, r.Outcome, last.Outcome)
				}
				if again := cl.create(createAccount); !again.failed() || !strings.Contains(again.text(), "not sent again") || w.accounts("Nimbus") != c.created {
					t.Errorf("repeated: %s", again.body)
				}
			} else if c.created == 0 && (r.State != approval.Approved || last.Outcome != audit.Failed) {
				t.Errorf("not sent, but the approval is %s, recorded %s", r.State, last.Outcome)
			}
			w.faults(func(f *salesforcesim.Switches) { *f = salesforcesim.Switches{} })
			w.faults(c.fault)
			if read := cl.tool("getUserInfo", `{}`); read.failed() == c.readsHeal {
				t.Errorf("a read: %s", read.body)
			}
		})
	}
}

func TestSalesforceTooSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Servers[0].Timeout = 2 * time.Second }) // enough to reach Salesforce
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	w.decide(true)
	w.faults(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
	if a := c.create(createAccount); !a.failed() || !strings.Contains(a.text(), "not answer in time") || !strings.Contains(a.text(), "not known") {
		t.Errorf("a write: %s", a.body)
	}
	if a := c.tool("getUserInfo", `{}`); !a.failed() || !strings.Contains(a.text(), "Nothing was changed") {
		t.Errorf("a read: %s", a.body)
	}
	if got := outcomes(w.entries("tool.call")); !slices.Contains(got, audit.Unknown) {
		t.Errorf("recorded %v", got)
	}
}

func TestServerInactive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) { c.Servers[0].URL += "-gone" })
	c := rep(w)
	if a := c.tool("getUserInfo", `{}`); !a.failed() || (a.Error == nil && !strings.Contains(a.text(), "not active")) {
		t.Errorf("a call: %s", a.body)
	}
	if a := c.call("tools/list", `{}`); a.Error == nil || !strings.Contains(a.text(), "not active") {
		t.Errorf("a list: %s", a.body)
	}
}

// Salesforce refuses the token and the refresh token: the client gets our challenge,
// never Salesforce's words.
func TestLoginLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.sim.FreezeUser(salesforcesim.RepUsername, true)
	w.faults(func(f *salesforcesim.Switches) { f.AppDisabled, f.AuthenticateHeader = true, true })
	a := c.tool("getUserInfo", `{}`)
	if a.status != http.StatusUnauthorized && a.status != http.StatusOK || strings.Contains(a.header.Get("WWW-Authenticate"), "salesforce") ||
		strings.Contains(a.body, "Invalid token") || !a.failed() {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if err := w.links.Revoke(t.Context(), "acme", salesforcesim.RepID, "test"); err != nil {
		t.Fatal(err)
	}
	if a = c.tool("getUserInfo", `{}`); a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("without a login: %d %v", a.status, a.header)
	}
	if a = c.call("tools/list", `{}`); a.status != http.StatusUnauthorized {
		t.Errorf("a list without a login: %d", a.status)
	}
}

// AU-08, SR-AU-1: without a durable intent nothing is forwarded.
func TestAU08NoAuditNoCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	if _, err := w.db.Writes.ExecContext(t.Context(),
		`CREATE TRIGGER full BEFORE INSERT ON audit_entries BEGIN SELECT RAISE(FAIL, 'disk full'); END`); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*answer{c.tool("getUserInfo", `{}`), c.call("tools/list", `{}`), c.call("prompts/get", `{"name":"accountReviewBriefing"}`)} {
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.Error == nil || strings.Contains(a.body, "disk") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if n := w.reached(); n != 0 {
		t.Errorf("%d requests reached Salesforce", n)
	}
	// A denial needs no record to hold.
	w.wantDenied("a denied tool", c.tool("deleteSobjectRecord", `{}`))
}

// FW-44: what cannot be checked is denied.
func TestFW44DatabaseGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.db.Reads.Close()
	a := c.tool("getUserInfo", `{}`)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "sql") || w.reached() != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestFW44Panic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.handler.admit = func(context.Context, string, string) (access.Caller, error) { panic("CANARY " + t.Name()) }
	c := &client{world: w, url: w.server.URL + "/mcp/sales"}
	_, c.token = w.token(salesforcesim.RepID, "chatgpt", "sales")
	a := c.call("tools/list", `{}`)
	if a.status != http.StatusInternalServerError || strings.Contains(a.body, "CANARY") || strings.Contains(a.body, "goroutine") || strings.Contains(w.logs.String(), "CANARY") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// cutBound is how long a call may last that is cut off, on a machine that is slow and
// busy. Otherwise it lasts as long as Salesforce may take, which is a minute.
const cutBound = 20 * time.Second

// RS-10: access is taken away while calls are under way.
func TestRS10CutOffInFlight(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(context.Context, *world, *client) error{
		"grant revoked": func(ctx context.Context, w *world, c *client) error {
			_, err := w.grants.RevokeGrant(ctx, c.grant, "test")
			return err
		},
		"user blocked": func(ctx context.Context, w *world, c *client) error {
			_, err := w.grants.BlockUser(ctx, "acme", salesforcesim.RepID, "test")
			return err
		},
		"client revoked": func(ctx context.Context, w *world, c *client) error {
			_, err := w.grants.RevokeClient(ctx, "chatgpt", "test")
			return err
		},
		"stop all": func(ctx context.Context, w *world, c *client) error {
			return w.handler.Access.SetStop(ctx, access.StopAll, "test")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c := rep(w)
			w.wantHeld("a write", c.create(createAccount))
			w.decide(true)
			other := w.connect(salesforcesim.ManagerID, "claude", "sales")
			watch, stop := context.WithCancel(t.Context())
			defer stop()
			go w.db.WatchAccess(watch, 100*time.Millisecond, func() { w.handler.Recheck(watch) })
			w.faults(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
			answers := make(chan *answer, 3)
			for i, call := range []string{
				`{"name":"getUserInfo","arguments":{}}`, `{"name":"getUserInfo","arguments":{},"_meta":{"progressToken":1}}`,
				`{"name":"createSobjectRecord","arguments":` + createAccount + `}`,
			} {
				d := *c
				d.ids = 10 * i
				go func() { answers <- d.call("tools/call", call) }()
			}
			bystander := make(chan *answer, 1)
			go func() { bystander <- other.tool("getUserInfo", `{}`) }()
			waitFor(t, func() bool { return len(w.forwarded()) == 4 })
			if err := cut(t.Context(), w, c); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			for range 3 {
				a := <-answers
				if time.Since(begun) > cutBound || strings.Contains(a.body, "Riley") || strings.Contains(a.body, "success") {
					t.Errorf("after %s: %d %s", time.Since(begun), a.status, a.body)
				}
				// The kill switch ends calls, not connections: a token that is good is not called bad.
				stopped := a.status == http.StatusOK && a.failed() && strings.Contains(a.text(), "stopped by an administrator")
				if stopped != (name == "stop all") || !stopped && a.status != http.StatusUnauthorized {
					t.Errorf("told %d %s", a.status, a.body)
				}
				if stopped && strings.Contains(a.text(), "not made") {
					t.Errorf("a call that was made is denied: %s", a.body)
				}
			}
			w.faults(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
			if a := <-bystander; name != "stop all" && a.failed() {
				t.Errorf("another user's call: %s", a.body)
			}
			if name != "stop all" {
				if a := c.call("ping", `{}`); a.status != http.StatusUnauthorized {
					t.Errorf("the next call: %d", a.status)
				}
			}
			waitFor(t, func() bool {
				last := map[string]int{}
				for _, e := range w.entries("tool.call") {
					last[e.Outcome]++
				}
				return last[audit.Unknown] == 1 && last[audit.Intent] == 4
			})
		})
	}
}

// underWay makes a call whose answer Salesforce holds, and returns where an answer to it
// will come.
func (w *world) underWay(t *testing.T, c *client, id string) <-chan *answer {
	t.Helper()
	w.faults(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
	answers := make(chan *answer, 1)
	go func() {
		d := *c
		answers <- d.post(`{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"getUserInfo"}}`)
	}()
	waitFor(t, func() bool { return len(w.forwarded()) == 1 })
	return answers
}

func TestCancelNotification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	other := w.connect(salesforcesim.RepID, "claude", "sales")
	answers := w.underWay(t, c, `"slow"`)
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}}`
	other.post(cancel) // another session's request of that name
	select {
	case a := <-answers:
		t.Fatalf("another session cancelled the call: %s", a.body)
	case <-time.After(200 * time.Millisecond):
	}
	begun := time.Now()
	c.post(cancel)
	if a := <-answers; !a.failed() || time.Since(begun) > cutBound || !strings.Contains(a.text(), "cancelled") {
		t.Errorf("after %s: %s", time.Since(begun), a.body)
	}
}

// A client may write the id of a call in one way and name it in another.
func TestCancelNotificationInOtherSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	answers := w.underWay(t, c, `"a\/\u0062"`)
	begun := time.Now()
	c.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a/b"}}`)
	if a := <-answers; !a.failed() || time.Since(begun) > cutBound || !strings.Contains(a.text(), "cancelled") || string(a.ID) != `"a\/\u0062"` {
		t.Errorf("after %s: %s", time.Since(begun), a.body)
	}
}

// A call ends where it began when the configuration is reloaded; its client's cancellation
// and the end of its access come to the handler that is in force by then.
func TestFT45CallsOfAFormerHandler(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, *client) error{
		"cancelled": func(_ *world, c *client) error {
			a := c.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}}`)
			if a.status != http.StatusAccepted {
				return errors.New(a.body)
			}
			return nil
		},
		"revoked": func(w *world, c *client) error {
			_, err := w.grants.RevokeGrant(context.Background(), c.grant, "test")
			w.handler.Recheck(context.Background())
			return err
		},
	} {
		var handler atomic.Pointer[Handler]
		w := newWorld(t, nil)
		handler.Store(w.handler)
		w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.Load().ServeHTTP(rw, r) })
		c := rep(w)
		answers := w.underWay(t, c, `"slow"`)
		next, err := New(w.handler.Config)
		if err != nil {
			t.Fatal(err)
		}
		next.TakeOver(w.handler)
		w.handler = next
		handler.Store(next)
		begun := time.Now()
		if err := end(w, c); err != nil {
			t.Fatal(err)
		}
		a := <-answers
		told := a.status == http.StatusUnauthorized || strings.Contains(a.text(), "cancelled") // and not that its time was up
		if !a.failed() || time.Since(begun) > cutBound || !told {
			t.Errorf("%s: after %s: %d %s", name, time.Since(begun), a.status, a.body)
		}
	}
}

// FW-45: a write is cancelled while it waits for its turn. It is not made later.
func TestFW45CancelledBeforeItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Limits.ConcurrentCalls = 1
		c.Servers[0].Policy = allowAll()
	})
	c := rep(w)
	slow, queued := w.underWay(t, c, `"slow"`), make(chan *answer, 1)
	go func() {
		d := *c
		queued <- d.post(`{"jsonrpc":"2.0","id":"queued","method":"tools/call","params":{"name":"createSobjectRecord","arguments":` + createAccount + `}}`)
	}()
	waitFor(t, func() bool { return w.handler.calls.count() == 2 })
	c.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"queued"}}`)
	if a := <-queued; !a.failed() || !strings.Contains(a.text(), "cancelled") || !strings.Contains(a.text(), "not carried out") {
		t.Errorf("the cancelled write: %s", a.body)
	}
	w.faults(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
	if a := <-slow; a.failed() {
		t.Errorf("the other call: %s", a.body)
	}
	if got := w.forwarded(); len(got) != 1 || w.accounts("Nimbus") != 0 {
		t.Errorf("forwarded %v", got)
	}
}

// FW-45: the client goes away while its write is under way. The write runs to its end
// and a repeat is answered from the record.
func TestFW45ClientGoesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	w.decide(true)
	w.faults(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		r := c.request(strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"createSobjectRecord","arguments":` + createAccount + `}}`))
		resp, err := http.DefaultClient.Do(r.WithContext(ctx))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		gone <- err
	}()
	waitFor(t, func() bool { return len(w.forwarded()) == 1 })
	leave()
	if err := <-gone; err == nil {
		t.Fatal("the client got its answer")
	}
	w.faults(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
	waitFor(t, func() bool { return slices.Contains(outcomes(w.entries("tool.call")), audit.OK) })
	if a := c.create(createAccount); a.failed() || !strings.Contains(a.text(), "not made again") || w.accounts("Nimbus") != 1 {
		t.Errorf("repeated: %s", a.body)
	}
}

// G1, AU-07: no credential in the log, the audit log or an answer.
func TestG1NoSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	salesforceToken, err := w.links.Token(t.Context(), "acme", salesforcesim.RepID)
	if err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	keep := func(a *answer) { seen.WriteString(a.body) }
	keep(c.tool("soqlQuery", `{"q":"SELECT Id FROM Account WHERE Name = 'Bearer sfr_CANARYCANARY'"}`))
	keep(c.create(`{"sobject-name":"Account","body":{"Name":"x","Description":"` + salesforceToken + `","password":"CANARYCANARY"}}`))
	keep(c.tool("getUserInfo", `{}`))
	keep(c.call("tools/list", `{}`))
	w.faults(func(f *salesforcesim.Switches) { f.Down = true })
	keep(c.tool("getUserInfo", `{}`))
	if err := w.audit.Export(t.Context(), audit.Filter{}, &seen); err != nil {
		t.Fatal(err)
	}
	seen.WriteString(w.logs.String())
	for what, secret := range map[string]string{"access token": c.token, "session id": c.session, "Salesforce token": salesforceToken, "pasted secret": "CANARYCANARY"} {
		if i := strings.Index(seen.String(), secret); i >= 0 {
			t.Errorf("%s is told: …%s…", what, seen.String()[max(0, i-80):i+20])
		}
	}
	if n, err := w.audit.Verify(t.Context()); err != nil || n == 0 {
		t.Errorf("Verify = %d, %v", n, err)
	}
}

// G3, AU-01: every request that reached Salesforce has an intent and an outcome.
func TestAU01Reconcile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, custom := rep(w), w.connect(salesforcesim.ManagerID, "claude", "custom")
	for i := range 10 {
		c.tool("getUserInfo", `{}`)
		c.tool("deleteSobjectRecord", `{}`)
		c.create(createAccount)
		custom.call("resources/list", `{}`)
		custom.tool("createAccountWithOpportunity", `{"inputs":[{"accountName":"A"}]}`)
		if i == 5 {
			w.decide(true)
		}
	}
	counted := map[string]int{}
	for _, e := range w.entries("") {
		if e.Outcome == audit.Intent {
			counted[e.Action]++
		}
	}
	outcomes := map[int64]int{}
	for _, e := range w.entries("") {
		if e.IntentSeq > 0 {
			outcomes[e.IntentSeq]++
		}
	}
	for seq, n := range outcomes {
		if n != 1 {
			t.Errorf("intent %d has %d outcomes", seq, n)
		}
	}
	total := 0
	for _, n := range counted {
		total += n
	}
	if len(outcomes) != total {
		t.Errorf("%d intents, %d outcomes", total, len(outcomes))
	}
	sent := map[string]int{}
	for rpc, action := range map[string]string{"tools/call": "tool.call", "resources/list": "resource.list"} {
		sent[action] = len(w.sim.Requests(salesforcesim.RequestFilter{RPC: rpc}))
	}
	if diff := cmp.Diff(sent, counted); diff != "" {
		t.Errorf("sent and recorded: %s", diff)
	}
}
