//go:build !race

package mcpforward

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// This file guards what a call costs in the handler. Everything is real but the network to
// Salesforce, whose allocations would be counted with ours.

// callAllocs is what one call may allocate: what it was when this was written, and a
// little. Whoever raises it says why. 24 are for the MACs of its two entries in the audit log.
const callAllocs = 198

// listAllocs is the same of a list that was asked for before; 8 of them are for knowing what
// of it is accepted, and 22 for MACs.
const listAllocs = 172

// loopback answers in Salesforce's place, in memory.
type loopback struct{ text string } // a JSON string

// queryAnswer is the text of a query's answer of about that many bytes.
func queryAnswer(size int) string {
	text := `{"totalSize":3.0,"done":true,"records":[`
	for i := 0; len(text) < size; i++ {
		if i > 0 {
			text += ","
		}
		id := fmt.Sprintf("001xx%010dAAA", i)
		text += `{"attributes":{"type":"Account","url":"/services/data/v64.0/sobjects/Account/` + id + `"},"Id":"` + id + `","Name":"Customer","Industry":"Energy"}`
	}
	return string(jsonrpc.Quote(text + "]}"))
}

func (l loopback) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	answer := &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: http.NoBody, ContentLength: -1}
	result := `{"content":[{"type":"text","text":` + l.text + `}],"isError":false}`
	switch m.Method {
	case "initialize":
		answer.Header.Set("Mcp-Session-Id", "loopback")
		result = `{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"loopback","version":"1"}}`
	case "tools/list":
		result = toolList
	case "notifications/initialized":
		return answer, nil
	}
	answer.StatusCode = http.StatusOK
	answer.Header.Set("Content-Type", "application/json")
	answer.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)))
	return answer, nil
}

// costly is a handler with everything on, and a request to it.
type costly struct {
	tb      testing.TB
	handler *Handler
	address string
	header  http.Header
	body    []byte
}

const costlyCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id, Name, Industry FROM Account WHERE Industry = 'Energy' ORDER BY Name LIMIT 50"}}}`

func newCostly(tb testing.TB, answerBytes int) *costly {
	tb.Helper()
	pool := upstream.New(upstream.Config{HTTP: &http.Client{Transport: loopback{queryAnswer(answerBytes)}}})
	tb.Cleanup(pool.Close)
	rules := &policy.Policy{Name: "rules"}
	for i := range 19 {
		rules.Rules = append(rules.Rules, policy.Rule{Effect: policy.Deny, Objects: []string{fmt.Sprintf("Hidden%d__c", i)}})
	}
	rules.Rules = append(rules.Rules, policy.Rule{Effect: policy.Allow, Classes: []policy.Class{policy.Read}, MaxRows: 2000})
	w := newWorld(tb, func(c *setup) {
		c.Servers = c.Servers[:1]
		c.Servers[0].Policy = rules
		c.Pool, c.Log = pool, slog.New(slog.DiscardHandler)
		c.Limits.CallsPerMinute = 1_000_000
	})
	watching, stop := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	watchers.Go(func() { w.db.WatchAccess(watching, 250*time.Millisecond, func() {}) })
	tb.Cleanup(func() { stop(); watchers.Wait(); w.audit.Flush() })

	_, token := w.token(salesforcesim.RepID, "chatgpt", "sales")
	c := &costly{tb: tb, handler: w.handler, address: w.server.URL + "/mcp/sales",
		body:   []byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`),
		header: http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}}
	c.header.Set(sessionHeader, c.call().Header().Get(sessionHeader))
	c.header.Set("Mcp-Protocol-Version", "2025-06-18")
	c.body = []byte(costlyCall)
	return c
}

const costlyList = `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}}`

// toolList is what is listed.
var toolList = func() string {
	var tools []string
	for i := range 11 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool%d","description":%q,"inputSchema":{"type":"object","properties":{"id":{"type":"string","description":"Id of the record, 15 or 18 characters."},`+
			`"body":{"type":"object","additionalProperties":true}},"required":["id"]},"annotations":{"readOnlyHint":true,"destructiveHint":false}}`, i, strings.Repeat("Says what it does. ", 15)))
	}
	tools[0] = strings.Replace(tools[0], "tool0", "soqlQuery", 1)
	return `{"tools":[` + strings.Join(tools, ",") + `]}`
}()

func (c *costly) call() *httptest.ResponseRecorder {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.address, bytes.NewReader(c.body))
	if err != nil {
		c.tb.Fatal(err)
	}
	r.Header = c.header.Clone()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK || bytes.Contains(w.Body.Bytes(), []byte(`"isError":true`)) || bytes.Contains(w.Body.Bytes(), []byte(`"error":`)) {
		c.tb.Fatalf("%d %s", w.Code, w.Body)
	}
	return w
}

func TestCallAllocations(t *testing.T) {
	for what, agreed := range map[string]float64{costlyCall: callAllocs, costlyList: listAllocs} {
		c := newCostly(t, 1<<10)
		c.body = []byte(what)
		c.call()
		allocs := math.Inf(1)
		for i := 0; i < 20 && allocs > agreed; i++ { // on a busy machine less is remembered, and others allocate
			allocs = min(allocs, testing.AllocsPerRun(100, func() { c.call() }))
		}
		if allocs > agreed {
			t.Errorf("%.60s allocates %v times, at most %v are agreed on", what, allocs, agreed)
		}
	}
}

// BenchmarkCall is a call of one of many clients at a time.
func BenchmarkCall(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "16KiB": 16 << 10} {
		b.Run(name, func(b *testing.B) {
			newCostly(b, size).parallel(b)
		})
	}
}

// BenchmarkList is a list that was asked for before.
func BenchmarkList(b *testing.B) {
	c := newCostly(b, 0)
	c.body = []byte(costlyList)
	c.parallel(b)
}

func (c *costly) parallel(b *testing.B) {
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c.call()
		}
	})
}
