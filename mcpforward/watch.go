package mcpforward

import (
	"context"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/traces"
)

// Answered is an MCP request of a client with a good token that was answered, for whoever
// measures.
type Answered struct {
	Server string // name of the endpoint
	Method string // of MCP, one of those that are handled here
	// Problem is what was wrong with it: "tool_error" for a tool result that says so, the code of
	// a JSON-RPC error, an HTTP status, "panic". Empty: nothing. There are few.
	Problem string
	Took    time.Duration
}

// Problems that are not numbers.
const (
	toolError    = "tool_error" // OpenTelemetry's word for a tool result with isError
	panicked     = "panic"
	otherProblem = "other" // a code that Salesforce made up
)

// isOperation reports whether the request is one that is measured. A stream of notifications is
// none: how long somebody listens says nothing.
func (r *request) isOperation(m method) bool {
	return !m.notification && !r.msg.IsResponse() && r.msg.Method != "subscriptions/listen"
}

// beginOperation begins to measure the request. Its context has its span from here on.
func (r *request) beginOperation() {
	r.operation = r.msg.Method
	if r.Traces == nil {
		return
	}
	meta, _ := r.params.Object("_meta")
	parent, _ := meta.String("traceparent")
	of := traces.Request{
		Method: r.operation, Version: statelessVersion, Server: r.server.Name, ID: string(r.msg.ID), RequestID: audit.OriginOf(r.http.Context()).RequestID,
		Began: r.started, Meta: parent, Header: r.http.Header.Get("Traceparent"),
	}
	if !r.stateless {
		of.Version = ""
		if r.session != nil {
			of.Version = r.session.version
		}
	}
	ctx, span := r.Traces.Begin(r.http.Context(), of)
	r.span, r.http, r.lasting = span, r.http.WithContext(ctx), context.WithoutCancel(ctx)
}

// noteDecision tells the span what is called. A name that the client must not know to exist is not
// told, so that names which somebody made up do not fill what collectors keep.
func (c *call) noteDecision() {
	if c.span == nil {
		return
	}
	d := c.decision
	of := traces.Call{Class: string(d.Class), Effect: string(d.Effect)}
	if passes := d.Effect == policy.Allow || d.Effect == policy.Confirm; passes || !d.Hidden {
		prompt, isPrompt := strings.CutPrefix(c.tool, promptPrefix)
		switch {
		case c.isTool():
			of.Tool = c.tool
		case isPrompt && isToolName(prompt):
			of.Prompt = prompt
		}
	}
	c.span.Judged(of)
}

// tellWatcher tells that the request was answered, if it is one that is measured.
func (r *request) tellWatcher() {
	r.span.End(r.problem)
	if r.operation == "" || r.Watch == nil {
		return
	}
	r.Watch(Answered{Server: r.server.Name, Method: r.operation, Problem: r.problem, Took: r.Now().Sub(r.started)})
}

// codeName is a code of JSON-RPC or MCP as a problem.
func codeName(code jsonrpc.Code) string {
	switch code {
	case jsonrpc.ParseError, jsonrpc.InvalidRequest, jsonrpc.MethodNotFound, jsonrpc.InvalidParams, jsonrpc.InternalError,
		headerMismatch, missingCapability, unsupportedVersion, elicitationRequired:
		return strconv.Itoa(int(code))
	}
	return otherProblem
}
