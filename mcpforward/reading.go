package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"io"

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

// whyNotRead says for people why a query had no answer that can be shown.
func whyNotRead(err error) string {
	if why, ok := errors.AsType[errNotRead](err); ok {
		return why.Error()
	}
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
	// uncounted are the relations behind which nothing is counted: rules or Salesforce do not let it.
	uncounted []string
}

// errNotRead says in words for people why a record is not read.
type errNotRead string

// Error says why.
func (e errNotRead) Error() string { return string(e) }

// run reads, and records that as an action with what conclude says of what was read; nil: nothing.
func (r *currentReading) run(ctx context.Context, action audit.Action, conclude func() string) error {
	if why := r.prepare(ctx); why != "" {
		return errNotRead(why)
	}
	a := r.approval
	known, _ := r.Access.Person(ctx, a.Org, a.Subject) // for the log
	err := r.Audit.Call(ctx, audit.Entry{Actor: actor.Proxy, Action: action, Org: a.Org, Subject: a.Subject, Username: known.Username,
		Client: a.ClientID, Server: a.Server, Tool: "soqlQuery", Class: string(policy.Read), Approval: a.ID, Object: a.ID}, func(ctx context.Context) (audit.Result, error) {
		if err := r.ask(ctx); err != nil || conclude == nil {
			return audit.Result{}, err
		}
		return audit.Result{Reason: conclude()}, nil
	})
	if err != nil {
		r.Log.InfoContext(ctx, "what is current was not read", "approval", a.ID, "error", err)
	}
	return err
}

// mayAsk finds the server, and says why nothing may be asked of it for the requester; "": it may.
func (r *currentReading) mayAsk(ctx context.Context) string {
	a := r.approval
	// Of other servers nobody here knows what their tools do, whatever they are called.
	if r.server = r.Access.Server(a.Server); r.server == nil || r.server.Org != a.Org || !policy.DescribesObjects(r.server.URL) {
		return currentNoServer
	}
	if mode, err := r.Access.StopMode(ctx); err != nil || mode != access.StopOff && mode != access.StopWrites {
		return currentStopped
	}
	switch alive, err := r.Access.Alive(ctx, a.GrantID); {
	case err != nil:
		return r.unknown(ctx, err)
	case !alive:
		return currentEnded
	}
	return ""
}

// unknown says that nothing is asked because our database did not answer.
func (r *currentReading) unknown(ctx context.Context, err error) string {
	r.Log.WarnContext(ctx, "what is current is not read: whether the connection still holds is not known", "approval", r.approval.ID, "error", err)
	return currentUnknown
}

// prepare makes the query that may be sent, or says why there is none.
func (r *currentReading) prepare(ctx context.Context) string {
	a := r.approval
	if why := r.mayAsk(ctx); why != "" {
		return why
	}
	who, err := r.Access.Principal(ctx, a.Org, a.Subject, a.ClientID)
	if err != nil {
		return r.unknown(ctx, err)
	}
	// Once with all fields, to learn which are hidden, and once without these.
	r.judge(who)
	if hiding := r.decision.Obligations.Hiding; hiding != nil {
		r.leaveOut(hiding)
		r.judge(who)
	}
	if !r.passes() {
		return currentPolicy
	}
	pins, list, err := r.listed(ctx)
	if err != nil || !isAccepted(pins, list, "soqlQuery") {
		return currentDefinition
	}
	if r.question.Deletes {
		r.chooseChildren(ctx, who, pins, list) // hanging.go
	}
	return ""
}

// listed is what Salesforce lists to the requester, and what of it is accepted.
func (r *currentReading) listed(ctx context.Context) (*definition.Pins, *upstream.List, error) {
	pins, err := r.Definitions.Pins(ctx, definition.Server{Org: r.server.Org, URL: r.server.URL})
	if err != nil {
		return nil, nil, err
	}
	list, err := r.Pool.List(ctx, r.target(ctx), "tools/list", pins.Changes(definition.Tool))
	return pins, list, err
}

// isAccepted reports whether a tool is listed as it was accepted, as for any call.
func isAccepted(pins *definition.Pins, list *upstream.List, tool string) bool {
	listed, ok := list.Named(tool)
	return ok && !listed.Twice && pins.Accepts(definition.Tool, tool, listed.Digest)
}

// target is the server, for the requester.
func (r *currentReading) target(ctx context.Context) upstream.Target {
	s, subject := r.server, r.approval.Subject
	return upstream.Target{
		Org: s.Org, Subject: subject, Server: s.Name, URL: s.URL, Timeout: s.Timeout, RequestID: audit.OriginOf(ctx).RequestID,
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

// passes reports whether the query may be sent: a person is not asked whether a page may be shown.
func (r *currentReading) passes() bool {
	return r.decision.Effect == policy.Allow && r.decision.Class == policy.Read && r.decision.Obligations.Limit == 0
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
	if r.question.Fields = fields; r.question.Called == "" && r.question.Name != "" && !shown(r.question.Name) {
		r.question.Name = ""
	}
}

// ask sends the query.
func (r *currentReading) ask(ctx context.Context) error {
	params := jsontext.Value(`{"name":"soqlQuery","arguments":` + string(r.query) + `}`)
	answer, err := r.Pool.Call(ctx, r.target(ctx), jsonrpc.Request(jsontext.Value(`1`), "tools/call", params), true)
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
			return r.take(m.Result)
		}
	}
}

// take takes the records out of the result, through what the rules hide.
func (r *currentReading) take(result jsontext.Value) (err error) {
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
