package schema

import (
	"maps"
	"strings"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/policy/reach"
)

// How long what was said of an object counts: for the user who was told, who may be allowed to
// see more by then, as long as a list of tools does; for everybody, whom it only denies more,
// longer. Retry is how long an object that was not described is not asked for again.
const (
	Age       = 5 * time.Minute
	AgeForAll = 24 * time.Hour
	Retry     = time.Minute
)

// Bounds of what is remembered.
const (
	maxObjects = 500      // of one user
	maxUsers   = 5000     // of one org
	maxBytes   = 16 << 20 // of one org, about
)

// Store remembers what orgs said. It is safe for concurrent use.
type Store struct {
	now  func() time.Time
	mu   sync.Mutex
	orgs map[string]*org
}

// New returns a store that knows nothing. now must not be nil.
func New(now func() time.Time) *Store { return &Store{now: now, orgs: map[string]*org{}} }

// told is what was said of one object, until it is too old.
type told struct {
	*reach.Description
	until time.Time
}

// org is what one org said: to each user, and to anybody, by object in lower case.
type org struct {
	users   map[string]*user // by subject
	any     map[string]told
	others  user // all who were told nothing
	bytes   int  // of descriptions, counted as if none were shared
	version int  // of any
}

// user is what one user was told, and what was made of it last.
type user struct {
	own     map[string]told
	schema  *reach.Schema // nil: to be made
	version int           // of the org's, that it was made of
	until   time.Time     // when the first of it is too old
}

// Learn takes what one user was told.
func (s *Store) Learn(orgName, subject string, descriptions []*reach.Description) {
	s.learn(orgName, subject, descriptions, Age)
}

// Missed takes that an object was not described to a user, so that it is not asked for again at
// once.
func (s *Store) Missed(orgName, subject, object string) {
	s.learn(orgName, subject, []*reach.Description{reach.NotDescribed(object)}, Retry)
}

func (s *Store) learn(orgName, subject string, descriptions []*reach.Description, age time.Duration) {
	if len(descriptions) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	o := s.orgs[orgName]
	if o == nil {
		o = &org{users: map[string]*user{}, any: map[string]told{}}
		s.orgs[orgName] = o
	}
	u := o.users[subject]
	if u == nil {
		if len(o.users) >= maxUsers {
			o.sweep(now)
		}
		if len(o.users) >= maxUsers {
			return
		}
		u = &user{own: map[string]told{}}
	}
	for _, d := range descriptions {
		o.add(u, told{d, now.Add(age)}, now)
	}
	o.users[subject] = u
}

// add remembers one description. What was said to others before stays beside it.
func (o *org) add(u *user, t told, now time.Time) {
	d := t.Description
	object := strings.ToLower(d.Object)
	before, known := u.own[object]
	if !known && len(u.own) >= maxObjects || o.bytes+d.Size() > maxBytes {
		o.sweep(now)
	}
	if !known && len(u.own) >= maxObjects || o.bytes+2*d.Size() > maxBytes { // once for the user, and once for all
		return
	}
	if known {
		o.bytes -= before.Size()
	}
	all, said := o.any[object]
	if said && !now.Before(all.until) {
		o.bytes -= all.Size()
		delete(o.any, object)
		all, said = told{}, false
	}
	if said && all.Equal(d) {
		d = all.Description // one for both
	}
	u.own[object], u.schema = told{d, t.until}, nil
	o.bytes += d.Size()
	if d.SaysNothing() { // else one user could fill the org's memory with names of no objects
		return
	}
	merged := d
	if said {
		o.bytes -= all.Size()
		if merged = all.Merged(d); merged.Equal(all.Description) {
			merged = all.Description
		}
	}
	o.bytes += merged.Size()
	if o.any[object] = (told{merged, now.Add(AgeForAll)}); !said || merged != all.Description {
		o.version++
	}
}

// sweep drops what is too old.
func (o *org) sweep(now time.Time) {
	old := func(_ string, t told) bool {
		if now.Before(t.until) {
			return false
		}
		o.bytes -= t.Size()
		return true
	}
	before := len(o.any)
	if maps.DeleteFunc(o.any, old); len(o.any) < before {
		o.version++
	}
	for subject, u := range o.users {
		before := len(u.own)
		if maps.DeleteFunc(u.own, old); len(u.own) < before {
			u.schema = nil
		}
		if len(u.own) == 0 {
			delete(o.users, subject)
		}
	}
}

// For returns what is known for the calls of a user; nil: the standard objects.
func (s *Store) For(orgName, subject string) *reach.Schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orgs[orgName]
	if o == nil {
		return nil
	}
	u := o.users[subject]
	if u == nil {
		u = &o.others
	}
	now := s.now()
	if u.schema != nil && u.version == o.version && now.Before(u.until) {
		return u.schema
	}
	return u.make(o, now)
}

// make makes the schema of what is not too old.
func (u *user) make(o *org, now time.Time) *reach.Schema {
	u.until = now.Add(Age)
	current := func(from map[string]told) map[string]*reach.Description {
		to := make(map[string]*reach.Description, len(from))
		for object, t := range from {
			if !now.Before(t.until) {
				continue
			}
			to[object] = t.Description
			if t.until.Before(u.until) {
				u.until = t.until
			}
		}
		return to
	}
	u.schema, u.version = reach.NewSchema(current(u.own), current(o.any)), o.version
	return u.schema
}

// Forget drops what a user was told. What the org's objects are stays known to others.
func (s *Store) Forget(orgName, subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orgs[orgName]
	if o == nil || o.users[subject] == nil {
		return
	}
	for _, t := range o.users[subject].own {
		o.bytes -= t.Size()
	}
	delete(o.users, subject)
}
