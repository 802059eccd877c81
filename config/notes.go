package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
)

// notes collects what is worth knowing of a configuration that is accepted.
type notes struct {
	c     *Config
	whole bool // rules are analysed however long it takes
	list  []string
}

func (n *notes) add(format string, args ...any) {
	n.list = append(n.list, fmt.Sprintf(format, args...))
}

// Notes are settings that are accepted and probably not meant, that have no effect in this
// version, or that a pilot may have and a production system should not.
func (c *Config) Notes() []string {
	n := &notes{c: c}
	n.listeners()
	n.secrets()
	n.database()
	n.orgs()
	n.upstreams()
	n.people()
	n.policies()
	n.registration()
	n.checkpoints()
	n.beside()
	n.exports()
	n.missing()
	n.placeholders()
	n.telemetry()
	n.serverRequests()
	n.unused()
	n.mistyped()
	return n.list
}

func (n *notes) listeners() {
	if n.c.adminOpen() && !n.c.AdminListenOpen {
		n.add("admin_listen %s can be reached from other machines, which read health and metrics there without a password: production refuses it without admin_listen_open", n.c.AdminListen)
	}
	for _, list := range []struct {
		key, effect string
		networks    []string
	}{
		{"trusted_proxies", "whoever connects says itself which address it has", n.c.TrustedProxies},
		{"registration.metadata_documents.allow_addresses", "whoever publishes a document can have this proxy ask any address", n.c.Registration.MetadataDocuments.AllowAddresses},
	} {
		for _, text := range list.networks {
			if network, err := netip.ParsePrefix(text); err == nil && network.Bits() == 0 {
				n.add("%s holds %s, which is every address: %s", list.key, text, list.effect)
			}
		}
	}
	if strings.HasPrefix(n.c.PublicURL, "http:") {
		n.add("public_url is http: cookies and tokens cross the wire in the clear")
	} else if n.c.TLS.CertFile == "" && len(n.c.TrustedProxies) == 0 {
		n.add("public_url is https, but neither tls nor trusted_proxies is set: name what ends TLS in front of this proxy under trusted_proxies, or all its clients count as one")
	}
}

// people notes roles that are nobody's, or nobody's whom their writer had in mind.
func (n *notes) people() {
	if len(n.c.Console.Roles) > 0 && len(n.c.identityProviders()) == 0 {
		n.add("console.roles has no effect: nobody can sign in with a company without console.oidc, so roles are those of operators alone")
		return
	}
	for i, r := range n.c.Console.Roles {
		for _, subject := range r.Subjects {
			if username.MatchString(subject) {
				n.add("console.roles[%d].subjects: %s looks like an e-mail address, and is compared with what the provider says as sub, which seldom is one: if it is the person's address, it belongs under emails", i, subject)
			}
		}
	}
}

// database notes outside production what production refuses.
func (n *notes) database() {
	if n.c.origins != nil && n.c.origins.overridden != "" {
		n.add("%s", n.c.origins.overridden)
	}
	if n.c.Production {
		return
	}
	for _, host := range (db.Config{URL: n.c.Database}).Unverified() {
		n.add("database: a connection to %s without verified TLS: whoever is on the way reads and changes what is stored; set sslmode=verify-full (production refuses anything else)", host)
	}
}

func (n *notes) policies() {
	servers, people := n.c.Analysed()
	judged := n.c.Judged()
	for _, p := range n.c.Policies {
		if p.Mode == string(policy.Shadow) {
			n.add("policy %s only watches (mode shadow): what it would deny passes", p.Name)
		}
		var fronts []policy.Front
		for _, s := range n.c.Servers {
			if s.Policy == p.Name {
				fronts = append(fronts, policy.Front{Upstream: s.Upstream, Declared: s.Declare})
			}
		}
		doubts := judged[p.Name].Doubts(fronts)
		for _, doubt := range doubts {
			n.doubt(p, doubt)
		}
		said := map[int]bool{}
		for _, doubt := range doubts {
			said[doubt.Rule] = true
		}
		for i, r := range p.Rules {
			if r.Effect == policy.Confirm {
				n.deciders(fmt.Sprintf("policy %s, rule %d", p.Name, i+1), r.Confirmation())
			}
			for _, who := range r.Users {
				if meant := n.memberLike(who); meant != "" {
					n.add("policy %s, rule %d (%s) is about the user %s, who is in no group: did you mean %s?", p.Name, i+1, r.Effect, who, meant)
					said[i] = true
				}
			}
		}
		n.rules(p, servers, people, said)
		n.insideProxies(p)
	}
}

// deciders notes where nobody can decide on a page about what a rule holds.
func (n *notes) deciders(rule string, held policy.Confirmation) {
	for _, f := range held.Approvers.Factors() {
		holds := func(r Role) bool { return r.Role == f.Role }
		if f.Role != "" && (len(n.c.identityProviders()) == 0 || !slices.ContainsFunc(n.c.Console.Roles, holds)) {
			n.add("%s waits for role:%s, which nobody holds who can sign in: console.oidc and console.roles give it to people; until then such calls are decided with 'approval approve'", rule, f.Role)
		}
	}
	if held.StepUp && n.c.StepUpACR() == "" {
		n.add("%s asks for a fresh sign-in (step_up), and console.oidc.acr is not set: nobody can give one, such calls are decided with 'approval approve'", rule)
	}
}

// namedNetwork finds the networks that a condition names.
var namedNetwork = regexp.MustCompile(`in_network\(\s*["']([^"']+)["']`)

