package mcpforward

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/mcpforward/preview"
)

// currentTime bounds how long a page waits for Salesforce.
const currentTime = 5 * time.Second

// Why current values are not known, for people.
const (
	currentNoServer   = "This server has no tool that reads a record."
	currentStopped    = "Everything is stopped at the moment."
	currentEnded      = "The connection has ended."
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

// Names reads, as the requester of a call that waits, what the records are called whose ids its
// arguments name, and the current values that c has: of 20 ids at most, by one query for each of three
// objects at most. Those that cannot be read have no name. Like [Handler.Current] it is recorded.
func (h *Handler) Names(ctx context.Context, a *approval.Request, c approval.Current) []approval.CurrentRecord {
	server := h.Access.Server(a.Server)
	if server == nil || !policy.DescribesObjects(server.URL) {
		return nil // nobody knows what ids are there
	}
	now := map[string]json.RawMessage{}
	for _, f := range c.Fields {
		now[f.Name] = json.RawMessage(f.Now)
	}
	named := c.Known()
	isKnown := func(id string) bool {
		return slices.ContainsFunc(named, func(r approval.CurrentRecord) bool { return reach.SameID(r.ID, id) })
	}
	unnamed := slices.DeleteFunc(preview.References(a.Arguments, now), func(r preview.Reference) bool { return isKnown(r.ID) })
	ctx, cancel := context.WithTimeout(ctx, currentTime)
	defer cancel()
	target, _ := reach.TargetOf(a.Tool, a.Arguments)
	known := h.leads(ctx, a, target.Object, unnamed)
	var wait sync.WaitGroup
	questions := preview.NamesOf(unnamed, target.Object, known)
	found := make([][]approval.CurrentRecord, len(questions))
	for i, q := range questions {
		wait.Go(func() { found[i] = h.readNames(ctx, a, q) })
	}
	wait.Wait()
	named = append(named, slices.Concat(found...)...)
	for _, r := range unnamed {
		if !isKnown(r.ID) {
			named = append(named, approval.CurrentRecord{ID: r.ID, Object: r.Object(target.Object, known)})
		}
	}
	return named
}

// leads is what is known of where fields of an object lead. Where one of the references can only be
// understood by that, and the org has not said it to the requester, it is asked.
func (h *Handler) leads(ctx context.Context, a *approval.Request, object string, references []preview.Reference) *reach.Schema {
	known := h.schemas.For(a.Org, a.Subject)
	if !reach.ValidObject(object) || known.Described(object) || !slices.ContainsFunc(references, preview.Reference.IsCustom) {
		return known
	}
	reading := currentReading{Handler: h, approval: a, question: preview.Question{Object: object}}
	if why := reading.mayAsk(ctx); why != "" {
		return known
	}
	if pins, list, err := reading.listed(ctx); err == nil {
		reading.describe(ctx, pins, list)
	}
	return h.schemas.For(a.Org, a.Subject)
}

// readNames reads what the records of a question are called; those that the requester does not see
// are not among them.
func (h *Handler) readNames(ctx context.Context, a *approval.Request, q preview.Question) (named []approval.CurrentRecord) {
	reading := currentReading{Handler: h, approval: a, question: q}
	if err := reading.run(ctx, audit.ApprovalPreview, func() string { return "names of records" }); err != nil {
		return nil
	}
	for _, record := range reading.records {
		if name := record.Text(reading.question.Name); name != "" {
			named = append(named, approval.CurrentRecord{ID: record.Text("Id"), Object: q.Object, Name: name})
		}
	}
	return named
}
