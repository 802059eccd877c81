package mcpforward

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
)

// withEverything adds servers on which nothing is held: the sObject tools, and those that
// call the REST API.
func withEverything(c *setup) {
	for name, hosted := range map[string]string{"all": "platform/sobject-all", "headless": "platform/headless-360"} {
		s := c.Servers[0]
		s.Name, s.Policy = name, allowAll()
		s.URL = strings.Replace(s.URL, "platform/sobject-all", hosted, 1)
		c.Servers = append(c.Servers, s)
	}
}

// last is the entry of how the call before ended.
func (w *world) last() audit.Entry {
	w.t.Helper()
	all := w.entries("tool.call")
	if len(all) == 0 {
		w.t.Fatal("nothing is recorded")
	}
	return all[len(all)-1]
}

// rawResult is the result of an answer as it came.
func (a *answer) rawResult() string {
	text := a.body
	if len(a.messages) > 0 {
		text = a.messages[len(a.messages)-1]
	}
	var m struct{ Result json.RawMessage }
	json.Unmarshal([]byte(text), &m)
	return string(m.Result)
}

// wantRecorded checks what the last entry says of an answer.
func (w *world) wantRecorded(what string, a *answer, rows *int64, total int64, records ...audit.Records) {
	w.t.Helper()
	e := w.last()
	if e.Outcome != audit.OK || e.AnswerDigest != answerDigest([]byte(a.rawResult())) {
		w.t.Errorf("%s: outcome %s, digest %s of %s", what, e.Outcome, e.AnswerDigest, a.body)
	}
	if diff := cmp.Diff(rows, e.Rows); diff != "" {
		w.t.Errorf("%s: rows: %s in %s", what, diff, a.body)
	}
	if diff := cmp.Diff(records, e.Records); diff != "" || e.RecordsTotal != total {
		w.t.Errorf("%s: %d records: %s in %s", what, e.RecordsTotal, diff, a.body)
	}
}

func group(class, object string, ids ...string) audit.Records {
	return audit.Records{Class: class, Object: object, IDs: ids}
}

// U5: the log says what left and what was made.
func TestU5EntriesSayWhatLeftAndWasMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withEverything)
	c := w.connect(salesforcesim.RepID, "chatgpt", "all")

	a := c.create(`{"sobject-name":"account","body":{"Name":"Nimbus"}}`)
	created := w.last()
	if a.failed() || len(created.Records) != 1 || len(created.Records[0].IDs) != 1 {
		t.Fatalf("%s, recorded %+v", a.body, created)
	}
	account := created.Records[0].IDs[0]
	if !strings.Contains(a.text(), account) {
		t.Errorf("%s is not what was made: %s", account, a.body)
	}
	w.wantRecorded("create", a, nil, 1, group("create", "Account", account))

	made := []string{account}
	for i := range 25 {
		c.create(fmt.Sprintf(`{"sobject-name":"Account","body":{"Name":"Nimbus %d"}}`, i))
		made = append(made, w.last().Records[0].IDs[0])
	}
	c.tool("soqlQuery", `{"q":"SELECT Name FROM Account WHERE Name LIKE 'Nimbus%' ORDER BY CreatedDate, Id"}`)
	if e := w.last(); e.Rows == nil || *e.Rows != 26 || e.RecordsTotal != 26 || len(e.Records) != 1 || len(e.Records[0].IDs) != audit.MaxRecords ||
		e.Records[0].Object != "Account" || slices.ContainsFunc(e.Records[0].IDs, func(id string) bool { return !slices.Contains(made, id) }) {
		t.Errorf("query of many: %+v", e)
	}
	c.tool("soqlQuery", `{"q":"SELECT COUNT(Id) n, Industry FROM Account GROUP BY Industry"}`)
	if e := w.last(); e.Rows == nil || *e.Rows == 0 || len(e.Records) != 0 {
		t.Errorf("aggregates: %+v", e)
	}
	w.wantRecorded("query of nothing", c.tool("soqlQuery", `{"q":"SELECT Id FROM Account WHERE Name = 'none'"}`), new(int64(0)), 0)

	c.create(`{"sobject-name":"Contact","body":{"LastName":"Stratus","AccountId":"` + account + `"}}`)
	contact := w.last().Records[0].IDs[0]
	w.wantRecorded("search", c.tool("find", `{"q":"FIND {Stratus} IN ALL FIELDS RETURNING Contact(Id, LastName)"}`), new(int64(1)), 1, group("read", "Contact", contact))
	w.wantRecorded("related", c.tool("getRelatedRecords", `{"sobject-name":"Account","id":"`+account[:15]+`","relationship-path":"Contacts"}`),
		new(int64(1)), 2, group("read", "Account", account), group("read", "Contact", contact))
	w.wantRecorded("parents", c.tool("soqlQuery", `{"q":"SELECT LastName, Account.Name FROM Contact WHERE LastName = 'Stratus'"}`),
		new(int64(1)), 2, group("read", "Account", account), group("read", "Contact", contact))
	w.wantRecorded("children", c.tool("soqlQuery", `{"q":"SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Id = '`+account+`'"}`),
		new(int64(2)), 2, group("read", "Contact", contact), group("read", "Account", account))
	w.wantRecorded("update", c.tool("updateSobjectRecord", `{"sobject-name":"Contact","id":"`+contact+`","body":{"FirstName":"A","AccountId":"`+account+`"}}`),
		nil, 1, group("update", "Contact", contact))
	w.wantRecorded("update related", c.tool("updateRelatedRecord", `{"sobject-name":"Contact","id":"`+contact+`","relationship-path":"Account","body":{"Industry":"Energy"}}`),
		nil, 1, group("read", "Contact", contact)) // nobody says which record it leads to
	w.wantRecorded("user", c.tool("getUserInfo", `{}`), nil, 1, group("read", "", salesforcesim.RepID))
	w.wantRecorded("schema", c.tool("getObjectSchema", `{"objects":"Account"}`), nil, 0)
	recent := c.tool("listRecentSobjectRecords", `{"sobject-name":"Contact"}`)
	if e := w.last(); e.Rows == nil || *e.Rows == 0 || !slices.Contains(e.Records[0].IDs, contact) || e.Records[0].Object != "Contact" {
		t.Errorf("recent: %+v of %s", e, recent.body)
	}
	w.wantRecorded("delete", c.tool("deleteSobjectRecord", `{"sobject-name":"Contact","id":"`+contact+`"}`), nil, 1, group("delete", "Contact", contact))

	// What failed has neither read nor changed anything.
	for _, arguments := range []string{`{"sobject-name":"Contact","id":"` + contact + `"}`, `{"sobject-name":"Contact","id":"003Hs0000099999AAA"}`} {
		a = c.tool("deleteSobjectRecord", arguments)
		if e := w.last(); !a.failed() || e.Outcome != audit.Failed || e.Rows != nil || e.Records != nil || e.RecordsTotal != 0 || e.AnswerDigest != answerDigest([]byte(a.rawResult())) {
			t.Errorf("failed: %+v of %s", e, a.body)
		}
	}
}

