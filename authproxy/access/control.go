package access

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
)

// Group names users of any org: its members are Salesforce user ids, of 15 or 18
// characters, or usernames in any case.
type Group struct {
	Name    string
	Members []string
}

// Config is what a [Control] needs. Everything is required but Groups,
// StopFile and Now.
type Config struct {
	DB     *db.DB
	Grants *grant.Store
	// PublicURL is the base of every URL of ours: see [ValidatePublicURL].
	PublicURL string
	Orgs      []Org
	Servers   []Server
	Groups    []Group
	// Partial leaves servers out that are not right, where [New] otherwise refuses: for taking access away
	// while the configuration is wrong.
	Partial bool
	// StopFile stops everything on this machine; nil: nothing does but the database.
	StopFile *StopFile
	Now      func() time.Time // nil: time.Now
}

// Control answers who may use what. It is safe for concurrent use.
type Control struct {
	db        *db.DB
	grants    *grant.Store
	now       func() time.Time
	publicURL string
	orgs      []Org
	servers   []*Server
	byName    map[string]*Server
	groups    []group
	stop      *db.Row[Stop]
	stopFile  *StopFile
}

// New checks the configuration and reports everything that is wrong with it. Of each
// server it keeps the policy as it holds in front of that server's URL.
func New(c Config) (*Control, error) {
	if c.DB == nil || c.Grants == nil {
		return nil, errors.New("access: database and grants are required")
	}
	a := &Control{
		db: c.DB, grants: c.Grants, now: c.Now, publicURL: c.PublicURL,
		byName: map[string]*Server{}, groups: newGroups(c.Groups), stop: db.NewRow[Stop](c.DB), stopFile: c.StopFile,
	}
	if a.stopFile == nil {
		a.stopFile = &StopFile{}
	}
	if a.now == nil {
		a.now = time.Now
	}
	var problems []error
	if err := ValidatePublicURL(c.PublicURL); err != nil {
		problems = append(problems, fmt.Errorf("public URL %q: expected %w", c.PublicURL, err))
	}
	if !c.Partial && (len(c.Orgs) == 0 || len(c.Servers) == 0) {
		problems = append(problems, errors.New("expected at least one org and one server"))
	}
	for _, o := range c.Orgs {
		if o.Issuer == "" {
			o.Issuer = o.LoginURL
		}
		a.orgs = append(a.orgs, o)
	}
	for _, s := range c.Servers {
		if err := a.add(s); !c.Partial {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	return a, nil
}

// TakeOver has c stop for as long as previous does where that could not be written into the
// [StopFile]. It must be called before c is used.
func (c *Control) TakeOver(previous *Control) { c.stopFile = previous.stopFile }

func (c *Control) add(s Server) error {
	err := s.validate()
	if c.byName[s.Name] != nil {
		err = errors.Join(err, fmt.Errorf("server %q: name is used twice", s.Name))
	}
	if _, known := c.Org(s.Org); !known {
		err = errors.Join(err, fmt.Errorf("server %q: org %q is not configured", s.Name, s.Org))
	}
	if err == nil {
		s.Policy = s.Policy.For(s.URL, s.Declared...)
		c.servers, c.byName[s.Name] = append(c.servers, &s), &s
	}
	return err
}

// AwaitProcesses waits until every process that serves goes by what this one has taken away
// (see [db.DB.AwaitWatchers]).
func (c *Control) AwaitProcesses() { c.db.AwaitWatchers() }

// PublicURL is the issuer and the base of every URL of ours, without a slash at its end.
func (c *Control) PublicURL() string { return c.publicURL }

// Resource is the URL of a server's endpoint: the resource of RFC 8707 and RFC 9728,
// which tokens are bound to. It is not asked whether there is such a server.
func (c *Control) Resource(server string) string { return c.publicURL + "/mcp/" + server }

// InPublicForm writes a resource of ours as we name it: clients send scheme and host in
// capitals, the port that the scheme implies (RFC 3986 6.2.3), and a slash at the end of
// the path, and all of them mean the endpoint. The rest of the path stays as it is; what
// is not ours, too.
func (c *Control) InPublicForm(resource string) string {
	scheme, _, _ := strings.Cut(c.publicURL, ":")
	for _, base := range []string{c.publicURL + map[string]string{"https": ":443", "http": ":80"}[scheme], c.publicURL} {
		n := len(base)
		if len(resource) > n && resource[n] == '/' && strings.EqualFold(resource[:n], base) {
			return c.publicURL + strings.TrimSuffix(resource[n:], "/")
		}
	}
	return resource
}

// Servers returns all servers, as they are configured. They must not be changed.
func (c *Control) Servers() []*Server { return c.servers }

// Server finds a server by its name; nil: there is none.
func (c *Control) Server(name string) *Server { return c.byName[name] }

// Orgs returns all orgs, as they are configured.
func (c *Control) Orgs() []Org { return c.orgs }

// Org finds an org by its name.
func (c *Control) Org(name string) (Org, bool) {
	for _, o := range c.orgs {
		if o.Name == name {
			return o, true
		}
	}
	return Org{}, false
}
