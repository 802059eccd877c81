package reach

import (
	"slices"
	"strings"
)

// irreversible are the archive operations that a dispatch can start.
var irreversible = []string{"run-rtbf", "run-masking", "run-unarchive"}

// read judges the request by method and path. f is opaque and Unknown until more is known.
func (r *request) read(f *reading) *Refusal {
	for _, segment := range r.path {
		if slices.Contains(irreversible, strings.ToLower(segment)) {
			f.Class = Delete
			return nil
		}
	}
	if r.method == "DELETE" {
		f.Class = Delete
	}
	if !r.rest || r.misspelled() {
		return nil
	}
	path := r.path
	if path[0] == "tooling" && len(path) > 1 {
		path = path[1:]
		// GET tooling/executeAnonymous runs Apex, runTests… runs tests.
		if !slices.Contains([]string{"query", "search", "sobjects"}, path[0]) {
			return nil
		}
	}
	switch {
	case path[0] == "sobjects" && len(path) > 1:
		return r.sobjects(f, path[1:])
	case r.method != "GET" || r.record || path[0] == "tooling":
		return nil
	case path[0] == "query" || path[0] == "queryAll":
		return r.search(f, path, f.readSOQL)
	case path[0] == "search":
		return r.search(f, path, f.readSOSL)
	}
	// Salesforce's REST API has no other GET that changes records or settings.
	f.Class = Read
	if r.leavesTraces() {
		f.Class = SideEffect
	}
	return nil
}

// known makes of an opaque reading one of what is added from here on.
func (f *reading) known(c Class) {
	f.Class, f.Opaque, f.OpaqueFields, f.Rows = c, false, false, 0
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
func (r *request) search(f *reading, path []string, read func(string) *Refusal) *Refusal {
	text, ok := r.query["q"]
	if len(path) > 1 && !ok { // the next page of some query, or search settings
		f.Class = Read
		return nil
	}
	if len(path) > 1 || !ok || len(r.query) > 1 {
		return nil
	}
	f.known(Read)
	return read(text)
}

// sobjects judges what follows …/sobjects/: Object, Object/id, Object/id/relation
// and descriptions.
func (r *request) sobjects(f *reading, path []string) *Refusal {
	object := spelling(path[0])
	if !ValidObject(object) {
		return refuse(textObject)
	}
	class := f.Class
	f.known(Unknown)
	f.OpaqueFields, f.Rows = true, Unlimited
	f.in(Named, "url", nowhere, object)
	f.reach(object)
	switch {
	case len(path) == 1:
		return r.collection(f, object)
	case !ValidID(path[1]):
		f.Class = class
		return r.aspect(f)
	}
	if refused := checkID(object, path[1]); refused != nil {
		return refused
	}
	c, ok := map[string]Class{"GET": Read, "PATCH": Update, "DELETE": Delete}[r.method]
	if !ok || r.record && r.method != "PATCH" {
		return nil
	}
	f.known(c)
	targets := []string{object}
	if len(path) == 2 {
		f.record(c, object, path[1])
	} else {
		f.record(Read, object, path[1])
		var refused *Refusal
		if targets, refused = f.follow(object, strings.Join(path[2:], "/"), "url"); refused != nil {
			return refused
		}
	}
	return r.touch(f, targets)
}

// touch adds the fields of the records that the request reads, writes or deletes.
func (r *request) touch(f *reading, targets []string) *Refusal {
	for _, target := range targets {
		f.reach(target)
		if !r.record {
			f.reachField(target, Whole)
			continue
		}
		if refused := f.reachBody(target, r.body, nil); refused != nil {
			return refused
		}
	}
	return nil
}

// collection judges …/sobjects/Object: GET answers recent records, POST creates.
func (r *request) collection(f *reading, object string) *Refusal {
	switch {
	case r.method == "GET" && !r.record:
		f.known(Read)
	case r.method == "POST":
		f.known(Create)
		f.record(Create, object, "")
	case r.method == "DELETE":
		f.Class = Delete
		return nil
	default:
		return nil
	}
	return r.touch(f, []string{object})
}

// aspect judges …/sobjects/Object/ followed by something that is not an id:
// descriptions of the object, or records by an external id. PATCH by an external
// id may create or update.
func (r *request) aspect(f *reading) *Refusal {
	if r.method == "GET" && !r.record {
		f.Class = Read
	}
	f.in(Path, "url", nowhere)
	f.unknown(true)
	return nil
}
