package config

import (
	"fmt"
	"slices"
	"strconv"

	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/policy"
)

// ParseAmount reads an amount such as 500 or 50MiB.
func ParseAmount(s string) (policy.Amount, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 && strconv.FormatInt(n, 10) == s {
		return policy.Amount(n), nil
	}
	b, err := ParseBytes(s)
	if err != nil {
		return 0, fmt.Errorf("%q is neither a number nor a size such as 50MiB", s)
	}
	return policy.Amount(b), nil
}

// dailyCalls is what all users of an org together may ask of Salesforce in a day.
func (o Org) dailyCalls() policy.Budget {
	return policy.Budget{Who: policy.AllParties, What: policy.Calls, Window: policy.Day, Limit: policy.Amount(o.DailyCalls)}
}

// Counters returns what is counted at each server, by its name: the budgets of its policy,
// and of its org.
func (c *Config) Counters() map[string][]*budget.Counter {
	ofPolicy, ofOrg := map[string][]*budget.Counter{}, map[string][]*budget.Counter{}
	for _, p := range c.Policies {
		for _, b := range p.Budgets {
			ofPolicy[p.Name] = append(ofPolicy[p.Name], budget.NewCounter(budget.PolicyScope(p.Name), b))
		}
	}
	for _, o := range c.Salesforce.Orgs {
		if o.DailyCalls > 0 {
			ofOrg[o.Name] = []*budget.Counter{budget.NewCounter(budget.OrgScope(o.Name), o.dailyCalls())}
		}
	}
	all := map[string][]*budget.Counter{}
	for _, s := range c.Servers {
		all[s.Name] = slices.Concat(ofPolicy[s.Policy], ofOrg[s.Org])
	}
	return all
}
