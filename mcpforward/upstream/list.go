package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

const (
	// listAge is how long a listing is taken for current.
	listAge = 5 * time.Minute
	// listPages bounds a listing whose cursors do not end.
	listPages = 50
)

// listMembers are the methods whose answers are lists of definitions: the member of the
// result, and that of an item which names it.
var listMembers = map[string]struct{ items, name string }{
	"tools/list":               {"tools", "name"},
	"prompts/list":             {"prompts", "name"},
	"resources/templates/list": {"resourceTemplates", "uriTemplate"},
}

// List is what one listing, or one page of it, says of each name. It does not change.
type List struct {
	*read
	mark int64
}

type read struct {
	items map[string]Listed
	twice string
}

// Listed is what a list says of one name.
type Listed struct {
	Definition jsontext.Value // canonical; of a name that is listed twice: the array of both
	Digest     string         // SHA-256 of Definition in hexadecimal
	Twice      bool           // the name means two things, and so nothing
}

// Named returns what the list says of a name, also if it says two things.
func (l *List) Named(name string) (Listed, bool) {
	item, ok := l.items[name]
	return item, ok
}

// All returns everything that is listed, in no order.
func (l *List) All() iter.Seq2[string, Listed] { return maps.All(l.items) }

// Twice returns the names that are listed more than once, in one text.
func (l *List) Twice() string { return l.twice }

// ReadList reads one page of a list. whole: no page follows.
func ReadList(method string, result jsontext.Value) (l *List, whole bool, err error) {
	page, err := jsonrpc.ParseObject(result)
	if err != nil {
		return nil, false, err
	}
	b := newListing(method)
	if err := b.add(page); err != nil {
		return nil, false, err
	}
	cursor, more := page.Get("nextCursor")
	return b.list(), !more || cursor.Kind() == 'n', nil
}

// List returns what Salesforce listed to this user at last, at most five minutes ago and
// under no lower mark: the caller raises it when it learns that lists have changed. method is
// tools/list, prompts/list or resources/templates/list; a server without that has an empty
// list. Errors are [*Error], and never say that something may have happened.
func (p *Pool) List(ctx context.Context, t Target, method string, mark int64) (*List, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if l := p.kept(t, method, mark); l != nil {
		return l, nil
	}
	ctx, stop := context.WithTimeoutCause(ctx, t.timeout(), errTimedOut)
	defer stop()
	for {
		l, err := p.current(ctx, t, method, mark)
		if err != nil {
			return nil, notExecuted(err)
		}
		if l.mark >= mark {
			return l, nil
		} // else somebody had begun it before the mark was raised
	}
}

