package mcpforward

import (
	"bytes"
	"hash/maphash"

	"github.com/go-json-experiment/json/jsontext"
	lru "github.com/hashicorp/golang-lru/v2"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

const (
	// maxPages is how many pages are remembered, the most recently used.
	maxPages = 128
	// maxPage is the length of one, as Salesforce sent it. A list of a hosted server has
	// some thousand bytes.
	maxPage = 128 << 10
)

// pages remembers what was made of pages of lists. What that is follows from the page, the
// endpoint with its policy, the rules that name the caller, and the era, so it is the same
// for all whom the same rules name. The pages are asked for each time, as the caller.
type pages struct {
	seed  maphash.Seed
	known *lru.Cache[pageKey, page]
	// definitions are those in pages.
	definitions *lru.Cache[definitionsKey, pageDefinitions]
}

// pageKey is what the outcome of a page follows from. The page itself stands for its hash.
type pageKey struct {
	server    *access.Server // does not change: a new configuration has new ones
	method    string
	naming    string // see [policy.Policy.Naming]
	accepted  string // see [listAnswer.version]
	twice     string
	stateless bool
	hash      uint64
}

type page struct {
	from    jsontext.Value // as Salesforce sent it
	outcome outcome
}

// definitionsKey is a page by its hash.
type definitionsKey struct {
	method string
	hash   uint64
}

type pageDefinitions struct {
	from  jsontext.Value
	list  *upstream.List
	whole bool
}

func newPages() *pages {
	known, err := lru.New[pageKey, page](maxPages)
	if err != nil {
		panic(err) // the size is a constant
	}
	definitions, err := lru.New[definitionsKey, pageDefinitions](maxPages)
	if err != nil {
		panic(err)
	}
	return &pages{maphash.MakeSeed(), known, definitions}
}

// definitionsIn reads the definitions in a page; whole: no other follows.
func (p *pages) definitionsIn(method string, from jsontext.Value) (list *upstream.List, whole bool, err error) {
	if len(from) > maxPage {
		return upstream.ReadList(method, from)
	}
	key := definitionsKey{method, maphash.Bytes(p.seed, from)}
	if known, ok := p.definitions.Get(key); ok && bytes.Equal(known.from, from) {
		return known.list, known.whole, nil
	}
	if list, whole, err = upstream.ReadList(method, from); err == nil {
		p.definitions.Add(key, pageDefinitions{from.Clone(), list, whole})
	}
	return list, whole, err
}

// outcomeOf returns what read makes of the response to c, a page.
func (p *pages) outcomeOf(c *call, m *jsonrpc.Message, read func(*jsonrpc.Message) outcome) outcome {
	from := m.Result
	if len(from) > maxPage {
		return read(m)
	}
	accepted, twice := c.list.version()
	key := pageKey{c.server, c.msg.Method, c.server.Policy.Naming(c.who), accepted, twice, c.stateless, maphash.Bytes(p.seed, from)}
	if known, ok := p.known.Get(key); ok && bytes.Equal(known.from, from) {
		return known.outcome
	}
	o := read(m)
	if o.answer != nil {
		p.known.Add(key, page{from.Clone(), o})
	}
	return o
}
