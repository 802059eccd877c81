package records

import "slices"

// Index lists the objects that the user may see.
func (v *View) Index() Object {
	list := []any{}
	for _, s := range v.d.schema {
		if canSee(v.u, s) {
			list = append(list, v.summary(s))
		}
	}
	return Object{{"sobjects", list}}
}

// Summary is what the index says of one object.
func (v *View) Summary(object string) (Object, *Error) {
	s, refused := v.visibleObject(object)
	if refused != nil {
		return nil, refused
	}
	return v.summary(s), nil
}

func (v *View) summary(s *objectSchema) Object {
	writable := writable(v.u, s) == nil
	return Object{
		{"name", s.Name}, {"label", labelOf(s.Name)}, {"labelPlural", s.Plural}, {"keyPrefix", s.Prefix}, {"custom", s.custom()},
		{"queryable", true}, {"searchable", !s.SetupOnly && !s.Unsearchable},
		{"createable", writable}, {"updateable", writable}, {"deletable", writable},
	}
}

// Describe is the subset of a describe result that the schema tool passes on.
func (v *View) Describe(object string) (Object, *Error) {
	s, refused := v.visibleObject(object)
	if refused != nil {
		return nil, refused
	}
	fields, children := []any{}, []any{}
	for _, f := range visibleFields(v.u, s) {
		fields = append(fields, describeField(v.u, s, f))
	}
	for _, c := range s.Children {
		if canSee(v.u, c.Object) && canSeeField(v.u, c.Object, c.Field) {
			children = append(children, Object{{"childSObject", c.Object.Name}, {"field", c.Field.Name}, {"relationshipName", c.Rel}})
		}
	}
	o := append(v.summary(s), Member{"fields", fields}, Member{"childRelationships", children})
	if s.Guidance != "" {
		o = append(o, Member{"guidance", s.Guidance})
	}
	return o, nil
}

// Overview is what is said of an object in a few words.
type Overview struct {
	Name     string
	Fields   int    // how many the user may see
	Guidance string // the admin's words for agents
}

// Overview finds an object that the user may see.
func (v *View) Overview(object string) (Overview, *Error) {
	s, refused := v.visibleObject(object)
	if refused != nil {
		return Overview{}, refused
	}
	return Overview{Name: s.Name, Fields: len(visibleFields(v.u, s)), Guidance: s.Guidance}, nil
}

func describeField(u *User, s *objectSchema, f *fieldSchema) Object {
	writable := !f.System && writable(u, s) == nil
	usable := f.Type.comparable()
	o := Object{
		{"name", f.Name}, {"label", labelOf(f.Name)}, {"type", f.Type}, {"nillable", !f.Required && f.Type != typeBoolean && f.Type != typeID},
		{"createable", writable}, {"updateable", writable}, {"filterable", usable}, {"sortable", usable && f.Type != typeMulti},
	}
	if f.Type.isText() && !f.Type.isID() {
		o = append(o, Member{"length", f.maxLength()})
	}
	if f.Type == typeReference {
		o = append(o, Member{"referenceTo", slices.Clone(f.RefTo)}, Member{"relationshipName", f.Rel})
	}
	if f.Values != nil {
		o = append(o, Member{"picklistValues", f.Values})
	}
	if f.Formula != "" {
		o = append(o, Member{"calculated", true}, Member{"calculatedFormula", f.Formula})
	}
	return o
}
