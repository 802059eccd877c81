package salesforcesim

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// restRequest is a call of the REST API that dispatch makes for its caller.
type restRequest struct {
	method string
	url    string
	params map[string]any
	body   map[string]any
}

type restReply struct {
	status   int
	body     any
	unrouted bool // the dispatcher itself refused: the call reached no endpoint
}

var dataPath = regexp.MustCompile(`^/services/data/v\d+\.0/(.*)$`)

// disabledFeatures are parts of the API that this org has not bought.
var disabledFeatures = []string{"analytics", "wave", "einstein", "ssot", "connect"}

// rest answers a REST call: the sObject resources, queries, search and limits.
func rest(v *records.View, r restRequest) restReply {
	target, err := url.Parse(r.url)
	if err != nil {
		return unrouted(records.Refuse("ROUTE_NOT_FOUND", "url cannot be read"))
	}
	m := dataPath.FindStringSubmatch(target.Path)
	if m == nil || target.Host != "" {
		return unrouted(records.Refuse("ROUTE_NOT_FOUND", "no route for %s %s: a url begins with /services/data/vXX.0/", r.method, target.Path))
	}
	steps := strings.Split(strings.Trim(m[1], "/"), "/")
	for _, f := range disabledFeatures {
		if steps[0] == f {
			return unrouted(records.Refuse("FUNCTIONALITY_NOT_ENABLED", "This feature is not enabled for this organization: %s", f))
		}
	}
	params := target.Query()
	for name, v := range r.params {
		params.Set(name, fmt.Sprint(v))
	}
	if override := params.Get("_HttpMethod"); override != "" && r.method == http.MethodPost {
		r.method = override // the REST API does so for clients that cannot send PATCH
	}
	return route(v, r, steps, params.Get("q"))
}

// route finds the endpoint. Steps are the path behind the version.
func route(v *records.View, r restRequest, steps []string, q string) restReply {
	switch pattern := r.method + " " + steps[0] + fmt.Sprint(len(steps)); pattern {
	case "GET query1":
		return replyOf(v.Query(q))
	case "GET query2":
		return replyOf(v.QueryMore(steps[1]))
	case "GET search1":
		return replyOf(v.Search(q))
	case "GET limits1":
		return restReply{status: http.StatusOK, body: object{{"DailyApiRequests", object{{"Max", 15000}, {"Remaining", 14990}}}}}
	case "GET sobjects1":
		return restReply{status: http.StatusOK, body: v.Index()}
	case "GET sobjects2", "GET sobjects3":
		return restRead(v, steps[1:])
	case "POST sobjects2":
		id, refused := v.Create(steps[1], r.body)
		return restWritten(http.StatusCreated, createReply(id), refused)
	case "PATCH sobjects3":
		return restWritten(http.StatusNoContent, nil, v.Update(steps[1], steps[2], r.body))
	case "DELETE sobjects3":
		return restWritten(http.StatusNoContent, nil, v.Delete(steps[1], steps[2]))
	}
	return unrouted(records.Refuse("ROUTE_NOT_FOUND", "no route for %s /%s", r.method, strings.Join(steps, "/")))
}

// restRead answers GET sobjects/Object, …/describe and …/id.
func restRead(v *records.View, steps []string) restReply {
	switch {
	case len(steps) == 1:
		summary, refused := v.Summary(steps[0])
		if refused != nil {
			return restWritten(0, nil, refused)
		}
		items, refused := v.Recent(steps[0])
		return replyOf(object{{"objectDescribe", summary}, {"recentItems", items}}, refused)
	case steps[1] == "describe":
		return replyOf(v.Describe(steps[0]))
	}
	return replyOf(v.Read(steps[0], steps[1]))
}

func replyOf[T any](body T, refused *records.Error) restReply {
	return restWritten(http.StatusOK, body, refused)
}

// restWritten is the reply of an endpoint. A refusal by an endpoint is a status inside
// of a call that worked.
func restWritten(status int, body any, refused *records.Error) restReply {
	if refused != nil {
		return restReply{status: restStatus(refused), body: []*records.Error{refused}}
	}
	return restReply{status: status, body: body}
}

func unrouted(e *records.Error) restReply {
	return restReply{status: restStatus(e), body: []*records.Error{e}, unrouted: true}
}

// restStatus is the HTTP status that the REST API sends with an error.
func restStatus(e *records.Error) int {
	switch e.Code {
	case "NOT_FOUND", "ENTITY_IS_DELETED":
		return http.StatusNotFound
	case "INSUFFICIENT_ACCESS_OR_READONLY", "FUNCTIONALITY_NOT_ENABLED":
		return http.StatusForbidden
	case "METHOD_NOT_ALLOWED":
		return http.StatusMethodNotAllowed
	}
	return http.StatusBadRequest
}
