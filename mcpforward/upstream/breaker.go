package upstream

import (
	"io"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

const (
	// faultsToOpen in a row open the circuit: more than a burst of one client meets when
	// a connection breaks.
	faultsToOpen = 10
	// firstRest is how long nothing is sent then: short, because people wait. It doubles
	// with each probe that fails, up to longestRest.
	firstRest, longestRest = time.Second, 30 * time.Second
	// probeRest is what a caller is told while another one's probe is on its way.
	probeRest = time.Second
)

type hostedKey struct{ org, url string }

// hosted is one hosted MCP server, as all users see it: a circuit breaker, and what is
// known of it. Pool.mu guards it. The circuit is closed while rest is 0, open until
// then, and half open after: one request passes as a probe.
type hosted struct {
	faults  int              // in a row
	slow    map[userKey]bool // whose timeout is one of them
	rest    time.Duration    // of the last opening
	until   time.Time
	probing bool

	keepsSessions bool // refuses DELETE
}

func (p *Pool) hostedOf(t Target) *hosted {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := hostedKey{t.Org, t.URL}
	h := p.hosted[key]
	if h == nil {
		h = &hosted{slow: map[userKey]bool{}}
		p.hosted[key] = h
	}
	return h
}

// Spared reports whether calls to a hosted server of an org are held back after faults,
// until one that is let through as a probe is answered.
func (p *Pool) Spared(org, url string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosted[hostedKey{org, url}]
	return h != nil && h.rest > 0
}

// admit lets an attempt of c pass or says why not. A write is not risked as a probe: in
// its place a ping on its session is.
func (p *Pool) admit(c *call) *fault {
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
		f = spared(probeRest)
	}
	return f
}

func spared(left time.Duration) *fault {
	return &fault{Error: Error{Kind: Unavailable, RetryAfter: left, Reason: "server is spared after faults"}}
}

// pass reports whether the circuit is half open and a probe is due; if take, c is it.
func (p *Pool) pass(c *call, take bool) (probe bool, f *fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, left := c.hosted, time.Duration(0)
	if h.rest > 0 {
		left = h.until.Sub(p.cfg.Now())
		if left <= 0 && h.probing {
			left = probeRest
		}
	}
	if left > 0 {
		return false, spared(left)
	}
	c.probe = h.rest > 0 && take
	h.probing = h.probing || c.probe
	return h.rest > 0, nil
}

// note takes the outcome of an attempt into account: nil is an answer. Any status below
// 500 proves that the server is up, a token or a session that it refuses included.
// A user's timeouts count once, since a slow query is slow again.
func (p *Pool) note(c *call, f *fault) {
	log := p.cfg.Log.With("org", c.target.Org, "server", c.target.Server)
	up := f == nil || f.Status > 0 && !f.down
	switch rest := p.record(c, f, up); { // nothing is logged under the lock
	case rest > 0 && up:
		log.Info("salesforce server answers again")
	case rest > 0:
		log.Warn("salesforce server is spared after faults", "for", rest)
	}
}

// record changes the circuit. It returns how long the server is spared if it was opened,
// and how long it was if it was closed.
func (p *Pool) record(c *call, f *fault, up bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, who, probe := c.hosted, userKey{c.target.Org, c.target.Subject}, c.probe
	p.unprobe(c)
	switch {
	case up:
		rest := h.rest
		h.faults, h.rest = 0, 0
		clear(h.slow)
		return rest
	case !f.down, h.rest > 0 && !probe, f.Kind == TimedOut && h.slow[who] && !probe:
		return 0
	case f.Kind == TimedOut:
		h.slow[who] = true
	}
	if h.faults++; h.faults < faultsToOpen {
		return 0
	}
	h.rest = min(max(2*h.rest, firstRest), longestRest)
	spared := max(h.rest, min(f.RetryAfter, longestRest))
	h.until = p.cfg.Now().Add(spared)
	return spared
}

// release gives the probe back if c is one whose outcome nobody waited for.
func (p *Pool) release(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unprobe(c)
}

func (p *Pool) unprobe(c *call) {
	if c.probe {
		c.probe, c.hosted.probing = false, false
	}
}
