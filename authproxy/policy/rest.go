package policy

import (
	"slices"
	"strings"
)

// irreversible are the archive operations that a dispatch can start.
var irreversible = []string{"run-rtbf", "run-masking", "run-unarchive"}

// reach judges the request by method and path.
func (r *request) reach() (footprint, *refusal) {
	f := footprint{class: Unknown, opaque: true, opaqueFields: true, rows: unlimited}
	for _, segment := range r.path {
		if slices.Contains(irreversible, strings.ToLower(segment)) {
			f.class = Delete
			return f, nil
		}
	}
	if r.method == "DELETE" {
		f.class = Delete
	}
	if !r.rest || r.misspelled() {
		return f, nil
	}
	path := r.path
	if path[0] == "tooling" && len(path) > 1 {
		path = path[1:]
		// GET tooling/executeAnonymous runs Apex, runTests… runs tests.
		if !slices.Contains([]string{"query", "search", "sobjects"}, path[0]) {
			return f, nil
		}
	}
	switch {
	case path[0] == "sobjects" && len(path) > 1:
		return r.sobjects(path[1:])
	case r.method != "GET" || r.record || path[0] == "tooling":
		return f, nil
	case path[0] == "query" || path[0] == "queryAll":
		return r.search(path, readSOQL)
	case path[0] == "search":
		return r.search(path, readSOSL)
	}
	// Salesforce's REST API has no other GET that changes records or settings.
	f.class = Read
	if r.leavesTraces() {
		f.class = SideEffect
	}
	return f, nil
}

// leavesTraces reports whether a GET also counts views, as ui-api with updateMru,
// parameterizedSearch with updateTracking, and knowledge articles do.
func (r *request) leavesTraces() bool {
	for name, value := range r.query {
		if strings.HasPrefix(strings.ToLower(name), "update") && value != "false" {
			return true
		}
	}
	return strings.EqualFold(r.path[0], "support")
}

// misspelled reports whether the path begins like one judged here, in other case.
// Whether Salesforce would take it for the same is not known.
func (r *request) misspelled() bool {
	for i, segment := range r.path[:min(2, len(r.path))] {
		for _, known := range []string{"tooling", "sobjects", "query", "queryAll", "search"} {
			if segment != known && strings.EqualFold(segment, known) && (i == 0 || r.path[0] == "tooling") {
				return true
			}
		}
	}
	return false
}

// search judges GET query?q=…, queryAll?q=… and search?q=….
func (r *request) search(path []string, read func(string) (footprint, *refusal)) (footprint, *refusal) {
	f := footprint{class: Read, opaque: true, opaqueFields: true, rows: unlimited}
	text, ok := r.query["q"]
	if len(path) > 1 && !ok { // the next page of some query, or search settings
		return f, nil
	}
	if len(path) > 1 || !ok || len(r.query) > 1 {
		f.class = Unknown
		return f, nil
	}
	f, refused := read(text)
	f.each = 0 // a query within a URL stays as it is
	return f, refused
}

// sobjects judges what follows …/sobjects/: Object, Object/id, Object/id/relation
// and descriptions.
func (r *request) sobjects(path []string) (footprint, *refusal) {
	object := spelling(path[0])
	f := footprint{class: Unknown, opaqueFields: true, rows: unlimited}
	if !validObject(object) {
		return f, refuse(textObject)
	}
	f.reach(object)
	switch {
	case len(path) == 1:
		return r.collection(f, object)
	case !validID(path[1]):
		return r.aspect(f)
	}
	if refused := checkID(object, path[1]); refused != nil {
		return f, refused
	}
	c, ok := map[string]Class{"GET": Read, "PATCH": Update, "DELETE": Delete}[r.method]
	if !ok || r.record && r.method != "PATCH" {
		return f, nil
	}
	f.class, f.opaqueFields, f.rows = c, false, 0
	targets := []string{object}
	if len(path) == 2 {
		f.record(c, object, path[1])
	} else {
		f.record(Read, object, path[1])
		var refused *refusal
		if targets, refused = f.follow(object, strings.Join(path[2:], "/")); refused != nil {
			return f, refused
		}
	}
	return r.touch(f, targets)
}

// touch adds the fields of the records that the request reads, writes or deletes.
func (r *request) touch(f footprint, targets []string) (footprint, *refusal) {
	for _, target := range targets {
		f.reach(target)
		if !r.record {
			f.reachField(target, wholeRecord)
			continue
		}
		if refused := f.reachBody(target, r.body, 0); refused != nil {
			return f, refused
		}
	}
	return f, nil
}

// collection judges …/sobjects/Object: GET answers recent records, POST creates.
func (r *request) collection(f footprint, object string) (footprint, *refusal) {
	switch {
	case r.method == "GET" && !r.record:
		f.class = Read
	case r.method == "POST":
		f.class = Create
		f.record(Create, object, "")
	case r.method == "DELETE":
		f.class = Delete
		return f, nil
	default:
		return f, nil
	}
	f.opaqueFields, f.rows = false, 0
	return r.touch(f, []string{object})
}

// aspect judges …/sobjects/Object/ followed by something that is not an id:
// descriptions of the object, or records by an external id. PATCH by an external
// id may create or update.
func (r *request) aspect(f footprint) (footprint, *refusal) {
	switch {
	case r.method == "GET" && !r.record:
		f.class = Read
	case r.method == "DELETE":
		f.class = Delete
	}
	f.opaque = true
	return f, nil
}
