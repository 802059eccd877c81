package salesforcesim

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// headlessTools are the tools of headless-360: a catalogue of REST endpoints and two
// ways to call them.
func headlessTools() []toolDef {
	urlParam := param{Name: "url", Description: "Path from /services/data/ on, with the version."}
	queryParams := param{Name: "queryParams", Type: "object", Optional: true, Description: "Query parameters."}
	headers := param{Name: "headers", Type: "object", Optional: true, Description: "Request headers."}
	method := func(names ...string) param {
		return param{Name: "method", Description: "HTTP method.", Schema: map[string]any{"enum": names}}
	}
	return []toolDef{
		{Name: "discover", Tags: []string{"discover"}, Hints: readHints, Run: runDiscover,
			Description: "Finds REST endpoints by what they do.",
			Params: []param{
				{Name: "query", Description: "What to do, in words."},
				{Name: "limit", Type: "integer", Optional: true, Description: "How many results.", Schema: map[string]any{"minimum": 1, "maximum": 50, "default": 10}},
				{Name: "domain", Optional: true, Description: "Only this part of the platform."},
				{Name: "resultType", Optional: true, Description: "Only results of this kind.", Schema: map[string]any{"enum": []string{"endpoint", "sor"}}},
			}},
		{Name: "describe", Tags: []string{"describe"}, Hints: readHints, Run: runDescribe,
			Description: "Tells how one endpoint is called.", Params: []param{{Name: "id", Description: "Id of a result of discover."}}},
		{Name: "dispatch_readonly", Tags: []string{"dispatch", "read"}, Hints: readHints, Run: runDispatchReadOnly,
			Description: "Calls a REST endpoint by GET.", Params: []param{urlParam, method("GET"), queryParams, headers}},
		{Name: "dispatch", Tags: []string{"dispatch"}, Hints: mixedHints, Run: runDispatch,
			Description: "Calls a REST endpoint by any method.",
			Params: []param{urlParam, method("GET", "POST", "PUT", "PATCH", "DELETE"),
				{Name: "body", Type: "object", Optional: true, Description: "Request body."}, queryParams, headers}},
		{Name: "display_widget", Tags: []string{"ui"}, Hints: readHints, Run: runDisplayWidget, OnlyUI: true,
			Description: "Shows a record to the person as a widget.",
			Params:      []param{{Name: "recordId", Description: "Id of the record."}}},
	}
}

// endpoint is one entry of the catalogue.
type endpoint struct {
	ID      string `json:"id"`
	Type    string `json:"resultType"`
	Domain  string `json:"domain"`
	Method  string `json:"method"`
	URL     string `json:"url"`
	Summary string `json:"summary"`
}

var endpoints = []endpoint{
	{"rest-query", "endpoint", "data", "GET", records.DataURL("query?q={soql}"), "Run a SOQL query"},
	{"rest-search", "endpoint", "data", "GET", records.DataURL("search?q={sosl}"), "Search records by SOSL"},
	{"rest-sobjects", "endpoint", "data", "GET", records.DataURL("sobjects"), "List the objects of the org"},
	{"rest-describe", "endpoint", "data", "GET", records.DataURL("sobjects/{object}/describe"), "Describe the fields of an object"},
	{"rest-record-get", "endpoint", "data", "GET", records.DataURL("sobjects/{object}/{id}"), "Read one record"},
	{"rest-record-create", "endpoint", "data", "POST", records.DataURL("sobjects/{object}"), "Create one record"},
	{"rest-record-update", "endpoint", "data", "PATCH", records.DataURL("sobjects/{object}/{id}"), "Change fields of one record"},
	{"rest-record-delete", "endpoint", "data", "DELETE", records.DataURL("sobjects/{object}/{id}"), "Delete one record"},
	{"rest-limits", "endpoint", "platform", "GET", records.DataURL("limits"), "Read the limits of the org"},
	{"analytics-reports", "endpoint", "analytics", "GET", records.DataURL("analytics/reports"), "List reports (needs a feature that is off)"},
	{"sor-accounts", "sor", "sales", "GET", records.DataURL("sobjects/Account"), "Where customer accounts are kept"},
}

