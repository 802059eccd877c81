package reach

import (
	"slices"
	"strings"
)

// irreversible are the archive operations that a dispatch can start.
var irreversible = []string{"run-rtbf", "run-masking", "run-unarchive"}

// routes are the first parts of paths below which a GET only reads, by the resource list of the
// REST API Developer Guide, v67. query, queryAll, search and sobjects are read further. Below
// others a GET may be anything: named queries run what an administrator stored.
var routes = map[string]Class{
	"limits": Read, "sobjects": Read, "recent": Read, "tabs": Read, "theme": Read, "appMenu": Read, "quickActions": Read,
	"actions": Read, "analytics": Read, "wave": Read, "folders": Read, "chatter": Read, "connect": Read, "ui-api": Read,
	"parameterizedSearch": Read, "knowledgeManagement": Read, "process": Read, "jobs": Read, "consent": Read, "compactLayouts": Read,
	"dedupe": Read, "licensing": Read, "nouns": Read, "eclair": Read, "scheduling": Read, "smartdatadiscovery": Read,
	"support": SideEffect, // counts views of knowledge articles
}

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
	if len(path) > 1 && (path[0] == "tooling" || path[0] == "metadata") { // the org's metadata and code
		if r.method != "GET" || r.record || strings.HasPrefix(strings.ToLower(path[1]), "execute") || strings.HasPrefix(path[1], "runTests") {
			f.administer()
		}
		// GET tooling/executeAnonymous runs Apex, runTests… runs tests.
		if path[0] == "metadata" || !slices.Contains([]string{"query", "search", "sobjects"}, path[1]) {
			return nil
		}
		path = path[1:]
	}
	switch {
	case path[0] == "sobjects" && len(path) > 1:
		return r.sobjects(f, path[1:])
	case path[0] == "composite" && r.path[0] != "tooling":
		return r.carried(f)
	case r.method != "GET" || r.record || r.path[0] == "tooling" && path[0] == "sobjects":
		return nil
	case path[0] == "query" || path[0] == "queryAll":
		return r.search(f, path, f.readSOQL)
	case path[0] == "search":
		return r.search(f, path, f.readSOSL)
	}
	if class, known := routes[path[0]]; known {
		f.Class = class
		if r.leavesTraces() {
			f.Class = SideEffect
		}
	}
	return nil
}

// known makes of an opaque reading one of what is added from here on.
func (f *reading) known(c Class) {
	f.Class, f.Opaque, f.OpaqueFields, f.Rows = c, false, false, 0
}

// leavesTraces reports whether a GET also counts views, as ui-api with updateMru and
// parameterizedSearch with updateTracking.
func (r *request) leavesTraces() bool {
	for name, value := range r.query {
		if strings.HasPrefix(strings.ToLower(name), "update") && value != "false" {
			return true
		}
	}
	return routes[r.path[0]] == SideEffect
}

// misspelled reports whether the path begins like one judged here, in other case.
// Whether Salesforce would take it for the same is not known.
func (r *request) misspelled() bool {
	for i, segment := range r.path[:min(2, len(r.path))] {
		for _, known := range []string{"tooling", "metadata", "sobjects", "query", "queryAll", "search", "composite", "jobs", "ui-api", "connect", "actions"} {
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
	f.known(class)
	f.OpaqueFields, f.Rows = true, Unlimited
	f.in(Named, "url", nowhere, object)
	f.reach(object)
	switch {
	case len(path) == 1:
		return r.collection(f, object)
	case !ValidID(path[1]) || path[1] == "approvalLayouts":
		return r.aspect(f)
	}
	if refused := checkID(object, path[1]); refused != nil {
		return refused
	}
	c, ok := map[string]Class{"GET": Read, "PATCH": Update, "DELETE": Delete}[r.method]
	if !ok || r.record && r.method != "PATCH" {
		f.raise(object)
		return nil
	}
	f.known(c)
	if class == Admin {
		f.administer()
	}
	targets := []string{object}
	if len(path) == 2 {
		f.record(c, object, path[1])
	} else {
		f.record(Read, object, path[1])
		f.Unnamed = c != Read
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
		f.raiseRelated(target)
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
	class := f.Class
	switch {
	case r.method == "GET" && !r.record:
		f.known(Read)
	case r.method == "POST":
		f.known(Create)
		f.record(Create, object, "")
	default:
		f.raise(object)
		return nil
	}
	if class == Admin {
		f.administer()
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
	for _, o := range f.Objects {
		f.raise(o.Name)
	}
	f.Unnamed = r.method == "PATCH" || r.method == "PUT" || r.method == "DELETE"
	f.in(Path, "url", nowhere)
	f.unknown(true)
	return nil
}
