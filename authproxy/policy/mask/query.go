package mask

import (
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// valueFunctions write a value otherwise and say nothing else of it. Every other function
// (COUNT, MAX, DISTANCE, CALENDAR_YEAR, …) makes something of it by which it can be found out.
var valueFunctions = []string{"FORMAT", "TOLABEL", "CONVERTCURRENCY", "CONVERTTIMEZONE"}

// clauseWords say to a caller what to change, by the clause that uses a hidden field.
var clauseWords = map[reach.Clause]string{
	reach.Where:    "take it out of the WHERE clause, in subqueries too",
	reach.GroupBy:  "take it out of GROUP BY",
	reach.Having:   "take it out of HAVING",
	reach.OrderBy:  "take it out of ORDER BY",
	reach.Relation: "do not follow a relationship through it",
}

// textNoObjects is said of a search that names no objects: it looks into all fields of all.
const textNoObjects = "Your organization hides fields, into which this search would look. The call was not made: name the objects after RETURNING, and search IN NAME FIELDS."

// Refusal says in a sentence for the caller why a call cannot be made, "" if nothing stands
// against it: it chooses, sorts, groups or counts records by a hidden field, looks into one
// by a search, refers to a record by one that it writes, or follows a relationship that one holds.
// The sentence names what the call itself names, and what to take out of it.
func (h *Hiding) Refusal(v *reach.Value) string {
	if v.Search != nil && len(v.Search.Returning) == 0 && !h.Nothing() {
		return textNoObjects
	}
	for i := range v.Fields {
		f := &v.Fields[i]
		if words := wordsOn(v, f); words != "" && h.Reaches(Field{Object: f.Object, Name: f.Name}) > Shown {
			return refusal(f, words)
		}
	}
	for _, s := range v.Selections() {
		if text := h.refusesSelection(&s); text != "" {
			return text
		}
	}
	return ""
}

// wordsOn says what to change where a field is hidden that stands there, "" if it may stay.
func wordsOn(v *reach.Value, f *reach.Field) string {
	switch {
	case f.At.Clause == reach.Find && v.Search != nil && v.Search.Scope == "NAME" && !v.Search.Snippets:
		return "take " + f.At.Names[0] + " out of RETURNING, because the search looks there IN NAME FIELDS, too"
	case f.At.Clause == reach.Find:
		return "search IN NAME FIELDS, for objects of which the name is not hidden, without SNIPPET"
	case f.At.Refers():
		return "refer to the record by its id"
	case f.At.Clause == reach.Select && f.Name != reach.Whole && len(f.At.Names) > 1 && !strings.EqualFold(f.At.Names[len(f.At.Names)-1], f.Name):
		return clauseWords[reach.Relation]
	case f.Name == reach.Whole && f.At.Clause == reach.Relation:
		return ""
	}
	return clauseWords[f.At.Clause]
}

func refusal(f *reach.Field, words string) string {
	name := f.Name
	if name == reach.Whole {
		name = "fields"
	}
	if f.Object != "" {
		name += " of " + f.Object
	}
	return fmt.Sprintf("Your organization hides %s. The call was not made: %s.", name, words)
}

// refusesSelection looks for functions of hidden fields in a field list.
func (h *Hiding) refusesSelection(s *reach.Selection) string {
	for _, c := range s.Columns {
		i := slices.IndexFunc(c.Functions, func(name string) bool { return !slices.Contains(valueFunctions, name) })
		if i < 0 {
			continue
		}
		for _, f := range c.Fields {
			if h.Reaches(f) > Shown {
				return fmt.Sprintf("Your organization hides %s. The call was not made: take the function %s of it out of the field list.", f.Name, c.Functions[i])
			}
		}
	}
	for i := range s.Children {
		if text := h.refusesSelection(&s.Children[i]); text != "" {
			return text
		}
	}
	return ""
}

// Asked is what a call answers of hidden fields under names of its own.
func (h *Hiding) Asked(v *reach.Value) (a Asked) {
	for _, s := range v.Selections() {
		h.askedFor(&s, &a)
	}
	return a
}

// userMembers are the members of what getUserInfo answers that are not called as the field whose
// value they are.
var userMembers = map[string]Field{
	"manager": {Object: "User", Name: "Name"}, "role": {Object: "UserRole", Name: "Name"}, "profile": {Object: "Profile", Name: "Name"},
	"timezone": {Object: "User", Name: "TimeZoneSidKey"}, "localtime": {Object: "User", Name: "TimeZoneSidKey"},
}

// AskedOfUser is the same of getUserInfo, which has no query.
func (h *Hiding) AskedOfUser() (a Asked) {
	a.Aliases = map[string]Action{}
	for member, f := range userMembers {
		if action := h.Of(f); action > Shown {
			a.Aliases[member] = action
		}
	}
	return a
}

func (h *Hiding) askedFor(s *reach.Selection, a *Asked) {
	for _, c := range s.Columns {
		if c.Alias == "" && len(c.Functions) == 0 {
			continue
		}
		action := Shown
		for _, f := range c.Fields {
			action = max(action, h.Reaches(f))
		}
		switch {
		case action == Shown:
		case c.Alias == "":
			a.Unnamed = max(a.Unnamed, action)
		default:
			if a.Aliases == nil {
				a.Aliases = map[string]Action{}
			}
			name := strings.ToLower(c.Alias)
			a.Aliases[name] = max(a.Aliases[name], action)
		}
	}
	for i := range s.Children {
		h.askedFor(&s.Children[i], a)
	}
}
