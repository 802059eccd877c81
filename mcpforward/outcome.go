package mcpforward

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/records"
	"sfmcp-proxy/mcpforward/upstream"
)

// outcome is how a call ended.
type outcome struct {
	recorded audit.Outcome    // in the audit log
	approval approval.Outcome // empty: the call did not leave, so its approval is given back
	reason   string           // for operators; no text of Salesforce's
	status   string           // of the answer
	found    records.Found    // of records in what was done and answered

	hidden, cut int64      // values that were hidden in the answer, and records that were left out
	withheld    answerText // why the client does not get the answer; empty: nothing stands against it

	// One of these, unless the call was not forwarded:
	result  jsontext.Value  // Salesforce's, as it may be passed on
	answer  jsontext.Value  // what the client gets of it, byte for byte
	digest  string          // of answer
	refused *jsonrpc.Error  // Salesforce's error; see passError
	failure *upstream.Error // why there is neither
}

// notForwarded is the outcome of a call that was refused here after its intent was recorded.
func notForwarded(reason string) outcome { return outcome{recorded: audit.Denied, reason: reason} }

// failed is the outcome of a call of which Salesforce says that it did not do it.
func failed() outcome { return outcome{recorded: audit.Failed, approval: approval.Failed} }

// ending finds out how a call ended.
type ending struct{ *call }

// unsure is the outcome of a call whose answer is lost. A write of which nobody knows
// whether it was made is of unknown outcome (D11).
func (c *ending) unsure() outcome {
	if c.reads() {
		return failed()
	}
	return outcome{recorded: audit.Unknown, approval: approval.Unknown}
}

// outcomeOf says how the call ended by Salesforce's response, or why there is none. A
// write whose answer is one of those that Salesforce also gives when it did what was asked
// is as if it were lost.
func (c *ending) outcomeOf(m *jsonrpc.Message, err error) outcome {
	switch {
	case err != nil:
		return noAnswer(c.unsure(), err)
	case m.Error != nil:
		o := c.unsure()
		if isRefusedUnread(m.Error.Code) {
			o = failed()
		}
		o.status = fmt.Sprint("error ", int(m.Error.Code))
		o.refused = &jsonrpc.Error{Code: m.Error.Code, Message: shortened(m.Error.Message, 500), Data: m.Error.Data}
		if c.isTool() && !isRefusedUnread(m.Error.Code) {
			o.refused.Message = c.obligations.errorText(o.refused.Message)
		}
		return o
	}
	if c.list != nil {
		return c.ofList(m)
	}
	return c.ofResult(m)
}

// ofList is that of a page of a list, once what it defines is known.
func (c *ending) ofList(m *jsonrpc.Message) outcome {
	if c.list.kind != "" {
		if err := c.meaning.seePage(c.waiting, c.pages, m.Result); err != nil {
			o := noAnswer(failed(), err)
			o.failure.MayHaveHappened = false
			return o
		}
	}
	return c.pages.outcomeOf(c.call, m, c.ofResult)
}

// noAnswer is the outcome of a call without a response: unsure, unless it is known that
// nothing happened.
func noAnswer(unsure outcome, err error) outcome {
	var e *upstream.Error
	if !errors.As(err, &e) {
		e = &upstream.Error{Kind: upstream.Broken, MayHaveHappened: true, Reason: "unexpected failure", Err: err}
	}
	o := unsure
	if !e.MayHaveHappened {
		o = outcome{recorded: audit.Failed}
	}
	o.failure, o.reason = e, e.Kind.String()+": "+e.Reason
	if stop, stopped := errors.AsType[stopError](e); stopped && !e.MayHaveHappened {
		o.recorded, o.reason = audit.Denied, stop.Error()
	}
	if e.Status != 0 {
		o.status = fmt.Sprint("HTTP ", e.Status)
	}
	return o
}

// isRefusedUnread reports whether a request is refused by that code of JSON-RPC or MCP
// before anything is done.
func isRefusedUnread(code jsonrpc.Code) bool {
	switch code {
	case jsonrpc.ParseError, jsonrpc.InvalidRequest, jsonrpc.MethodNotFound, jsonrpc.InvalidParams, missingCapability:
		return true
	}
	return false
}

// ofResult is the outcome of a call that Salesforce answered with a result.
func (c *ending) ofResult(m *jsonrpc.Message) outcome {
	value, reading, err := c.readResult(m)
	if err != nil {
		o := c.unsure()
		o.reason = "answer cannot be read"
		o.failure = &upstream.Error{Kind: upstream.Broken, MayHaveHappened: true, Reason: "result cannot be read", Err: err}
		return o
	}
	o := outcome{recorded: audit.OK, approval: approval.Done, status: "result"}
	isError, _ := reading.Members.Get("isError")
	toolFailed, unsure := string(isError) == "true", false
	if toolFailed {
		c.toolFailed = true
		o = failed()
		if unsure = !c.reads() && isAmbiguous(reading.Members); unsure {
			o = c.unsure()
		}
		o.status = "isError"
	}
	if !toolFailed {
		c.learnSchema(reading) // describe.go
	}
	given, passed := reading, true
	if c.obligations.onAnswer() {
		value, reading, passed = c.obligations.hideIn(reading, toolFailed, &o) // hide.go
	}
	switch {
	case unsure:
		value = withText(reading.Members, textUnsure)
	case c.isTool() && !toolFailed && passed:
		o.found = c.recordsIn(reading)
	case c.isTool() && !toolFailed:
		o.found = c.recordsIn(given).Changed()
	}
	o.result, o.answer = value, c.passed(value)
	o.digest = answerDigest(o.answer)
	return o
}

// errNotComplete is a result of a kind that nobody asked for (MCP 2026-07-28): one that
// wants input, or stands for a task.
var errNotComplete = errors.New("the answer is not a complete result")

// readResult checks a result of Salesforce's and takes out what must not reach the client.
func (c *ending) readResult(m *jsonrpc.Message) (jsontext.Value, jsonrpc.Reading, error) {
	reading, err := m.Reading()
	if err != nil {
		return nil, reading, err
	}
	value := withoutChallenge(m.Result, &reading.Members)
	if kind, given := reading.Members.Get("resultType"); given && string(kind) != `"complete"` {
		return nil, reading, errNotComplete
	}
	switch {
	case c.shape != nil:
		value, err = c.shape(value)
	case c.isTool():
		err = checkToolResult(reading)
	}
	return value, reading, err
}
