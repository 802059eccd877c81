package reach

import (
	"net/url"
	"slices"
	"strings"
)

// This file judges the meta-tools, which hide every operation behind one name.
// What is not recognised here as something else is Unknown.

// opaque makes a call that may reach anything, of the class Unknown until more is known.
func (f *reading) opaque() {
	f.Class, f.Opaque, f.OpaqueFields, f.Rows = Unknown, true, true, Unlimited
}

// metadataReads are the actions of execute_metadata_action that only read, as
// metadataType and actionName.
var metadataReads = map[[2]string]bool{
	{"ExperienceSiteLwr", "getSiteContentMetadata"}: true,
}

func readMetadataAction(f *reading, a arguments) *Refusal {
	f.opaque()
	f.Class = Admin
	unknown, refused := a.known("metadataType", "actionName", "parameters")
	if refused != nil {
		return refused
	}
	kind, refused := a.required("metadataType")
	if refused != nil {
		return refused
	}
	action, refused := a.required("actionName")
	if refused != nil {
		return refused
	}
	if _, _, refused := a.object("parameters"); refused != nil {
		return refused
	}
	if !unknown && metadataReads[[2]string{kind, action}] {
		f.Class = Read
	}
	return nil
}

// request is one REST request through dispatch or dispatch_readonly.
type request struct {
	method  string
	path    []string          // segments after /services/data/vXX.0
	rest    bool              // the URL is one of the REST API
	query   map[string]string // from the URL and from queryParams
	unknown bool              // has parts that nobody here knows
	body    arguments
	record  bool // body is an object
}

// readDispatch judges one REST request by method and URL.
func readDispatch(readonly bool) func(*reading, arguments) *Refusal {
	return func(f *reading, a arguments) *Refusal {
		r, refused := a.request(readonly)
		if refused != nil {
			return refused
		}
		f.opaque()
		f.Argument = "url"
		f.in(Path, "url", nowhere)
		refused = r.read(f)
		f.narrowed = r.mayBe()
		if refused == nil && f.Opaque && f.writes() && r.administers() {
			f.administer()
		}
		if r.unknown {
			// What looked like a read may be anything; a write stays what it is,
			// so that no unknown header turns a denied delete into something else.
			if f.Class == Read || f.Class == SideEffect {
				f.Class = Unknown
			}
			f.Rows = Unlimited
			f.unknownParameters(true)
		}
		f.Each = 0 // a query within a URL stays as it is
		return refused
	}
}

func (a arguments) request(readonly bool) (r request, _ *Refusal) {
	unknown, refused := a.known("url", "method", "headers", "queryParams", "body")
	if refused != nil {
		return r, refused
	}
	r.unknown = unknown
	method, given, refused := a.text("method")
	if refused != nil {
		return r, refused
	}
	if !given && readonly {
		method = "GET"
	}
	if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method) || readonly && method != "GET" {
		return r, refuse("The parameter method is not one that this tool takes.")
	}
	r.method = method
	address, refused := a.required("url")
	if refused != nil {
		return r, refused
	}
	if refused := r.address(address); refused != nil {
		return r, refused
	}
	if refused := r.parameters(a); refused != nil {
		return r, refused
	}
	if refused := r.headers(a); refused != nil {
		return r, refused
	}
	r.body, r.record, refused = a.object("body") // a string or an array may hold anything
	return r, refused
}

const textURL = "The url must be a plain path of the Salesforce REST API, /services/data/vXX.0/…, without .., % or //."

const textSegment = "A part of the url has a character that is not taken here; write it without a suffix such as .json."

// Bounds of a request: Salesforce takes no longer URLs.
const (
	maxAddress    = 16 << 10
	maxParameters = 100
)

// address reads the URL. Every trick that could make Salesforce see another path
// than the one judged here is refused.
func (r *request) address(address string) *Refusal {
	path, query, _ := strings.Cut(address, "?")
	const unreserved = "._~-:,=@+!$"
	plain := everyByte(path, func(c byte) bool { return isWordByte(c) || c == '/' || strings.IndexByte(unreserved, c) >= 0 })
	if !plain || !strings.HasPrefix(path, "/") || len(address) > maxAddress {
		return refuse(textURL)
	}
	segments := strings.Split(strings.TrimSuffix(path[1:], "/"), "/")
	for _, s := range segments {
		if s == "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
			return refuse(textURL)
		}
	}
	if len(segments) > 3 && segments[0] == "services" && segments[1] == "data" && isVersion(segments[2]) {
		r.rest, r.path = true, segments[3:]
		for i, s := range r.path {
			if isValue := r.path[0] == "sobjects" && i > 2; !isValue && !everyByte(s, func(c byte) bool { return isWordByte(c) || c == '-' }) {
				return refuse(textSegment)
			}
		}
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
		if refused := r.parameter(key, decoded); refused != nil {
			return refused
		}
	}
	return nil
}

// parameter adds a query parameter. Those with an underscore in front steer
// Salesforce itself: _HttpMethod turns a GET into a DELETE.
func (r *request) parameter(key, value string) *Refusal {
	if !ValidObject(strings.NewReplacer("-", "_", ".", "_").Replace(key)) {
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

func (r *request) parameters(a arguments) *Refusal {
	members, _, refused := a.object("queryParams")
	if refused != nil {
		return refused
	}
	for i, name := range members.names {
		value := string(members.values[i])
		switch members.values[i].Kind() {
		case '"':
			value, _, refused = members.text(name)
			if refused != nil {
				return refused
			}
		case '0', 't', 'f':
		default:
			return refuse("The members of queryParams must be strings.")
		}
		if refused := r.parameter(name, value); refused != nil {
			return refused
		}
	}
	return nil
}

// formatHeaders change the form of an answer, not what the request does.
var formatHeaders = []string{"ACCEPT", "ACCEPT-LANGUAGE", "CONTENT-TYPE", "IF-MATCH", "IF-NONE-MATCH", "IF-MODIFIED-SINCE",
	"IF-UNMODIFIED-SINCE", "SFORCE-QUERY-OPTIONS"}

func (r *request) headers(a arguments) *Refusal {
	members, _, refused := a.object("headers")
	if refused != nil {
		return refused
	}
	for i, name := range members.names {
		upper := strings.ToUpper(name)
		if strings.Contains(upper, "METHOD") {
			return refuse("A header that changes the method is not allowed.")
		}
		if !slices.Contains(formatHeaders, upper) || members.values[i].Kind() != '"' {
			r.unknown = true
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
