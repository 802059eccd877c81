package salesforcesim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// create makes a record as the user and returns its id. It checks what Salesforce
// checks, in the same order: object permission, fields, required fields, the validation
// rule, the duplicate rule.
func (d *dataset) create(u *User, object string, body map[string]any) (string, *apiError) {
	s, refused := d.visibleObject(u, object)
	if refused != nil {
		return "", refused
	}
	if refused := writable(u, s); refused != nil {
		return "", refused
	}
	values := map[string]any{}
	for _, f := range s.Fields {
		if f.Default != nil {
			values[f.Name] = f.Default
		}
	}
	changes, refused := d.changes(u, s, body)
	if refused != nil {
		return "", refused
	}
	applyChanges(values, changes)
	d.derive(s, values, changes)
	if refused := d.validate(s, values, ""); refused != nil {
		return "", refused
	}
	return d.insert(s, u.ID, values).id, nil
}

// update changes the named fields of a record as the user and leaves the others as they are.
func (d *dataset) update(u *User, object, id string, body map[string]any) *apiError {
	r, refused := d.forWrite(u, object, id)
	if refused != nil {
		return refused
	}
	changes, refused := d.changes(u, r.object, body)
	if refused != nil {
		return refused
	}
	values := maps.Clone(r.values)
	applyChanges(values, changes)
	d.derive(r.object, values, changes)
	if refused := d.validate(r.object, values, r.id); refused != nil {
		return refused
	}
	r.values = values
	d.touch(r, u.ID)
	return nil
}

// delete moves a record, and what hangs on it, to the Recycle Bin.
func (d *dataset) delete(u *User, object, id string) *apiError {
	r, refused := d.forWrite(u, object, id)
	if refused != nil {
		return refused
	}
	doomed, refused := d.doomed(r)
	if refused != nil {
		return refused
	}
	for _, x := range doomed {
		x.deletedAt = d.now()
		x.values["IsDeleted"] = true
		d.touch(x, u.ID)
		d.clearReferences(x)
	}
	return nil
}

// clearReferences empties the fields that point at a deleted record and do not go with it.
func (d *dataset) clearReferences(r *record) {
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
func (d *dataset) doomed(r *record) ([]*record, *apiError) {
	out := []*record{r}
	for _, c := range r.object.Children {
		for _, child := range d.children(c, r.id) {
			switch c.Field.OnDelete {
			case forbidDelete:
				return nil, refuse("DELETE_FAILED", "The record cannot be deleted, since %s %s belongs to it", c.Object.Name, child.id)
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

// undelete brings a record back from the Recycle Bin while it is kept there.
func (d *dataset) undelete(u *User, object, id string) *apiError {
	s, refused := d.visibleObject(u, object)
	if refused != nil {
		return refused
	}
	if refused := writable(u, s); refused != nil {
		return refused
	}
	full, _ := normalizeID(id)
	r := d.byID[full]
	if r == nil || r.object != s || r.live() || d.now().Sub(r.deletedAt) > binTime {
		return refuse("UNDELETE_FAILED", "entity is not in the recycle bin")
	}
	r.deletedAt = time.Time{}
	r.values["IsDeleted"] = false
	d.touch(r, u.ID)
	return nil
}

// forWrite finds a record that the user may change.
func (d *dataset) forWrite(u *User, object, id string) (*record, *apiError) {
	s, refused := d.visibleObject(u, object)
	if refused != nil {
		return nil, refused
	}
	r, refused := d.find(s, id)
	if refused != nil {
		return nil, refused
	}
	return r, writable(u, s)
}

// changes checks the fields of a body one by one and returns them under their proper
// names. A field that is hidden from the user is refused in the same words as one that
// does not exist.
func (d *dataset) changes(u *User, s *objectSchema, body map[string]any) (map[string]any, *apiError) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if name == "attributes" {
			continue
		}
		f := visibleField(u, s, name)
		if f == nil {
			return nil, refuse("INVALID_FIELD", "No such column '%s' on sobject of type %s", name, s.Name)
		}
		if f.System {
			e := refuse("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: %s. The field is not writeable for your profile.", f.Name)
			e.Fields = []string{f.Name}
			return nil, e
		}
		v, refused := d.coerce(s, f, body[name])
		if refused != nil {
			return nil, refused
		}
		out[f.Name] = v
	}
	return out, nil
}

// coerce checks that a value fits its field. Empty text is null.
func (d *dataset) coerce(s *objectSchema, f *fieldSchema, v any) (any, *apiError) {
	if v == nil || v == "" {
		return nil, nil
	}
	wrong := refuse("JSON_PARSER_ERROR", "Cannot deserialize instance of %s from value %v", f.Type, v)
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
		e := refuse("STRING_TOO_LONG", "%s: data value too large: (max length=%d)", labelOf(f.Name), f.maxLength())
		e.Fields = []string{f.Name}
		return nil, e
	}
	if f.Type == typeEmail && !strings.Contains(text, "@") {
		e := refuse("INVALID_EMAIL_ADDRESS", "%s: invalid email address: %s", labelOf(f.Name), text)
		e.Fields = []string{f.Name}
		return nil, e
	}
	return text, nil
}

// coerceReference checks that an id points at a live record of an object that the field
// may point at.
func (d *dataset) coerceReference(f *fieldSchema, text string) (any, *apiError) {
	id, ok := normalizeID(text)
	if !ok {
		return nil, refuse("MALFORMED_ID", "%s: id value of incorrect type: %s", labelOf(f.Name), text)
	}
	r := d.byID[id]
	if r == nil || !slices.Contains(f.RefTo, r.object.Name) {
		return nil, refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	}
	if !r.live() {
		return nil, refuse("ENTITY_IS_DELETED", "entity is deleted")
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
func (d *dataset) derive(s *objectSchema, values, changes map[string]any) {
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
			values["ClosedDate"] = d.now().UTC().Format(dateTimeLayout)
		}
	case "Task":
		values["IsClosed"] = text("Status") == "Completed"
	}
}

var stageProbability = map[string]float64{
	"Prospecting": 10, "Qualification": 20, "Proposal/Price Quote": 60, "Negotiation/Review": 80, "Closed Won": 100, "Closed Lost": 0,
}

// validate checks a whole record as it would be stored; id is "" for a new one.
func (d *dataset) validate(s *objectSchema, values map[string]any, id string) *apiError {
	var missing []string
	for _, f := range s.Fields {
		if f.Required && values[f.Name] == nil {
			missing = append(missing, f.Name)
		}
	}
	if missing != nil {
		e := refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [%s]", strings.Join(missing, ", "))
		e.Fields = missing
		return e
	}
	if s.Name == "Opportunity" && values["IsWon"] == true && values["Amount"] == nil {
		e := refuse("FIELD_CUSTOM_VALIDATION_EXCEPTION", "An opportunity that is won needs an amount.")
		e.Fields = []string{"Amount"}
		return e
	}
	if key, _ := values[s.DuplicateBy].(string); key != "" {
		for _, r := range d.live(s) {
			if r.id != id && strings.EqualFold(r.text(s.DuplicateBy), key) {
				return refuse("DUPLICATES_DETECTED", "Use one of the existing records: a %s with this %s exists.", s.Name, s.DuplicateBy)
			}
		}
	}
	return nil
}

func caseNumber(n int) string { return fmt.Sprintf("%08d", 1000+n) }
