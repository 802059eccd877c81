package upstream

import (
	"context"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Session is one MCP session with Salesforce.
type Session struct {
	id      string // Mcp-Session-Id; empty: Salesforce gave none
	version string // negotiated protocol version
}

// protocolVersion is what we ask for; spoken are the versions that we accept
// instead. They do not differ in what this package uses of them.
const protocolVersion = "2025-06-18"

var spoken = map[string]bool{"2024-11-05": true, "2025-03-26": true, "2025-06-18": true, "2025-11-25": true}

// session returns the session of a call's slot and opens it first if need be.
func (p *Pool) session(ctx context.Context, s *slot, t Target) (*Session, error) {
	p.mu.Lock()
	if s.session != nil {
		defer p.mu.Unlock()
		return s.session, nil
	}
	f := fly(p, &s.opening,
		func() (*Session, error) { return p.open(s.user.ctx, t) },
		func(opened *Session) { s.session = opened })
	p.mu.Unlock()
	return f.wait(ctx)
}

// open initializes a session: initialize, its answer with the session id, then
// notifications/initialized. Without the latter Salesforce answers lists with an
// empty body. Nothing of this acts on records, so it is repeatable, and its
// errors are never ones of a call that may have happened.
func (p *Pool) open(ctx context.Context, t Target) (*Session, error) {
	t.Timeout = p.cfg.OpenTimeout
	c := p.newCall(ctx, t, jsonrpc.Request(jsontext.Value("0"), "initialize", p.initializeParams(t.UI)))
	c.repeatable = true
	defer c.end(nil)
	m, err := c.only()
	if err != nil {
		return nil, harmless(err)
	}
	if m.Error != nil {
		return nil, &Error{Kind: Unavailable, Reason: "initialize was refused"}
	}
	result, _ := jsonrpc.ParseObject(m.Result)
	version, _ := result.String("protocolVersion")
	s := &Session{id: c.answered.sessionID, version: version}
	if !spoken[version] || !validSessionID(s.id) {
		return nil, &Error{Kind: Broken, Reason: "initialize was answered with an unusable version or session id"}
	}
	if f := c.tell(c.ctx, s, jsonrpc.Request(nil, "notifications/initialized", nil)); f != nil {
		return nil, harmless(&f.Error)
	}
	p.cfg.Log.Debug("salesforce session opened", "org", t.Org, "subject", t.Subject, "server", t.Server)
	return s, nil
}

func (p *Pool) initializeParams(ui bool) jsontext.Value {
	capabilities := `{}`
	if ui {
		capabilities = `{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}`
	}
	return jsontext.Value(`{"protocolVersion":"` + protocolVersion + `","capabilities":` + capabilities +
		`,"clientInfo":{"name":"sfmcp-proxy","version":` + string(jsonrpc.Quote(p.cfg.Version)) + `}}`)
}

// validSessionID keeps to visible ASCII (MCP 2025-06-18, session management), so
// that the id can go into a header as it is.
func validSessionID(id string) bool {
	return len(id) <= 512 && !strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e })
}

// harmless returns the error of an exchange that acts on nothing.
func harmless(err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return &Error{Kind: Unavailable, Reason: "session was not opened", Err: err}
	}
	calm := *e
	calm.MayHaveHappened = false
	return &calm
}
