package mcpforward

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
)

// atNoon stops the clock of budgets where no window is about to end.
func atNoon() time.Time { return time.Date(2026, 3, 10, 12, 0, 30, 0, time.UTC) }

// budgeted makes the server sales let everything pass but for these budgets.
func budgeted(t testing.TB, p *policy.Policy, budgets ...policy.Budget) *world {
	t.Helper()
	return newWorld(t, func(c *setup) {
		p.Budgets = budgets
		c.Servers[0].Policy = p
		c.Counters = map[string][]*budget.Counter{}
		for _, b := range budgets {
			c.Counters["sales"] = append(c.Counters["sales"], budget.NewCounter(budget.PolicyScope(p.Name), b))
		}
		c.Budgets = budgetStore(t, c.DB)
	})
}

func budgetStore(t testing.TB, d *db.DB) *budget.Store {
	t.Helper()
	s, err := budget.New(budget.Config{DB: d, Now: atNoon})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func perDay(what policy.Measure, limit policy.Amount) policy.Budget {
	return policy.Budget{Who: policy.EachUser, What: what, Window: policy.Day, Limit: limit}
}

// doomed makes records that tests delete, and returns the arguments of that.
func (w *world) doomed(c *client, n int) (all []string) {
	w.t.Helper()
	for i := range n {
		name := fmt.Sprintf("Doomed %d", i)
		if a := c.create(fmt.Sprintf(`{"sobject-name":"Account","body":{"Name":%q}}`, name)); a.failed() {
			w.t.Fatal(a.body)
		}
		for _, r := range w.sim.Records("acme", "Account") {
			if r["Name"] == name {
				all = append(all, fmt.Sprintf(`{"sobject-name":"Account","id":%q}`, r["Id"]))
			}
		}
	}
	return all
}

// FW-30: of five deletes a day the sixth is refused, in a sentence that says until when, and
// reaches nobody; after a restart too. Reading goes on.
func TestFW30DeletesOfADay(t *testing.T) {
	t.Parallel()
	w := budgeted(t, allowAll(), perDay(policy.Deletes, 5))
	c := rep(w)
	deletes := w.doomed(c, 7)
	for i, arguments := range deletes[:5] {
		if a := c.tool("deleteSobjectRecord", arguments); a.failed() {
			t.Fatalf("delete %d: %s", i+1, a.body)
		}
	}
	before := len(w.forwarded())
	for restart := range 3 {
		a := c.tool("deleteSobjectRecord", deletes[5+restart%2])
		if !a.failed() || !strings.Contains(a.text(), "allows 5 deletes of each user a day") || !strings.Contains(a.text(), "2026-03-11 00:00:00 UTC") {
			t.Errorf("the sixth: %s", a.body)
		}
		w.handler.Budgets = budgetStore(t, w.db)
	}
	if after := len(w.forwarded()); after != before {
		t.Errorf("%d calls beyond the budget reached Salesforce", after-before)
	}
	entries := w.entries("tool.call")
	if e := entries[len(entries)-1]; e.Outcome != audit.Denied || !strings.HasPrefix(e.Reason, "over a budget of policy allow-all: 5 of 5 deletes") {
		t.Errorf("recorded %+v", e)
	}
	if a := c.tool("soqlQuery", `{"q":"SELECT Id FROM Account LIMIT 1"}`); a.failed() {
		t.Errorf("reading: %s", a.body)
	}
	if a := w.connect(salesforcesim.ManagerID, "chatgpt", "sales").tool("deleteSobjectRecord", deletes[5]); a.failed() {
		t.Errorf("another user: %s", a.body)
	}
}

// FW-30: of many deletes at once no more pass than there are.
func TestFW30DeletesAtOnce(t *testing.T) {
	t.Parallel()
	w := budgeted(t, allowAll(), perDay(policy.Deletes, 3))
	c := rep(w)
	deletes := w.doomed(c, 12)
	var all sync.WaitGroup
	for _, arguments := range deletes {
		request := c.request(strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deleteSobjectRecord","arguments":%s}}`, arguments)))
		all.Go(func() {
			if resp, err := http.DefaultClient.Do(request); err == nil {
				resp.Body.Close()
			}
		})
	}
	all.Wait()
	done := 0
	for _, name := range w.forwarded() {
		if name == "deleteSobjectRecord" {
			done++
		}
	}
	if done != 3 {
		t.Errorf("%d of 3 deletes reached Salesforce", done)
	}
}

// FW-31: paging through a table ends when the rows of an hour are used up, however small the
// pages are.
func TestFW31PagesOfRows(t *testing.T) {
	t.Parallel()
	w := budgeted(t, readOnly(), policy.Budget{Who: policy.EachUser, What: policy.Rows, Window: policy.Hour, Limit: 5})
	c := rep(w)
	rows, pages := int64(0), 0
	for offset := range 50 {
		a := c.tool("soqlQuery", fmt.Sprintf(`{"q":"SELECT Id FROM Contact LIMIT 2 OFFSET %d"}`, offset%2))
		if a.failed() {
			if !strings.Contains(a.text(), "allows 5 rows of each user an hour") {
				t.Errorf("refused by: %s", a.body)
			}
			break
		}
		if e := w.last(); e.Rows != nil {
			rows += *e.Rows
		}
		pages++
	}
	if pages == 0 || pages == 50 || rows < 5 || rows > 6 {
		t.Errorf("%d rows in %d pages, of 5", rows, pages)
	}
	if a := c.tool("soqlQuery", `{"q":"SELECT count() FROM Contact"}`); !a.failed() {
		t.Errorf("one more: %s", a.body)
	}
}

// FW-31: an answer is counted before anybody gets it: one that cannot be is withheld, and a
// call that cannot be counted is not made.
func TestFW31UncountedIsWithheld(t *testing.T) {
	t.Parallel()
	w := budgeted(t, readOnly(), policy.Budget{Who: policy.EachUser, What: policy.Bytes, Window: policy.Hour, Limit: 100})
	c := rep(w)
	reached := w.reached()
	release := refuseCounts(t, w.db)
	if a := c.tool("soqlQuery", `{"q":"SELECT Id FROM Contact LIMIT 1"}`); a.status != http.StatusServiceUnavailable || w.reached() != reached {
		t.Errorf("a call that could not be counted: %d %s", a.status, a.body)
	}
	release()
	// One unit is in this process now, so that the call passes and its answer cannot be counted.
	if _, err := w.handler.Budgets.Take(t.Context(), budget.Caller{Org: "acme", Subject: salesforcesim.RepID, Client: "chatgpt"},
		[]budget.Charge{{Counter: w.handler.Counters["sales"][0]}}); err != nil {
		t.Fatal(err)
	}
	defer refuseCounts(t, w.db)()
	a := c.tool("soqlQuery", `{"q":"SELECT Id, Name FROM Contact LIMIT 1"}`)
	if !a.failed() || !strings.Contains(a.text(), "withheld, because it could not be counted") || strings.Contains(a.body, "records") {
		t.Errorf("an answer that could not be counted: %s", a.body)
	}
	if e := w.last(); !strings.Contains(e.Reason, "could not be counted") || e.AnswerDigest != "" {
		t.Errorf("recorded %+v", e)
	}
}

// refuseCounts makes counts impossible to write until the function that it returns is called.
func refuseCounts(t testing.TB, d *db.DB) func() {
	run := func(statements ...string) {
		for _, s := range statements {
			if _, err := d.Writes.ExecContext(context.Background(), s); err != nil {
				t.Error(err)
			}
		}
	}
	run(`CREATE TRIGGER full_i BEFORE INSERT ON budget_counts BEGIN SELECT RAISE(FAIL, 'disk full'); END`,
		`CREATE TRIGGER full_u BEFORE UPDATE ON budget_counts BEGIN SELECT RAISE(FAIL, 'disk full'); END`)
	return func() { run(`DROP TRIGGER full_i`, `DROP TRIGGER full_u`) }
}

// FW-30: a call that waits for a person takes nothing before it is made, and nobody is asked
// about one that could not be made.
func TestFW30HeldTakesWhenMade(t *testing.T) {
	t.Parallel()
	w := budgeted(t, confirmWrites(), perDay(policy.Writes, 1))
	c := rep(w)
	for i := range 3 {
		w.wantHeld("waits", c.create(fmt.Sprintf(`{"sobject-name":"Account","body":{"Name":"Held %d"}}`, i)))
	}
	pending, err := w.approvals.List(t.Context(), approval.Filter{State: approval.Pending})
	if err != nil || len(pending) != 3 {
		t.Fatalf("%d wait, %v", len(pending), err)
	}
	for _, r := range pending {
		if _, err := w.approvals.Approve(t.Context(), r.ID, agreement(&r)); err != nil {
			t.Fatal(err)
		}
	}
	made := 0
	for i := range 3 {
		if a := c.create(fmt.Sprintf(`{"sobject-name":"Account","body":{"Name":"Held %d"}}`, i)); !a.failed() {
			made++
		}
	}
	if made != 1 || len(w.forwarded()) != 1 {
		t.Errorf("%d of 1 writes were made: %v", made, w.forwarded())
	}
	a := c.create(`{"sobject-name":"Account","body":{"Name":"Too late"}}`)
	if !a.failed() || strings.Contains(a.text(), "/approvals/") {
		t.Errorf("asks a person about what cannot be made: %s", a.body)
	}
}

// What does not leave takes nothing.
func TestFW30NotMadeTakesNothing(t *testing.T) {
	t.Parallel()
	w := budgeted(t, allowAll(), perDay(policy.Calls, 1))
	c := rep(w)
	for range 3 {
		if a := c.tool("soqlQuery", `{"q":"SELECT FROM"}`); !a.failed() {
			t.Fatal("passed")
		}
	}
	if err := w.links.Revoke(t.Context(), "acme", salesforcesim.RepID, "test"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if a := c.tool("getUserInfo", `{}`); a.status != http.StatusUnauthorized {
			t.Fatalf("without a login: %s", a.body)
		}
	}
	w.signIn(salesforcesim.RepUsername, salesforcesim.RepPassword)
	if a := c.tool("getUserInfo", `{}`); a.failed() {
		t.Errorf("the one call: %s", a.body)
	}
	if a := c.tool("getUserInfo", `{}`); !a.failed() {
		t.Error("a second call passed")
	}
}

// A policy that only watches counts, and refuses nothing.
func TestFW30ShadowRefusesNothing(t *testing.T) {
	t.Parallel()
	p := allowAll()
	p.Mode = policy.Shadow
	w := budgeted(t, p, perDay(policy.Calls, 1))
	c := rep(w)
	for i := range 3 {
		if a := c.tool("getUserInfo", `{}`); a.failed() {
			t.Errorf("call %d: %s", i, a.body)
		}
	}
	if e := w.last(); !strings.Contains(e.Rule, "shadow: would be refused, over a budget") {
		t.Errorf("recorded %+v", e)
	}
	if n := w.handler.Budgets.Refused(policy.Calls); n != 2 {
		t.Errorf("%d are counted as over the budget, want 2", n)
	}
}

// An org's daily calls are counted over all servers and policies, with lists, and hold in
// shadow mode as well.
func TestFW31DailyCallsOfAnOrg(t *testing.T) {
	t.Parallel()
	org := budget.NewCounter(budget.OrgScope("acme"), policy.Budget{Who: policy.AllParties, What: policy.Calls, Window: policy.Day, Limit: 4})
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy.Mode = policy.Shadow
		c.Counters = map[string][]*budget.Counter{"sales": {org}, "reads": {org}}
		c.Budgets = budgetStore(t, c.DB)
	})
	sales, reads := rep(w), w.connect(salesforcesim.RepID, "claude", "reads")
	for i := range 2 {
		if a := sales.call("tools/list", `{}`); a.Error != nil {
			t.Errorf("list %d: %s", i, a.body)
		}
		if a := reads.tool("getUserInfo", `{}`); a.failed() {
			t.Errorf("call %d: %s", i, a.body)
		}
	}
	before := w.reached()
	for name, a := range map[string]*answer{"list": sales.call("tools/list", `{}`), "call": reads.tool("getUserInfo", `{}`)} {
		if !a.failed() || !strings.Contains(a.text(), "4 calls of all users together a day") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if w.reached() != before {
		t.Error("what is over the org's limit reached Salesforce")
	}
}
