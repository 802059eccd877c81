package mcpforward

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
)

// serve is the life of a request, top to bottom. Each step does its part or returns why
// the request ends here, from which render.go makes the answer. What is forwarded to Salesforce
// is a call and goes on in [call.judged]; everything else is answered here.
func (r *request) serve() (result, error) {
	at := arrival{r}
	if err := at.check(); err != nil { // transport.go: path, host, origin
		return result{}, err
	}
	if at.isPreflight() {
		return at.preflight()
	}
	if err := r.authenticate(); err != nil { // authenticate.go: who calls
		return result{}, err
	}
	if r.http.Method != http.MethodPost {
		return r.serveStream() // request.go: notifications.go, session.go
	}
	if err := r.receive(); err != nil {
		return result{}, err
	}
	m, err := r.method() // methods.go
	if err != nil {
		return result{}, err
	}
	if r.isOperation(m) { // watch.go
		r.beginOperation()
	}
	if m.read != nil { // waits for its turn, for a login, for a session, for the answer
		defer r.out.KeepAlive(r.quiet)()
	}
	if err := r.takeTurn(m); err != nil { // turn.go: limits
		return result{}, err
	}
	if err := r.refuseInput(m); err != nil { // params.go
		return result{}, err
	}
	if m.answer != nil {
		return m.answer(r) // initialize.go, notifications.go, serverrequests.go
	}
	c, err := r.readCall(m) // params.go, tools.go, list.go, prompts.go: what is sent comes from the parse
	if err != nil {
		return result{}, err
	}
	return c.judged()
}

// receive reads the message of the request, and what its client has said of itself.
func (r *request) receive() error {
	if err := r.decode(); err != nil { // decode.go: one strict JSON-RPC message
		return err
	}
	if err := r.readEra(); err != nil { // era.go: protocol version, what the client can do
		return err
	}
	return r.findSession() // session.go
}

// judged takes a call to where nothing stands against it, and forwards it.
func (c *call) judged() (result, error) {
	err := c.decide() // decide.go: policy, kill switch
	c.noteDecision()  // watch.go
	if err != nil {
		return result{}, err
	}
	if err := c.budgets.check(); err != nil { // budget.go: nobody is asked about what cannot be made
		return result{}, err
	}
	if err := c.hold(); err != nil { // hold.go: a person
		return result{}, err
	}
	if err := c.budgets.take(); err != nil { // budget.go: how much may be done in a time
		return result{}, err
	}
	return c.forward()
}

// forward takes a call that may pass to Salesforce and back. Between its two entries in
// the audit log it is looked at once more, its approval is spent, and it is sent.
func (c *call) forward() (result, error) {
	ctx, unregister := c.begin() // inflight.go: can be cut off
	defer unregister()
	err := c.recorded(ctx, func() error { // record.go: the intent before, the outcome after
		c.readNow(ctx)                         // current.go: what it replaces, and whether that was shown
		if err := c.recheck(ctx); err != nil { // recheck.go: everything again
			return err
		}
		if known, err := c.meaning.find(ctx); !known { // definitions.go: what the call means
			return err
		}
		if err := c.spend(ctx); err != nil { // hold.go: the approval
			return err
		}
		c.send(ctx)                // send.go: token, session, Salesforce; outcome.go: how it ended
		c.operations.see(ctx)      // operations.go: what it tells of operations
		c.budgets.countAnswer(ctx) // budget.go: how much the answer holds
		c.outside.note(ctx)        // outside.go: that others may have written it
		c.settleApproval()
		c.verification.readAfter() // verify.go: what it came to
		return nil
	})
	c.span.Ended(string(c.outcome.recorded))
	c.budgets.giveBack() // of a call that did not leave
	if err != nil {
		return result{}, err
	}
	return c.delivery.deliver(ctx) // deliver.go
}

// call is one request to Salesforce that is being judged, recorded and forwarded.
type call struct {
	*request
	action    audit.Action    // in the audit log
	tool      string          // as policy names it: a tool, "prompt:NAME", "resource:URI"; empty for lists
	arguments jsontext.Value  // canonical; nil: none
	params    jsontext.Value  // what is sent, built from the parse (D6)
	sent      jsontext.Value  // the arguments in params, if the rules made others of arguments; nil: the same
	decision  policy.Decision // by which it may pass

	approval     *approval.Request // that it needs, nil: none
	binding      approval.Binding  // of that approval
	shown        approval.Shown    // what the record is right before the call
	definition   string            // digest of the definition that it is made under; empty: it has none
	messageBytes int64             // of what came before the answer

	outcome outcome // how it ended
	settled string  // that its approval was given back, or that how it ended was not recorded with it; "": neither

	list *listAnswer // of a list, see definitions.go; nil: it is none
	// shape makes of Salesforce's page of a list what the client gets; nil: it is none.
	// What it makes is remembered, see pages.go.
	shape func(jsontext.Value) (jsontext.Value, error)
	// empty is the result if Salesforce does not know the method; nil: an error.
	empty jsontext.Value

	// What is done for a call is theirs:
	meaning      meaning
	budgets      budgetUse
	obligations  obligations
	asking       askingClient
	operations   operationCheck
	outside      outsideNotes
	ending       ending
	delivery     delivery
	verification verification
}

// newCall returns a call of that action, of which the method of the request has to say more.
func newCall(r *request, action audit.Action) *call {
	c := &call{request: r, action: action}
	c.meaning.call, c.budgets.call, c.obligations.call, c.asking.call = c, c, c, c
	c.operations.call, c.outside.call, c.ending.call, c.delivery.call, c.verification.call = c, c, c, c, c
	return c
}

// reads reports whether the call changes nothing, so that it can be repeated or given up.
func (c *call) reads() bool { return c.decision.Class == policy.Read }

// isTool reports whether the call is one of a tool, which has a result that a model reads.
func (c *call) isTool() bool { return c.msg.Method == "tools/call" }
