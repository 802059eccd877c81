package upstream

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Session is one MCP session with Salesforce.
type Session struct {
	id           string // Mcp-Session-Id; empty: Salesforce gave none
	version      string // negotiated protocol version
	capabilities jsontext.Value

	idHeader, versionHeader []string // values of headers, which nobody changes
}

// asideTimeout bounds what is told to Salesforce beside a call, and what an opened
// session can do without.
const asideTimeout = 5 * time.Second

// Capabilities returns what the server declared at initialize, an object, and opens a
// session first if there is none. Errors are [*Error].
func (p *Pool) Capabilities(ctx context.Context, t Target) (jsontext.Value, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeoutCause(ctx, t.timeout(), errTimedOut)
	defer stop()
	slot := p.enter(t)
	defer p.leave(slot)
	s, err := p.session(ctx, slot, t)
	if err != nil {
		return nil, notExecuted(err)
	}
	return s.capabilities.Clone(), nil
}

// session returns the session of a call's slot and opens it first if need be.
func (p *Pool) session(ctx context.Context, s *sessionSlot, t Target) (*Session, error) {
	p.mu.Lock()
	if s.session != nil {
		defer p.mu.Unlock()
		return s.session, nil
	}
	opening := share(p, &s.opening,
		func() (*Session, error) { return p.open(s, t) },
		func(opened *Session) { s.session = opened })
	p.mu.Unlock()
	return opening.wait(ctx)
}

// open initializes a session: initialize, its answer with the session id, then
// notifications/initialized. Without the latter Salesforce answers lists with an
// empty body. Nothing of this acts on records, so it is repeatable, and its
// errors are never ones of a call that may have happened.
func (p *Pool) open(slot *sessionSlot, t Target) (*Session, error) {
	t.Timeout = p.cfg.OpenTimeout
	c := p.newCall(slot.user.ctx, t, jsonrpc.Request(jsontext.Value("0"), "initialize", p.initializeParams(t.Client)))
	c.repeatable = true
	defer c.end(io.EOF)
	m, err := c.only()
	if err != nil {
		return nil, notExecuted(err)
	}
	if m.Error != nil {
		return nil, &Error{Kind: Unavailable, Reason: "initialize was refused"}
	}
	s, err := newSession(m.Result, c.answered.sessionID)
	if err != nil {
		return nil, err
	}
	if f := c.on(s).sendOneWay(c.ctx, jsonrpc.Request(nil, "notifications/initialized", nil)); f != nil {
		return nil, notExecuted(&f.Error)
	}
	p.setLevel(c, s)
	p.retire(c, slot)
	p.cfg.Log.Debug("salesforce session opened", "org", t.Org, "subject", t.Subject, "server", t.Server)
	return s, nil
}

// newSession reads the answer to initialize.
func newSession(answer jsontext.Value, id string) (*Session, error) {
	result, _ := jsonrpc.ParseObject(answer)
	version, _ := result.String("protocolVersion")
	capabilities, _ := result.Get("capabilities")
	if capabilities.Kind() != '{' {
		capabilities = jsontext.Value(`{}`)
	}
	if !spoken[version] || !validSessionID(id) {
		return nil, &Error{Kind: Broken, Reason: "initialize was answered with an unusable version or session id"}
	}
	return &Session{id: id, version: version, capabilities: capabilities.Clone(),
		idHeader: []string{id}, versionHeader: []string{version}}, nil
}

func (p *Pool) initializeParams(c ClientCapabilities) jsontext.Value {
	return jsontext.Value(`{"protocolVersion":"` + c.version() + `","capabilities":` + string(c.declaration()) +
		`,"clientInfo":{"name":"sfmcp-proxy","version":` + string(jsonrpc.Quote(p.cfg.Version)) + `}}`)
}

// setLevel asks for log messages, if they are wanted and the server has any. A session
// that cannot do this is still good for calls.
func (p *Pool) setLevel(opening *call, s *Session) {
	declared, _ := jsonrpc.ParseObject(s.capabilities)
	if _, logs := declared.Get("logging"); !logs || opening.target.Client.LogLevel == "" {
		return
	}
	t := opening.target
	t.Timeout = asideTimeout
	c := p.newCall(opening.ctx, t, jsonrpc.Request(jsontext.Value("0"), "logging/setLevel",
		jsontext.Value(`{"level":`+string(jsonrpc.Quote(t.Client.LogLevel))+`}`)))
	c.session, c.token = s, opening.token
	defer c.end(io.EOF)
	if m, err := c.only(); err != nil || m.Error != nil {
		p.cfg.Log.Warn("salesforce did not take a log level", "server", t.Server)
	}
}

// retire ends the session that was idle for too long and was replaced just now. This is the
// one end at which there is a token that costs nothing (see the package's
// documentation). A server that has refused DELETE is not asked again.
func (p *Pool) retire(opening *call, slot *sessionSlot) {
	p.mu.Lock()
	old, skip := slot.idle, opening.hosted.keepsSessions
	slot.idle = nil
	p.mu.Unlock()
	if old == nil || old.id == "" || skip {
		return
	}
	c := &call{pool: p, target: opening.target, token: opening.token}
	p.background(func() {
		ctx, stop := context.WithTimeout(slot.user.ctx, asideTimeout)
		defer stop()
		resp, f := c.on(old).without(ctx, http.MethodDelete)
		if f != nil {
			return
		}
		drain(resp.Body)
		if resp.StatusCode == http.StatusMethodNotAllowed || resp.StatusCode == http.StatusNotImplemented {
			p.mu.Lock()
			defer p.mu.Unlock()
			opening.hosted.keepsSessions = true
		}
	})
}

// validSessionID keeps to visible ASCII (MCP 2025-06-18, session management), so
// that the id can go into a header as it is.
func validSessionID(id string) bool {
	return len(id) <= 512 && !strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e })
}
