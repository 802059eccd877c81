package salesforcesim

import (
	"slices"
	"strings"
	"time"
)

// recentItems is how many records listRecentSobjectRecords answers with.
const recentItems = 25

var (
	objectParam = param{Name: "sobject-name", Description: "API name of the object, such as Account or Project__c."}
	idParam     = param{Name: "id", Description: "Id of the record, 15 or 18 characters."}
	pathParam   = param{Name: "relationship-path", Description: "Relationship to follow from the record, such as Contacts or Account/Owner."}
	bodyParam   = param{Name: "body", Type: "object", Description: "Fields and their values.", Schema: map[string]any{"additionalProperties": true}}
)

// readTools are the six tools that all sObject servers share.
func readTools() []toolDef {
	return []toolDef{
		{Name: "getObjectSchema", Tags: []string{"schema", "describe"}, Hints: readHints, Run: runGetObjectSchema,
			Description: "Describes objects: fields, types and relationships. Without a name it lists the objects there are.",
			Params:      []param{{Name: "objects", Docs: "object-name", Optional: true, Description: "One object name, or several with commas."}}},
		{Name: "soqlQuery", Tags: []string{"query", "soql"}, Hints: readHints, Run: runQuery,
			Description: "Runs a SOQL query. See describe_sobject for the fields.",
			Params:      []param{{Name: "q", Docs: "query", Description: "The SOQL statement."}}},
		{Name: "find", Tags: []string{"search", "sosl"}, Hints: readHints, Run: runFind,
			Description: "Searches text in several objects by SOSL.",
			Params:      []param{{Name: "q", Docs: "search", Description: "The SOSL statement: FIND {words} IN ALL FIELDS RETURNING …"}}},
		{Name: "getUserInfo", Tags: []string{"user", "identity"}, Hints: readHints, Run: runGetUserInfo,
			Description: "Tells who is signed in: name, role, profile, manager, local time."},
		{Name: "listRecentSobjectRecords", Tags: []string{"query", "recent"}, Hints: readHints, Run: runListRecent,
			Description: "Lists the records of an object that were used last.", Params: []param{objectParam}},
		{Name: "getRelatedRecords", Tags: []string{"query", "relationship"}, Hints: readHints, Run: runGetRelated,
			Description: "Reads the records that are related to one record.", Params: []param{objectParam, idParam, pathParam}},
	}
}

func runQuery(c *toolCall) toolAnswer {
	q, refused := c.argument("q")
	if refused != nil {
		return failure(refused)
	}
	return answerOf(c.d.query(c.u, q))
}

func runFind(c *toolCall) toolAnswer {
	q, refused := c.argument("q")
	if refused != nil {
		return failure(refused)
	}
	return answerOf(c.d.search(c.u, q))
}

func runGetUserInfo(c *toolCall) toolAnswer {
	zone, err := time.LoadLocation(c.u.Timezone)
	if err != nil {
		zone = time.UTC
	}
	return success(object{
		{"id", c.u.ID}, {"username", c.u.Username}, {"name", c.u.Name}, {"email", c.u.Email},
		{"role", orNull(c.u.Role)}, {"profile", orNull(c.u.Profile)}, {"manager", orNull(c.u.Manager)},
		{"localTime", c.d.now().In(zone).Format(time.RFC3339)}, {"timezone", zone.String()},
	})
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func runListRecent(c *toolCall) toolAnswer {
	name, refused := c.argument("sobject-name")
	if refused != nil {
		return failure(refused)
	}
	s, refused := c.d.visibleObject(c.u, name)
	if refused != nil {
		return failure(refused)
	}
	return success(object{{"recentItems", c.d.recentItems(c.u, s)}})
}

func (d *dataset) recentItems(u *User, s *objectSchema) []any {
	items := []any{}
	for _, r := range d.recent(s, recentItems) {
		item := object{{"attributes", attributes(r)}, {"Id", r.id}}
		if f := visibleField(u, s, s.NameField); f != nil {
			item = append(item, member{f.Name, r.values[f.Name]})
		}
		items = append(items, item)
	}
	return items
}

func runGetRelated(c *toolCall) toolAnswer {
	args, refused := c.arguments("sobject-name", "id", "relationship-path")
	if refused != nil {
		return failure(refused)
	}
	target, refused := c.d.related(c.u, args[0], args[1], args[2])
	if refused != nil {
		return failure(refused)
	}
	if target.one != nil {
		return success(c.d.fullRecord(c.u, target.one))
	}
	records := []any{}
	for _, r := range target.many {
		records = append(records, c.d.fullRecord(c.u, r))
	}
	return success(queryAnswer(len(records), records, ""))
}

// relatedTarget is the end of a relationship path: one parent or any number of children.
type relatedTarget struct {
	one  *record
	many []*record
}

// related follows a path of parents; its last step may be a child relationship. Steps
// are separated by a slash or a dot.
func (d *dataset) related(u *User, objectName, id, path string) (relatedTarget, *apiError) {
	s, refused := d.visibleObject(u, objectName)
	if refused != nil {
		return relatedTarget{}, refused
	}
	r, refused := d.find(s, id)
	if refused != nil {
		return relatedTarget{}, refused
	}
	steps := strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == '.' })
	if len(steps) == 0 {
		return relatedTarget{}, refuse("NOT_FOUND", "The requested resource does not exist")
	}
	for i, step := range steps {
		if child, ok := r.object.child(step); ok && i == len(steps)-1 && canSee(u, child.Object) && canSeeField(u, child.Object, child.Field) {
			return relatedTarget{many: d.children(child, r.id)}, nil
		}
		hop := r.object.parent(step)
		if hop == nil || !canSeeField(u, r.object, hop) {
			return relatedTarget{}, refuse("NOT_FOUND", "The requested resource does not exist")
		}
		if r = d.parentOf(r, hop); r == nil || !canSee(u, r.object) {
			return relatedTarget{}, refuse("NOT_FOUND", "The requested resource does not exist")
		}
	}
	return relatedTarget{one: r}, nil
}

