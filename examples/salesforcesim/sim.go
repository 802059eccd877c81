package salesforcesim

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// User is one Salesforce user.
type User struct {
	ID       string `json:"id"`       // 18 characters, 005…; default: by place in the org
	Username string `json:"username"` // looks like an e-mail address, unique across orgs
	Password string `json:"password"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Profile  string `json:"profile"`
	Role     string `json:"role"`
	Manager  string `json:"manager"`  // the manager's name
	Timezone string `json:"timezone"` // IANA name

	Frozen        bool     `json:"frozen"`         // may not sign in, and every token of the user is refused
	ReadOnly      bool     `json:"read_only"`      // no object may be created, changed or deleted
	HiddenObjects []string `json:"hidden_objects"` // API names of objects that the user cannot see
	HiddenFields  []string `json:"hidden_fields"`  // "Object.Field" that field-level security hides from the user
}

// person is the user as the records know people.
func (u User) person() *records.User {
	return &records.User{ID: u.ID, Username: u.Username, Name: u.Name, Email: u.Email, Profile: u.Profile, Role: u.Role,
		Manager: u.Manager, Timezone: u.Timezone, Frozen: u.Frozen,
		ReadOnly: u.ReadOnly, HiddenObjects: u.HiddenObjects, HiddenFields: u.HiddenFields}
}

func people(users []User) []records.User {
	var out []records.User
	for _, u := range users {
		out = append(out, *u.person())
	}
	return out
}

// Sim is one simulated Salesforce: its orgs, its clock, its switches and what it
// remembers, with what a test or an administrator does to them. What it answers over HTTP
// is in its parts, which doc.go names. It is safe for concurrent use.
type Sim struct {
	cfg    Config
	orgs   []*org
	random *random
	skew   atomic.Int64 // nanoseconds that Salesforce's clock is ahead of Config.Now
	log    recorder

	mu          sync.Mutex
	switches    Switches
	definitions Definitions   // changes of what servers list
	switched    chan struct{} // closed when switches change
	state       state
	forgetAt    int // how many codes and access tokens there are to be before ended ones are looked for

	// Parts that others need.
	keys    signingKeys
	grants  grantStore
	gateway gateway
}

// org is an Org at work.
type org struct {
	Org
	prefix string // path prefix: "" for the first org, /orgs/NAME for the others
	base   string // login URL, My Domain URL and issuer
	apps   []*ECA
	data   *records.Store
}

// New makes a simulator. The error joins every problem of the configuration.
func New(cfg Config) (*Sim, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configuring the simulated Salesforce: %w", err)
	}
	s := &Sim{cfg: cfg, random: newRandom(cfg.Seed), switches: cfg.Switches, switched: make(chan struct{})}
	s.keys.sim, s.grants.sim, s.gateway.sim = s, s, s
	for i, configured := range cfg.Orgs {
		o := &org{Org: configured, base: cfg.BaseURL}
		if i > 0 {
			o.prefix = "/orgs/" + o.Name
			o.base += o.prefix
		}
		for j := range o.Apps {
			o.apps = append(o.apps, &o.Apps[j])
		}
		s.orgs = append(s.orgs, o)
	}
	s.state = newState(cfg, s.orgs)
	if err := s.loadState(); err != nil {
		return nil, err
	}
	for _, o := range s.orgs {
		for len(s.state.Keys[o.Name]) < 2 {
			s.keys.add(o)
		}
		var err error
		o.data, err = records.Open(records.Config{Now: s.now, Users: people(o.Users), Records: o.Records, File: s.recordFile(o), Log: cfg.Log})
		if err != nil {
			return nil, fmt.Errorf("org %s: %w", o.Name, err)
		}
	}
	return s, nil
}

// recordFile is the file beside Config.StateFile that keeps an org's records, "" for none.
func (s *Sim) recordFile(o *org) string {
	if s.cfg.StateFile == "" {
		return ""
	}
	return s.cfg.StateFile + "." + o.Name + ".records"
}

// now is the simulated time.
func (s *Sim) now() time.Time { return s.cfg.Now().Add(time.Duration(s.skew.Load())) }

// SetClockSkew makes Salesforce's clock run ahead of the real one by d, or behind it
// where d is negative.
func (s *Sim) SetClockSkew(d time.Duration) { s.skew.Store(int64(d)) }

// ClockSkew is how far Salesforce's clock is ahead.
func (s *Sim) ClockSkew() time.Duration { return time.Duration(s.skew.Load()) }

// BaseURL is the URL of login host, first org and gateway.
func (s *Sim) BaseURL() string { return s.cfg.BaseURL }

// LoginURL is the My Domain URL of an org, "" where there is no such org.
func (s *Sim) LoginURL(orgName string) string {
	if o := s.org(orgName); o != nil {
		return o.base
	}
	return ""
}

// ServerURL is the gateway URL of a hosted server such as "platform/sobject-reads" for
// an org, "" where there is no such org.
func (s *Sim) ServerURL(orgName, server string) string {
	o := s.org(orgName)
	if o == nil {
		return ""
	}
	if o.Kind == "sandbox" || o.Kind == "scratch" {
		return s.cfg.BaseURL + gatewayPrefix + "sandbox/" + server
	}
	return s.cfg.BaseURL + gatewayPrefix + server
}

// Orgs are the orgs with their defaults filled in.
func (s *Sim) Orgs() []Org {
	var out []Org
	for _, o := range s.orgs {
		out = append(out, o.Org)
	}
	return out
}

// Users are the users of an org as they are now.
func (s *Sim) Users(orgName string) []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var users []User
	if o := s.org(orgName); o != nil {
		for _, u := range o.Users {
			users = append(users, s.withFreeze(u))
		}
	}
	return users
}

// FreezeUser freezes or unfreezes a user. It reports whether there is such a user.
func (s *Sim) FreezeUser(username string, frozen bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, u := s.userNamed(username); u == nil {
		return false
	}
	s.state.Frozen[username] = frozen
	s.save()
	return true
}

// Records are the records of an object in an org, as an administrator would see them.
func (s *Sim) Records(orgName, sobject string) []map[string]any {
	if o := s.org(orgName); o != nil {
		return o.data.All(sobject)
	}
	return nil
}

// SetCallbacks replaces the callback URLs of every app, at once (Salesforce takes up to
// ten minutes).
func (s *Sim) SetCallbacks(callbacks ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orgs {
		for _, app := range o.apps {
			app.Callbacks = slices.Clone(callbacks)
		}
	}
}

// Reset forgets everything that happened: logins, tokens, sessions, records, switches,
// recorded requests and clock skew. Signing keys and callbacks stay.
func (s *Sim) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := s.state.Keys
	s.state = newState(s.cfg, s.orgs)
	s.state.Keys = keys
	s.switches, s.definitions = s.cfg.Switches, Definitions{}
	s.skew.Store(0)
	s.log.clear(RequestFilter{})
	for _, o := range s.orgs {
		o.data.Reset()
	}
	s.save()
}

// org finds an org by name; "" is the first.
func (s *Sim) org(name string) *org {
	if name == "" {
		return s.orgs[0]
	}
	for _, o := range s.orgs {
		if o.Name == name {
			return o
		}
	}
	return nil
}

// app finds an app and its org by consumer key. Consumer keys are unique across Salesforce.
func (s *Sim) app(clientID string) (*org, *ECA) {
	for _, o := range s.orgs {
		for _, app := range o.apps {
			if app.ClientID == clientID {
				return o, app
			}
		}
	}
	return nil, nil
}

// userNamed finds a user by username in any org; the caller holds mu.
func (s *Sim) userNamed(username string) (*org, *User) {
	for _, o := range s.orgs {
		for _, u := range o.Users {
			if u.Username == username {
				u = s.withFreeze(u)
				return o, &u
			}
		}
	}
	return nil, nil
}

// user finds a user of one org by id; the caller holds mu. The User is the caller's own copy.
func (s *Sim) user(o *org, id string) *User {
	if o == nil {
		return nil // of an org that the state file knows and the configuration no longer has
	}
	for _, u := range o.Users {
		if u.ID == id {
			u = s.withFreeze(u)
			return &u
		}
	}
	return nil
}

func (s *Sim) withFreeze(u User) User {
	if frozen, set := s.state.Frozen[u.Username]; set {
		u.Frozen = frozen
	}
	u.HiddenObjects, u.HiddenFields = slices.Clone(u.HiddenObjects), slices.Clone(u.HiddenFields)
	return u
}

// random makes ids and tokens. A seed makes them reproducible, which no token of a real
// system may be.
type random struct {
	mu     sync.Mutex
	source *mathrand.ChaCha8
}

func newRandom(seed uint64) *random {
	var key [32]byte
	if seed == 0 {
		rand.Read(key[:])
	} else {
		binary.LittleEndian.PutUint64(key[:], seed)
	}
	return &random{source: mathrand.NewChaCha8(key)}
}

func (r *random) bytes(n int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := make([]byte, n)
	r.source.Read(b)
	return b
}

func (r *random) text(n int) string { return base64.RawURLEncoding.EncodeToString(r.bytes(n)) }

func (r *random) uuid() string {
	b := r.bytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// sortedValues are the values of m in the order of less, for answers that do not change
// from one call to the next.
func sortedValues[V any](m map[string]V, compare func(a, b V) int) []V {
	return slices.SortedFunc(maps.Values(m), compare)
}
