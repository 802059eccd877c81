package config

import (
	"path/filepath"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/authproxy/policy/condition"
	"sfmcp-proxy/authproxy/salesforce"
)

// Judge returns the policy in the form that package policy judges by. Its conditions may name
// these calendars.
func (p Policy) Judge(calendars []*condition.Calendar) *policy.Policy {
	return &policy.Policy{Name: p.Name, Mode: policy.Mode(p.Mode), Rules: p.Rules, Budgets: p.Budgets, Taint: p.Taint, Calendars: calendars}
}

// Judged returns all policies so, by name.
func (c *Config) Judged() map[string]*policy.Policy {
	calendars, policies := c.CalendarsRead(), map[string]*policy.Policy{}
	for _, p := range c.Policies {
		policies[p.Name] = p.Judge(calendars)
	}
	return policies
}

// InFront returns the policy of each server as it holds there, by the server's name.
func (c *Config) InFront() map[string]*policy.Policy {
	policies, fronts := c.Judged(), map[string]*policy.Policy{}
	for _, s := range c.Servers {
		if p := policies[s.Policy]; p != nil {
			fronts[s.Name] = p.For(s.Upstream, s.Declare...)
		}
	}
	return fronts
}

// CalendarsRead returns the calendars that can be read; [Config.Validate] tells of the others.
func (c *Config) CalendarsRead() (all []*condition.Calendar) {
	for _, k := range c.Calendars {
		if calendar, faults := condition.ParseCalendar(k.Name, k.TimeZone, k.Weekly, k.Dated); faults == nil {
			all = append(all, calendar)
		}
	}
	return all
}

// Access returns what package access needs to know of the configuration.
func (c *Config) Access() access.Config {
	out := access.Config{PublicURL: c.PublicURL, Partial: c.partial, StopFile: access.NewStopFile(c.stopFile())}
	for _, o := range c.Salesforce.Orgs {
		out.Orgs = append(out.Orgs, access.Org{Name: o.Name, Kind: string(c.OrgKind(o.Name)), LoginURL: o.LoginURL, Issuer: o.Issuer, Scopes: o.Scopes})
	}
	policies := c.Judged()
	for _, s := range c.Servers {
		out.Servers = append(out.Servers, access.Server{
			Name: s.Name, Title: s.Title, Description: s.Description, Org: s.Org, URL: s.Upstream, Timeout: s.Timeout,
			Policy: policies[s.Policy], Declared: s.Declare, Groups: s.Groups, ServerRequests: s.ServerRequests,
			CallsPerMinute: s.CallsPerMinute, ConcurrentCalls: s.ConcurrentCalls,
		})
	}
	for _, g := range c.Groups {
		out.Groups = append(out.Groups, access.Group{Name: g.Name, Members: g.Members})
	}
	return out
}

// stopFile is the file that stops everything on this machine: STOP beside the database, and
// where that is on a server, beside the folder of the audit log, which is always this machine's; of a
// log in the database beside the key file.
func (c *Config) stopFile() string {
	if path, ok := strings.CutPrefix(c.Database, "sqlite:"); ok {
		return filepath.Join(filepath.Dir(path), "STOP")
	}
	if c.Audit.InDatabase() {
		return filepath.Join(filepath.Dir(c.KeysFile), "STOP")
	}
	return filepath.Join(filepath.Dir(c.Audit.Dir), "STOP")
}

// Analysed returns the servers and the people in the form that package analysis works with.
func (c *Config) Analysed() (servers []analysis.Server, people analysis.People) {
	fronts := c.InFront()
	for _, s := range c.Servers {
		if p := fronts[s.Name]; p != nil {
			servers = append(servers, analysis.Server{Name: s.Name, Policy: p, Groups: s.Groups})
		}
	}
	for _, g := range c.Groups {
		people.Groups = append(people.Groups, analysis.Group{Name: g.Name, Members: g.Members})
	}
	for _, cl := range c.Clients {
		people.Clients = append(people.Clients, cl.ID)
	}
	return servers, people
}

// OAuth returns the org in the form that package salesforce works with.
func (o Org) OAuth() salesforce.Org {
	return salesforce.Org{
		Name: o.Name, LoginURL: o.LoginURL, OrgID: o.OrgID, ClientID: o.ClientID, ClientSecret: o.ClientSecret,
		Scopes: o.Scopes, Issuer: o.Issuer, JWKSURL: o.JWKSURL, InsecureHTTP: o.InsecureHTTP,
	}
}

// OAuthOrgs returns all orgs so, each with what a login there is for.
func (c *Config) OAuthOrgs() (out []salesforce.Org) {
	for _, o := range c.Salesforce.Orgs {
		org := o.OAuth()
		org.Resource = resourceOf(o.Name, c.Servers)
		out = append(out, org)
	}
	return out
}

// resourceOf is what a login of the org is for (RFC 8707 2): its hosted server, or what
// the addresses of its servers begin with, if that names a host.
func resourceOf(org string, servers []Server) string {
	var common []string // an address, cut at its slashes
	for _, s := range servers {
		if s.Org != org {
			continue
		}
		parts := strings.Split(s.Upstream, "/")
		if common == nil {
			common = parts
		}
		same := 0
		for same < min(len(common), len(parts)) && common[same] == parts[same] {
			same++
		}
		common = common[:same]
	}
	if len(common) < len([]string{"https:", "", "host"}) {
		return ""
	}
	return strings.Join(common, "/")
}

// OAuthClients returns the configured clients in the form that package client works with.
func (c *Config) OAuthClients() (out []client.Client) {
	for _, cl := range c.Clients {
		out = append(out, cl.OAuth())
	}
	return out
}

// OAuth returns the client in the form that package client works with.
func (c Client) OAuth() client.Client {
	return client.Client{ID: c.ID, Name: c.Name, RedirectURIs: c.RedirectURIs, Server: c.Server}
}

// Clients returns the life cycle in the form that package client works with.
func (l Lifecycle) Clients() client.Lifecycle {
	return client.Lifecycle{HideAfter: l.HideAfter, EndAfter: l.EndAfter}
}

// Grants returns the lifetimes in the form that package grant works with.
func (l Lifetimes) Grants() grant.Lifetimes {
	return grant.Lifetimes{Code: l.Code, AccessToken: l.AccessToken, RefreshIdle: l.RefreshIdle,
		RefreshAbsolute: l.RefreshAbsolute, RefreshGrace: l.RefreshGrace, Consent: l.Consent}
}
