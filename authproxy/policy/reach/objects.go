package reach

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// This file reads the arguments of the sObject tools. Both documented spellings of
// a parameter are read: live servers say q and objects, the documents query,
// search and object-name.

const textObject = "The object name must be an API name such as Account or My_Object__c."

// unknownParameters marks that the call has unknown parameters: what they make it reach
// cannot be determined.
func (f *reading) unknownParameters(unknown bool) {
	if unknown {
		f.in(Parameter, "", nowhere)
		f.unknown(true)
	}
}

// readSchema: objects is one name or a comma list; absent asks for the index,
// which is about every object. A schema holds no field values.
func readSchema(f *reading, a arguments) *Refusal {
	f.Class = Read
	unknown, refused := a.known("objects", "object-name")
	if refused != nil {
		return refused
	}
	f.unknownParameters(unknown)
	list, _, refused := a.text("objects", "object-name")
	if refused != nil {
		return refused
	}
	if list == "" {
		f.in(Named, "objects", nowhere)
		f.unknown(false)
		f.Index = !unknown
		return nil
	}
	const longest = 1000
	if strings.Count(list, ",") >= longest {
		return refuse("The list of objects is too long.")
	}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.Trim(name, " ")
		if !ValidObject(name) {
			return refuse(textObject)
		}
		f.in(Named, "objects", nowhere, name)
		f.reach(name)
	}
	return nil
}

// How the parameter with the query is called by live servers, and by the documents.
var (
	querySpellings  = []string{"q", "query"}
	searchSpellings = []string{"q", "search"}
)

func readSOQLTool(f *reading, a arguments) *Refusal {
	return f.readQuery(a, f.readSOQL, querySpellings)
}

func readSOSLTool(f *reading, a arguments) *Refusal {
	return f.readQuery(a, f.readSOSL, searchSpellings)
}

// readQuery reads the query that stands in a parameter of one of these spellings; others are
// parameters that reach nothing more.
func (f *reading) readQuery(a arguments, read func(string) *Refusal, spellings []string, others ...string) *Refusal {
	parameters := spellings
	if len(others) > 0 {
		parameters = slices.Concat(spellings, others)
	}
	unknown, refused := a.known(parameters...)
	if refused != nil {
		return refused
	}
	text, refused := a.required(spellings...)
	if refused != nil {
		return refused
	}
	for _, f.Argument = range spellings {
		if _, ok := a.get(f.Argument); ok {
			break
		}
	}
	if refused := read(text); refused != nil {
		return refused
	}
	if unknown {
		f.unknownParameters(true)
		f.Rows, f.Each = Unlimited, 0
	}
	return nil
}

// onObject begins the reading of a call on the object that sobject-name names.
// The other parameters are those that the tool has besides.
func (f *reading) onObject(a arguments, c Class, others ...string) (object string, _ *Refusal) {
	f.Class = c
	unknown, refused := a.known(append(others, "sobject-name")...)
	if refused != nil {
		return "", refused
	}
	f.unknownParameters(unknown)
	object, refused = a.sobject()
	f.in(Named, "sobject-name", nowhere, object)
	return object, refused
}

// readRecent: listRecentSobjectRecords answers whole records of one object.
func readRecent(f *reading, a arguments) *Refusal {
	object, refused := f.onObject(a, Read)
	if refused != nil {
		return refused
	}
	f.reachWhole(object)
	return nil
}

// readRecord: createSobjectRecord, updateSobjectRecord, deleteSobjectRecord.
func readRecord(c Class) func(*reading, arguments) *Refusal {
	return func(f *reading, a arguments) *Refusal {
		object, refused := f.onObject(a, c, "id", "body")
		if refused != nil {
			return refused
		}
		id := ""
		if c != Create {
			if id, refused = a.recordID(object); refused != nil {
				return refused
			}
		}
		f.record(c, object, id)
		return f.write(a, c, []string{object})
	}
}

// readRelated: getRelatedRecords, updateRelatedRecord, deleteRelatedRecord. The
// call is judged on the record it starts from and on everything along its path.
func readRelated(c Class) func(*reading, arguments) *Refusal {
	return func(f *reading, a arguments) *Refusal {
		object, refused := f.onObject(a, c, "id", "relationship-path", "body")
		if refused != nil {
			return refused
		}
		id, refused := a.recordID(object)
		if refused != nil {
			return refused
		}
		f.record(Read, object, id)
		path, refused := a.required("relationship-path")
		if refused != nil {
			return refused
		}
		targets, refused := f.follow(object, path, "relationship-path")
		if refused != nil {
			return refused
		}
		if f.Unnamed = c != Read; f.Unnamed {
			return f.write(a, c, targets)
		}
		for _, target := range targets {
			f.reachWhole(target)
		}
		return nil
	}
}

// follow reaches the objects along a relationship path, which may lead to parents
// and to children, and returns those at its end.
func (f *reading) follow(object, path, argument string) ([]string, *Refusal) {
	const longest = 10
	steps := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '.' })
	if len(steps) == 0 || len(steps) > longest || strings.Join(steps, "/") != strings.ReplaceAll(path, ".", "/") {
		return nil, refuse("The relationship path must be relationship names joined by / or a dot.")
	}
	f.reach(object)
	at := []string{object}
	for i, step := range steps {
		if !ValidObject(step) {
			return nil, refuse("The relationship path must be relationship names joined by / or a dot.")
		}
		f.in(Relation, argument, nowhere, steps[:i+1]...)
		var next []string
		for i, from := range at {
			if !f.schema.leadsDown(from, step) { // whose lookup is a field of the records below
				f.reachField(from, foreignKey(step))
			}
			next = union(next, f.all(at[i:i+1], step, f.schema.relatives))
		}
		for _, to := range next {
			f.reach(to)
		}
		at = next
	}
	return at, nil
}

