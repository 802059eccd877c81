package policy

import (
	"net/url"
	"slices"
	"strings"
)

// This file judges the meta-tools, which hide every operation behind one name.
// What is not recognised here as something else is Unknown.

// reachExecute: data360 execute runs any Data 360 operation by name. None of them
// is known to be harmless.
func reachExecute(a arguments) (footprint, *fault) {
	f := footprint{class: Unknown, opaque: true, opaqueFields: true, rows: unlimited}
	if _, fault := a.known("toolName", "paramsJson"); fault != nil {
		return f, fault
	}
	if _, fault := a.required("toolName"); fault != nil {
		return f, fault
	}
	_, _, fault := a.text("paramsJson")
	return f, fault
}

// metadataReads are the actions of execute_metadata_action that only read, as
// metadataType and actionName.
var metadataReads = map[[2]string]bool{
	{"ExperienceSiteLwr", "getSiteContentMetadata"}: true,
}

func reachMetadataAction(a arguments) (footprint, *fault) {
	f := footprint{class: Unknown, opaque: true, opaqueFields: true, rows: unlimited}
	strange, fault := a.known("metadataType", "actionName", "parameters")
	if fault != nil {
		return f, fault
	}
	kind, fault := a.required("metadataType")
	if fault != nil {
		return f, fault
	}
	action, fault := a.required("actionName")
	if fault != nil {
		return f, fault
	}
	if _, _, fault := a.object("parameters"); fault != nil {
		return f, fault
	}
	if !strange && metadataReads[[2]string{kind, action}] {
		f.class = Read
	}
	return f, nil
}

// request is one REST request through dispatch or dispatch_readonly.
type request struct {
	method string
	path   []string          // segments after /services/data/vXX.0
	rest   bool              // the URL is one of the REST API
	query  map[string]string // from the URL and from queryParams
	odd    bool              // has parts that nobody here knows
	body   arguments
	record bool // body is an object
}

// reachDispatch judges one REST request by method and URL.
func reachDispatch(readonly bool) func(arguments) (footprint, *fault) {
	return func(a arguments) (footprint, *fault) {
		r, fault := a.request(readonly)
		if fault != nil {
			return footprint{}, fault
		}
		f, fault := r.reach()
		if r.odd {
			// What looked like a read may be anything; a write stays what it is,
			// lest an odd header turn a denied delete into something else.
			if f.class == Read || f.class == SideEffect {
				f.class = Unknown
			}
			f.rows = unlimited
			f.strangers(true)
		}
		return f, fault
	}
}

func (a arguments) request(readonly bool) (r request, _ *fault) {
	strange, fault := a.known("url", "method", "headers", "queryParams", "body")
	if fault != nil {
		return r, fault
	}
	r.odd = strange
	method, given, fault := a.text("method")
	if fault != nil {
		return r, fault
	}
	if !given && readonly {
		method = "GET"
	}
	if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method) || readonly && method != "GET" {
		return r, refuse("The parameter method is not one that this tool takes.")
	}
	r.method = method
	address, fault := a.required("url")
	if fault != nil {
		return r, fault
	}
	if fault := r.address(address); fault != nil {
		return r, fault
	}
	if fault := r.parameters(a); fault != nil {
		return r, fault
	}
	if fault := r.headers(a); fault != nil {
		return r, fault
	}
	if raw, ok := a.values["body"]; ok && raw.Kind() == '{' {
		r.record = true
		r.body, fault = parseArguments(raw)
		return r, fault
	}
	return r, nil
}

const sayURL = "The url must be a plain path of the Salesforce REST API, /services/data/vXX.0/…, without .., % or //."

// Bounds of a request: Salesforce takes no longer URLs.
const (
	maxAddress    = 16 << 10
	maxParameters = 100
)

// address reads the URL. Every trick that could make Salesforce see another path
// than the one judged here is refused.
func (r *request) address(address string) *fault {
	path, query, _ := strings.Cut(address, "?")
	const unreserved = "._~-:,=@+!$"
	plain := everyByte(path, func(c byte) bool { return isWordByte(c) || c == '/' || strings.IndexByte(unreserved, c) >= 0 })
	if !plain || !strings.HasPrefix(path, "/") || len(address) > maxAddress {
		return refuse(sayURL)
	}
	segments := strings.Split(strings.TrimSuffix(path[1:], "/"), "/")
	for _, s := range segments {
		if s == "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
			return refuse(sayURL)
		}
	}
	if len(segments) > 3 && segments[0] == "services" && segments[1] == "data" && isVersion(segments[2]) {
		r.rest, r.path = true, segments[3:]
	} else {
		r.path = segments
	}
	r.query = make(map[string]string)
	if query == "" {
		return nil
	}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(value)
		if err != nil || strings.ContainsAny(pair, ";#") {
			return refuse("The query of the url could not be read.")
		}
		if fault := r.parameter(key, decoded); fault != nil {
			return fault
		}
	}
	return nil
}

// parameter adds a query parameter. Those with an underscore in front steer
// Salesforce itself: _HttpMethod turns a GET into a DELETE.
func (r *request) parameter(key, value string) *fault {
	if !validObject(strings.NewReplacer("-", "_", ".", "_").Replace(key)) {
		return refuse("A query parameter has a name that is not allowed.")
	}
	for have := range r.query {
		if strings.EqualFold(have, key) || len(r.query) >= maxParameters {
			return refuse("A query parameter is given twice, or there are too many.")
		}
	}
	r.query[key] = value
	return nil
}

func (r *request) parameters(a arguments) *fault {
	members, _, fault := a.object("queryParams")
	if fault != nil {
		return fault
	}
	for _, name := range members.names {
		value := string(members.values[name])
		switch members.values[name].Kind() {
		case '"':
			value, _, fault = members.text(name)
			if fault != nil {
				return fault
			}
		case '0', 't', 'f':
		default:
			return refuse("The members of queryParams must be strings.")
		}
		if fault := r.parameter(name, value); fault != nil {
			return fault
		}
	}
	return nil
}

// harmlessHeaders change the form of an answer, not what the request does.
var harmlessHeaders = set("ACCEPT", "ACCEPT-LANGUAGE", "CONTENT-TYPE", "IF-MATCH", "IF-NONE-MATCH", "IF-MODIFIED-SINCE",
	"IF-UNMODIFIED-SINCE", "SFORCE-QUERY-OPTIONS")

func (r *request) headers(a arguments) *fault {
	members, _, fault := a.object("headers")
	if fault != nil {
		return fault
	}
	for _, name := range members.names {
		upper := strings.ToUpper(name)
		if strings.Contains(upper, "METHOD") {
			return refuse("A header that changes the method is not allowed.")
		}
		if !harmlessHeaders[upper] || members.values[name].Kind() != '"' {
			r.odd = true
		}
	}
	return nil
}

// isVersion recognises v67.0.
func isVersion(s string) bool {
	major, minor, ok := strings.Cut(s, ".")
	number := strings.TrimPrefix(major, "v")
	return ok && number != major && number != "" && everyByte(number, isDigit) && minor != "" && everyByte(minor, isDigit)
}
