package config

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

// mistyped notes what is well formed and can hardly be meant.
func (n *notes) mistyped() {
	public, err := url.Parse(n.c.PublicURL)
	if err == nil && n.c.Production && loopback(public.Hostname()) {
		n.add("public_url %s is this machine: nobody on another one reaches it", n.c.PublicURL)
	}
	n.networks()
	for _, g := range n.c.Groups {
		for _, m := range g.Members {
			if _, domain, found := strings.Cut(m, "@"); found && !strings.Contains(domain, ".") {
				n.add("group %s has the member %s, which is no username of Salesforce's: they end like an e-mail address, in @company.example", g.Name, m)
			}
		}
	}
	for _, o := range n.c.Salesforce.Orgs {
		if strings.ContainsFunc(o.ClientID, func(r rune) bool { return r > unicode.MaxASCII }) {
			n.add("salesforce org %s has the client_id %s, with a character that no consumer key has: copy it whole", o.Name, o.ClientID)
		}
	}
	servers, clients := map[string]string{}, map[string]string{}
	for _, s := range n.c.Servers {
		n.alike("servers", servers, s.Title, s.Name)
	}
	for _, c := range n.c.Clients {
		n.alike("clients", clients, c.Name, c.ID)
	}
}

// alike notes two that people see under one name; seen holds the first of each.
func (n *notes) alike(what string, seen map[string]string, shown, name string) {
	if shown == "" {
		return
	}
	if first, twice := seen[shown]; twice {
		n.add("%s %s and %s are both shown as %q: nobody can tell them apart", what, first, name, shown)
		return
	}
	seen[shown] = name
}

// networks notes trusted networks that are larger than one owner's, and those that are
// written as an address in them.
func (n *notes) networks() {
	for _, text := range n.c.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		if err != nil || network.Bits() == 0 { // said elsewhere
			continue
		}
		if least := map[bool]int{true: 8, false: 16}[network.Addr().Is4()]; network.Bits() < least {
			n.add("trusted_proxies holds %s, which is more than one company's network: whoever connects from there says itself which address it has", text)
		}
		if network != network.Masked() {
			n.add("trusted_proxies holds %s, which means %s: for one address, write /%d", text, network.Masked(), network.Addr().BitLen())
		}
	}
}
