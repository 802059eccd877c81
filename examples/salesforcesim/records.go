package salesforcesim

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	dateLayout     = "2006-01-02"
	dateTimeLayout = "2006-01-02T15:04:05.000-0700"

	// binTime is how long a deleted record can be brought back.
	binTime = 15 * 24 * time.Hour
)

// record is one row of an object. Values are string, float64, bool or absent; dates are
// text in the layouts above, in UTC.
type record struct {
	object    *objectSchema
	id        string
	values    map[string]any
	changed   int       // rises with every write of the org: the order of the recent items
	deletedAt time.Time // zero while the record is not in the Recycle Bin
}

func (r *record) live() bool { return r.deletedAt.IsZero() }

func (r *record) text(field string) string {
	s, _ := r.values[field].(string)
	return s
}

// name is what people call the record by.
func (r *record) name() string { return r.text(r.object.NameField) }

// dataset is the records of one org. It is safe for concurrent use: callTool, getPrompt
// and records take the lock for their whole work, everything below them expects it to
// be held.
type dataset struct {
	now    func() time.Time
	schema orgSchema

	mu      sync.Mutex
	rows    map[*objectSchema][]*record // in order of creation, with those in the Recycle Bin
	byID    map[string]*record
	serial  map[string]int // key prefix → last number given
	writes  int
	cursors map[string]cursor // query locator → the rest of a long answer

	file    string // where the records are kept; "" for memory alone
	log     *slog.Logger
	unsaved bool // something changed since the file was written
}

// newDataset returns an org with the seeded records. Their dates are relative to the
// time that now tells.
func newDataset(now func() time.Time) *dataset {
	d := &dataset{now: now, schema: newOrgSchema()}
	d.clear()
	d.seed()
	return d
}

// reset brings the seeded records back. It works in place, so that a call under way
// cannot write records from before the reset over the file.
func (d *dataset) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	d.seed()
	d.save()
}

// clear forgets every record.
func (d *dataset) clear() {
	d.rows = map[*objectSchema][]*record{}
	d.byID = map[string]*record{}
	d.serial = map[string]int{}
	d.writes = 0
	d.cursors = map[string]cursor{}
}

// records returns the records of an object that are not deleted, in order of creation:
// what the control API shows. It answers to no permission; nil means that there is no
// such object.
func (d *dataset) records(sobject string) []map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.schema.object(sobject)
	if s == nil {
		return nil
	}
	out := []map[string]any{}
	for _, r := range d.live(s) {
		out = append(out, maps.Clone(r.values))
	}
	return out
}

// live returns the records of the object that are not in the Recycle Bin.
func (d *dataset) live(s *objectSchema) []*record {
	var out []*record
	for _, r := range d.rows[s] {
		if r.live() {
			out = append(out, r)
		}
	}
	return out
}

// children returns the live records that point at the parent through the relationship.
func (d *dataset) children(c childSchema, parentID string) []*record {
	return slices.DeleteFunc(d.live(c.Object), func(r *record) bool { return r.text(c.Field.Name) != parentID })
}

// parentOf follows a reference field; nil means that it is empty or that its target is deleted.
func (d *dataset) parentOf(r *record, f *fieldSchema) *record {
	p := d.byID[r.text(f.Name)]
	if p == nil || !p.live() {
		return nil
	}
	return p
}

// find returns the live record of the object with this id, as REST answers for one that is missing.
func (d *dataset) find(s *objectSchema, id string) (*record, *apiError) {
	full, ok := normalizeID(id)
	if !ok {
		return nil, refuse("MALFORMED_ID", "%s ID: id value of incorrect type: %s", s.Name, id)
	}
	r := d.byID[full]
	if r == nil || r.object != s {
		return nil, refuse("NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", id)
	}
	if !r.live() {
		return nil, refuse("ENTITY_IS_DELETED", "entity is deleted")
	}
	return r, nil
}

// insert stores a record that has been checked, and gives it its id and system fields.
func (d *dataset) insert(s *objectSchema, userID string, values map[string]any) *record {
	d.serial[s.Prefix]++
	r := &record{object: s, id: recordID(s.Prefix, d.serial[s.Prefix]), values: values}
	if s.Name == "Case" {
		r.values["CaseNumber"] = caseNumber(d.serial[s.Prefix])
	}
	if !s.SetupOnly && r.values["OwnerId"] == nil {
		r.values["OwnerId"] = userID
	}
	d.add(r, userID)
	return r
}

// add stores a record that has its id.
func (d *dataset) add(r *record, userID string) {
	r.values["Id"] = r.id
	r.values["IsDeleted"] = false
	r.values["CreatedById"] = orNull(userID)
	r.values["CreatedDate"] = d.now().UTC().Format(dateTimeLayout)
	d.touch(r, userID)
	d.rows[r.object] = append(d.rows[r.object], r)
	d.byID[r.id] = r
}

// touch notes who changed the record and when.
func (d *dataset) touch(r *record, userID string) {
	at := d.now().UTC().Format(dateTimeLayout)
	d.writes++
	d.unsaved = true
	r.changed = d.writes
	r.values["LastModifiedById"] = orNull(userID)
	r.values["LastModifiedDate"] = at
	r.values["SystemModstamp"] = at
}

// recent returns the records of the object that were changed last, the latest first, at most n.
func (d *dataset) recent(s *objectSchema, n int) []*record {
	rows := d.live(s)
	slices.SortFunc(rows, func(a, b *record) int { return b.changed - a.changed })
	return rows[:min(n, len(rows))]
}

// ensureUser makes sure that a person who calls has a User record that fits the login,
// with the same profile, role and manager as getUserInfo tells.
func (d *dataset) ensureUser(u *User) {
	id, ok := normalizeID(u.ID)
	if !ok {
		return
	}
	values := d.userValues(u)
	if r := d.byID[id]; r != nil {
		maps.Copy(r.values, values)
		return
	}
	r := &record{object: d.schema.object("User"), id: id, values: values}
	d.add(r, id)
}

// userValues are the fields of a person's User record.
func (d *dataset) userValues(u *User) map[string]any {
	values := map[string]any{
		"Username": u.Username, "Name": u.Name, "Email": u.Email, "IsActive": !u.Frozen, "TimeZoneSidKey": u.Timezone,
		"ProfileId": d.named("Profile", u.Profile), "UserRoleId": d.named("UserRole", u.Role),
	}
	for _, r := range d.live(d.schema.object("User")) {
		if strings.EqualFold(r.name(), u.Manager) {
			values["ManagerId"] = r.id
		}
	}
	for name, v := range values {
		if v == nil || v == "" {
			delete(values, name)
		}
	}
	return values
}

// named returns the id of the record of a setup object with this name, and makes the
// record if there is none.
func (d *dataset) named(object, name string) any {
	if name == "" {
		return nil
	}
	s := d.schema.object(object)
	for _, r := range d.live(s) {
		if r.name() == name {
			return r.id
		}
	}
	return d.insert(s, "", map[string]any{"Name": name}).id
}
