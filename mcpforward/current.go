package mcpforward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/preview"
	"sfmcp-proxy/mcpforward/upstream"
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
	if why := reading.prepare(ctx); why != "" {
		return approval.Current{Missing: why, New: q.ID == ""}, true
	}
	known, _ := h.Access.Person(ctx, a.Org, a.Subject) // for the log
	err := h.Audit.Call(ctx, audit.Entry{Actor: actor.Proxy, Action: audit.ApprovalPreview, Org: a.Org, Subject: a.Subject, Username: known.Username,
		Client: a.ClientID, Server: a.Server, Tool: "soqlQuery", Class: string(policy.Read), Approval: a.ID, Object: a.ID}, func(ctx context.Context) (audit.Result, error) {
		return audit.Result{}, reading.ask(ctx)
	})
	if err != nil {
		h.Log.InfoContext(ctx, "current values were not read", "approval", a.ID, "error", err)
		return approval.Current{Missing: whyNotRead(err), New: q.ID == ""}, true
	}
	return reading.current(), true
}

// shownNow reads once more, right before the call, what those who agreed to it saw of the record,
// where they did. Between this look and the write somebody may still change the record: Salesforce
// has no write under a condition behind these tools.
func (c *call) shownNow(ctx context.Context) approval.Shown {
	if len(c.approval.Bound()) == 0 {
		return approval.ShownNothing
	}
	now, ok := c.Current(ctx, c.approval)
	if !ok {
		return approval.ShownUnread
	}
	return now.Shown()
}

// whyNotRead says for people why a query had no answer that can be shown.
func whyNotRead(err error) string {
	switch {
	case errors.Is(err, preview.ErrRefused):
		return currentRefused
	case errors.Is(err, mask.ErrNotJSON), errors.Is(err, mask.ErrShape), errors.Is(err, mask.ErrRows):
		return currentMasked
	}
	return currentFailed
}

// currentReading reads what is current of one call.
type currentReading struct {
	*Handler
	approval *approval.Request
	question preview.Question
	server   *access.Server
	decision policy.Decision // by which the query may pass
	query    jsontext.Value  // arguments
	hidden   []string        // fields that are not read
	records  []preview.Record
}

// prepare makes the query that may be sent, or says why there is none.
func (r *currentReading) prepare(ctx context.Context) string {
	a := r.approval
	// Of other servers nobody here knows what their tools do, whatever they are called.
	if r.server = r.Access.Server(a.Server); r.server == nil || r.server.Org != a.Org || !policy.DescribesObjects(r.server.URL) {
		return currentNoServer
	}
	if mode, err := r.Access.StopMode(ctx); err != nil || mode != access.StopOff && mode != access.StopWrites {
		return currentStopped
	}
	if alive, err := r.Access.Alive(ctx, a.GrantID); err != nil || !alive {
		return currentEnded
	}
	who, err := r.Access.Principal(ctx, a.Org, a.Subject, a.ClientID)
	if err != nil {
		return currentEnded
	}
	// Once with all fields, to learn which are hidden, and once without these.
	r.judge(who)
	if hiding := r.decision.Obligations.Hiding; hiding != nil {
		r.leaveOut(hiding)
		r.judge(who)
	}
	if r.decision.Effect != policy.Allow || r.decision.Class != policy.Read || r.decision.Obligations.Limit != 0 {
		return currentPolicy
	}
	if !r.isAccepted(ctx) {
		return currentDefinition
	}
	return ""
}

// isAccepted reports whether the tool is listed as it was accepted, as for any other call.
func (r *currentReading) isAccepted(ctx context.Context) bool {
	pins, err := r.Definitions.Pins(ctx, definition.Server{Org: r.server.Org, URL: r.server.URL})
	if err != nil {
		return false
	}
	list, err := r.Pool.List(ctx, r.target(), "tools/list", pins.Changes(definition.Tool))
	if err != nil {
		return false
	}
	listed, ok := list.Named("soqlQuery")
	return ok && !listed.Twice && pins.Accepts(definition.Tool, "soqlQuery", listed.Digest)
}

