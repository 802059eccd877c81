package salesforcesim

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
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

// rest answers a REST call as the user: the sObject resources, queries, search and limits.
func (d *dataset) rest(u *User, r restRequest) restReply {
	target, err := url.Parse(r.url)
	if err != nil {
		return unrouted(refuse("ROUTE_NOT_FOUND", "url cannot be read"))
	}
	m := dataPath.FindStringSubmatch(target.Path)
	if m == nil || target.Host != "" {
		return unrouted(refuse("ROUTE_NOT_FOUND", "no route for %s %s: a url begins with /services/data/vXX.0/", r.method, target.Path))
	}
	steps := strings.Split(strings.Trim(m[1], "/"), "/")
	for _, f := range disabledFeatures {
		if steps[0] == f {
			return unrouted(refuse("FUNCTIONALITY_NOT_ENABLED", "This feature is not enabled for this organization: %s", f))
		}
	}
	params := target.Query()
	for name, v := range r.params {
		params.Set(name, fmt.Sprint(v))
	}
	if override := params.Get("_HttpMethod"); override != "" && r.method == http.MethodPost {
		r.method = override // the REST API does so for clients that cannot send PATCH
	}
	return d.route(u, r, steps, params.Get("q"))
}

// route finds the endpoint. Steps are the path behind the version.
func (d *dataset) route(u *User, r restRequest, steps []string, q string) restReply {
	switch pattern := r.method + " " + steps[0] + fmt.Sprint(len(steps)); pattern {
	case "GET query1":
		return replyOf(d.query(u, q))
	case "GET query2":
		return replyOf(d.queryMore(u, steps[1]))
	case "GET search1":
		return replyOf(d.search(u, q))
	case "GET limits1":
		return restReply{status: http.StatusOK, body: object{{"DailyApiRequests", object{{"Max", 15000}, {"Remaining", 14990}}}}}
	case "GET sobjects1":
		return restReply{status: http.StatusOK, body: d.objectIndex(u)}
	case "GET sobjects2", "GET sobjects3":
		return d.restRead(u, steps[1:])
	case "POST sobjects2":
		reply, refused := d.createReply(u, steps[1], r.body)
		return restWritten(http.StatusCreated, reply, refused)
	case "PATCH sobjects3":
		return restWritten(http.StatusNoContent, nil, d.update(u, steps[1], steps[2], r.body))
	case "DELETE sobjects3":
		return restWritten(http.StatusNoContent, nil, d.delete(u, steps[1], steps[2]))
	}
	return unrouted(refuse("ROUTE_NOT_FOUND", "no route for %s /%s", r.method, strings.Join(steps, "/")))
}

// restRead answers GET sobjects/Object, …/describe and …/id.
func (d *dataset) restRead(u *User, steps []string) restReply {
	s, refused := d.visibleObject(u, steps[0])
	switch {
	case refused != nil:
		return replyOf(nil, refused)
	case len(steps) == 1:
		return replyOf(object{{"objectDescribe", objectSummary(u, s)}, {"recentItems", d.recentItems(u, s)}}, nil)
	case steps[1] == "describe":
		return replyOf(d.describe(u, s), nil)
	}
	r, refused := d.find(s, steps[1])
	if refused != nil {
		return replyOf(nil, refused)
	}
	return replyOf(d.fullRecord(u, r), nil)
}

func replyOf(body object, refused *apiError) restReply {
	return restWritten(http.StatusOK, body, refused)
}

// restWritten is the reply of an endpoint. A refusal by an endpoint is a status inside
// of a call that worked.
func restWritten(status int, body any, refused *apiError) restReply {
	if refused != nil {
		return restReply{status: refused.status(), body: []*apiError{refused}}
	}
	return restReply{status: status, body: body}
}

func unrouted(e *apiError) restReply {
	return restReply{status: e.status(), body: []*apiError{e}, unrouted: true}
}