// kept returns the listing that there is, if it is current.
func (p *Pool) kept(t Target, method string, mark int64) *List {
	s := p.enter(t)
	defer p.leave(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	if of := s.listOf(method); of.kept != nil && of.kept.mark >= mark && p.cfg.Now().Sub(of.at) < listAge {
		return of.kept
	}
	return nil
}

// Relist makes the next [Pool.List] ask Salesforce, however young the last listing is.
func (p *Pool) Relist(t Target) {
	s := p.enter(t)
	defer p.leave(s)
	p.forgetLists(s)
}

// Listing is called before a list is forwarded for a client. If its answer turns out to be
// whole, keep takes it for the listing of this user's, so that no other is made.
func (p *Pool) Listing(t Target, method string, mark int64) (keep func(*List)) {
	s := p.enter(t)
	defer p.leave(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	at, forgotten := p.cfg.Now(), s.forgotten
	return func(l *List) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if s.forgotten != forgotten { // the list has changed since
			return
		}
		of := s.listOf(method)
		if of.at = at; of.kept == nil || of.kept.read != l.read || of.kept.mark != mark {
			of.kept = &List{l.read, mark}
		}
	}
}

// current returns the listing that there is and makes one first if there is none.
func (p *Pool) current(ctx context.Context, t Target, method string, mark int64) (*List, error) {
	s := p.enter(t)
	defer p.leave(s)
	p.mu.Lock()
	of := s.listOf(method)
	if of.kept != nil && of.kept.mark >= mark && p.cfg.Now().Sub(of.at) < listAge {
		defer p.mu.Unlock()
		return of.kept, nil
	}
	at := p.cfg.Now()
	listing := share(p, &of.listing,
		func() (*List, error) { return p.list(s.user.ctx, t, method, mark) },
		func(l *List) { of.kept, of.at = l, at })
	p.mu.Unlock()
	return listing.wait(ctx)
}

func (p *Pool) forgetLists(s *sessionSlot) {
	if s == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.forgetLists()
}

// list follows all pages of a list.
func (p *Pool) list(ctx context.Context, t Target, method string, mark int64) (*List, error) {
	// Not the time of the caller who happened to be first: others wait, too.
	t.Timeout = p.cfg.OpenTimeout
	ctx, stop := context.WithTimeoutCause(ctx, t.Timeout, errTimedOut)
	defer stop()
	all := newListing(method)
	var params jsontext.Value
	for range listPages {
		page, err := p.page(ctx, t, method, params)
		if err != nil {
			return nil, err
		}
		if err := all.add(page); err != nil {
			return nil, err
		}
		cursor, more := page.Get("nextCursor")
		if !more || cursor.Kind() == 'n' {
			l := all.list()
			if l.mark = mark; l.twice != "" {
				p.cfg.Log.Warn("salesforce lists a name twice; it is not used", "server", t.Server, "list", method, "names", l.twice)
			}
			return l, nil
		}
		if cursor.Kind() != '"' {
			return nil, &Error{Kind: Broken, Reason: "list has an unusable cursor"}
		}
		var next jsonrpc.Object // an empty cursor is one, too
		next.Set("cursor", cursor)
		params = next.Encode()
	}
	return nil, &Error{Kind: Broken, Reason: "list does not end"}
}

// page asks for one page of a list.
func (p *Pool) page(ctx context.Context, t Target, method string, params jsontext.Value) (page jsonrpc.Object, err error) {
	a, err := p.Call(ctx, t, jsonrpc.Request(jsontext.Value("0"), method, params), true)
	if err != nil {
		return page, err
	}
	defer a.Close()
	m, err := a.Next(ctx)
	for ; err == nil && !m.IsResponse(); m, err = a.Next(ctx) {
		if m.IsRequest() { // the list is made for several callers, who would not know why they are asked
			_ = a.Respond(ctx, jsonrpc.Failure(m.ID, jsonrpc.MethodNotFound, "nobody can be asked"))
		}
	}
	switch {
	case err != nil:
		return page, err
	case m.Error != nil && m.Error.Code == jsonrpc.MethodNotFound: // a server without prompts, for instance
		page.Set(listMembers[method].items, jsontext.Value(`[]`))
		return page, nil
	case m.Error != nil:
		return page, &Error{Kind: Unavailable, Reason: "list was refused"}
	}
	return jsonrpc.ParseObject(m.Result)
}

// listing is a list that is being read.
type listing struct {
	method string
	items  map[string][]jsontext.Value // canonical definitions by name
}

func newListing(method string) *listing {
	return &listing{method, map[string][]jsontext.Value{}}
}

func (b *listing) add(page jsonrpc.Object) error {
	broken := &Error{Kind: Broken, Reason: "list is not one"}
	members := listMembers[b.method]
	raw, _ := page.Get(members.items)
	definitions, err := jsonrpc.ParseArray(raw)
	if err != nil {
		return broken
	}
	for _, d := range definitions {
		o, err := jsonrpc.ParseObject(d)
		if err != nil {
			return broken
		}
		name, ok := o.String(members.name)
		if !ok || name == "" {
			return broken
		}
		canonical, err := jsonrpc.Canonical(d)
		if err != nil {
			return broken
		}
		b.items[name] = append(b.items[name], canonical)
	}
	return nil
}

// list is what was read. What is listed twice counts as one text of its own.
func (b *listing) list() *List {
	l := &List{read: &read{items: make(map[string]Listed, len(b.items))}}
	var twice []string
	for name, definitions := range b.items {
		item := Listed{Definition: definitions[0]}
		if len(definitions) > 1 {
			twice = append(twice, name)
			slices.SortFunc(definitions, func(a, b jsontext.Value) int { return bytes.Compare(a, b) })
			item.Definition, item.Twice = jsonrpc.Array(definitions), true
		}
		sum := sha256.Sum256(item.Definition)
		item.Digest = hex.EncodeToString(sum[:])
		l.items[name] = item
	}
	slices.Sort(twice)
	l.twice = strings.Join(twice, " ")
	return l
}