// target is the server, for the requester.
func (r *currentReading) target() upstream.Target {
	s, subject := r.server, r.approval.Subject
	return upstream.Target{
		Org: s.Org, Subject: subject, Server: s.Name, URL: s.URL, Timeout: s.Timeout,
		Token: func(ctx context.Context) (string, error) { return r.Links.Token(ctx, s.Org, subject) },
		Refused: func(ctx context.Context, token string) (string, error) {
			return r.Links.Refused(ctx, s.Org, subject, token)
		},
	}
}

// judge asks the policy about the query.
func (r *currentReading) judge(who policy.Principal) {
	r.query = jsontext.Value(`{"q":` + string(jsonrpc.Quote(r.question.SOQL())) + `}`)
	r.decision = r.server.Policy.Decide(who, policy.Call{Tool: "soqlQuery", Arguments: r.query, Server: r.server.Name,
		Schema: r.schemas.For(r.approval.Org, r.approval.Subject), Now: r.Now()})
}

// leaveOut takes the fields out of the question that are hidden.
func (r *currentReading) leaveOut(hiding *mask.Hiding) {
	shown := func(name string) bool {
		return hiding.Of(mask.Field{Object: r.question.Object, Name: name}) == mask.Shown
	}
	var fields []string
	for _, name := range r.question.Fields {
		if shown(name) {
			fields = append(fields, name)
		} else {
			r.hidden = append(r.hidden, name)
		}
	}
	if r.question.Fields = fields; r.question.ID != "" && r.question.Name != "" && !shown(r.question.Name) {
		r.question.Name = ""
	}
}

// ask sends the query.
func (r *currentReading) ask(ctx context.Context) error {
	params := jsontext.Value(`{"name":"soqlQuery","arguments":` + string(r.query) + `}`)
	answer, err := r.Pool.Call(ctx, r.target(), jsonrpc.Request(jsontext.Value(`1`), "tools/call", params), true)
	if err != nil {
		return fmt.Errorf("reading what is current: %w", err)
	}
	defer answer.Close()
	for {
		m, err := answer.Next(ctx)
		if errors.Is(err, io.EOF) {
			return errors.New("reading what is current: no answer")
		} else if err != nil {
			return fmt.Errorf("reading what is current: %w", err)
		}
		if m.IsResponse() {
			return r.read(m.Result)
		}
	}
}

// read takes the records out of the result, through what the rules hide.
func (r *currentReading) read(result jsontext.Value) (err error) {
	if r.decision.Obligations.Hiding != nil {
		if result, err = r.masked(result); err != nil {
			return err
		}
	}
	r.records, err = preview.Read(result)
	return err
}

// masked hides in the result what is hidden beyond the fields that were left out.
func (r *currentReading) masked(result jsontext.Value) (jsontext.Value, error) {
	members, err := jsonrpc.ParseObject(result)
	if err != nil {
		return nil, mask.ErrShape
	}
	asked := r.decision.Obligations.Hiding.Asked(r.decision.Reach)
	asked.Shape = mask.Records
	if failed, _ := members.Get("isError"); string(failed) == "true" {
		return nil, preview.ErrRefused // its text is nobody's to see
	}
	h := &hidingReader{reader: r.decision.Obligations.Hiding.NewReader(asked), fields: true}
	out, err := h.result(members)
	if err == nil {
		_, err = h.reader.End()
	}
	return out.Encode(), err
}

// current is what was read, beside what the call sets.
func (r *currentReading) current() (c approval.Current) {
	if r.question.ID != "" && len(r.records) != 1 {
		return approval.Current{Missing: currentNone, Absent: true}
	}
	for _, record := range r.records {
		c.Records = append(c.Records, approval.CurrentRecord{ID: record.Text("Id"), Name: record.Text(r.question.Name)})
	}
	if c.New = r.question.ID == ""; c.New {
		return c
	}
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