// The same through the tools that call the REST API, and through an action of Apex.
func TestU5EntriesOfOtherServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withEverything)
	c := w.connect(salesforcesim.RepID, "chatgpt", "headless")
	rest := func(method, path, more string) *answer {
		return c.tool("dispatch", fmt.Sprintf(`{"method":%q,"url":"/services/data/v64.0/%s"%s}`, method, path, more))
	}
	a := rest("POST", "sobjects/Account", `,"body":{"Name":"Nimbus"}`)
	if e := w.last(); len(e.Records) != 1 {
		t.Fatalf("%+v of %s", e, a.body)
	}
	account := w.last().Records[0].IDs[0]
	w.wantRecorded("create", a, nil, 1, group("create", "Account", account))
	w.wantRecorded("read", rest("GET", "sobjects/Account/"+account, ""), new(int64(1)), 1, group("read", "Account", account))
	w.wantRecorded("query", rest("GET", "query", `,"queryParams":{"q":"SELECT Id FROM Account WHERE Name = 'Nimbus'"}`), new(int64(1)), 1, group("read", "Account", account))
	w.wantRecorded("update", rest("PATCH", "sobjects/Account/"+account, `,"body":{"Name":"Cumulus"}`), nil, 1, group("update", "Account", account))
	w.wantRecorded("refused inside", rest("PATCH", "sobjects/Account/001Hs0000099999AAA", `,"body":{"Name":"Cumulus"}`), nil, 0)
	w.wantRecorded("delete", rest("DELETE", "sobjects/Account/"+account, ""), nil, 1, group("delete", "Account", account))

	c = w.connect(salesforcesim.RepID, "chatgpt", "custom")
	a = c.tool("createAccountWithOpportunity", `{"inputs":[{"accountName":"Stratus","opportunityName":"S","closeDate":"2027-01-01"}]}`)
	e := w.last()
	if len(e.Records) != 1 || len(e.Records[0].IDs) != 2 || e.Rows != nil {
		t.Fatalf("action: %+v of %s", e, a.body)
	}
	for _, id := range e.Records[0].IDs {
		if !strings.Contains(a.text(), id) {
			t.Errorf("action: %s is not in %s", id, a.body)
		}
	}
	c.tool("createAccountWithOpportunity", `{"inputs":[{"accountName":"Stratus","opportunityName":"S","closeDate":"tomorrow"}]}`)
	if e := w.last(); len(e.Records) > 0 {
		t.Errorf("action that failed: %+v", e)
	}
}

