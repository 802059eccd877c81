package salesforcesim

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// The default organisation, its External Client Apps and its people. Nothing here is
// secret: it exists only in the simulator.
const (
	OrgID = "00Dxx0000001gPFEAY" // Salesforce id of the first default org

	// Consumer keys of the app without a secret and of the app with one, and that secret.
	PublicClientID       = "3MVG9demoPublicExternalClientApp.sfmcp.0001"
	ConfidentialClientID = "3MVG9demoSecretExternalClientApp.sfmcp.0002"
	ConfidentialSecret   = "SIMULATED0CONSUMER0SECRET0002"

	RepUsername     = "rep@acme.example"     // sales rep: does not see Secret__c
	RepPassword     = "simulated-rep"        // password of RepUsername
	RepID           = "005xx000001Sv6AAAS"   // Salesforce user id of RepUsername
	ManagerUsername = "manager@acme.example" // sales manager: sees everything
	ManagerPassword = "simulated-manager"    // password of ManagerUsername
	ManagerID       = "005xx000001Sv7AAAS"   // Salesforce user id of ManagerUsername
)

// Config says what Salesforce to simulate. The zero value, with BaseURL, is one
// production org with two apps and two users.
type Config struct {
	// BaseURL is the URL, without a trailing slash, under which Handler is reached:
	// login host, My Domain of the first org and gateway at once. Listen fills it in
	// from the address when it is empty.
	BaseURL string `json:"base_url"`
	// Listen and ControlListen are the addresses of Listen's two listeners; empty is
	// 127.0.0.1 with any free port.
	Listen, ControlListen string `json:"-"`
	// TLS makes Listen serve the Salesforce side over TLS.
	TLS *tls.Config `json:"-"`

	// Orgs are the simulated organisations; empty: one production org named "acme" with OrgID.
	Orgs []Org `json:"orgs"`
	// Users are the users of every org that names none; empty: the sales rep and the manager.
	Users []User `json:"users"`
	// OfferUsers makes the login page offer the users as buttons, so that whoever tries the
	// demonstration on a phone types no password.
	OfferUsers bool `json:"offer_users"`
	// Callbacks are the callback URLs of every app that names none.
	Callbacks []string `json:"callbacks"`
	// ActiveServers are the active hosted servers, "platform/sobject-reads"; nil: every
	// server there is. (A real org starts with all of them off; the simulator starts as
	// though an administrator had been there.)
	ActiveServers []string `json:"servers"`

	// AccessTokenLifetime is the JWT timeout of apps that set none; zero: 30 minutes.
	AccessTokenLifetime time.Duration `json:"access_token_lifetime"`
	// Switches are the switches at start and after a reset.
	Switches Switches `json:"switches"`

	// StateFile, if set, keeps logins, tokens and signing keys across restarts, and beside
	// it StateFile.NAME.records the records of each org, Recycle Bin included: a change of
	// records is in the file before it is answered. Two simulators must not share it.
	StateFile string `json:"-"`
	// Seed makes every id and token reproducible; zero takes a random seed. Signing
	// keys are random either way.
	Seed uint64 `json:"seed"`
	// Now is the clock; nil: time.Now. The skew of the control API comes on top.
	Now func() time.Time `json:"-"`
	// Log receives a record when state or records cannot be saved; nil: slog.Default.
	Log *slog.Logger `json:"-"`
}

// Org is one simulated organisation.
type Org struct {
	// Name is the path prefix /orgs/NAME of every org but the first, and how the control
	// API names the org.
	Name string `json:"name"`
	ID   string `json:"id"` // 18 characters, 00D…; default: by place
	// Kind is production (default), sandbox, scratch or developer. It decides which
	// gateway URLs fit.
	Kind     string `json:"kind"`
	MyDomain string `json:"my_domain"` // label in /d/{mydomain}/ URLs; default: Name
	Instance string `json:"instance"`  // in the token's tnk claim; default: usa1s
	Users    []User `json:"users"`     // default: Config.Users
	Apps     []ECA  `json:"apps"`      // default: a public and a confidential app
	// Records are those that the org has at first; nil: the demonstration's, a sales
	// team's customers.
	Records []records.Seed `json:"records"`
	// DailyAPILimit is the number of calls a day before REQUEST_LIMIT_EXCEEDED; zero: 100,000.
	DailyAPILimit int `json:"daily_api_limit"`
}

