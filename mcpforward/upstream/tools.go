package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

const (
	// toolsAge is how long a listing is taken for current.
	toolsAge = 5 * time.Minute
	// toolPages bounds a listing whose cursors do not end.
	toolPages = 50
)

// toolset is one complete listing of a server's tools.
type toolset struct {
	at   time.Time
	tool map[string]tool
}

type tool struct {
	definition jsontext.Value // canonical
	hash       string
}

// Tool returns the definition of a tool as Salesforce last listed it to this user,
// at most five minutes ago, in canonical form, and the SHA-256 of that in
// hexadecimal. The error is [ErrNoTool] or an [*Error], which never says that
// something may have happened.
func (p *Pool) Tool(ctx context.Context, t Target, name string) (definition jsontext.Value, hash string, err error) {
	if err := t.check(); err != nil {
		return nil, "", err
	}
	ctx, stop := context.WithTimeoutCause(ctx, t.timeout(), errTimedOut)
	defer stop()
	all, err := p.tools(ctx, t)
	if err != nil {
		return nil, "", notExecuted(err)
	}
	found, ok := all.tool[name]
	if !ok {
		return nil, "", ErrNoTool
	}
	return found.definition, found.hash, nil
}

// Relist makes the next [Pool.Tool] ask Salesforce, however young the last listing is.
func (p *Pool) Relist(t Target) {
	s := p.enter(t)
	defer p.leave(s)
	p.forgetTools(s)
}

// tools returns the current listing and makes one first if there is none.
func (p *Pool) tools(ctx context.Context, t Target) (*toolset, error) {
	s := p.enter(t)
	defer p.leave(s)
	p.mu.Lock()
	if s.tools != nil && p.cfg.Now().Sub(s.tools.at) < toolsAge {
		defer p.mu.Unlock()
		return s.tools, nil
	}
	listing := share(p, &s.listing,
		func() (*toolset, error) { return p.list(s.user.ctx, t) },
		func(listed *toolset) { s.tools = listed })
	p.mu.Unlock()
	return listing.wait(ctx)
}

func (p *Pool) forgetTools(s *sessionSlot) {
	if s == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.tools = nil
}

// list follows all pages of tools/list. A name that is listed twice means two
// things, so it is dropped.
func (p *Pool) list(ctx context.Context, t Target) (*toolset, error) {
	// Not the time of the caller who happened to be first: others wait, too.
	t.Timeout = p.cfg.OpenTimeout
	ctx, stop := context.WithTimeoutCause(ctx, t.Timeout, errTimedOut)
	defer stop()
	all := &toolset{at: p.cfg.Now(), tool: map[string]tool{}}
	twice := map[string]bool{}
	var params jsontext.Value
	for range toolPages {
		page, err := p.page(ctx, t, params)
		if err != nil {
			return nil, err
		}
		if err := all.add(page, twice); err != nil {
			return nil, err
		}
		cursor, more := page.Get("nextCursor")
		if !more || cursor.Kind() == 'n' {
			for name := range twice {
				p.cfg.Log.Warn("salesforce lists a tool name twice; dropped", "server", t.Server, "tool", name)
				delete(all.tool, name)
			}
			return all, nil
		}
		if cursor.Kind() != '"' {
			return nil, &Error{Kind: Broken, Reason: "tool list has an unusable cursor"}
		}
		var next jsonrpc.Object // an empty cursor is one, too
		next.Set("cursor", cursor)
		params = next.Encode()
	}
	return nil, &Error{Kind: Broken, Reason: "tool list does not end"}
}

// page calls tools/list once.
func (p *Pool) page(ctx context.Context, t Target, params jsontext.Value) (jsonrpc.Object, error) {
	a, err := p.Call(ctx, t, jsonrpc.Request(jsontext.Value("0"), "tools/list", params), true)
	if err != nil {
		return jsonrpc.Object{}, err
	}
	defer a.Close()
	m, err := a.Next(ctx)
	for ; err == nil && !m.IsResponse(); m, err = a.Next(ctx) {
		if m.IsRequest() { // the list is made for several callers, who would not know why they are asked
			_ = a.Respond(ctx, jsonrpc.Failure(m.ID, jsonrpc.MethodNotFound, "nobody can be asked"))
		}
	}
	if err != nil {
		return jsonrpc.Object{}, err
	}
	if m.Error != nil {
		return jsonrpc.Object{}, &Error{Kind: Unavailable, Reason: "tool list was refused"}
	}
	return jsonrpc.ParseObject(m.Result)
}

func (all *toolset) add(page jsonrpc.Object, twice map[string]bool) error {
	broken := &Error{Kind: Broken, Reason: "tool list is not one"}
	raw, _ := page.Get("tools")
	definitions, err := jsonrpc.ParseArray(raw)
	if err != nil {
		return broken
	}
	for _, d := range definitions {
		o, err := jsonrpc.ParseObject(d)
		if err != nil {
			return broken
		}
		name, ok := o.String("name")
		if !ok || name == "" {
			return broken
		}
		canonical, err := jsonrpc.Canonical(d)
		if err != nil {
			return broken
		}
		if _, seen := all.tool[name]; seen {
			twice[name] = true
		}
		sum := sha256.Sum256(canonical)
		all.tool[name] = tool{definition: canonical, hash: hex.EncodeToString(sum[:])}
	}
	return nil
}
