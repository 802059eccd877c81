package salesforcesim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// The seeded records that tests name.
var (
	northwindID = records.RecordID("001", 1)
	cascadeID   = records.RecordID("001", 2)
	heliosID    = records.RecordID("001", 3)
)

var testNow = time.Date(2026, time.March, 10, 15, 0, 0, 0, time.UTC)

func testStore() *records.Store { return storeAt(func() time.Time { return testNow }) }

// storeAt is an org with the records of the demonstration.
func storeAt(now func() time.Time) *records.Store {
	store, err := records.Open(records.Config{Now: now, Users: people(DefaultUsers())})
	if err != nil {
		panic(err)
	}
	return store
}

func rep() *User     { return &DefaultUsers()[0] }
func manager() *User { return &DefaultUsers()[1] }

// toolReply is a tool result as a client reads it.
type toolReply struct {
	Content []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"content"`
	Structured map[string]any             `json:"structuredContent"`
	IsError    bool                       `json:"isError"`
	Meta       map[string]json.RawMessage `json:"_meta"`
}

func (r toolReply) text() string { return r.Content[0].Text }

// code is the errorCode of the first error, "" for a success.
func (r toolReply) code(t *testing.T) string {
	t.Helper()
	if !r.IsError {
		return ""
	}
	var list []records.Error
	if err := json.Unmarshal([]byte(r.text()), &list); err != nil {
		t.Fatalf("error text is no list of errors: %q", r.text())
	}
	return list[0].Code
}

// decode reads the JSON inside of the text.
func (r toolReply) decode(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.text()), &v); err != nil {
		t.Fatalf("text is no JSON object: %v\n%.300s", err, r.text())
	}
	return v
}

type toolClient struct {
	t       *testing.T
	d       *records.Store
	u       *User
	server  string
	options callOptions
}

func callAs(t *testing.T, u *User) toolClient {
	return toolClient{t: t, d: testStore(), u: u, server: "platform/sobject-all", options: callOptions{OrgBaseURL: "https://acme.my.salesforce.example"}}
}

// call runs a tool; args are JSON.
func (c toolClient) call(tool, args string) toolReply {
	c.t.Helper()
	raw, known := callTool(c.d, c.u.person(), c.server, tool, json.RawMessage(args), c.options)
	if !known {
		c.t.Fatalf("%s has no tool %s", c.server, tool)
	}
	var r toolReply
	if err := json.Unmarshal(raw, &r); err != nil {
		c.t.Fatalf("result of %s: %v\n%.300s", tool, err, raw)
	}
	return r
}

// soql runs a query that must succeed and returns its records.
func (c toolClient) soql(q string) []any {
	c.t.Helper()
	r := c.call("soqlQuery", string(records.Encode(map[string]any{"q": q})))
	if r.IsError {
		c.t.Fatalf("%s: %s", q, r.text())
	}
	return r.decode(c.t)["records"].([]any)
}

// column runs a query and joins one field of its records.
func (c toolClient) column(q, field string) string {
	c.t.Helper()
	var out []string
	for _, r := range c.soql(q) {
		text, _ := r.(map[string]any)[field].(string)
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