// ECA is one External Client App with the settings that matter here (PKCE is always required).
type ECA struct {
	ClientID  string   `json:"client_id"`     // consumer key
	Secret    string   `json:"client_secret"` // consumer secret; empty: public client
	Callbacks []string `json:"callbacks"`     // exact; default: Config.Callbacks
	Scopes    []string `json:"scopes"`        // default: mcp_api refresh_token

	// OpaqueTokens: isNamedUserJwtEnabled is off, access tokens are opaque, and the gateway
	// refuses them.
	OpaqueTokens  bool          `json:"opaque_tokens"`
	JWTLifetime   time.Duration `json:"jwt_lifetime"`   // namedUserJwtTimeout; default: Config.AccessTokenLifetime
	NoRotation    bool          `json:"no_rotation"`    // isRefreshTokenRotationEnabled is off
	RefreshMax    time.Duration `json:"refresh_max"`    // SpecificLifetime of refresh tokens; zero: 365 days
	RefreshIdle   time.Duration `json:"refresh_idle"`   // SpecificInactivity of refresh tokens; zero: none
	IntrospectAll bool          `json:"introspect_all"` // isIntrospectAllTokens
	// PermittedUsers are the usernames that an administrator pre-authorised: only they
	// may sign in, and they see no approval page. Empty: all users may authorise
	// themselves.
	PermittedUsers []string `json:"permitted_users"`
	// RunAs is the username of client-credentials tokens (only with Switches.ClientCredentials).
	RunAs string `json:"run_as"`
}

// DefaultUsers are the two people of the demonstration.
func DefaultUsers() []User {
	return []User{
		{ID: RepID, Username: RepUsername, Password: RepPassword, Name: "Riley Reyes", Email: RepUsername,
			Profile: "Sales User", Role: "Account Executive", Manager: "Morgan Adeyemi", Timezone: "America/New_York",
			HiddenObjects: []string{"Secret__c"}},
		{ID: ManagerID, Username: ManagerUsername, Password: ManagerPassword, Name: "Morgan Adeyemi", Email: ManagerUsername,
			Profile: "Sales Manager", Role: "VP Sales", Timezone: "America/New_York"},
	}
}

// withDefaults is the configuration with every default filled in.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.AccessTokenLifetime == 0 {
		c.AccessTokenLifetime = 30 * time.Minute
	}
	if len(c.Orgs) == 0 {
		c.Orgs = []Org{{Name: "acme", ID: OrgID}}
	}
	if len(c.Users) == 0 {
		c.Users = DefaultUsers()
	}
	if c.ActiveServers == nil {
		c.ActiveServers = serverNames()
	}
	c.Orgs = slices.Clone(c.Orgs)
	for i := range c.Orgs {
		c.Orgs[i] = c.Orgs[i].withDefaults(c, i)
	}
	return c
}

func (o Org) withDefaults(c Config, position int) Org {
	if o.Kind == "" {
		o.Kind = "production"
	}
	if o.MyDomain == "" {
		o.MyDomain = o.Name
	}
	if o.Instance == "" {
		o.Instance = "usa1s"
	}
	if o.DailyAPILimit == 0 {
		o.DailyAPILimit = 100_000
	}
	if o.ID == "" {
		o.ID = records.RecordID("00D", position+1)
	}
	if len(o.Users) == 0 {
		o.Users = usersOf(c.Users, o.Name, position)
	}
	if len(o.Apps) == 0 {
		o.Apps = appsOf(o, position)
	}
	o.Users, o.Apps = slices.Clone(o.Users), slices.Clone(o.Apps)
	for i := range o.Users {
		o.Users[i] = o.Users[i].withDefaults(i)
	}
	for i := range o.Apps {
		o.Apps[i] = o.Apps[i].withDefaults(c)
	}
	return o
}

