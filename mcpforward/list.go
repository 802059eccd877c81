package mcpforward

import (
	"bytes"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// maxCursor bounds a cursor of Salesforce's on its way back.
const maxCursor = 4096

// listing says how the answer of one list method is read.
type listing struct {
	action string // in the audit log
	items  string // member of the result
	key    string // member that names an item
	prefix string // of the name that policy knows the item by
}

var listings = map[string]listing{
	"tools/list":               {"tool.list", "tools", "name", ""},
	"prompts/list":             {"prompt.list", "prompts", "name", "prompt:"},
	"resources/list":           {"resource.list", "resources", "uri", "resource:"},
	"resources/templates/list": {"resource.list", "resourceTemplates", "uriTemplate", "resource:"},
}

// list forwards one page of a list, filtered by the policy that judges calls.
func (x *exchange) list() error {
	for member, value := range x.params.All() {
		if member == "cursor" && value.Kind() == '"' && len(value) <= maxCursor || member == "_meta" {
			continue
		}
		return x.odd(x.invalid("params may hold a cursor and _meta"))
	}
	l := listings[x.msg.Method]
	c := &call{action: l.action, params: listParams(x.params), empty: jsontext.Value(`{"` + l.items + `":[]}`)}
	c.shape = func(result jsontext.Value) (jsontext.Value, error) { return x.filter(l, result) }
	c.decision = x.decide(c)
	if denied, err := x.deny(c); denied {
		return err
	}
	return x.forward(c)
}

func listParams(params jsonrpc.Object) jsontext.Value {
	var out jsonrpc.Object
	if cursor, ok := params.Get("cursor"); ok { // an empty one is one, too
		out.Set("cursor", cursor)
	}
	if meta, ok := keptMeta(params); ok {
		out.Set("_meta", meta)
	}
	return out.Encode()
}

var errNoList = errors.New("the answer is not a list")

// filter keeps the items of a page that the caller may use. A page may become empty;
// its cursor stays. A name that is listed twice means two things and is dropped.
func (x *exchange) filter(l listing, result jsontext.Value) (jsontext.Value, error) {
	page, err := jsonrpc.ParseObject(result)
	if err != nil {
		return nil, err
	}
	raw, _ := page.Get(l.items)
	items, err := jsonrpc.ParseArray(raw)
	if err != nil {
		return nil, errNoList
	}
	parsed := make([]jsonrpc.Object, len(items))
	times := map[string]int{}
	for i, item := range items {
		if parsed[i], err = jsonrpc.ParseObject(item); err != nil {
			return nil, errNoList
		}
		name, _ := parsed[i].String(l.key)
		times[name]++
	}
	kept := []jsontext.Value{}
	for _, item := range parsed {
		name, ok := item.String(l.key)
		if !ok || l.items == "tools" && !isToolName(name) || !x.server.Policy.Visible(x.who, l.prefix+name) {
			continue
		}
		if times[name] > 1 {
			x.Log.WarnContext(x.r.Context(), "salesforce lists a name twice; dropped", "server", x.server.Name, "list", l.items)
			continue
		}
		if l.items == "tools" {
			annotate(&item, x.server.Policy.Annotations(x.who, name))
		}
		kept = append(kept, item.Encode())
	}
	page.Set(l.items, array(kept))
	if cursor, ok := page.Get("nextCursor"); ok && cursor.Kind() != '"' {
		page.Delete("nextCursor")
	}
	return page.Encode(), nil
}

// annotate replaces what Salesforce says of a tool's effects by what we know
// (SR-FW-4), all hints explicit because clients differ in their defaults, and takes
// out what would make a client expect tasks or other credentials.
func annotate(tool *jsonrpc.Object, h policy.Hints) {
	old, _ := tool.Get("annotations")
	before, _ := jsonrpc.ParseObject(old)
	var hints jsonrpc.Object
	if title, ok := before.Get("title"); ok && title.Kind() == '"' {
		hints.Set("title", title)
	}
	hints.Set("readOnlyHint", boolean(h.ReadOnly))
	hints.Set("destructiveHint", boolean(h.Destructive))
	hints.Set("idempotentHint", boolean(h.Idempotent))
	hints.Set("openWorldHint", boolean(h.OpenWorld))
	tool.Set("annotations", hints.Encode())
	// A backslash may be part of the mark: names can be written with escapes.
	if schema, ok := tool.Get("inputSchema"); ok && (bytes.Contains(schema, []byte("x-mcp-header")) || bytes.IndexByte(schema, '\\') >= 0) {
		tool.Set("inputSchema", unmirrored(schema))
	}
	tool.Delete("securitySchemes")
	without(tool, "execution", "taskSupport")
	without(tool, "_meta", "securitySchemes")
}

// unmirrored takes out of a tool's inputSchema the marks by which a client of the
// stateless era repeats arguments in HTTP headers (x-mcp-header, MCP 2026-07-28).
// Nobody behind here reads them, and every log on the way would hold customers' data.
func unmirrored(schema jsontext.Value) jsontext.Value {
	o, err := jsonrpc.ParseObject(schema)
	if err != nil {
		return schema
	}
	o.Delete("x-mcp-header")
	raw, _ := o.Get("properties")
	if properties, err := jsonrpc.ParseObject(raw); err == nil {
		for name, property := range properties.All() {
			properties.Set(name, unmirrored(property))
		}
		o.Set("properties", properties.Encode())
	}
	return o.Encode()
}

// without removes a member of a member, and the latter if nothing is left. It reports
// whether there was one.
func without(o *jsonrpc.Object, outer, inner string) bool {
	raw, _ := o.Get(outer)
	v, err := jsonrpc.ParseObject(raw)
	if err != nil {
		return false
	}
	if _, ok := v.Get(inner); !ok {
		return false
	}
	v.Delete(inner)
	if v.Len() == 0 {
		o.Delete(outer)
		return true
	}
	o.Set(outer, v.Encode())
	return true
}

// clean takes out of a result what would pass a challenge of Salesforce's on to the
// client (SR-RS-2). Everything else in _meta passes. It returns the result and its members.
func clean(result jsontext.Value) (jsontext.Value, jsonrpc.Object, error) {
	o, err := jsonrpc.ParseObject(result)
	if err != nil {
		return nil, o, err
	}
	if without(&o, "_meta", "mcp/www_authenticate") {
		result = o.Encode()
	}
	return result, o, nil
}

// keptMeta is the part of a request's _meta that concerns Salesforce: progress, its
// own names and those of extensions. What the stateless era says of the client is for
// us, and clients also put things there that are nobody else's business, such as
// where the user is.
func keptMeta(params jsonrpc.Object) (jsontext.Value, bool) {
	raw, _ := params.Get("_meta")
	all, err := jsonrpc.ParseObject(raw)
	if err != nil {
		return nil, false
	}
	var kept jsonrpc.Object
	for name, value := range all.All() {
		if name == "progressToken" || strings.HasPrefix(name, "salesforce/") || strings.HasPrefix(name, protocolPrefix) && !ownMeta[name] {
			kept.Set(name, value)
		}
	}
	return kept.Encode(), kept.Len() > 0
}

// ownMeta are the protocol's names in _meta that are between a client and us.
var ownMeta = map[string]bool{metaVersion: true, metaCapabilities: true, metaClientInfo: true, metaLogLevel: true,
	protocolPrefix + "subscriptionId": true, protocolPrefix + "related-task": true}

// bare returns params with nothing of _meta but the progress token. Nobody judges or
// approves what else is there, so it does not go with what changes something.
func bare(params jsontext.Value) jsontext.Value {
	o, err := jsonrpc.ParseObject(params)
	if err != nil {
		return params
	}
	raw, _ := o.Get("_meta")
	meta, _ := jsonrpc.ParseObject(raw)
	o.Delete("_meta")
	if token, ok := meta.Get("progressToken"); ok {
		var kept jsonrpc.Object
		kept.Set("progressToken", token)
		o.Set("_meta", kept.Encode())
	}
	return o.Encode()
}

func array(items []jsontext.Value) jsontext.Value {
	out := []byte{'['}
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return append(out, ']')
}

func boolean(b bool) jsontext.Value {
	if b {
		return jsontext.Value("true")
	}
	return jsontext.Value("false")
}
