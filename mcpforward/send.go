package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// target is where the caller's calls go: the configured URL, as the user who signed in.
// Package upstream asks for the token right before it sends, maybe long after a session
// had to be opened, so that the last look at the grant is there.
func (r *request) target() upstream.Target {
	org, subject := r.grant.Org, r.grant.Subject
	whileAlive := func(ctx context.Context, token string, err error) (string, error) {
		if err != nil {
			return "", loginLost(err)
		}
		if alive, err := r.Access.Alive(ctx, r.grant.ID); err != nil || !alive {
			return "", errCutOff
		}
		return token, nil
	}
	return upstream.Target{
		Org: org, Subject: subject, Server: r.server.Name, URL: r.server.URL, Timeout: r.server.Timeout,
		Client: r.capabilitiesForServer(),
		Token: func(ctx context.Context) (string, error) {
			token, err := r.Links.Token(ctx, org, subject)
			return whileAlive(ctx, token, err)
		},
		Refused: func(ctx context.Context, old string) (string, error) {
			token, err := r.Links.Refused(ctx, org, subject, old)
			return whileAlive(ctx, token, err)
		},
	}
}

// stopError says why the kill switch refuses a call that is about to leave.
type stopError string

func (e stopError) Error() string { return "stopped by the kill switch" }

// callTarget is the target of one call. Whenever it takes a token it is about to leave,
// so the kill switch is looked at once more.
func (c *call) callTarget() upstream.Target {
	t := c.target()
	token, refused := t.Token, t.Refused
	unlessStopped := func(token string, err error) (string, error) {
		if stop := c.stopped(c.reads()); err == nil && stop != "" {
			return "", stopError(stop)
		}
		return token, err
	}
	t.Token = func(ctx context.Context) (string, error) { return unlessStopped(token(ctx)) }
	t.Refused = func(ctx context.Context, old string) (string, error) { return unlessStopped(refused(ctx, old)) }
	return t
}

// loginLost puts package link's word for it into package upstream's.
func loginLost(err error) error {
	if errors.Is(err, link.ErrNeedsReauth) {
		return fmt.Errorf("%w: %w", upstream.ErrLoginLost, err)
	}
	return err
}

// send forwards the call and says how it ended.
func (c *call) send(ctx context.Context) {
	m, err := c.roundTrip(ctx)
	c.outcome = c.outcomeOf(m, err)
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
		case m.IsRequest():
			err = c.forwardServerRequest(ctx, answer, m)
		default:
			err = c.out.Notify(m)
		}
		if err != nil {
			c.Log.DebugContext(ctx, "a message was not passed on", "method", m.Method, "error", err)
		}
	}
}
