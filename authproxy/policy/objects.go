package policy

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// This file reads the arguments of the sObject tools. Both documented spellings of
// a parameter are read: live servers say q and objects, the documents query,
// search and object-name.

const textObject = "The object name must be an API name such as Account or My_Object__c."

// reachUnknown marks a footprint whose call has unknown parameters: what they make
// the call reach cannot be determined.
func (f *footprint) reachUnknown(unknown bool) {
	if unknown {
		f.opaque, f.opaqueFields = true, true
	}
}

// reachSchema: objects is one name or a comma list; absent asks for the index,
// which is about every object. A schema holds no field values.
func reachSchema(a arguments) (footprint, *refusal) {
	f := footprint{class: Read}
	unknown, refused := a.known("objects", "object-name")
	if refused != nil {
		return f, refused
	}
	f.reachUnknown(unknown)
	list, _, refused := a.text("objects", "object-name")
	if refused != nil {
		return f, refused
	}
	if list == "" {
		f.opaque = true
		return f, nil
	}
	const most = 1000
	if strings.Count(list, ",") >= most {
		return f, refuse("The list of objects is too long.")
	}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.Trim(name, " ")
		if !validObject(name) {
			return f, refuse(textObject)
		}
		f.reach(name)
	}
	return f, nil
}

func reachSOQL(a arguments) (footprint, *refusal) {
	return reachQuery(a, readSOQL, "q", "query")
}

func reachSOSL(a arguments) (footprint, *refusal) {
	return reachQuery(a, readSOSL, "q", "search")
}

func reachQuery(a arguments, read func(string) (footprint, *refusal), spellings ...string) (footprint, *refusal) {
	unknown, refused := a.known(spellings...)
	if refused != nil {
		return footprint{}, refused
	}
	text, refused := a.required(spellings...)
	if refused != nil {
		return footprint{}, refused
	}
	f, refused := read(text)
	f.reachUnknown(unknown)
	if unknown {
		f.rows, f.each = unlimited, 0
	}
	return f, refused
}

// onObject begins the footprint of a call on the object that sobject-name names.
// The other parameters are those that the tool has besides.
func (a arguments) onObject(c Class, others ...string) (f footprint, object string, _ *refusal) {
	f.class = c
	unknown, refused := a.known(append(others, "sobject-name")...)
	if refused != nil {
		return f, "", refused
	}
	f.reachUnknown(unknown)
	object, refused = a.sobject()
	return f, object, refused
}

// reachRecent: listRecentSobjectRecords answers whole records of one object.
func reachRecent(a arguments) (footprint, *refusal) {
	f, object, refused := a.onObject(Read)
	if refused != nil {
		return f, refused
	}
	f.reachWhole(object)
	return f, nil
}

// reachRecord: createSobjectRecord, updateSobjectRecord, deleteSobjectRecord.
func reachRecord(c Class) func(arguments) (footprint, *refusal) {
	return func(a arguments) (footprint, *refusal) {
		f, object, refused := a.onObject(c, "id", "body")
		if refused != nil {
			return f, refused
		}
		id := ""
		if c != Create {
			if id, refused = a.recordID(object); refused != nil {
				return f, refused
			}
		}
		f.record(c, object, id)
		return a.write(f, c, []string{object})
	}
}

// reachRelated: getRelatedRecords, updateRelatedRecord, deleteRelatedRecord. The
// call is judged on the record it starts from and on everything along its path.
func reachRelated(c Class) func(arguments) (footprint, *refusal) {
	return func(a arguments) (footprint, *refusal) {
		f, object, refused := a.onObject(c, "id", "relationship-path", "body")
		if refused != nil {
			return f, refused
		}
		id, refused := a.recordID(object)
		if refused != nil {
			return f, refused
		}
		f.record(Read, object, id)
		path, refused := a.required("relationship-path")
		if refused != nil {
			return f, refused
		}
		targets, refused := f.follow(object, path)
		if refused != nil {
			return f, refused
		}
		if c != Read {
			return a.write(f, c, targets)
		}
		for _, target := range targets {
			f.reachWhole(target)
		}
		return f, nil
	}
}

