package records

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Create makes a record as the user and returns its id. It checks what Salesforce
// checks, in the same order: object permission, fields, required fields, the validation
// rule, the duplicate rule.
func (v *View) Create(object string, body map[string]any) (string, *Error) {
	s, refused := v.visibleObject(object)
	if refused != nil {
		return "", refused
	}
	if refused := writable(v.u, s); refused != nil {
		return "", refused
	}
	changes, refused := v.changes(s, body)
	if refused != nil {
		return "", refused
	}
	r, refused := v.insertChecked(s, changes)
	if refused != nil {
		return "", refused
	}
	return r.id, nil
}

// insertChecked stores a new record with these values, each of which has been checked,
// and the defaults of the others.
func (v *View) insertChecked(s *objectSchema, changes map[string]any) (*record, *Error) {
	values := map[string]any{}
	for _, f := range s.Fields {
		if f.Default != nil {
			values[f.Name] = f.Default
		}
	}
	applyChanges(values, changes)
	v.d.derive(s, values, changes)
	if refused := v.d.validate(s, values, ""); refused != nil {
		return nil, refused
	}
	return v.d.insert(s, v.u.ID, values), nil
}

// Update changes the named fields of a record as the user and leaves the others as they are.
func (v *View) Update(object, id string, body map[string]any) *Error {
	r, refused := v.forWrite(object, id)
	if refused != nil {
		return refused
	}
	changes, refused := v.changes(r.object, body)
	if refused != nil {
		return refused
	}
	values := maps.Clone(r.values)
	applyChanges(values, changes)
	v.d.derive(r.object, values, changes)
	if refused := v.d.validate(r.object, values, r.id); refused != nil {
		return refused
	}
	r.values = values
	v.d.touch(r, v.u.ID)
	return nil
}

// Delete moves a record, and what hangs on it, to the Recycle Bin.
func (v *View) Delete(object, id string) *Error {
	r, refused := v.forWrite(object, id)
	if refused != nil {
		return refused
	}
	doomed, refused := v.d.doomed(r)
	if refused != nil {
		return refused
	}
	for _, x := range doomed {
		x.deletedAt = v.d.cfg.Now()
		x.values["IsDeleted"] = true
		v.d.touch(x, v.u.ID)
		v.d.clearReferences(x)
	}
	return nil
}

// clearReferences empties the fields that point at a deleted record and do not go with it.
func (d *Store) clearReferences(r *record) {
	for _, c := range r.object.Children {
		if c.Field.OnDelete != clearReference {
			continue
		}
		for _, child := range d.children(c, r.id) {
			delete(child.values, c.Field.Name)
		}
	}
}

// doomed returns the record and all records that are deleted with it, or the refusal of
// one that must stay.
func (d *Store) doomed(r *record) ([]*record, *Error) {
	out := []*record{r}
	for _, c := range r.object.Children {
		for _, child := range d.children(c, r.id) {
			switch c.Field.OnDelete {
			case forbidDelete:
				return nil, Refuse("DELETE_FAILED", "The record cannot be deleted, since %s %s belongs to it", c.Object.Name, child.id)
			case deleteWithIt:
				more, refused := d.doomed(child)
				if refused != nil {
					return nil, refused
				}
				out = append(out, more...)
			}
		}
	}
	return out, nil
}

// Undelete brings a record back from the Recycle Bin while it is kept there.
func (v *View) Undelete(object, id string) *Error {
	s, refused := v.visibleObject(object)
	if refused != nil {
		return refused
	}
	if refused := writable(v.u, s); refused != nil {
		return refused
	}
	full, _ := NormalizeID(id)
	r := v.d.byID[full]
	if r == nil || r.object != s || r.live() || v.d.cfg.Now().Sub(r.deletedAt) > BinTime {
		return Refuse("UNDELETE_FAILED", "entity is not in the recycle bin")
	}
	r.deletedAt = time.Time{}
	r.values["IsDeleted"] = false
	v.d.touch(r, v.u.ID)
	return nil
}

// forWrite finds a record that the user may change.
func (v *View) forWrite(object, id string) (*record, *Error) {
	s, refused := v.visibleObject(object)
	if refused != nil {
		return nil, refused
	}
	r, refused := v.d.find(s, id)
	if refused != nil {
		return nil, refused
	}
	return r, writable(v.u, s)
}

// changes checks the fields of a body one by one and returns them under their proper
// names. A field that is hidden from the user is refused in the same words as one that
// does not exist.
func (v *View) changes(s *objectSchema, body map[string]any) (map[string]any, *Error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if name == "attributes" {
			continue
		}
		f := visibleField(v.u, s, name)
		if f == nil {
			return nil, Refuse("INVALID_FIELD", "No such column '%s' on sobject of type %s", name, s.Name)
		}
		if f.System {
			e := Refuse("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: %s. The field is not writeable for your profile.", f.Name)
			e.Fields = []string{f.Name}
			return nil, e
		}
		v, refused := v.d.coerce(s, f, body[name])
		if refused != nil {
			return nil, refused
		}
		out[f.Name] = v
	}
	return out, nil
}

