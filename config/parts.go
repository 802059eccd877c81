package config

import (
	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
)

// Judge returns the policy in the form that package policy judges by.
func (p Policy) Judge() *policy.Policy {
	out := &policy.Policy{Name: p.Name, Mode: policy.Mode(p.Mode)}
	for _, r := range p.Rules {
		rule := policy.Rule{
			Effect: policy.Effect(r.Effect), Tools: r.Tools, Users: r.Users, Groups: r.Groups, Clients: r.Clients,
			Objects: r.Objects, Fields: r.Fields, MaxRows: r.MaxRows, Approvers: r.Approvers, Quorum: r.Quorum,
		}
		for _, c := range r.Classes {
			rule.Classes = append(rule.Classes, policy.Class(c))
		}
		out.Rules = append(out.Rules, rule)
	}
	return out
}

// Access returns what package access needs to know of the configuration.
func (c *Config) Access() access.Config {
	out := access.Config{PublicURL: c.PublicURL}
	for _, o := range c.Salesforce.Orgs {
		out.Orgs = append(out.Orgs, access.Org{Name: o.Name, LoginURL: o.LoginURL, Issuer: o.Issuer, Scopes: o.Scopes})
	}
	policies := map[string]*policy.Policy{}
	for _, p := range c.Policies {
		policies[p.Name] = p.Judge()
	}
	for _, s := range c.Servers {
		out.Servers = append(out.Servers, access.Server{
			Name: s.Name, Title: s.Title, Description: s.Description, Org: s.Org, URL: s.Upstream, Timeout: s.Timeout,
			Policy: policies[s.Policy], Groups: s.Groups, ServerRequests: s.ServerRequests,
			CallsPerMinute: s.CallsPerMinute, ConcurrentCalls: s.ConcurrentCalls,
		})
	}
	for _, g := range c.Groups {
		out.Groups = append(out.Groups, access.Group{Name: g.Name, Members: g.Members})
	}
	return out
}

// OAuth returns the org in the form that package salesforce works with.
func (o Org) OAuth() salesforce.Org {
	return salesforce.Org{
		Name: o.Name, LoginURL: o.LoginURL, OrgID: o.OrgID, ClientID: o.ClientID, ClientSecret: o.ClientSecret,
		Scopes: o.Scopes, Issuer: o.Issuer, JWKSURL: o.JWKSURL, InsecureHTTP: o.InsecureHTTP,
	}
}

// OAuth returns the client in the form that package grant works with.
func (c Client) OAuth() grant.Client {
	return grant.Client{ID: c.ID, Name: c.Name, RedirectURIs: c.RedirectURIs, Server: c.Server}
}
