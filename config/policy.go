package config

import (
	"strings"

	"sfmcp-proxy/authproxy/policy"
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

// faults are what the policy itself finds wrong, one a line: "rules[0].tools: empty".
func (p Policy) faults() (faults Faults) {
	err := p.Judge().Validate()
	if err == nil {
		return nil
	}
	for line := range strings.Lines(err.Error()) {
		key, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if key == "name" {
			continue // reported by the caller, with the key's line
		}
		faults = append(faults, Fault{Key: "." + key, Found: text})
	}
	return faults
}
