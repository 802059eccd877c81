package upstream

import (
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

const (
	// failuresToOpen in a row open the circuit: more than a burst of one client meets when
	// a connection breaks.
	failuresToOpen = 10
	// firstOpen is how long nothing is sent then: short, because people wait. It doubles
	// with each probe that fails, up to longestOpen.
	firstOpen, longestOpen = time.Second, 30 * time.Second
	// probeWait is what a caller is told while another one's probe is on its way.
	probeWait = time.Second
)

type hostedKey struct{ org, url string }

// hosted is one hosted MCP server, as all users see it: a circuit breaker, and what is
// known of it. Pool.mu guards it. The circuit is closed while openFor is 0, open until
// then, and half open after: one request passes as a probe.
type hosted struct {
	failures int              // in a row
	slow     map[userKey]bool // whose timeout is one of them
	openFor  time.Duration    // of the last opening
	until    time.Time
	probing  bool

	keepsSessions bool // refuses DELETE

	request *http.Request // see requestTo; does not change
}

func (p *Pool) hostedOf(t Target) *hosted {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := hostedKey{t.Org, t.URL}
	h := p.hosted[key]
	if h == nil {
		h = &hosted{slow: map[userKey]bool{}, request: requestTo(t.URL)}
		p.hosted[key] = h
	}
	return h
}

// CircuitOpen reports whether calls to a hosted server of an org are held back after
// failures, until one that is let through as a probe is answered.
func (p *Pool) CircuitOpen(org, url string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosted[hostedKey{org, url}]
	return h != nil && h.openFor > 0
}

// admit lets an attempt of c pass or says why not. A write is not risked as a probe: in
// its place a ping on its session is.
func (p *Pool) admit(c *call) *failure {
	safe := c.repeatable || c.slot == nil
	probe, f := p.pass(c, safe)
	if !probe || safe {
		return f
	}
	ping := p.newCall(c.ctx, c.target, jsonrpc.Request(jsontext.Value("0"), "ping", nil))
	ping.session, ping.token = c.session, c.token
	_, _ = ping.only() // note has seen the outcome, and any answer will do
	ping.end(io.EOF)
	if c.ctx.Err() != nil {
		return ended(c.ctx)
	}
	if probe, f = p.pass(c, false); probe { // the ping was not the one, or ended early
		f = circuitOpen(probeWait)
	}
	return f
}

func circuitOpen(left time.Duration) *failure {
	return &failure{Error: Error{Kind: Unavailable, RetryAfter: left, Reason: "circuit of the server is open after failures"}}
}

// pass reports whether the circuit is half open and a probe is due; if take, c is it.
func (p *Pool) pass(c *call, take bool) (probe bool, f *failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, left := c.hosted, time.Duration(0)
	if h.openFor > 0 {
		left = h.until.Sub(p.cfg.Now())
		if left <= 0 && h.probing {
			left = probeWait
		}
	}
	if left > 0 {
		return false, circuitOpen(left)
	}
	c.probe = h.openFor > 0 && take
	h.probing = h.probing || c.probe
	return h.openFor > 0, nil
}

// note takes the outcome of an attempt into account: nil is an answer. Any status below
// 500 proves that the server is up, a token or a session that it refuses included.
// A user's timeouts count once, since a slow query is slow again.
func (p *Pool) note(c *call, f *failure) {
	up := f == nil || f.Status > 0 && !f.down
	open := p.record(c, f, up)
	if open == 0 {
		return
	}
	log := p.cfg.Log.With("org", c.target.Org, "server", c.target.Server) // not under the lock, and not for every call
	if up {
		log.Info("salesforce server answers again")
	} else {
		log.Warn("circuit of the salesforce server is open after failures", "for", open)
	}
}

// record changes the circuit. It returns for how long it is open if it was opened, and for
// how long it was if it was closed.
func (p *Pool) record(c *call, f *failure, up bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, who, probe := c.hosted, userKey{c.target.Org, c.target.Subject}, c.probe
	p.unprobe(c)
	switch {
	case up:
		wasOpen := h.openFor
		h.failures, h.openFor = 0, 0
		clear(h.slow)
		return wasOpen
	case !f.down, h.openFor > 0 && !probe, f.Kind == TimedOut && h.slow[who] && !probe:
		return 0
	case f.Kind == TimedOut:
		h.slow[who] = true
	}
	if h.failures++; h.failures < failuresToOpen {
		return 0
	}
	h.openFor = min(max(2*h.openFor, firstOpen), longestOpen)
	open := max(h.openFor, min(f.RetryAfter, longestOpen))
	h.until = p.cfg.Now().Add(open)
	return open
}

func (p *Pool) unprobe(c *call) {
	if c.probe {
		c.probe, c.hosted.probing = false, false
	}
}
