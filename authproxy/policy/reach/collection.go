package reach

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// This file reads records that one request writes together: collections and trees.

// collection reads requests to …/composite/sobjects.
func (c *carrier) collection(r *request, only func(method string, parameters ...string) bool) bool {
	path, body := r.path, r.body
	switch {
	case len(path) == 2 && only("DELETE", "ids", "allOrNone"):
		return !r.record && c.deleted(r.query["ids"])
	case len(path) == 2 && (only("POST") || only("PATCH")):
		class := map[string]Class{"POST": Create, "PATCH": Update}[r.method]
		return body.only("records", "allOrNone") && c.each(body, "records", func(record arguments) bool { return c.written(class, record) })
	case len(path) == 3 && only("GET", "ids", "fields") && !r.record && ValidObject(path[2]):
		return c.retrieved(spelling(path[2]), strings.Split(r.query["ids"], ","), strings.Split(r.query["fields"], ","))
	case len(path) == 3 && only("POST") && ValidObject(path[2]) && body.only("ids", "fields"):
		ids, ok := body.texts("ids")
		fields, ok2 := body.texts("fields")
		return ok && ok2 && c.retrieved(spelling(path[2]), ids, fields)
	}
	return false // others, those by external ids among them, may make or change records
}

// texts returns a list of strings.
func (a arguments) texts(name string) (texts []string, ok bool) {
	value, _ := a.get(name)
	if value.Kind() != '[' {
		return nil, false
	}
	d := jsontext.NewDecoder(strings.NewReader(string(value)))
	for token, err := d.ReadToken(); ; token, err = d.ReadToken() {
		switch {
		case err != nil:
			return nil, false
		case token.Kind() == ']':
			return texts, true
		case token.Kind() == '"':
			texts = append(texts, token.String())
		case d.StackDepth() != 1 || token.Kind() != '[':
			return nil, false
		}
	}
}

// deleted adds the deletion of each record. An id tells its object by how it begins, if that is
// a standard one.
func (c *carrier) deleted(ids string) bool {
	for id := range strings.SplitSeq(ids, ",") {
		object := ""
		if ValidID(id) {
			object = keyPrefixes[id[:3]]
		}
		if object == "" {
			return false
		}
		if object = spelling(object); !c.add(c.alone("DELETE", object+"/"+id, arguments{}), func(f *reading) bool {
			f.Class = Delete
			f.raise(object)
			f.in(Named, "url", nowhere, object)
			f.record(Delete, object, id)
			f.reachWhole(object)
			return true
		}) {
			return false
		}
	}
	return true
}

// retrieved adds the reading of fields of records of one object.
func (c *carrier) retrieved(object string, ids, fields []string) bool {
	if slices.ContainsFunc(ids, func(id string) bool { return checkID(object, id) != nil }) || slices.ContainsFunc(fields, func(name string) bool { return !ValidObject(name) }) {
		return false
	}
	return c.add(c.own, func(f *reading) bool {
		f.Class, f.Rows = Read, len(ids)
		f.in(Named, "url", nowhere, object)
		f.reach(object)
		for _, id := range ids {
			f.record(Read, object, id)
		}
		for _, name := range fields {
			f.in(Select, "url", nowhere, name)
			f.reachField(object, name)
		}
		return true
	})
}

// written adds the record of a collection that is made or changed. It names its object, and its
// id if it is there already.
func (c *carrier) written(class Class, record arguments) bool {
	object := record.typeOfCarried()
	if !ValidObject(object) {
		return false
	}
	object = spelling(object)
	id, fields := "", arguments{}
	for i, name := range record.names {
		switch {
		case name == "attributes":
		case strings.EqualFold(name, "id"):
			text, _, refused := arguments{[]string{name}, record.values[i : i+1]}.text(name)
			if refused != nil || id != "" || class != Update || checkID(object, text) != nil {
				return false
			}
			id = text
		default:
			fields.names, fields.values = append(fields.names, name), append(fields.values, record.values[i])
		}
	}
	if class == Update && id == "" {
		return false
	}
	method, path := "POST", object
	if id != "" {
		method, path = "PATCH", object+"/"+id
	}
	return c.add(c.alone(method, path, fields), func(f *reading) bool { return f.writeCarried(class, object, id, fields) })
}

// typeOfCarried returns the type that the attributes of a record name, which say nothing else
// but what it is called and its own url; "": they are not to be read.
func (a arguments) typeOfCarried() string {
	raw, ok := a.get("attributes")
	if !ok {
		return ""
	}
	members, refused := parseWithin(raw)
	if refused != nil || !members.only("type", "referenceId", "url") {
		return ""
	}
	named, _, _ := members.text("type")
	id := ""
	if i := slices.IndexFunc(a.names, func(name string) bool { return strings.EqualFold(name, "id") }); i >= 0 && a.values[i].Kind() == '"' {
		id, _ = unquoted(a.values[i])
	}
	if !members.urlOf(named, id) {
		return ""
	}
	return named
}

// writeCarried reads one record that is written; record has the fields alone.
func (f *reading) writeCarried(class Class, object, id string, record arguments) bool {
	f.Class = class
	f.raise(object)
	f.in(Named, "body", nowhere, object)
	f.record(class, object, id)
	f.reach(object)
	return f.reachBody(object, record, nil) == nil
}

// tree adds a record that is made, and its child records with it, of which a lookup is set that
// nobody names.
func (c *carrier) tree(object string, record arguments, depth int) bool {
	const deepest = 5
	if !strings.EqualFold(record.typeOfCarried(), object) || depth > deepest {
		return false
	}
	var fields arguments
	type list struct {
		object  string
		records arguments
	}
	var lists []list
	for i, name := range record.names {
		value := record.values[i]
		if name == "attributes" {
			continue
		}
		if value.Kind() == '{' {
			members, refused := parseWithin(value)
			if refused != nil {
				return false
			}
			if slices.Contains(members.names, "records") {
				to := newReading(c.schema).all([]string{object}, name, c.schema.relatives)
				if !members.only("records") || len(to) != 1 || to[0] == UnknownObject {
					return false
				}
				lists = append(lists, list{to[0], members})
				continue
			}
		}
		fields.names, fields.values = append(fields.names, name), append(fields.values, value)
	}
	if !c.add(c.alone("POST", object, fields), func(f *reading) bool {
		f.OpaqueFields = depth > 0
		return f.writeCarried(Create, object, "", fields)
	}) {
		return false
	}
	for _, l := range lists {
		if !c.each(l.records, "records", func(child arguments) bool { return c.tree(l.object, child, depth+1) }) {
			return false
		}
	}
	return true
}