// coerce checks that a value fits its field. Empty text is null.
func (d *Store) coerce(s *objectSchema, f *fieldSchema, v any) (any, *Error) {
	if v == nil || v == "" {
		return nil, nil
	}
	wrong := Refuse("JSON_PARSER_ERROR", "Cannot deserialize instance of %s from value %v", f.Type, v)
	switch {
	case f.Type == typeBoolean:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, wrong
	case f.Type.isNumber():
		if n, ok := v.(float64); ok && (f.Type != typeInt || n == math.Trunc(n)) {
			return n, nil
		}
		return nil, wrong
	}
	text, ok := v.(string)
	if !ok {
		return nil, wrong
	}
	switch f.Type {
	case typeDate:
		if _, err := time.Parse(dateLayout, text); err != nil {
			return nil, wrong
		}
	case typeDateTime:
		t, ok := parseDateTime(text)
		if !ok {
			return nil, wrong
		}
		return t.UTC().Format(dateTimeLayout), nil
	case typeReference:
		return d.coerceReference(f, text)
	}
	if utf8.RuneCountInString(text) > f.maxLength() {
		e := Refuse("STRING_TOO_LONG", "%s: data value too large: (max length=%d)", labelOf(f.Name), f.maxLength())
		e.Fields = []string{f.Name}
		return nil, e
	}
	if f.Type == typeEmail && !strings.Contains(text, "@") {
		e := Refuse("INVALID_EMAIL_ADDRESS", "%s: invalid email address: %s", labelOf(f.Name), text)
		e.Fields = []string{f.Name}
		return nil, e
	}
	return text, nil
}

// coerceReference checks that an id points at a live record of an object that the field
// may point at.
func (d *Store) coerceReference(f *fieldSchema, text string) (any, *Error) {
	id, ok := NormalizeID(text)
	if !ok {
		return nil, Refuse("MALFORMED_ID", "%s: id value of incorrect type: %s", labelOf(f.Name), text)
	}
	r := d.byID[id]
	if r == nil || !slices.Contains(f.RefTo, r.object.Name) {
		return nil, Refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	}
	if !r.live() {
		return nil, Refuse("ENTITY_IS_DELETED", "entity is deleted")
	}
	return id, nil
}

func applyChanges(values, changes map[string]any) {
	for name, v := range changes {
		if v == nil {
			delete(values, name)
		} else {
			values[name] = v
		}
	}
}

// derive writes the fields that the platform computes from the others.
func (d *Store) derive(s *objectSchema, values, changes map[string]any) {
	text := func(field string) string { t, _ := values[field].(string); return t }
	switch s.Name {
	case "Contact", "Lead":
		values["Name"] = strings.TrimSpace(text("FirstName") + " " + text("LastName"))
		if s.Name == "Lead" && values["IsConverted"] == nil {
			values["IsConverted"] = false
		}
	case "Opportunity":
		stage := text("StageName")
		values["IsWon"] = stage == "Closed Won"
		values["IsClosed"] = strings.HasPrefix(stage, "Closed")
		if p, known := stageProbability[stage]; known && changes["StageName"] != nil && changes["Probability"] == nil {
			values["Probability"] = p
		}
	case "Case":
		closed := text("Status") == "Closed"
		values["IsClosed"] = closed
		if !closed {
			delete(values, "ClosedDate")
		} else if values["ClosedDate"] == nil {
			values["ClosedDate"] = d.cfg.Now().UTC().Format(dateTimeLayout)
		}
	case "Task":
		values["IsClosed"] = text("Status") == "Completed"
	case "CampaignMember":
		values["HasResponded"] = text("Status") == "Responded"
	case "Pricebook2":
		values["IsStandard"] = text("Name") == "Standard Price Book"
	}
}

var stageProbability = map[string]float64{
	"Prospecting": 10, "Qualification": 20, "Proposal/Price Quote": 60, "Negotiation/Review": 80, "Closed Won": 100, "Closed Lost": 0,
}

// validate checks a whole record as it would be stored; id is "" for a new one.
func (d *Store) validate(s *objectSchema, values map[string]any, id string) *Error {
	var missing []string
	for _, f := range s.Fields {
		if f.Required && values[f.Name] == nil {
			missing = append(missing, f.Name)
		}
	}
	if missing != nil {
		e := Refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [%s]", strings.Join(missing, ", "))
		e.Fields = missing
		return e
	}
	if s.Name == "Opportunity" && values["IsWon"] == true && values["Amount"] == nil {
		e := Refuse("FIELD_CUSTOM_VALIDATION_EXCEPTION", "An opportunity that is won needs an amount.")
		e.Fields = []string{"Amount"}
		return e
	}
	if key, _ := values[s.DuplicateBy].(string); key != "" {
		for _, r := range d.live(s) {
			if r.id != id && strings.EqualFold(r.text(s.DuplicateBy), key) {
				return Refuse("DUPLICATES_DETECTED", "Use one of the existing records: a %s with this %s exists.", s.Name, s.DuplicateBy)
			}
		}
	}
	return nil
}
