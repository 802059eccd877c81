package records

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

	// BinTime is how long a deleted record can be brought back.
	BinTime = 15 * 24 * time.Hour
)

// record is one row of an object. Values are string, float64, bool or absent; dates are
// text in the layouts above, in UTC.
type record struct {
	object    *objectSchema
	id        string
	values    map[string]any
	changed   int       // rises with every write of the org: the order of the recent items
	deletedAt time.Time // zero while the record is not in the Recycle Bin

	categories map[string]string // of an article: data category group → category
}

func (r *record) live() bool { return r.deletedAt.IsZero() }

func (r *record) text(field string) string {
	s, _ := r.values[field].(string)
	return s
}

// Config says what an org's records are at first and where they are kept.
type Config struct {
	// Now is the org's clock; nil: time.Now.
	Now func() time.Time
	// Users are the people of the org; each has a User record. The first one owns the
	// records of the start.
	Users []User
	// Records are those of the start; nil: the records of the demonstration.
	Records []Seed
	// File keeps the records across restarts, Recycle Bin included: a change is in it
	// before it is answered. "" keeps them in memory alone. Two stores must not share it.
	File string
	// Log receives a record when the file cannot be written; nil: slog.Default.
	Log *slog.Logger
}

// Store is the records of one org. It is safe for concurrent use: Do and All take the
// lock for their whole work, everything below them expects it to be held.
type Store struct {
	cfg    Config
	schema orgSchema

	mu      sync.Mutex
	rows    map[*objectSchema][]*record // in order of creation, with those in the Recycle Bin
	byID    map[string]*record
	serial  map[string]int // key prefix → last number given
	writes  int
	cursors map[string]cursor // query locator → the rest of a long answer
	unsaved bool              // something changed since the file was written
}

// View is the records as one user may see and change them. It is good for the length of
// one Do.
type View struct {
	d *Store
	u *User
}

// Open returns the records that Config.File keeps, or those of the start where there is
// no such file yet.
func Open(cfg Config) (*Store, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	d := &Store{cfg: cfg, schema: newOrgSchema()}
	d.clear()
	if err := d.start(); err != nil {
		return nil, err
	}
	if cfg.File == "" {
		return d, nil
	}
	return d, d.readFile()
}

// Do lets work see and change the records as the user, alone for its whole length. What
// it changed is in the file when Do returns.
func (d *Store) Do(u *User, work func(*View)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.save()
	d.ensureUser(u)
	work(&View{d, u})
}

// Now is the org's time.
func (v *View) Now() time.Time { return v.d.cfg.Now() }

// Reset brings the records of the start back. It works in place, so that a call under way
// cannot write records from before the reset over the file.
func (d *Store) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	if err := d.start(); err != nil {
		panic("salesforcesim: records that were good at the start: " + err.Error())
	}
	d.save()
}

// clear forgets every record.
func (d *Store) clear() {
	d.rows = map[*objectSchema][]*record{}
	d.byID = map[string]*record{}
	d.serial = map[string]int{}
	d.writes = 0
	d.cursors = map[string]cursor{}
}

// All returns the records of an object that are not deleted, in order of creation. It
// answers to no permission; nil means that there is no such object.
func (d *Store) All(sobject string) []map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.schema.object(sobject)
	if s == nil {
		return nil
	}
	out := []map[string]any{}
	for _, r := range d.live(s) {
		out = append(out, d.allValues(r))
	}
	return out
}

// live returns the records of the object that are not in the Recycle Bin.
func (d *Store) live(s *objectSchema) []*record {
	var out []*record
	for _, r := range d.rows[s] {
		if r.live() {
			out = append(out, r)
		}
	}
	return out
}

// children returns the live records that point at the parent through the relationship.
func (d *Store) children(c childSchema, parentID string) []*record {
	return slices.DeleteFunc(d.live(c.Object), func(r *record) bool { return r.text(c.Field.Name) != parentID })
}

// parentOf follows a reference field; nil means that it is empty or that its target is deleted.
func (d *Store) parentOf(r *record, f *fieldSchema) *record {
	id, _ := d.value(r, f).(string)
	p := d.byID[id]
	if p == nil || !p.live() {
		return nil
	}
	return p
}

// find returns the live record of the object with this id, as REST answers for one that is missing.
func (d *Store) find(s *objectSchema, id string) (*record, *Error) {
	full, ok := NormalizeID(id)
	if !ok {
		return nil, Refuse("MALFORMED_ID", "%s ID: id value of incorrect type: %s", s.Name, id)
	}
	r := d.byID[full]
	if r == nil || r.object != s {
		return nil, Refuse("NOT_FOUND", "Provided external ID field does not exist or is not accessible: %s", id)
	}
	if !r.live() {
		return nil, Refuse("ENTITY_IS_DELETED", "entity is deleted")
	}
	return r, nil
}

// insert stores a record that has been checked, and gives it its id and system fields.
func (d *Store) insert(s *objectSchema, userID string, values map[string]any) *record {
	d.serial[s.Prefix]++
	r := &record{object: s, id: RecordID(s.Prefix, d.serial[s.Prefix]), values: values}
	if s.Number != nil {
		r.values[s.NameField] = s.Number(d.serial[s.Prefix])
	}
	if s.owned() && r.values["OwnerId"] == nil {
		r.values["OwnerId"] = userID
	}
	d.add(r, userID)
	return r
}

// add stores a record that has its id.
func (d *Store) add(r *record, userID string) {
	r.values["Id"] = r.id
	r.values["IsDeleted"] = false
	r.values["CreatedById"] = orNull(userID)
	r.values["CreatedDate"] = d.cfg.Now().UTC().Format(dateTimeLayout)
	d.touch(r, userID)
	d.rows[r.object] = append(d.rows[r.object], r)
	d.byID[r.id] = r
}

// touch notes who changed the record and when.
func (d *Store) touch(r *record, userID string) {
	at := d.cfg.Now().UTC().Format(dateTimeLayout)
	d.writes++
	d.unsaved = true
	r.changed = d.writes
	r.values["LastModifiedById"] = orNull(userID)
	r.values["LastModifiedDate"] = at
	r.values["SystemModstamp"] = at
}

// recent returns the records of the object that were changed last, the latest first, at most n.
func (d *Store) recent(s *objectSchema, n int) []*record {
	rows := d.live(s)
	slices.SortFunc(rows, func(a, b *record) int { return b.changed - a.changed })
	return rows[:min(n, len(rows))]
}

// ensureUser makes sure that a person who calls has a User record that fits the login,
// with the same profile, role and manager as getUserInfo tells.
func (d *Store) ensureUser(u *User) {
	id, ok := NormalizeID(u.ID)
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
func (d *Store) userValues(u *User) map[string]any {
	values := map[string]any{
		"Username": u.Username, "Name": u.Name, "Email": u.Email, "IsActive": !u.Frozen, "TimeZoneSidKey": u.Timezone,
		"ProfileId": d.named("Profile", u.Profile), "UserRoleId": d.named("UserRole", u.Role),
	}
	for _, r := range d.live(d.schema.object("User")) {
		if strings.EqualFold(d.nameOf(r), u.Manager) {
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
func (d *Store) named(object, name string) any {
	if name == "" {
		return nil
	}
	s := d.schema.object(object)
	for _, r := range d.live(s) {
		if d.nameOf(r) == name {
			return r.id
		}
	}
	return d.insert(s, "", map[string]any{"Name": name}).id
}
