package config

import (
	"strings"

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

// faults are what the policy itself finds wrong. Its name is the caller's to check.
func (p Policy) faults() (faults Faults) {
	for _, f := range faultLines(p.Judge().Validate()) {
		if f.Key != "name" {
			faults = append(faults, f)
		}
	}
	return faults
}

// OAuth returns the org in the form that package salesforce works with.
func (o Org) OAuth() salesforce.Org {
	return salesforce.Org{
		Name: o.Name, LoginURL: o.LoginURL, OrgID: o.OrgID, ClientID: o.ClientID, ClientSecret: o.ClientSecret,
		Scopes: o.Scopes, Issuer: o.Issuer, JWKSURL: o.JWKSURL, InsecureHTTP: o.InsecureHTTP,
	}
}

// faults are what the OAuth client itself finds wrong.
func (o Org) faults() Faults { return faultLines(o.OAuth().Validate()) }

// faultLines reads the joined errors of a part, each "key: what is wrong".
func faultLines(err error) (faults Faults) {
	if err == nil {
		return nil
	}
	for line := range strings.Lines(err.Error()) {
		key, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		faults = append(faults, Fault{Key: key, Found: text})
	}
	return faults
}