// insideProxies notes conditions about networks that trusted proxies are in: of whoever comes
// from such an address it is not known whether it is one of them, and the call is denied.
func (n *notes) insideProxies(p Policy) {
	trusted, err := Networks(n.c.TrustedProxies)
	if err != nil {
		return
	}
	for i, r := range p.Rules {
		for _, named := range namedNetwork.FindAllStringSubmatch(r.When, -1) {
			network, err := netip.ParsePrefix(named[1])
			at := slices.IndexFunc(trusted, func(t netip.Prefix) bool { return t.Overlaps(network) })
			if err == nil && at >= 0 {
				n.add("policy %s, rule %d (%s): in_network(%q) overlaps %s of trusted_proxies: callers with an address there cannot be told from a proxy, and are denied; name the proxies' own addresses there", p.Name, i+1, r.Effect, named[1], trusted[at])
			}
		}
	}
}

// PolicyNotes are those of the notes that are about policies. Rules are analysed however long
// that takes.
func (c *Config) PolicyNotes() []string {
	n := &notes{c: c, whole: true}
	n.policies()
	return n.list
}

// rules notes what is found out about the rules of a policy in front of its servers. What is
// already said of a rule is not said in other words.
func (n *notes) rules(p Policy, servers []analysis.Server, people analysis.People, said map[int]bool) {
	var own []analysis.Server
	for _, s := range servers {
		if s.Policy.Name == p.Name {
			own = append(own, s)
		}
	}
	size := 0
	for _, s := range own {
		size += analysis.Size(s, people, s, people)
	}
	if !n.whole && size > analysis.Quick {
		n.add("policy %s has too many rules, objects and groups to be analysed here: 'policy check' does it", p.Name)
		return
	}
	for _, finding := range analysis.Check(own, people) {
		if !said[finding.Rule] {
			n.add("policy %s, rule %d (%s): %s", p.Name, finding.Rule+1, p.Rules[finding.Rule].Effect, finding.Text)
		}
	}
}

// doubt notes what a policy asks about. Rules are counted from 1, as decisions do.
func (n *notes) doubt(p Policy, d policy.Problem) {
	text := fmt.Sprintf("policy %s, rule %d (%s)", p.Name, d.Rule+1, p.Rules[d.Rule].Effect)
	if key, _, _ := strings.Cut(d.Key, "["); key != "" {
		text += ": " + key
	}
	text += ": " + d.Found
	if d.Want != "" {
		text += "; expected " + d.Want
	}
	n.add("%s", text)
}

// memberLike returns the member of a group that somebody may have been meant for who is in
// none; "" if there is none. Ids of one org are all alike: of them only the case of letters is
// mistyped unseen.
func (n *notes) memberLike(who string) string {
	var members []string
	for _, g := range n.c.Groups {
		members = append(members, g.Members...)
	}
	isName := strings.Contains(who, "@")
	if slices.ContainsFunc(members, func(m string) bool {
		return isName && strings.EqualFold(m, who) || grant.FullID(m) == grant.FullID(who)
	}) {
		return ""
	}
	const letters, typing = 15, 2 // of an id without its checksum; characters that are mistyped
	for _, m := range members {
		switch {
		case strings.Contains(m, "@") != isName:
		case isName && nearest.Distance(strings.ToLower(m), strings.ToLower(who)) <= typing:
			return m
		case !isName && len(m) >= letters && len(who) >= letters && strings.EqualFold(m[:letters], who[:letters]):
			return m
		}
	}
	return ""
}

// unused notes what is defined and used nowhere: a name elsewhere may be that of another.
func (n *notes) unused() {
	for _, g := range n.c.Groups {
		used := slices.ContainsFunc(n.c.Servers, func(s Server) bool { return slices.Contains(s.Groups, g.Name) }) ||
			slices.ContainsFunc(n.c.Policies, func(p Policy) bool {
				return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return slices.Contains(r.Groups, g.Name) })
			})
		if !used {
			n.add("group %s is used by no server and no rule", g.Name)
		}
	}
	for _, p := range n.c.Policies {
		if !slices.ContainsFunc(n.c.Servers, func(s Server) bool { return s.Policy == p.Name }) {
			n.add("policy %s is used by no server", p.Name)
		}
	}
	for _, o := range n.c.Salesforce.Orgs {
		if !slices.ContainsFunc(n.c.Servers, func(s Server) bool { return s.Org == o.Name }) {
			n.add("salesforce org %s has no server", o.Name)
		}
	}
}

// serverRequests tells whom a hosted server's requests do not reach: a client without a
// session has no stream for them, and this version does not turn them into input_required.
func (n *notes) serverRequests() {
	for _, s := range n.c.Servers {
		if len(s.ServerRequests) > 0 {
			n.add("server %s: server_requests reach clients with sessions (up to 2025-11-25); clients of 2026-07-28 are asked nothing, and the hosted server is told so", s.Name)
		}
	}
}

func (n *notes) registration() {
	if d := n.c.Registration.MetadataDocuments; len(d.AllowHosts) == 0 && (len(d.AllowAddresses) > 0 || d.Resolver != "") {
		n.add("registration.metadata_documents has no effect without allow_hosts")
	}
	if n.c.Registration.Dynamic.Enabled {
		n.add("registration.dynamic lets any program that reaches this proxy register a client; people see it as unverified")
	}
	for _, cl := range n.c.Clients {
		for _, uri := range cl.RedirectURIs {
			if strings.Contains(uri, "*") {
				n.add("client %s has the redirect URI %s: redirect URIs are compared as they are, * stands for nothing else", cl.ID, uri)
			}
		}
	}
}