// endpoints is the catalogue as it is now.
func (c *toolCall) endpoints() []endpoint {
	if c.o.Endpoints != nil {
		return c.o.Endpoints
	}
	return endpoints
}

func runDiscover(c *toolCall) toolAnswer {
	args, refused := c.arguments("query", "domain", "resultType")
	if refused != nil {
		return failure(refused)
	}
	limit := 10
	if raw, given := c.args["limit"]; given && (json.Unmarshal(raw, &limit) != nil || limit < 1 || limit > 50) {
		return failure(records.Refuse("INVALID_ARGUMENT", "limit is a number from 1 to 50"))
	}
	words := strings.Fields(strings.ToLower(args[0]))
	score := func(e endpoint) int {
		n := 0
		for _, w := range words {
			if strings.Contains(strings.ToLower(e.ID+" "+e.Summary+" "+e.URL), w) {
				n++
			}
		}
		return n
	}
	found := slices.DeleteFunc(slices.Clone(c.endpoints()), func(e endpoint) bool {
		return score(e) == 0 || (args[1] != "" && e.Domain != args[1]) || (args[2] != "" && e.Type != args[2])
	})
	slices.SortStableFunc(found, func(a, b endpoint) int { return cmp.Compare(score(b), score(a)) })
	return success(object{{"results", found[:min(limit, len(found))]}})
}

func runDescribe(c *toolCall) toolAnswer {
	id, refused := c.argument("id")
	if refused != nil {
		return failure(refused)
	}
	endpoints := c.endpoints()
	i := slices.IndexFunc(endpoints, func(e endpoint) bool { return e.ID == id })
	if i < 0 {
		return failure(records.Refuse("NOT_FOUND", "no endpoint has the id %s", id))
	}
	tool := "dispatch"
	if endpoints[i].Method == "GET" {
		tool = "dispatch_readonly"
	}
	return success(object{{"endpoint", endpoints[i]}, {"callWith", tool}})
}

func runDispatchReadOnly(c *toolCall) toolAnswer {
	if method, refused := c.argument("method"); refused != nil || method != "GET" {
		return failure(records.Refuse("METHOD_NOT_ALLOWED", "this tool calls endpoints by GET only"))
	}
	return runDispatch(c)
}

func runDispatch(c *toolCall) toolAnswer {
	args, refused := c.arguments("url", "method")
	if refused != nil {
		return failure(refused)
	}
	r := restRequest{method: strings.ToUpper(args[1]), url: args[0]}
	for name, into := range map[string]any{"body": &r.body, "queryParams": &r.params} {
		if raw, given := c.args[name]; given && json.Unmarshal(raw, into) != nil {
			return failure(records.Refuse("JSON_PARSER_ERROR", "%s is no JSON object", name))
		}
	}
	reply := rest(c.v, r)
	answer := success(object{{"status_code", reply.status}, {"body", reply.body}, {"url", r.url}})
	answer.failed = reply.unrouted
	return answer
}

// widgetOf is the tree that a client with MCP Apps renders.
func widgetOf(resource string, card records.Card) object {
	return object{{"resourceUri", resource}, {"tree", object{
		{"definition", "lightning/recordCard"},
		{"attributes", object{{"recordId", card.ID}, {"objectApiName", card.Object}, {"title", card.Title}}},
	}}}
}

func runDisplayWidget(c *toolCall) toolAnswer {
	id, refused := c.argument("recordId")
	if refused != nil {
		return failure(refused)
	}
	card, refused := c.v.Card(id)
	if refused != nil {
		return failure(refused)
	}
	a := success(object{{"displayed", true}, {"recordId", card.ID}})
	a.widget = widgetOf("ui://widget/lightningType/recordCard", card)
	return a
}
