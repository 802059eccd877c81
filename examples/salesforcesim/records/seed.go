package records

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Seed is one record that an org has from the start.
type Seed struct {
	Object string `json:"object"` // API name
	// Key is a name by which references of later seeds find this record: "@KEY".
	Key string `json:"key"`
	// User is the username of who made it; "" is the first user of the org.
	User string `json:"user"`
	// Fields are the values, as in a REST body. A date may be TODAY, TODAY+3 or TODAY-3; a
	// reference may be @KEY.
	Fields map[string]any `json:"fields"`
	// Categories are an article's data categories: group to category, Region__c to europe__c.
	Categories map[string]string `json:"categories"`
}

// start fills an org without records. The error names the seed that is wrong.
func (d *Store) start() error {
	users := d.cfg.Users
	for i := len(users) - 1; i >= 0; i-- { // managers first, so that the others find them
		d.ensureUser(&users[i])
	}
	seeds := d.cfg.Records
	if seeds == nil && len(users) > 0 {
		seeds = demonstration(users)
	}
	keys := map[string]string{}
	for i, seed := range seeds {
		id, err := d.plant(seed, keys)
		if err != nil {
			return fmt.Errorf("record %d (%s %s): %w", i+1, seed.Object, seed.Key, err)
		}
		if seed.Key != "" {
			keys[seed.Key] = id
		}
	}
	return nil
}

// plant makes the record of a seed and returns its id. Permissions do not count: it was
// made by whoever could.
func (d *Store) plant(seed Seed, keys map[string]string) (string, error) {
	i := slices.IndexFunc(d.cfg.Users, func(u User) bool { return seed.User == "" || u.Username == seed.User })
	if i < 0 {
		return "", fmt.Errorf("user %q: no such user", seed.User)
	}
	v := &View{d, &User{ID: d.cfg.Users[i].ID}}
	s, refused := v.visibleObject(seed.Object)
	if refused != nil {
		return "", fmt.Errorf("object %q: no such object", seed.Object)
	}
	fields, err := d.seedFields(s, seed.Fields, keys)
	if err != nil {
		return "", err
	}
	changes, refused := v.changes(s, fields)
	if refused != nil {
		return "", refused
	}
	r, refused := v.insertChecked(s, changes)
	if refused != nil {
		return "", refused
	}
	r.categories = seed.Categories
	return r.id, nil
}

// seedFields puts dates and ids in the place of what stands for them.
func (d *Store) seedFields(s *objectSchema, fields map[string]any, keys map[string]string) (map[string]any, error) {
	out := maps.Clone(fields)
	for name, v := range fields {
		f, text := s.field(name), fmt.Sprint(v)
		switch key, isKey := strings.CutPrefix(text, "@"); {
		case f == nil:
			continue // refused with the others
		case f.Type == typeReference && isKey:
			if keys[key] == "" {
				return nil, fmt.Errorf("%s: no record before this one has the key %q", name, key)
			}
			out[name] = keys[key]
		case f.Type.isDate() && strings.HasPrefix(text, "TODAY"):
			days, err := strconv.Atoi(cmp.Or(strings.TrimPrefix(text, "TODAY"), "0"))
			if err != nil {
				return nil, fmt.Errorf("%s: %q is no date: want TODAY, TODAY+n or TODAY-n", name, text)
			}
			out[name] = d.day(f, days)
		}
	}
	return out, nil
}

// day is the date so many days from now, at noon where the field has a time.
func (d *Store) day(f *fieldSchema, days int) string {
	at := d.cfg.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, days)
	if f.Type == typeDate {
		return at.Format(dateLayout)
	}
	return at.Add(12 * time.Hour).Format(dateTimeLayout)
}