// follow reaches the objects along a relationship path, which may lead to parents
// and to children, and returns those at its end.
func (f *footprint) follow(object, path string) ([]string, *refusal) {
	const longest = 10
	steps := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '.' })
	if len(steps) == 0 || len(steps) > longest || strings.Join(steps, "/") != strings.ReplaceAll(path, ".", "/") {
		return nil, refuse("The relationship path must be relationship names joined by / or a dot.")
	}
	f.reach(object)
	at := []string{object}
	for _, step := range steps {
		if !validObject(step) {
			return nil, refuse("The relationship path must be relationship names joined by / or a dot.")
		}
		var next []string
		for _, from := range at {
			f.reachField(from, foreignKey(step))
			next = union(next, relatives(from, step))
		}
		for _, to := range next {
			f.reach(to)
		}
		at = next
	}
	return at, nil
}

// write adds the fields of body to a write on one of the targets.
func (a arguments) write(f footprint, c Class, targets []string) (footprint, *refusal) {
	body, given, refused := a.object("body")
	if refused != nil {
		return f, refused
	}
	if !given && c != Delete {
		return f, refuse("The parameter body is missing.")
	}
	for _, target := range targets {
		f.reach(target)
		if c == Delete {
			f.reachField(target, wholeRecord)
		}
		if refused := f.reachBody(target, body, 0); refused != nil {
			return f, refused
		}
	}
	return f, nil
}

// reachBody adds the fields that a record in JSON sets. A member that is an object
// refers to a related record by an external id.
func (f *footprint) reachBody(object string, body arguments, depth int) *refusal {
	const deepest = 5
	folded := make(map[string]bool, len(body.names))
	for _, name := range body.names {
		if !validObject(name) || folded[strings.ToLower(name)] || depth > deepest {
			return refuse("The record must be an object of field names, each given once.")
		}
		folded[strings.ToLower(name)] = true
		if strings.EqualFold(name, "attributes") {
			if refused := sameType(object, body.values[name]); refused != nil {
				return refused
			}
			continue
		}
		f.reachField(object, name)
		switch body.values[name].Kind() {
		case '[':
			f.opaque, f.opaqueFields = true, true
		case '{':
			inner, refused := parseArguments(body.values[name])
			if refused != nil {
				return refused
			}
			f.reachField(object, foreignKey(name))
			for _, target := range relatives(object, name) {
				f.reach(target)
				if refused := f.reachBody(target, inner, depth+1); refused != nil {
					return refused
				}
			}
		}
	}
	return nil
}

// sameType refuses a record that names another type than the call does.
func sameType(object string, attributes jsontext.Value) *refusal {
	differs := refuse("The attributes of the record name another type than the call.")
	members, refused := parseArguments(attributes)
	if refused != nil || len(members.names) != 1 {
		return differs
	}
	named, ok, refused := members.text("type")
	if refused != nil || !ok || !strings.EqualFold(named, object) {
		return differs
	}
	return nil
}

// sobject returns the object that the call names.
func (a arguments) sobject() (string, *refusal) {
	object, refused := a.required("sobject-name")
	if refused != nil {
		return "", refused
	}
	if !validObject(object) {
		return "", refuse(textObject)
	}
	return spelling(object), nil
}

// recordID returns the id parameter, checked against the grammar of ids and, for
// standard objects, against the key prefix of the object.
func (a arguments) recordID(object string) (string, *refusal) {
	id, refused := a.required("id")
	if refused != nil {
		return "", refused
	}
	return id, checkID(object, id)
}

func checkID(object, id string) *refusal {
	if !validID(id) {
		return refuse("The id must be a Salesforce record id of 15 or 18 letters and digits.")
	}
	prefix := id[:3]
	if want := keyPrefix(object); want != "" && want != prefix {
		return refuse("The id does not belong to a record of that object.")
	}
	if owner, ok := keyPrefixes[prefix]; ok && !strings.EqualFold(owner, object) {
		return refuse("The id does not belong to a record of that object.")
	}
	return nil
}

// union appends the members of more that are not in list.
func union(list, more []string) []string {
	for _, s := range more {
		found := false
		for _, have := range list {
			found = found || strings.EqualFold(have, s)
		}
		if !found {
			list = append(list, s)
		}
	}
	return list
}
