package reach

import (
	"maps"
	"slices"
	"strings"
)

// Schema is what is known of the schema of one org for one user: Salesforce's standard objects,
// and what the org said of its own. The zero value and nil know the standard objects.
//
// What the org says comes from users, each of whom is told of what he may see. It is used in
// two ways, neither of which lets anybody do more for what somebody else was told:
//
//   - Where the standard does not know a relation, it leads where the org said to this very user,
//     who can reach nothing behind it that he was not told of, and wherever it said to others.
//     A relation that he was not told of leads nobody knows where.
//   - What the standard knows stays, and what the org said to anybody comes to it: further objects
//     behind a relation, further fields of which one shows the values.
type Schema struct {
	own map[string]*Description // what this user was told, by object in lower case
	all map[string]*Description // what anybody was told

	companies bool // there are no person accounts, whatever was said
}

// NewSchema makes a schema of what one user was told, and of what any was, by objects in lower
// case. Neither must be changed afterwards.
func NewSchema(own, all map[string]*Description) *Schema { return &Schema{own: own, all: all} }

// ofUser and ofAny return what is known of an object; nil: nothing.
func (c *Schema) ofUser(object string) *Description {
	if c == nil {
		return nil
	}
	return find(c.own, object)
}

func (c *Schema) ofAny(object string) *Description {
	if c == nil {
		return nil
	}
	return find(c.all, object)
}

func find(in map[string]*Description, object string) *Description {
	if len(in) == 0 {
		return nil
	}
	var b [64]byte
	return in[string(Lower(b[:0], object))]
}

// Described reports whether the org described an object to this user, or that it does not.
func (c *Schema) Described(object string) bool { return c.ofUser(object) != nil }

// ChildRelations are the names of the relations, in lower case and in order, that lead from an
// object to records which name it, as far as the org described them to this user.
func (c *Schema) ChildRelations(object string) []string {
	d := c.ofUser(object)
	if d == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(d.children))
}

// way is where a relation leads.
type way struct {
	to      []string // nil: nobody knows
	learned bool     // only because the org said so
}

// parentsOf returns the objects to which a relation of object leads upwards.
func (c *Schema) parentsOf(object, relation string) way {
	return c.way(standardParents(object, relation), object, relation, func(d *Description) map[string][]string { return d.parents })
}

// childrenOf returns the objects to which a relation of object leads downwards.
func (c *Schema) childrenOf(object, relation string) way {
	return c.way(standardChildren(object, relation), object, relation, func(d *Description) map[string][]string { return d.children })
}

// ParentsOf are the objects to which a relation of object leads upwards, as far as that is known; nil: it
// is not.
func (c *Schema) ParentsOf(object, relation string) []string { return c.parentsOf(object, relation).to }

// leadsDown reports whether a relation of object is known to lead to records below it, and to
// none above.
func (c *Schema) leadsDown(object, relation string) bool {
	return c.parentsOf(object, relation).to == nil && c.childrenOf(object, relation).to != nil
}

func (c *Schema) way(standard []string, object, relation string, relations func(*Description) map[string][]string) way {
	w := way{to: standard}
	said := c.ofAny(object)
	if said == nil {
		return w
	}
	relation = strings.ToLower(relation)
	if standard == nil {
		if own := c.ofUser(object); own != nil {
			w.to = relations(own)[relation]
		}
		if w.learned = w.to != nil; !w.learned {
			return w
		}
	}
	for _, o := range relations(said)[relation] {
		w.to = union(slices.Clip(w.to), []string{spelling(o)})
	}
	return w
}

// relatives returns the objects to which a relation leads in either direction.
func (c *Schema) relatives(object, relation string) way {
	up, down := c.parentsOf(object, relation), c.childrenOf(object, relation)
	return way{union(slices.Clip(up.to), down.to), up.learned || down.learned}
}

// all returns where a relation of any of the objects leads, by one of the methods above. What
// cannot be determined is dropped next to what can: a relation that exists on the User behind
// Owner and not on the Group leads to that of the User. Where the standard does not know that,
// it is not.
func (f *reading) all(from []string, relation string, of func(object, relation string) way) (next []string) {
	missing, learned := 0, false
	for _, o := range from {
		w := of(o, relation)
		if w.to == nil {
			missing++
		}
		learned = learned || w.learned
		next = union(next, w.to)
	}
	if len(next) > 0 && (missing == 0 || !learned) {
		return next
	}
	for _, o := range from {
		if of(o, relation).to == nil {
			f.undescribed(o)
		}
	}
	return append(slices.Clip(next), UnknownObject)
}

