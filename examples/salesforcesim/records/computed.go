package records

import (
	"maps"
	"strings"
)

// value reads a field of a record, stored or computed; nil means null. It answers to no
// permission.
func (d *Store) value(r *record, f *fieldSchema) any {
	if f.Compute != nil {
		return f.Compute(d, r)
	}
	return r.values[f.Name]
}

// nameOf is what people call the record by.
func (d *Store) nameOf(r *record) string {
	name, _ := d.value(r, r.object.field(r.object.NameField)).(string)
	return name
}

// allValues are the fields of a record that are not null, computed ones included.
func (d *Store) allValues(r *record) map[string]any {
	values := maps.Clone(r.values)
	for _, f := range r.object.Fields {
		if f.Compute == nil {
			continue
		}
		if v := f.Compute(d, r); v != nil {
			values[f.Name] = v
		}
	}
	return values
}

// copied is a field that shows a field of another record: the first path that leads to a
// value. The platform copies it whatever the user may see of that record.
func copied(paths ...string) func(*Store, *record) any {
	return func(d *Store, r *record) any {
		for _, path := range paths {
			if v := d.valueAt(r, strings.Split(path, ".")); v != nil {
				return v
			}
		}
		return nil
	}
}

// valueAt follows a path of relationships to a field.
func (d *Store) valueAt(r *record, path []string) any {
	for _, rel := range path[:len(path)-1] {
		if r = d.parentOf(r, r.object.parent(rel)); r == nil {
			return nil
		}
	}
	return d.value(r, r.object.field(path[len(path)-1]))
}

// linePrice is quantity times unit price.
func linePrice(_ *Store, r *record) any {
	quantity, _ := r.values["Quantity"].(float64)
	price, _ := r.values["UnitPrice"].(float64)
	return quantity * price
}

// totalOf sums a field of the children of a relationship.
func totalOf(rel, field string) func(*Store, *record) any {
	return func(d *Store, r *record) any {
		total := 0.0
		child, _ := r.object.child(rel)
		for _, c := range d.children(child, r.id) {
			n, _ := d.value(c, c.object.field(field)).(float64)
			total += n
		}
		return total
	}
}

// billingAddress is the compound of an account's address, nil where all of it is empty.
func billingAddress(_ *Store, r *record) any {
	address, empty := Object{}, true
	for _, part := range []string{"City", "Country", "Latitude", "Longitude"} {
		v := r.values["Billing"+part]
		empty = empty && v == nil
		address = append(address, Member{strings.ToLower(part), v})
	}
	if empty {
		return nil
	}
	return address
}

// activityAccount is the account of what a task or an event is about, or of whom it is with.
func activityAccount(d *Store, r *record) any {
	for _, rel := range []string{"What", "Who"} {
		about := d.parentOf(r, r.object.parent(rel))
		switch {
		case about == nil:
		case about.object.Name == "Account":
			return about.id
		case about.object.field("AccountId") != nil:
			return orNull(about.text("AccountId"))
		}
	}
	return nil
}