// withDefaults gives the user at this place of an org's list an id and a name.
func (u User) withDefaults(position int) User {
	u.ID = cmp.Or(u.ID, records.RecordID("005", position+1))
	u.Name = cmp.Or(u.Name, u.Username)
	u.Email = cmp.Or(u.Email, u.Username)
	return u
}

// usersOf copies the users into a further org as Salesforce does for a sandbox: same
// ids, username with the org's name at the end. Equal ids in two orgs are on purpose: a
// subject means nothing without its org.
func usersOf(users []User, org string, position int) []User {
	users = slices.Clone(users)
	if position > 0 {
		for i := range users {
			users[i].Username += "." + org
		}
	}
	return users
}

// appsOf are the default apps of an org that has its users. The one with a secret runs
// as the first of them.
func appsOf(o Org, position int) []ECA {
	public := ECA{ClientID: PublicClientID}
	confidential := ECA{ClientID: ConfidentialClientID, Secret: ConfidentialSecret, RunAs: o.Users[0].Username}
	if position > 0 {
		public.ClientID += "." + o.Name
		confidential.ClientID += "." + o.Name
	}
	return []ECA{public, confidential}
}

func (e ECA) withDefaults(c Config) ECA {
	if e.Callbacks == nil {
		e.Callbacks = slices.Clone(c.Callbacks)
	}
	if len(e.Scopes) == 0 {
		e.Scopes = []string{"mcp_api", "refresh_token"}
	}
	if e.JWTLifetime == 0 {
		e.JWTLifetime = c.AccessTokenLifetime
	}
	if e.RefreshMax == 0 {
		e.RefreshMax = 365 * 24 * time.Hour
	}
	return e
}

var orgName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// validate reports every problem of a configuration with its defaults.
func (c Config) validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.HasSuffix(c.BaseURL, "/") {
		bad("base URL %q: want http(s)://host without a trailing slash", c.BaseURL)
	}
	seen := map[string]bool{}
	once := func(kind, name string) {
		if seen[kind+" "+name] {
			bad("%s %q: named twice", kind, name)
		}
		seen[kind+" "+name] = true
	}
	for _, o := range c.Orgs {
		once("org", o.Name)
		once("org id", o.ID)
		if !orgName.MatchString(o.Name) {
			bad("org name %q: want lower-case letters, digits and hyphens", o.Name)
		}
		if !records.ValidID(o.ID, "00D") {
			bad("org %s: id %q: want 18 characters, 00D…, with the right checksum", o.Name, o.ID)
		}
		if !slices.Contains([]string{"production", "sandbox", "scratch", "developer"}, o.Kind) {
			bad("org %s: kind %q: want production, sandbox, scratch or developer", o.Name, o.Kind)
		}
		for _, u := range o.Users {
			once("username", u.Username)
			once("user id of "+o.Name, u.ID)
			if !records.ValidID(u.ID, "005") {
				bad("user %s: id %q: want 18 characters, 005…, with the right checksum", u.Username, u.ID)
			}
		}
		for _, e := range o.Apps {
			once("client id", e.ClientID)
			if e.ClientID == "" {
				bad("org %s: an app without a client id", o.Name)
			}
		}
	}
	for _, name := range c.ActiveServers {
		if !slices.Contains(serverNames(), name) {
			bad("active server %q: no such hosted server", name)
		}
	}
	if err := c.Switches.Validate(); err != nil {
		bad("switches: %w", err)
	}
	return errors.Join(problems...)
}
