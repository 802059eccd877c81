package salesforce

import (
	"slices"
	"strings"
)

// ownDomains are the domains below which every host is Salesforce's own: login hosts and
// the gateway of hosted MCP servers (salesforce.com, with *.my.salesforce.com,
// *.sandbox.my.salesforce.com, *.develop.my.salesforce.com, api.salesforce.com), the same
// for the United States' military and for China, and the pages of Lightning. Domains on
// which customers publish what they like (force.com, my.site.com, my.salesforce-sites.com)
// are not among them.
var ownDomains = []string{"salesforce.com", "salesforce.mil", "sfcrmproducts.cn", "lightning.force.com"}

// IsOwnHost reports whether Salesforce itself runs the host that a URL names. The host is
// taken as URLs of ours have it, in lower case and without a final dot; one with a port is
// not Salesforce's, which has no other port than https's.
func IsOwnHost(host string) bool {
	if strings.ContainsAny(host, ":@") {
		return false
	}
	return slices.ContainsFunc(ownDomains, func(domain string) bool {
		below, ok := strings.CutSuffix(host, "."+domain)
		return ok && below != ""
	})
}

// pageDomains are those below which are pages of orgs: Lightning, Visualforce, sites and files, some of which
// whoever builds for an org has written. Orgs of the United States' military and in China have them on domains
// of their own.
var pageDomains = []string{
	"force.com", "visualforce.com", "site.com", "lightning.com", "salesforce-sites.com", "salesforce-setup.com", "salesforce-scrt.com", "salesforce-experience.com",
	"salesforce-communities.com", "salesforce-hub.com", "salesforceliveagent.com", "documentforce.com", "forceusercontent.com", "force-user-content.com", "cloudforce.com",
	"force.mil", "crmforce.mil", "cloudforce.mil", "visualforce.mil", "salesforce-setup.mil", "salesforce.cn", "sfcrmapps.cn",
}

// Hosts reports whether a host is Salesforce's own, or one of an org's pages, of any org: it may redirect, or
// show a page that takes what it is sent. host is as [IsOwnHost] takes it.
func Hosts(host string) bool {
	return IsOwnHost(host) || slices.ContainsFunc(slices.Concat(ownDomains, pageDomains), func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	})
}

// IsPageHost reports whether a host has pages of Lightning or Setup alone: people see it in
// their browser's address line, but nobody can sign in to an API there.
func IsPageHost(host string) bool {
	return strings.HasSuffix(host, ".lightning.force.com") || strings.HasSuffix(host, ".my.salesforce-setup.com")
}

// OrgKind is what an org is for.
type OrgKind string

// The kinds of orgs. Developer Edition orgs are production orgs here.
const (
	ProductionOrg OrgKind = "production"
	SandboxOrg    OrgKind = "sandbox"
	ScratchOrg    OrgKind = "scratch"
)

// IsOrgKind reports whether there is such a kind.
func IsOrgKind(k OrgKind) bool {
	return slices.Contains([]OrgKind{ProductionOrg, SandboxOrg, ScratchOrg}, k)
}

// OrgKindOf reads the kind of an org out of its login host; "" if the host does not say.
// test.salesforce.com serves sandboxes and scratch orgs alike, and counts as a sandbox.
func OrgKindOf(host string) OrgKind {
	generic, _, _ := strings.Cut(host, ".")
	domain := MyDomain(host)
	switch {
	case !IsOwnHost(host) || IsPageHost(host):
		return ""
	case domain == "" && generic == "test":
		return SandboxOrg
	case domain == "" && generic == "login":
		return ProductionOrg
	case domain == "":
		return ""
	case strings.HasPrefix(host, domain+".scratch.my."):
		return ScratchOrg
	case strings.HasPrefix(host, domain+".sandbox.my.") || strings.Contains(domain, "--"): // acme--uat.my.salesforce.com, before enhanced domains
		return SandboxOrg
	}
	return ProductionOrg
}

// MyDomain is the name of an org's My Domain in a host such as acme--uat.sandbox.my.salesforce.com:
// acme--uat; "" if the host has none.
func MyDomain(host string) string {
	name, rest, _ := strings.Cut(host, ".")
	if !IsOwnHost(host) || !strings.HasPrefix(rest, "my.") && !strings.Contains(rest, ".my.") {
		return ""
	}
	return name
}

// Upstream is what the URL of a hosted MCP server says about it.
type Upstream struct {
	// MyDomain is the org's, in URLs with /d/MYDOMAIN/; otherwise "".
	MyDomain string
	// Environment is sandbox, scratch or develop as the path has it; "" for production. Without
	// MyDomain a scratch org's is sandbox.
	Environment string
	// Namespace and Name are those of the hosted server: platform, sobject-reads. A path that
	// ends early has no Namespace.
	Namespace, Name string
}

// ParseUpstream reads the path of a hosted server's URL; false if it is none of the forms
// that Salesforce has: /platform/mcp/v1/[d/MYDOMAIN/][sandbox/]NAMESPACE/NAME, and for Data
// 360 …/NAMESPACE/sandbox/NAME.
func ParseUpstream(path string) (u Upstream, ok bool) {
	rest, ok := strings.CutPrefix(path, "/platform/mcp/")
	version, rest, more := strings.Cut(rest, "/")
	if !ok || !more || !strings.HasPrefix(version, "v") {
		return u, false
	}
	parts := strings.Split(rest, "/")
	if parts[0] == "d" && len(parts) > 2 {
		u.MyDomain, parts = parts[1], parts[2:]
	}
	isEnvironment := func(part string) bool { return slices.Contains([]string{"sandbox", "scratch", "develop"}, part) }
	if len(parts) > 1 && isEnvironment(parts[0]) {
		u.Environment, parts = parts[0], parts[1:]
	} else if len(parts) > 2 && isEnvironment(parts[1]) {
		u.Environment = parts[1]
		parts = slices.Delete(parts, 1, 2)
	}
	u.Name = parts[len(parts)-1]
	if len(parts) == 2 {
		u.Namespace = parts[0]
	}
	return u, len(parts) <= 2
}
