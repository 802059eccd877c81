package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/authproxy/salesforce"
)

func (v *validator) orgs() {
	if len(v.c.Salesforce.Orgs) == 0 {
		v.add("salesforce.orgs", "nothing", "at least one org")
	}
	seen := map[string]bool{}
	for i, o := range v.c.Salesforce.Orgs {
		if seen[o.Name] {
			v.add(fmt.Sprintf("salesforce.orgs[%d].name", i), quote(o.Name), "a name of its own")
		}
		seen[o.Name] = true
		v.allowHosts(fmt.Sprintf("salesforce.orgs[%d].", i), o)
		if o.DailyCalls < 0 {
			v.add(fmt.Sprintf("salesforce.orgs[%d].daily_calls", i), fmt.Sprint(o.DailyCalls), "at least 1, or 0 for no limit of its own")
		}
		problems := o.OAuth().Validate()
		wrong := func(key string) bool {
			return slices.ContainsFunc(problems, func(p salesforce.Problem) bool { return p.Key == key })
		}
		for _, p := range problems {
			derived := p.Key == "issuer" && o.Issuer == o.LoginURL && wrong("login_url") ||
				p.Key == "jwks_url" && strings.HasPrefix(o.JWKSURL, o.Issuer) && wrong("issuer")
			if derived {
				continue // the same mistake
			}
			v.add(fmt.Sprintf("salesforce.orgs[%d].%s", i, p.Key), p.Found, p.Want)
		}
	}
}

func (v *validator) servers() {
	if len(v.c.Servers) == 0 {
		v.add("servers", "nothing", "at least one server")
	}
	seen := map[string]bool{}
	for i, s := range v.c.Servers {
		key := func(name string) string { return fmt.Sprintf("servers[%d].%s", i, name) }
		if !access.ValidServerName(s.Name) || seen[s.Name] {
			v.add(key("name"), quote(s.Name), "a name of its own: lower-case letters, digits, hyphens")
		}
		seen[s.Name] = true
		org := slices.IndexFunc(v.c.Salesforce.Orgs, func(o Org) bool { return o.Name == s.Org })
		if org < 0 {
			v.add(key("org"), quote(s.Org), "the name of an org under salesforce.orgs"+nearest.Question(s.Org, namesOf(v.c.Salesforce.Orgs, func(o Org) string { return o.Name })))
		}
		if err := access.ValidateUpstream(s.Upstream, org >= 0 && v.c.Salesforce.Orgs[org].InsecureHTTP); err != nil {
			v.add(key("upstream"), quote(s.Upstream), err.Error())
		}
		if s.Timeout < time.Second || s.Timeout > 10*time.Minute {
			v.add(key("timeout"), s.Timeout.String(), "1s to 10m")
		}
		if !slices.ContainsFunc(v.c.Policies, func(p Policy) bool { return p.Name == s.Policy }) {
			v.add(key("policy"), quote(s.Policy), "the name of a policy under policies"+nearest.Question(s.Policy, namesOf(v.c.Policies, func(p Policy) string { return p.Name })))
		}
		for j, g := range s.Groups {
			if g != access.Everyone && !v.hasGroup(g) {
				v.add(fmt.Sprintf("servers[%d].groups[%d]", i, j), quote(g), `the name of a group under groups, or "*"`+nearest.Question(g, namesOf(v.c.Groups, func(g Group) string { return g.Name })))
			}
		}
		for j, d := range s.Declare {
			for _, wrong := range d.Validate(policy.HostedName(s.Upstream)) {
				v.add(fmt.Sprintf("servers[%d].declare[%d].%s", i, j, wrong[0]), wrong[1], wrong[2])
			}
			if slices.ContainsFunc(s.Declare[:j], func(earlier reach.Declaration) bool { return earlier.Tool == d.Tool }) {
				v.add(fmt.Sprintf("servers[%d].declare[%d].tool", i, j), quote(d.Tool)+" a second time", "it once")
			}
		}
		v.serverLimits(key, s)
	}
}

// namesOf returns what the members of a list are called.
func namesOf[T any](list []T, name func(T) string) (names []string) {
	for _, member := range list {
		names = append(names, name(member))
	}
	return names
}

// serverLimits checks what a server may be asked and may ask.
func (v *validator) serverLimits(key func(string) string, s Server) {
	for name, n := range map[string]int{"calls_per_minute": s.CallsPerMinute, "concurrent_calls": s.ConcurrentCalls} {
		if n < 0 {
			v.add(key(name), fmt.Sprint(n), "at least 1, or 0 for no limit of its own")
		}
	}
	for i, request := range s.ServerRequests {
		if !access.ValidServerRequest(request) || slices.Index(s.ServerRequests, request) < i {
			v.add(key(fmt.Sprintf("server_requests[%d]", i)), quote(request), "sampling, elicitation or roots, each once")
		}
	}
}

// SalesforceHosts are hosts that no redirect may lead to, beside those that are Salesforce's by their names: an open redirect
// or a page there that takes parameters would hand out codes. A simulated Salesforce shares its
// loopback host with every native client and is left out.
func (c *Config) SalesforceHosts() []string {
	var urls, hosts []string
	for _, o := range c.Salesforce.Orgs {
		urls = append(urls, o.LoginURL)
	}
	for _, s := range c.Servers {
		urls = append(urls, s.Upstream)
	}
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil && !loopback(u.Hostname()) && !slices.Contains(hosts, strings.ToLower(u.Hostname())) {
			hosts = append(hosts, strings.ToLower(u.Hostname()))
		}
	}
	return hosts
}
