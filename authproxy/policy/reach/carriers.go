package reach

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// This file tells which requests may administer the org though their URL does not say so:
// requests that carry others which cannot be read one by one (see composite.go), those whose body or
// whose ids say what they write (ui-api, bulk jobs, GraphQL), and routes of credentials and
// permissions. What such requests reach besides is not known.

// adminSegments are parts of paths that lead to metadata, code and users, and adminMarks are found in
// the parts that lead to users, credentials and permissions. In lower case.
var (
	adminSegments = []string{"tooling", "metadata", "soap", "scim"}
	adminMarks    = []string{"credential", "permission", "permset", "oauth", "authprovider", "auth-provider", "certificate", "password"}
)

// administers reports whether a request of which no more is known may change users, permissions,
// metadata, code or credentials.
func (r *request) administers() bool {
	writes := r.method != "GET"
	switch {
	case r.rest && r.path[0] == "sobjects": // read further, and judged by its object
		return false
	case writes && (r.misspelled() || r.beside()):
		return true
	case administersAt(r.method, r.path, r.ids()):
		return true
	}
	left := maxCarried
	return writes && r.body.administer(0, &left)
}

// ids are those that the query names, in any spelling of the parameter.
func (r *request) ids() string {
	for name, value := range r.query { // where no two differ in case alone
		if strings.EqualFold(name, "ids") {
			return value
		}
	}
	return ""
}

// beside reports whether the path may be taken for one of the REST API, in other spelling.
func (r *request) beside() bool {
	return !r.rest && len(r.path) > 3 && strings.EqualFold(r.path[0], "services") && strings.EqualFold(r.path[1], "data")
}

// administersAt reports whether a method at a path administers, ids being the parameter of that
// name.
func administersAt(method string, path []string, ids string) bool {
	writes := !strings.EqualFold(method, "GET")
	for i, segment := range path {
		segment = strings.ToLower(segment)
		next := ""
		if i+1 < len(path) {
			next = path[i+1]
		}
		switch {
		case strings.HasPrefix(segment, "executeanonymous") || strings.HasPrefix(segment, "runtests"):
			return true
		case !writes:
		case next != "" && slices.Contains(adminSegments, segment), strings.ContainsAny(segment, `%\`):
			return true
		case slices.ContainsFunc(adminMarks, func(mark string) bool { return strings.Contains(segment, mark) }):
			return true
		case segment == "sobjects" && next != "" && (isAdminObject(next) || refers(next)):
			return true
		case segment == "tree" && (isAdminObject(next) || refers(next)):
			return true
		case segment == "records" && next != "" && i > 0 && strings.EqualFold(path[i-1], "ui-api") && idAdministers(next):
			return true
		}
	}
	return writes && ids != "" && slices.ContainsFunc(strings.Split(ids, ","), idAdministers)
}

// idAdministers reports whether an id may be one of a record by which the org is administered.
// Ids of custom objects begin with a; of what others are of, nobody knows all.
func idAdministers(id string) bool {
	if !ValidID(id) {
		return true
	}
	if object := keyPrefixes[id[:3]]; object != "" {
		return isAdminObject(object)
	}
	return id[0] != 'a'
}

// refers reports whether a text holds what the answer to an earlier request says: @{refId.id}.
func refers(text string) bool { return strings.Contains(text, "@{") }

// maxCarried is how many values of a body are looked at, and deepestCarried how deep; what holds
// more may administer.
const maxCarried, deepestCarried = 5000, 12

// carriesAdmin reports whether a value in a body asks for something that administers the org, or
// may do so because it cannot be read.
func carriesAdmin(value jsontext.Value, depth int, left *int) bool {
	if *left--; *left < 0 || depth > deepestCarried {
		return true
	}
	switch value.Kind() {
	case '{':
		members, refused := parseWithin(value)
		return refused != nil || members.administer(depth, left)
	case '[':
		return elementsCarryAdmin(value, depth, left)
	}
	return false
}

func elementsCarryAdmin(list jsontext.Value, depth int, left *int) bool {
	d := jsontext.NewDecoder(bytes.NewBuffer(list))
	if _, err := d.ReadToken(); err != nil {
		return true
	}
	for d.PeekKind() != ']' {
		element, err := d.ReadValue()
		if err != nil || carriesAdmin(element, depth+1, left) {
			return true
		}
	}
	return false
}

// administer reports whether an object in a body does: a request with method and url, a record
// or a job that names its object, or a mutation of GraphQL.
func (a arguments) administer(depth int, left *int) bool {
	method, address := "", ""
	for i, name := range a.names {
		if a.values[i].Kind() != '"' {
			if carriesAdmin(a.values[i], depth+1, left) {
				return true
			}
			continue
		}
		text, err := unquoted(a.values[i])
		if err != nil {
			return true
		}
		switch strings.ToLower(name) {
		case "method":
			method = text
		case "url":
			address = text
		case "type", "object", "apiname", "objectapiname":
			if isAdminObject(text) || refers(text) {
				return true
			}
		case "query":
			if mutates(text) {
				return true
			}
		}
	}
	if address == "" {
		return false
	}
	path, query, _ := strings.Cut(address, "?")
	ids, read := idsIn(query)
	return !read && !strings.EqualFold(method, "GET") || administersAt(method, strings.Split(path, "/"), ids)
}

// idsIn are the ids that a query names, in any spelling and however often; false: it cannot be read.
func idsIn(query string) (ids string, read bool) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", false
	}
	var all []string
	for name, list := range values {
		if strings.EqualFold(name, "ids") {
			all = append(all, list...)
		}
	}
	return strings.Join(all, ","), true
}

// mutates reports whether a text of GraphQL has a mutation of an object by which the org is
// administered, which are called as the object and what is done: UserUpdate.
func mutates(query string) bool {
	for word := range strings.FieldsFuncSeq(query, func(r rune) bool { return r > 0x7f || !isWordByte(byte(r)) }) {
		for _, done := range []string{"create", "update", "delete"} {
			if cut := len(word) - len(done); cut > 0 && strings.EqualFold(word[cut:], done) && isAdminObject(word[:cut]) {
				return true
			}
		}
	}
	return false
}
