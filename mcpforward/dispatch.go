package mcpforward

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// checkOperation refuses to carry out what an operation in quarantine says: a request with
// its method, to a URL of its form, also where another request carries it. A person who rejected
// a changed text left what was accepted before; a rejected new operation stays refused.
func (c *meaning) checkOperation(ctx context.Context, pins *definition.Pins) (reason string, err error) {
	if !c.operations.isHeadless("dispatch", "dispatch_readonly") {
		return "", nil
	}
	if waiting, rejected := pins.Quarantined(); waiting+rejected == 0 {
		return "", nil
	}
	all, err := c.Definitions.List(ctx, c.hostedServer())
	if err != nil {
		return "", err
	}
	asked, unread := c.requests()
	for _, d := range all {
		if d.Kind != definition.Operation || d.State == definition.Accepted || d.State == definition.Rejected && pins.Knows(d.Kind, d.Name) {
			continue
		}
		if unread {
			c.Handler.quarantinedCalls.Add(1)
			return "an operation is in quarantine, and the requests that the call carries cannot be read", answerText(textCarriesUnread + textNotCarriedOut)
		}
		if slices.ContainsFunc(routesIn(d.Text, 0), func(r route) bool { return slices.ContainsFunc(asked, r.matches) }) {
			c.Handler.quarantinedCalls.Add(1)
			return "operation in quarantine: " + string(d.Why), answerText(fmt.Sprintf(textOperation, "is new in Salesforce, or was changed or rejected") + textNotCarriedOut)
		}
	}
	return "", nil
}

// requests are the request that the call makes and those that it carries; unread says that it
// carries some which the policy could not read one by one either.
func (c *meaning) requests() (all []route, unread bool) {
	arguments, _ := jsonrpc.ParseObject(c.arguments)
	address, _ := arguments.String("url")
	method, given := arguments.String("method")
	if !given {
		method = "GET"
	}
	all = []route{{method, address}}
	if !carriesRequests(address) {
		return all, false
	}
	if v := c.decision.Reach; v == nil || len(v.Parts) == 0 {
		return all, true
	}
	body, _ := arguments.Get("body")
	return append(all, routesIn(body, 0)...), false
}

// carriesRequests reports whether the body of a request to an address holds others: composite,
// composite/batch and composite/graph, of whatever API.
func carriesRequests(address string) bool {
	path := segments(address)
	i := slices.IndexFunc(path, func(s string) bool { return strings.EqualFold(s, "composite") })
	return i >= 0 && (i == len(path)-1 || strings.EqualFold(path[i+1], "batch") || strings.EqualFold(path[i+1], "graph"))
}

// route is how an operation is called: a method, and a path with names in braces; and a request,
// whose path has none.
type route struct{ method, path string }

// routesIn finds every object with a method and a url, or path, in what is said of an operation.
func routesIn(v jsontext.Value, depth int) (all []route) {
	if depth > maxNesting {
		return nil
	}
	if v.Kind() == '[' {
		items, _ := jsonrpc.ParseArray(v)
		for _, item := range items {
			all = append(all, routesIn(item, depth+1)...)
		}
		return all
	}
	o, err := jsonrpc.ParseObject(v)
	if v.Kind() != '{' || err != nil {
		return nil
	}
	method, _ := o.String("method")
	for _, member := range []string{"url", "path"} {
		if path, ok := o.String(member); ok && method != "" {
			all = append(all, route{method, path})
		}
	}
	for _, member := range o.All() {
		all = append(all, routesIn(member, depth+1)...)
	}
	return all
}

// matches compares without versions of the API, queries and case: Salesforce does not tell
// paths apart by it, and what is alike enough to be the operation counts as it.
func (r route) matches(request route) bool {
	want, have := segments(r.path), segments(request.path)
	return strings.EqualFold(r.method, request.method) && slices.EqualFunc(want, have, func(w, h string) bool {
		return strings.Contains(w, "{") || strings.EqualFold(w, h)
	})
}

// segments are those of a path after its version, with which the paths in a batch begin.
func segments(address string) []string {
	path, _, _ := strings.Cut(address, "?")
	all := strings.Split(strings.Trim(path, "/"), "/")
	if len(all) > 2 && strings.EqualFold(all[0], "services") && strings.EqualFold(all[1], "data") {
		return all[3:]
	}
	if number := strings.TrimLeft(all[0], "vV"); number != all[0] && strings.Trim(number, "0123456789.") == "" {
		return all[1:]
	}
	return all
}