// write adds the fields of body to a write on one of the targets.
func (f *reading) write(a arguments, c Class, targets []string) *Refusal {
	body, given, refused := a.object("body")
	if refused != nil {
		return refused
	}
	if !given && c != Delete {
		return refuse("The parameter body is missing.")
	}
	for _, target := range targets {
		f.raiseRelated(target)
		f.reach(target)
		if c == Delete {
			f.reachField(target, Whole)
		}
		if refused := f.reachBody(target, body, nil); refused != nil {
			return refused
		}
	}
	return nil
}

const textRecord = "The record must be an object of field names, each given once."

// reachBody adds the fields that a record in JSON sets. A member that is an object
// refers to a related record by an external id.
func (f *reading) reachBody(object string, body arguments, within []string) *Refusal {
	const deepest = 5
	folded := make(map[string]bool, len(body.names))
	for i, name := range body.names {
		lower := strings.ToLower(name)
		if !ValidObject(name) || folded[lower] || len(within) > deepest {
			return refuse(textRecord)
		}
		folded[lower] = true
		if lower == "attributes" {
			if refused := f.sameRecord(object, body.values[i], len(within) > 0); refused != nil {
				return refused
			}
			continue
		}
		names := append(within[:len(within):len(within)], name)
		f.in(Body, cmp.Or(f.recordArgument, "body"), nowhere, names...)
		f.reachField(object, name)
		if f.full {
			return tooManyFields
		}
		switch body.values[i].Kind() {
		case '[':
			f.unknown(true)
		case '{':
			if refused := f.reachRelated(object, name, body.values[i], names); refused != nil {
				return refused
			}
		}
	}
	return nil
}

// reachRelated adds what a member of a record refers to.
func (f *reading) reachRelated(object, name string, value jsontext.Value, names []string) *Refusal {
	inner, refused := parseWithin(value)
	if refused != nil {
		return refused
	}
	f.reachField(object, foreignKey(name))
	targets := f.all([]string{object}, name, f.schema.relatives)
	if named := inner.typeNamed(); named != "" { // which of those that a relation may lead to
		for _, target := range targets {
			if strings.EqualFold(target, named) {
				targets = []string{target}
				break
			}
		}
	}
	for _, target := range targets {
		f.in(Body, cmp.Or(f.recordArgument, "body"), nowhere, names...)
		f.reach(target)
		if refused := f.reachBody(target, inner, names); refused != nil {
			return refused
		}
	}
	return nil
}

// typeNamed returns the type that the attributes of a record name, "" if they name none.
func (a arguments) typeNamed() string {
	raw, ok := a.get("attributes")
	if !ok {
		return ""
	}
	members, refused := parseWithin(raw)
	if refused != nil {
		return ""
	}
	named, _, _ := members.text("type")
	return named
}

// sameRecord refuses a record that names another type than the call does, or the url of another
// record: queries answer attributes with both.
func (f *reading) sameRecord(object string, attributes jsontext.Value, related bool) *Refusal {
	members, refused := parseWithin(attributes)
	if refused != nil || !members.only("type", "url") {
		return refuse("The attributes of a record must be its type, and its url if any.")
	}
	named, ok, refused := members.text("type")
	if refused != nil || !ok || !strings.EqualFold(named, object) {
		return refuse("The attributes of the record name another type than the call.")
	}
	id := ""
	if last := len(f.Records) - 1; !related && last >= 0 && strings.EqualFold(f.Records[last].Object, object) {
		id = f.Records[last].ID
	}
	if !members.urlOf(object, id) {
		return refuse("The url in the attributes of the record is that of another record; leave it out.")
	}
	return nil
}

// urlOf reports whether the url that the attributes of a record name, if they do, is that of a
// record of an object; with an id, of that one.
func (a arguments) urlOf(object, id string) bool {
	address, given, refused := a.text("url")
	if !given || refused != nil {
		return refused == nil
	}
	segments := strings.Split(address, "/")
	n := len(segments)
	return n > 3 && segments[n-3] == "sobjects" && strings.EqualFold(segments[n-2], object) && ValidID(segments[n-1]) && (id == "" || SameID(segments[n-1], id))
}

// sobject returns the object that the call names.
func (a arguments) sobject() (string, *Refusal) {
	object, refused := a.required("sobject-name")
	if refused != nil {
		return "", refused
	}
	if !ValidObject(object) {
		return "", refuse(textObject)
	}
	return spelling(object), nil
}

// recordID returns the id parameter, checked against the grammar of ids and, for
// standard objects, against the key prefix of the object.
func (a arguments) recordID(object string) (string, *Refusal) {
	id, refused := a.required("id")
	if refused != nil {
		return "", refused
	}
	return id, checkID(object, id)
}

func checkID(object, id string) *Refusal {
	if !ValidID(id) {
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