// fullRecord is a record with every field that the user may see, as the REST API returns it by id.
func (d *dataset) fullRecord(u *User, r *record) object {
	o := object{{"attributes", attributes(r)}}
	for _, f := range visibleFields(u, r.object) {
		o = append(o, member{f.Name, written(f, r.values[f.Name])})
	}
	return o
}

func runGetObjectSchema(c *toolCall) toolAnswer {
	names, refused := c.argument("objects")
	if refused != nil {
		return failure(refused)
	}
	if names == "" {
		return success(c.d.objectIndex(c.u))
	}
	described := []any{}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		s, refused := c.d.visibleObject(c.u, name)
		if refused != nil {
			return schemaFailure(name)
		}
		described = append(described, c.d.describe(c.u, s))
	}
	return success(object{{"sobjects", described}})
}

// schemaFailure is the one error of the sObject tools that is an object instead of a list.
func schemaFailure(name string) toolAnswer {
	a := success(object{{"errorCode", "INTERNAL_ERROR"}, {"message", "Failed to retrieve object schema from Salesforce API: ;" +
		" nested exception is: common.exception.ApiQueryException: " + unsupportedType(name)}})
	a.failed = true
	return a
}

// objectIndex lists the objects that the user may see.
func (d *dataset) objectIndex(u *User) object {
	list := []any{}
	for _, s := range d.schema {
		if canSee(u, s) {
			list = append(list, objectSummary(u, s))
		}
	}
	return object{{"sobjects", list}}
}

func objectSummary(u *User, s *objectSchema) object {
	writable := writable(u, s) == nil
	return object{
		{"name", s.Name}, {"label", labelOf(s.Name)}, {"labelPlural", s.Plural}, {"keyPrefix", s.Prefix}, {"custom", s.custom()},
		{"queryable", true}, {"searchable", !s.SetupOnly},
		{"createable", writable}, {"updateable", writable}, {"deletable", writable},
	}
}

// describe is the subset of a describe result that the schema tool passes on.
func (d *dataset) describe(u *User, s *objectSchema) object {
	fields, children := []any{}, []any{}
	for _, f := range visibleFields(u, s) {
		fields = append(fields, describeField(u, s, f))
	}
	for _, c := range s.Children {
		if canSee(u, c.Object) && canSeeField(u, c.Object, c.Field) {
			children = append(children, object{{"childSObject", c.Object.Name}, {"field", c.Field.Name}, {"relationshipName", c.Rel}})
		}
	}
	o := append(objectSummary(u, s), member{"fields", fields}, member{"childRelationships", children})
	if s.Guidance != "" {
		o = append(o, member{"guidance", s.Guidance})
	}
	return o
}

func describeField(u *User, s *objectSchema, f *fieldSchema) object {
	writable := !f.System && writable(u, s) == nil
	o := object{
		{"name", f.Name}, {"label", labelOf(f.Name)}, {"type", f.Type}, {"nillable", !f.Required && f.Type != typeBoolean && f.Type != typeID},
		{"createable", writable}, {"updateable", writable}, {"filterable", f.Type != typeTextArea}, {"sortable", f.Type != typeTextArea},
	}
	if f.Type.isText() && f.Type != typeID && f.Type != typeReference {
		o = append(o, member{"length", f.maxLength()})
	}
	if f.Type == typeReference {
		o = append(o, member{"referenceTo", slices.Clone(f.RefTo)}, member{"relationshipName", f.Rel})
	}
	if f.Values != nil {
		o = append(o, member{"picklistValues", f.Values})
	}
	return o
}
