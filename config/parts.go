package config

import (
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

// OAuth returns the org in the form that package salesforce works with.
func (o Org) OAuth() salesforce.Org {
	return salesforce.Org{
		Name: o.Name, LoginURL: o.LoginURL, OrgID: o.OrgID, ClientID: o.ClientID, ClientSecret: o.ClientSecret,
		Scopes: o.Scopes, Issuer: o.Issuer, JWKSURL: o.JWKSURL, InsecureHTTP: o.InsecureHTTP,
	}
}

// OAuth returns the client in the form that package grant works with.
func (c Client) OAuth() grant.Client {
	return grant.Client{ID: c.ID, Name: c.Name, RedirectURIs: c.RedirectURIs}
}
