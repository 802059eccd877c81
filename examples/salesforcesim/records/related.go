package records

import "strings"

// recentItems is how many records Recent answers with.
const recentItems = 25

// Recent lists the records of an object that were changed or viewed last, the latest first.
func (v *View) Recent(object string) ([]any, *Error) {
	s, refused := v.visibleObject(object)
	if refused != nil {
		return nil, refused
	}
	items := []any{}
	for _, r := range v.d.recent(s, recentItems) {
		item := Object{{"attributes", attributes(r)}, {"Id", r.id}}
		if f := visibleField(v.u, s, s.NameField); f != nil && f.Name != "Id" {
			item = append(item, Member{f.Name, v.d.value(r, f)})
		}
		items = append(items, item)
	}
	return items, nil
}

// Read is a record with every field that the user may see, as the REST API returns it by id.
func (v *View) Read(object, id string) (Object, *Error) {
	s, refused := v.visibleObject(object)
	if refused != nil {
		return nil, refused
	}
	r, refused := v.d.find(s, id)
	if refused != nil {
		return nil, refused
	}
	return v.full(r), nil
}

func (v *View) full(r *record) Object {
	o := Object{{"attributes", attributes(r)}}
	for _, f := range visibleFields(v.u, r.object) {
		o = append(o, Member{f.Name, written(f.Type, v.d.value(r, f))})
	}
	return o
}

// Card is how a record is shown to a person.
type Card struct {
	ID, Object string
	Title      any // its name; null where the user may not see it
}

// Card finds a record of whatever object by its id.
func (v *View) Card(id string) (Card, *Error) {
	full, _ := NormalizeID(id)
	s := v.d.schema.objectOf(full)
	if full == "" || s == nil || !canSee(v.u, s) {
		return Card{}, Refuse("NOT_FOUND", "The requested resource does not exist")
	}
	r, refused := v.d.find(s, full)
	if refused != nil {
		return Card{}, refused
	}
	return Card{ID: r.id, Object: s.Name, Title: v.shownName(r)}, nil
}

// Related answers with the records at the end of a relationship path: one parent, or a
// query's answer with any number of children. Steps are separated by a slash or a dot.
func (v *View) Related(object, id, path string) (Object, *Error) {
	target, refused := v.related(object, id, path)
	if refused != nil {
		return nil, refused
	}
	if target.one != nil {
		return v.full(target.one), nil
	}
	records := []any{}
	for _, r := range target.many {
		records = append(records, v.full(r))
	}
	return queryAnswer(len(records), records, ""), nil
}

// RelatedParent finds the one record that a path of parents leads to. REST changes and
// deletes through a relationship only where it leads to one record.
func (v *View) RelatedParent(object, id, path string) (Card, *Error) {
	target, refused := v.related(object, id, path)
	if refused != nil {
		return Card{}, refused
	}
	if target.one == nil {
		return Card{}, Refuse("METHOD_NOT_ALLOWED", "HTTP Method not allowed on a relationship to many records. Allowed are GET,HEAD")
	}
	return Card{ID: target.one.id, Object: target.one.object.Name}, nil
}

// relatedTarget is the end of a relationship path: one parent or any number of children.
type relatedTarget struct {
	one  *record
	many []*record
}

// related follows a path of parents; its last step may be a child relationship.
func (v *View) related(object, id, path string) (relatedTarget, *Error) {
	s, refused := v.visibleObject(object)
	if refused != nil {
		return relatedTarget{}, refused
	}
	r, refused := v.d.find(s, id)
	if refused != nil {
		return relatedTarget{}, refused
	}
	missing := Refuse("NOT_FOUND", "The requested resource does not exist")
	steps := strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == '.' })
	if len(steps) == 0 {
		return relatedTarget{}, missing
	}
	for i, step := range steps {
		if child, ok := r.object.child(step); ok && i == len(steps)-1 && canSee(v.u, child.Object) && canSeeField(v.u, child.Object, child.Field) {
			return relatedTarget{many: v.d.children(child, r.id)}, nil
		}
		hop := r.object.parent(step)
		if hop == nil || !canSeeField(v.u, r.object, hop) {
			return relatedTarget{}, missing
		}
		if r = v.d.parentOf(r, hop); r == nil || !canSee(v.u, r.object) {
			return relatedTarget{}, missing
		}
	}
	return relatedTarget{one: r}, nil
}
