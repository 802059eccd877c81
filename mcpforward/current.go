package mcpforward

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/preview"
)

// currentTime bounds how long a page waits for Salesforce.
const currentTime = 5 * time.Second

// Why current values are not known, for people.
const (
	currentNoServer   = "This server has no tool that reads a record."
	currentStopped    = "Everything is stopped at the moment."
	currentEnded      = "The connection has ended."
	currentUnknown    = "Whether the connection still holds is not known, because the proxy's database did not answer."
	currentPolicy     = "The rules of this server do not let the record be read."
	currentDefinition = "The tool that reads a record is not there, or waits for an administrator to accept it."
	currentNone       = "Salesforce shows no such record to the person for whom the assistant asks."
	currentFailed     = "Salesforce did not answer."
	currentRefused    = "Salesforce refused to read them."
	currentMasked     = "The answer could not be shown without fields that the rules hide."
)

// Current reads, as the requester of a call that waits, what Salesforce has at the moment of
// what the call would change: by one query of the same server, which its policy must allow at
// once, without the fields that it hides. ok is false where there is nothing to read. It is a
// call to Salesforce, so it is recorded like any other.
func (h *Handler) Current(ctx context.Context, a *approval.Request) (_ approval.Current, ok bool) {
	q, ok := preview.Of(a.Tool, a.Arguments)
	if !ok {
		return approval.Current{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, currentTime)
	defer cancel()
	reading := currentReading{Handler: h, approval: a, question: q}
	err := reading.run(ctx, audit.ApprovalPreview, nil)
	if errors.Is(err, preview.ErrRefused) && len(reading.question.Children) > 0 {
		reading.countNothing()
		err = reading.run(ctx, audit.ApprovalPreview, nil)
	}
	if err != nil {
		return approval.Current{Missing: whyNotRead(err), New: q.ID == ""}, true
	}
	return reading.current(), true
}

// readNow reads once more, right before the call, what those who agreed to it saw of the record,
// where they did, and what the call replaces, where that is wanted: one reading is both. Between this
// look and the write somebody may still change the record: Salesforce has no write under a condition
// behind these tools.
func (c *call) readNow(ctx context.Context) {
	if c.approval == nil || len(c.approval.Bound()) == 0 {
		c.verification.readBefore(ctx) // verify.go
		return
	}
	c.shown = approval.ShownUnread
	if now, ok := c.Current(ctx, c.approval); ok {
		c.shown = now.Shown()
		c.verification.takeBefore(&now)
	}
}

// current is what was read, beside what the call sets.
func (r *currentReading) current() (c approval.Current) {
	if r.question.ID != "" && len(r.records) != 1 {
		return approval.Current{Missing: currentNone, Absent: true}
	}
	for _, record := range r.records {
		c.Records = append(c.Records, approval.CurrentRecord{ID: record.Text("Id"), Object: r.question.Object, Name: record.Text(r.question.Name)})
	}
	if c.New = r.question.ID == ""; c.New {
		return c
	}
	c.Hanging, c.Uncounted = r.hanging()
	var call struct {
		Body map[string]json.RawMessage `json:"body"`
	}
	_ = json.Unmarshal(r.approval.Arguments, &call) // as preview.Of did
	c.Unread = len(call.Body) - len(r.question.Fields) - len(r.hidden)
	for _, name := range r.question.Fields {
		c.Fields = append(c.Fields, approval.CurrentField{Name: name, Now: jsontext.Value(r.records[0].Field(name)), Then: jsontext.Value(call.Body[name])})
	}
	for _, name := range r.hidden {
		c.Fields = append(c.Fields, approval.CurrentField{Name: name, Then: jsontext.Value(call.Body[name]), Hidden: true})
	}
	return c
}