// undescribed notes an object of which a description would tell more.
func (f *reading) undescribed(object string) {
	if object != UnknownObject && f.schema.ofUser(object) == nil && !slices.Contains(f.Undescribed, object) && len(f.Undescribed) < few {
		f.Undescribed = append(f.Undescribed, object)
	}
}

// Unlearned returns objects of which fields are reached that may be formulas of the org's own, or
// whole records, or that tell whether a person may be meant, and that the org did not describe to this
// user, at most few: another may have been told of fewer fields.
func (v *Value) Unlearned() (objects []string) {
	add := func(object string) {
		if object != "" && v.schema.ofUser(object) == nil && !slices.Contains(objects, object) && len(objects) < few {
			objects = append(objects, object)
		}
	}
	for i := range v.Fields {
		f := &v.Fields[i]
		name := strings.ToLower(f.Name)
		if f.Name == Whole || strings.HasSuffix(name, "__c") || strings.HasSuffix(name, "__pc") {
			add(f.Object)
		}
		if v.schema.hangsOnPersons(f.Object, f.Name) {
			add(accountObject)
		} else if twin, ok := v.schema.personCopy(f.Object, f.Name); ok && (twin.Name == Whole || strings.HasSuffix(name, "__pc")) {
			add(contactObject)
		}
	}
	return objects
}

// Copies returns the fields of other objects of which a field holds a copy. Of the org's own
// formulas those are known that the org described; what code and flows copy is not.
func (c *Schema) Copies(object, name string) []Ref {
	list := standardCopies(object, name)
	if twin, ok := c.personCopy(object, name); ok {
		list = c.appendLearned(append(slices.Clip(list), twin), twin.Object, twin.Name)
	}
	return c.appendLearned(slices.Clip(list), object, name)
}

// AppendShown appends the fields of which a field shows the values: itself, and those of
// other objects, in any case of letters. Where a whole contact is shown, [Persons] are.
func (c *Schema) AppendShown(list []Ref, object, name string) []Ref {
	begin := len(list)
	list = c.appendStandard(list, object, name)
	for _, shown := range list[begin:] {
		if c.ofAny(shown.Object) == nil {
			continue
		}
		for _, ref := range c.appendLearned(nil, shown.Object, shown.Name) {
			if len(list)-begin < maxShows {
				list = c.appendStandard(list, ref.Object, ref.Name)
			}
		}
	}
	return list
}

// appendLearned appends the fields that the formulas in a field name, and the parts of a
// compound, as far as the org described them: at most maxShows, with the formulas that those
// name in turn.
func (c *Schema) appendLearned(list []Ref, object, name string) []Ref {
	begin := len(list)
	add := func(ref Ref) {
		if len(list)-begin < maxShows && !slices.Contains(list[begin:], ref) {
			list = append(list, ref)
		}
	}
	d := c.ofAny(object)
	if d == nil {
		return list
	}
	if name == Whole {
		for field := range d.shows {
			c.shownBy(d, field, add)
		}
	} else {
		c.shownBy(d, strings.ToLower(name), add)
	}
	for i := begin; i < len(list); i++ {
		if d := c.ofAny(list[i].Object); d != nil {
			c.shownBy(d, list[i].Name, add)
		}
	}
	return list
}

// shownBy calls add with the fields that one field of an object names.
func (c *Schema) shownBy(d *Description, field string, add func(Ref)) {
	for _, path := range d.shows[field] {
		steps := strings.Split(path, ".")
		last := len(steps) - 1
		for _, o := range c.behind(d.Object, steps[:last]) {
			add(refTo(o, steps[last]))
		}
	}
}

// behind returns the objects to which relations in a formula lead, whoever was told so.
func (c *Schema) behind(object string, relations []string) []string {
	anybody, from := &Schema{own: c.all, all: c.all}, []string{object}
	for i, relation := range relations {
		if strings.HasPrefix(relation, "$") { // $Setup.Limits__c.Most__c; the others are about the user and the org
			if relation == "$setup" && len(relations) == 2 {
				return relations[1:]
			}
			return nil
		}
		relation, kind, named := strings.Cut(relation, ":") // Owner:User.Name says which of several objects
		if i > maxSteps {
			return []string{UnknownObject}
		}
		from = new(reading).all(from, relation, anybody.parentsOf)
		if named {
			from = []string{spelling(kind)}
		}
	}
	return from
}

// maxSteps is how many relations a path in a formula has at most, Salesforce's own bound.
const maxSteps = 10
