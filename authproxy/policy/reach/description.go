package reach

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Description is what the org said of one object to one user, as far as the names of standard
// objects do not tell it: where its relations lead, and which of its fields show values of
// others. It must not be changed.
type Description struct {
	// Object is its API name, as the org writes it.
	Object string
	// parents and children are the objects to which relations lead, by their names in lower
	// case.
	parents, children map[string][]string
	// shows are the fields of which one shows values, as paths from its own record, by its name
	// in lower case: of a formula what stands in it, of a compound its parts, of a part the
	// compound.
	shows map[string][]string
	// told: the org did describe it. persons: it is Account, with fields of a person.
	told, persons bool
}

// Bounds of a description. What is beyond stays unknown, or not hidden, as without one.
const (
	maxDescribed = 4000 // fields, and child relations, of one object
	maxShows     = 200  // fields of which one field shows values
	maxTargets   = 500  // objects to which a relation leads
)

// SaysNothing reports whether nothing is known by it.
func (d *Description) SaysNothing() bool {
	return len(d.parents)+len(d.children)+len(d.shows) == 0 && !d.persons
}

// Size is about how many bytes it takes.
func (d *Description) Size() int {
	const each = 64
	n := each + len(d.Object)
	for _, of := range []map[string][]string{d.parents, d.children, d.shows} {
		for name, to := range of {
			n += each + len(name)
			for _, s := range to {
				n += 16 + len(s)
			}
		}
	}
	return n
}

// Equal reports whether both say the same of the same object.
func (d *Description) Equal(o *Description) bool {
	return d.Object == o.Object && d.told == o.told && d.persons == o.persons && maps.EqualFunc(d.parents, o.parents, slices.Equal) &&
		maps.EqualFunc(d.children, o.children, slices.Equal) && maps.EqualFunc(d.shows, o.shows, slices.Equal)
}

// Merged returns what either says: users are told of different fields, and of different objects
// to which a relation leads.
func (d *Description) Merged(o *Description) *Description {
	if d == nil || o == nil {
		if d == nil {
			return o
		}
		return d
	}
	m := &Description{Object: d.Object, parents: maps.Clone(d.parents), children: maps.Clone(d.children), shows: maps.Clone(d.shows), told: d.told || o.told, persons: d.persons || o.persons}
	for _, both := range [][2]map[string][]string{{m.parents, o.parents}, {m.children, o.children}, {m.shows, o.shows}} {
		for name, to := range both[1] {
			if have, ok := both[0][name]; ok {
				to = slices.Clip(union(slices.Clip(have), to))
			}
			if len(both[0]) < maxDescribed {
				both[0][name] = to
			}
		}
	}
	return m
}

// describe is the form in which Salesforce describes an object.
type describe struct {
	Name   string `json:"name"`
	Fields []struct {
		Name             string   `json:"name"`
		RelationshipName string   `json:"relationshipName"`
		ReferenceTo      []string `json:"referenceTo"`
		CompoundName     string   `json:"compoundFieldName"`
		Formula          string   `json:"calculatedFormula"`
	} `json:"fields"`
	Children []struct {
		Object       string `json:"childSObject"`
		Field        string `json:"field"`
		Relationship string `json:"relationshipName"`
	} `json:"childRelationships"`
}

// ReadDescriptions reads a text of the answer to getObjectSchema: one description, a list of
// them, or an object with the list sobjects. Only objects that were asked for count, each
// that is described once; what cannot be read says nothing. Of what is read only that counts
// which Salesforce itself would say: a relation is named after the field that holds it, so
// that no description can give the relation of one field the name of another.
func ReadDescriptions(text jsontext.Value, asked []string) []*Description {
	var all []describe
	switch text = bytes.TrimSpace(text); text.Kind() {
	case '[':
		if json.Unmarshal(text, &all) != nil {
			return nil
		}
	case '{':
		var one struct {
			describe `json:",embed"`
			Objects  []describe `json:"sobjects"`
		}
		if json.Unmarshal(text, &one) != nil {
			return nil
		}
		if all = one.Objects; one.Name != "" {
			all = append(all, one.describe)
		}
	}
	var read []*Description
	for i := range all {
		d := &all[i]
		same := func(name string) bool { return strings.EqualFold(name, d.Name) }
		twice := slices.ContainsFunc(all[:i], func(o describe) bool { return same(o.Name) })
		if d.Fields == nil || !ValidObject(d.Name) || !slices.ContainsFunc(asked, same) || len(d.Fields) > maxDescribed || len(d.Children) > maxDescribed {
			continue
		}
		read = slices.DeleteFunc(read, func(r *Description) bool { return same(r.Object) })
		if !twice {
			read = append(read, d.description())
		}
	}
	return read
}

// NotDescribed is what is known of an object that the org does not describe to a user: nothing,
// and that asking again does not help.
func NotDescribed(object string) *Description { return &Description{Object: object} }

func (d *describe) description() *Description {
	out := &Description{Object: d.Name, parents: map[string][]string{}, children: map[string][]string{}, shows: map[string][]string{}, told: true}
	for i := range d.Fields {
		f := &d.Fields[i]
		if !ValidObject(f.Name) {
			continue
		}
		name := strings.ToLower(f.Name)
		out.persons = out.persons || strings.EqualFold(d.Name, accountObject) && (name == "ispersonaccount" || IsPersonField(name))
		relation := strings.ToLower(f.RelationshipName)
		if ValidObject(relation) && strings.EqualFold(foreignKey(relation), name) && validTargets(f.ReferenceTo) {
			out.parents[relation] = f.ReferenceTo
		}
		out.show(name, formulaPaths(f.Formula)...)
		if compound := strings.ToLower(f.CompoundName); ValidObject(compound) && compound != name && !knownCompound(name, compound) {
			out.show(name, compound)
			out.show(compound, name)
		}
	}
	for i := range d.Children {
		c := &d.Children[i]
		relation := strings.ToLower(c.Relationship)
		if !ValidObject(relation) || !ValidObject(c.Object) {
			continue
		}
		if have := out.children[relation]; len(have) < maxTargets {
			out.children[relation] = union(slices.Clip(have), []string{c.Object})
		}
	}
	return out
}

func (d *Description) show(name string, paths ...string) {
	for _, path := range paths {
		if have := d.shows[name]; !slices.Contains(have, path) && len(have) < maxShows {
			d.shows[name] = append(have, path)
		}
	}
}

func validTargets(objects []string) bool {
	return len(objects) > 0 && len(objects) <= maxTargets && !slices.ContainsFunc(objects, func(o string) bool { return !ValidObject(o) })
}

// knownCompound reports whether the names alone tell that a field is part of a compound.
func knownCompound(part, compound string) bool {
	stem, ends := Compound(part)
	return slices.ContainsFunc(ends, func(end string) bool { return stem+end == compound })
}
