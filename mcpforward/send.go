package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// target is where the caller's calls go: the configured URL, as the user who signed in.
// Package upstream asks for the token right before it sends, maybe long after a session
// had to be opened, so that the last look at the grant is there.
func (r *request) target() upstream.Target { return r.targetOf(nil) }

// callTarget is the target of one call. Whenever it takes a token it is about to leave,
// so the kill switch is looked at once more.
func (c *call) callTarget() upstream.Target { return c.targetOf(c) }

func (r *request) targetOf(c *call) upstream.Target {
	t := &tokens{r, c}
	return upstream.Target{
		Org: r.grant.Org, Subject: r.grant.Subject, Server: r.server.Name, URL: r.server.URL, Timeout: r.server.Timeout,
		Client: r.capabilitiesForServer(), RequestID: audit.OriginOf(r.http.Context()).RequestID, Token: t.current, Refused: t.refused,
	}
}

// tokens gives the caller's Salesforce tokens, while access holds.
type tokens struct {
	*request
	call *call // that takes one to leave; nil: something else does
}

func (t *tokens) current(ctx context.Context) (string, error) {
	token, err := t.Links.Token(ctx, t.grant.Org, t.grant.Subject)
	return t.checked(ctx, token, err)
}

// refused returns another token than old, which Salesforce refused.
func (t *tokens) refused(ctx context.Context, old string) (string, error) {
	token, err := t.Links.Refused(ctx, t.grant.Org, t.grant.Subject, old)
	return t.checked(ctx, token, err)
}

// checked is what is given of token, err.
func (t *tokens) checked(ctx context.Context, token string, err error) (string, error) {
	if err != nil {
		return "", loginLost(err)
	}
	switch alive, err := t.alive(ctx); {
	case err != nil:
		return "", fmt.Errorf("%w: %w", errUnchecked, err)
	case !alive:
		return "", errCutOff
	}
	if t.call == nil {
		return token, nil
	}
	if stop := t.stopped(t.call.reads()); stop != "" {
		return "", stopError(stop)
	}
	return token, nil
}

// stopError says why the kill switch refuses a call that is about to leave.
type stopError string

func (e stopError) Error() string { return "stopped by the kill switch" }

// loginLost puts package link's word for it into package upstream's.
func loginLost(err error) error {
	if errors.Is(err, link.ErrNeedsReauth) {
		return fmt.Errorf("%w: %w", upstream.ErrLoginLost, err)
	}
	return err
}

// send forwards the call and says how it ended.
func (c *call) send(ctx context.Context) {
	c.meaning.expectList(ctx)
	m, err := c.roundTrip(ctx)
	c.outcome = c.ending.outcomeOf(m, err)
}

// roundTrip sends the call, passes on what comes before the response, and returns that.
func (c *call) roundTrip(ctx context.Context) (*jsonrpc.Message, error) {
	params := c.params
	if !c.reads() {
		params = metaForWrites(params)
	}
	answer, err := c.Pool.Call(ctx, c.callTarget(), jsonrpc.Relay(c.msg.ID, c.msg.Method, params), c.reads())
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	defer c.serverRequests.forget(answer)
	for {
		m, err := answer.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil, &upstream.Error{Kind: upstream.Broken, MayHaveHappened: true, Reason: "answer has no response"}
		case err != nil:
			return nil, err
		case m.IsResponse():
			return m, nil
		}
		if err := c.passOn(ctx, answer, m); err != nil {
			c.Log.DebugContext(ctx, "a message was not passed on", "method", m.Method, "error", err)
		}
	}
}

// passOn gives the client what comes before the response.
func (c *call) passOn(ctx context.Context, answer *upstream.Answer, m *jsonrpc.Message) error {
	c.messageBytes += int64(len(m.Params))             // budget.go
	if err := c.outside.noteMessage(ctx); err != nil { // outside.go
		return err
	}
	if m.IsRequest() {
		return c.forwardServerRequest(ctx, answer, m)
	}
	if m = c.obligations.pass(m); m == nil { // hide.go
		return nil
	}
	return c.out.Notify(m)
}