// Event streams, clients without sessions, and lists: the digest is of what the client got.
func TestU5DigestOfEveryForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withEverything)
	c := w.connect(salesforcesim.RepID, "chatgpt", "all")
	query := `{"q":"SELECT Id FROM Account ORDER BY Id LIMIT 3"}`
	events := func(r *http.Request) { r.Header.Set("Accept", "text/event-stream") }
	var digests []string
	for _, framing := range []string{"json", "sse", "keepalive"} {
		w.switches(func(f *salesforcesim.Switches) { f.Framing = framing })
		for _, a := range []*answer{c.tool("soqlQuery", query), c.tool("soqlQuery", query, events)} {
			e := w.last()
			if e.Rows == nil || *e.Rows != 3 || e.RecordsTotal != 3 || e.AnswerDigest != answerDigest([]byte(a.rawResult())) {
				t.Errorf("%s: %+v of %s", framing, e, a.body)
			}
			digests = append(digests, e.AnswerDigest)
		}
	}
	if len(slices.Compact(digests)) != 1 {
		t.Errorf("one answer has the digests %v", digests)
	}
	m := &client{world: w, url: c.url, token: c.token}
	a := m.ask("tools/call", `"name":"soqlQuery","arguments":`+query)
	if e := w.last(); e.Rows == nil || *e.Rows != 3 || e.AnswerDigest != answerDigest([]byte(a.rawResult())) || !strings.Contains(a.body, `"resultType":"complete"`) {
		t.Errorf("without a session: %+v of %s", e, a.body)
	}
	a = c.call("tools/list", `{}`)
	lists := w.entries("tool.list")
	if e := lists[len(lists)-1]; e.AnswerDigest != answerDigest([]byte(a.rawResult())) || e.Rows != nil || e.Bytes != int64(len(a.rawResult())) {
		t.Errorf("list: %+v", e)
	}
}

// A repeat of a spent call is answered from the record, and the entry says what was given.
func TestU5RepeatedAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := rep(w)
	w.wantHeld("first", c.create(createAccount))
	if e := w.last(); e.AnswerDigest != "" || e.Records != nil {
		t.Errorf("held: %+v", e)
	}
	w.decide(true)
	done := c.create(createAccount)
	first := w.last()
	w.wantRecorded("done", done, nil, 1, first.Records...)
	again := c.create(createAccount)
	e := w.last()
	if diff := cmp.Diff(first.Records, e.Records); diff != "" || e.Outcome != audit.Repeated || e.AnswerDigest != answerDigest([]byte(again.rawResult())) || e.AnswerDigest == first.AnswerDigest {
		t.Errorf("repeated: %+v, %s", e, diff)
	}
	m := &client{world: w, url: c.url, token: c.token}
	again = m.ask("tools/call", `"name":"createSobjectRecord","arguments":`+createAccount)
	if e := w.last(); e.Outcome != audit.Repeated || e.AnswerDigest != answerDigest([]byte(again.rawResult())) {
		t.Errorf("repeated without a session: %+v of %s", e, again.body)
	}
}

// An answer that is withheld has left to nobody. What was made was made.
func TestU5WithheldAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tool, arguments string
		named           int
	}{
		"a read":  {"soqlQuery", `{"q":"SELECT Id FROM Account LIMIT 3"}`, 0},
		"a write": {"createSobjectRecord", createAccount, 1},
	} {
		w := newWorld(t, withEverything) // nobody watches the access epoch: only the last look finds the cut
		client := w.connect(salesforcesim.RepID, "chatgpt", "all")
		w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = true })
		ended := make(chan *answer)
		go func() { ended <- client.tool(c.tool, c.arguments) }()
		waitFor(t, func() bool { return len(w.forwarded()) == 1 })
		if _, err := w.grants.RevokeGrant(t.Context(), client.grant, "test"); err != nil {
			t.Fatal(err)
		}
		w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
		a := <-ended
		e := w.last()
		if a.status != http.StatusUnauthorized || e.Outcome != audit.OK || e.Rows != nil || e.AnswerDigest != "" || e.RecordsTotal != int64(c.named) ||
			len(e.Records) != c.named || e.Reason != "the answer is withheld from the client" {
			t.Errorf("%s: %d %s, recorded %+v", name, a.status, a.body, e)
		}
	}
}

// RS-10: access that ends after the entry says that the client got the answer, and before it does, keeps it from the client.
func TestRS10CutWhileTheOutcomeIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withEverything) // nobody watches the access epoch: only the last look finds the cut
	client := w.connect(salesforcesim.RepID, "chatgpt", "all")
	w.audit.Refuse(func(e audit.Entry) error {
		if e.Action == audit.ToolCall && e.Outcome == audit.OK {
			if _, err := w.grants.RevokeGrant(context.Background(), client.grant, "test"); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	a := client.tool("createSobjectRecord", createAccount)
	if e := w.last(); a.status != http.StatusUnauthorized || e.Outcome != audit.OK || e.AnswerDigest == "" {
		t.Errorf("%d %s, recorded %+v", a.status, a.body, e)
	}
}
