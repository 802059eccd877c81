package upstream

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Ended is a request of [Pool.Call] that is over, with all its attempts.
type Ended struct {
	Context context.Context // of the caller
	Server  string          // as [Target] names it
	URL     string          // of the hosted server
	Method  string          // of MCP
	Version string          // of the protocol of its session; empty: there was none
	Began   time.Time
	Took    time.Duration  // until the response, or until it was clear that there is none
	Resent  bool           // it was sent more than once
	Params  jsontext.Value // of the request; only while Watch runs
	Code    jsonrpc.Code   // of the JSON-RPC error that is the response; 0: it is none
	Err     *Error         // nil: there was a response
}

// tellWatcher tells that the call is over. It is called while the call holds its place.
func (c *call) tellWatcher(err error) {
	watch := c.pool.cfg.Watch
	if watch == nil || !c.counted {
		return
	}
	e := Ended{Context: c.caller, Server: c.target.Server, URL: c.target.URL, Method: c.request.Method, Params: c.request.Params, Code: c.code, Began: c.began,
		Took: c.pool.cfg.Now().Sub(c.began), Resent: c.renewed || c.reopened || c.repeated}
	if c.session != nil {
		e.Version = c.session.version
	}
	if err != io.EOF && !errors.As(err, &e.Err) {
		e.Err = &Error{Kind: Broken, Reason: "unexpected failure"}
	}
	watch(e)
}

// Hosted names a hosted server of an org.
type Hosted struct{ Org, URL string }

// Sessions is how many sessions the pool keeps with each hosted server that has any.
func (p *Pool) Sessions() map[Hosted]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := map[Hosted]int{}
	for who, u := range p.users {
		for key, s := range u.slots {
			if s.session != nil {
				n[Hosted{who.org, key.url}]++
			}
		}
	}
	return n
}
