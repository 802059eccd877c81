package mcpforward

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim"
)

// What a client is told when Salesforce fails, and what is recorded: a write that may
// have happened is of unknown outcome, keeps its approval spent and is not sent again.
func TestSalesforceFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change    func(*salesforcesim.Switches)
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
			w.switches(c.change)
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
			} else if c.created == 0 && (r.State != approval.Approved || last.Outcome != audit.Failed || !strings.HasSuffix(last.Reason, approval.GivenBack)) {
				t.Errorf("not sent, but the approval is %s, recorded %s", r.State, last.Outcome)
			}
			w.switches(func(f *salesforcesim.Switches) { *f = salesforcesim.Switches{} })
			w.switches(c.change)
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
	w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
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
	w.switches(func(f *salesforcesim.Switches) { f.AppDisabled, f.AuthenticateHeader = true, true })
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
	// A stream alone says that there is none: the challenge is the next call's.
	get := c.send(c.request(nil, func(r *http.Request) { r.Method = http.MethodGet; r.Header.Set("Accept", "text/event-stream") }))
	if get.status != http.StatusMethodNotAllowed {
		t.Errorf("a stream without a login: %d %s", get.status, get.body)
	}
}

// AU-08, SR-AU-1: without a durable intent nothing is forwarded.
func TestAU08NoAuditNoCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.audit.Refuse(func(audit.Entry) error { return errors.New("disk full") })
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
	w.switches(func(f *salesforcesim.Switches) { f.Down = true })
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
	if seen, err := w.audit.Verify(t.Context()); err != nil || seen.Last == 0 {
		t.Errorf("Verify = %+v, %v", seen, err)
	}
}

// G3, AU-01: of random operations every request that reached Salesforce has an intent and an outcome, and
// every denial has a reason. SFMCP_TEST_ROUNDS=2000 makes 20,000 of them.
func TestAU01Reconcile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, custom := rep(w), w.connect(salesforcesim.ManagerID, "claude", "custom")
	operations := []func(){
		func() { c.tool("getUserInfo", `{}`) }, func() { c.tool("deleteSobjectRecord", `{}`) }, func() { c.tool("noSuchTool", `{}`) }, func() { c.create(createAccount) },
		func() { custom.call("resources/list", `{}`) }, func() { custom.tool("createAccountWithOpportunity", `{"inputs":[{"accountName":"A"}]}`) },
		func() {
			if pending, err := w.approvals.List(t.Context(), approval.Filter{State: approval.Pending}); err == nil && len(pending) == 1 {
				w.decide(rand.IntN(3) > 0)
			}
		},
	}
	for i := range 10 * rounds.Count(t) {
		if i < len(operations) { // each at least once
			operations[i]()
		} else {
			operations[rand.IntN(len(operations))]()
		}
	}
	counted, denied := map[audit.Action]int{}, 0
	for _, e := range w.entries("") {
		if e.Outcome == audit.Denied {
			if denied++; e.Reason == "" {
				t.Errorf("a denial without a reason: %+v", e)
			}
		}
		if e.Outcome == audit.Intent && !e.Action.Matches("definition.") { // which send nothing
			counted[e.Action]++
		}
	}
	outcomes := map[int64]int{}
	for _, e := range w.entries("") {
		if e.IntentSeq > 0 && !e.Action.Matches("definition.") {
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
	sent := map[audit.Action]int{}
	for rpc, action := range map[string]audit.Action{"tools/call": "tool.call", "resources/list": "resource.list"} {
		sent[action] = len(w.sim.Requests(salesforcesim.RequestFilter{RPC: rpc}))
	}
	if diff := cmp.Diff(sent, counted); diff != "" || denied == 0 {
		t.Errorf("%d denied; sent and recorded: %s", denied, diff)
	}
}

// FT-35: the log does not say that an approval was given back, nor pass over that nobody recorded how its call
// ended, where the database did not take it; also where the answer is withheld, because nothing can be read either.
func TestFaultFT35LogSaysWhatWasNotSettled(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		switches func(*salesforcesim.Switches)
		unread   bool
		want     audit.Outcome
		reason   string
	}{
		"carried out":              {func(*salesforcesim.Switches) {}, false, audit.OK, notSettled},
		"carried out and withheld": {func(*salesforcesim.Switches) {}, true, audit.OK, notSettled + "; " + withheldReason},
		"not sent":                 {func(f *salesforcesim.Switches) { f.DailyLimitReached, f.LimitSignal = true, "429" }, false, audit.Failed, notSettled},
	} {
		w := newWorld(t, nil)
		c := rep(w)
		w.wantHeld("first", c.create(createAccount))
		approved := w.decide(true)
		w.switches(tt.switches)
		w.exec(`CREATE TRIGGER kept BEFORE UPDATE ON approvals WHEN OLD.state = 'spent' BEGIN SELECT RAISE(ABORT, 'kept'); END`)
		w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = tt.unread })
		answered := make(chan *answer, 1)
		go func() { answered <- c.create(createAccount) }()
		if tt.unread {
			waitFor(t, func() bool { return w.accounts("Nimbus") == 1 })
			w.exec(`ALTER TABLE grants RENAME TO out_of_reach`)
			w.age(24 * time.Hour) // so that the connection is looked at again
			w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
		}
		if a := <-answered; tt.unread && a.status != http.StatusServiceUnavailable {
			t.Errorf("%s: answered %d %s", name, a.status, a.body)
		}
		last := w.last()
		if !strings.HasSuffix(last.Reason, tt.reason) || strings.Contains(last.Reason, approval.GivenBack) || last.Outcome != tt.want {
			t.Errorf("%s: recorded %s %q", name, last.Outcome, last.Reason)
		}
		if r, err := w.approvals.Get(t.Context(), approved.ID); err != nil || !r.Unresolved(r.SpentAt.Add(approval.UnresolvedAfter)) {
			t.Errorf("%s: nobody is asked what became of it: %+v, %v", name, r, err)
		}
	}
}

// exec changes the database behind the product's back.
func (w *world) exec(statement string) {
	w.t.Helper()
	if _, err := w.db.Writes.Exec(statement); err != nil {
		w.t.Fatal(err)
	}
}
