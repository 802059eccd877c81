package mcpforward

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// maxCursor bounds a cursor of Salesforce's on its way back.
const maxCursor = 4096

// listing says how the answer of one list method is read.
type listing struct {
	action audit.Action // in the audit log
	items  string       // member of the result
	key    string       // member that names an item
	prefix string       // of the name that policy knows the item by
}

// listingOf returns how the answer of a list method is read.
func listingOf(method string) listing {
	switch method {
	case "prompts/list":
		return listing{audit.PromptList, "prompts", "name", promptPrefix}
	case "resources/list":
		return listing{audit.ResourceList, "resources", "uri", resourcePrefix}
	case "resources/templates/list":
		return listing{audit.ResourceList, "resourceTemplates", "uriTemplate", resourcePrefix}
	}
	return listing{audit.ToolList, "tools", "name", ""}
}

// readList reads the request for one page of a list, which is filtered by the policy that
// judges calls.
func readList(r *request) (*call, error) {
	var out jsonrpc.Object
	if cursor, ok := r.params.Get("cursor"); ok {
		if cursor.Kind() != '"' || len(cursor) > maxCursor { // an empty one is one, too
			return nil, invalidParams("cursor is not a string, or too long")
		}
		out.Set("cursor", cursor)
	}
	if meta, ok := metaForServer(r.params); ok {
		out.Set("_meta", meta)
	}
	l := listingOf(r.msg.Method)
	c := newCall(r, l.action)
	c.params, c.empty = out.Encode(), jsontext.Value(`{"`+l.items+`":[]}`)
	c.list = &listAnswer{}
	_, paged := out.Get("cursor")
	c.list.fromStart = !paged
	c.shape = func(value jsontext.Value) (jsontext.Value, error) { return c.filter(l, value) }
	return c, nil
}

var errNoList = errors.New("the answer is not a list")

// filter is a function of the page, of the server, of the rules of its policy that name the
// caller, and of what definitions are accepted: what it returns is remembered for others
// (pages.go).
//
// It keeps the items of a page that the caller may use. A page may become empty;
// its cursor stays. A name that is listed twice means two things and is dropped.
func (c *call) filter(l listing, value jsontext.Value) (jsontext.Value, error) {
	page, err := jsonrpc.ParseObject(value)
	if err != nil {
		return nil, err
	}
	page.DeleteLookalikes(l.items, "nextCursor")
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
	passing := []jsontext.Value{}
	for _, item := range parsed {
		name, ok := item.String(l.key)
		if !ok || l.items == "tools" && !isToolName(name) || !c.server.Policy.Visible(c.who, l.prefix+name) {
			continue
		}
		if times[name] > 1 {
			c.Log.WarnContext(c.http.Context(), "salesforce lists a name twice; dropped", "server", c.server.Name, "list", l.items)
			continue
		}
		if !c.list.shows(name) {
			continue
		}
		item.DeleteLookalikes(itemNames...)
		if l.items == "tools" {
			annotate(&item, c.server.Policy.Annotations(c.who, name))
		}
		passing = append(passing, item.Encode())
	}
	page.Set(l.items, jsonrpc.Array(passing))
	if cursor, ok := page.Get("nextCursor"); ok && cursor.Kind() != '"' {
		page.Delete("nextCursor")
	}
	return page.Encode(), nil
}

// itemNames are the members of an item that clients read (MCP, lists of tools, prompts, resources and templates).
// One that is spelled otherwise would be taken in their place by a client that reads names in any case.
var itemNames = []string{"name", "title", "description", "inputSchema", "outputSchema", "annotations", "execution", "securitySchemes", "_meta",
	"icons", "arguments", "uri", "uriTemplate", "mimeType", "size"}

// annotate replaces what Salesforce says of a tool's effects by what we know
// (SR-FW-4), all hints explicit because clients differ in their defaults, and takes
// out what would make a client expect tasks or other credentials.
func annotate(tool *jsonrpc.Object, h policy.Hints) {
	before, _ := tool.Object("annotations")
	var hints jsonrpc.Object
	if title, ok := before.Get("title"); ok && title.Kind() == '"' {
		hints.Set("title", title)
	}
	hints.Set("readOnlyHint", jsonrpc.Bool(h.ReadOnly))
	hints.Set("destructiveHint", jsonrpc.Bool(h.Destructive))
	hints.Set("idempotentHint", jsonrpc.Bool(h.Idempotent))
	hints.Set("openWorldHint", jsonrpc.Bool(h.OpenWorld))
	tool.Set("annotations", hints.Encode())
	// A backslash may be part of the mark: names can be written with escapes.
	if schema, ok := tool.Get("inputSchema"); ok && (bytes.Contains(schema, []byte("x-mcp-header")) || bytes.IndexByte(schema, '\\') >= 0) {
		tool.Set("inputSchema", withoutHeaderMarks(schema))
	}
	tool.Delete("securitySchemes")
	remove(tool, "execution", "taskSupport")
	remove(tool, "_meta", "securitySchemes")
}

// withoutHeaderMarks takes out of a tool's inputSchema the marks by which a client of the
// stateless era repeats arguments in HTTP headers (x-mcp-header, MCP 2026-07-28).
// Nobody behind here reads them, and every log on the way would hold customers' data.
func withoutHeaderMarks(schema jsontext.Value) jsontext.Value {
	o, err := jsonrpc.ParseObject(schema)
	if err != nil {
		return schema
	}
	o.Delete("x-mcp-header")
	if properties, ok := o.Object("properties"); ok {
		for name, property := range properties.All() {
			properties.Set(name, withoutHeaderMarks(property))
		}
		o.Set("properties", properties.Encode())
	}
	return o.Encode()
}
