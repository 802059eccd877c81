package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/nearest"
)

func (v *validator) clients() {
	seen := map[string]bool{}
	for i, c := range v.c.Clients {
		key := fmt.Sprintf("clients[%d].", i)
		taken := c.ID == "" || seen[c.ID] || strings.HasPrefix(c.ID, "https://")
		if taken {
			v.add(key+"id", quote(c.ID), "an id of its own that is no URL")
		}
		seen[c.ID] = true
		if c.Server != "" && !slices.ContainsFunc(v.c.Servers, func(s Server) bool { return s.Name == c.Server }) {
			v.add(key+"server", quote(c.Server), "the name of a server, or nothing"+nearest.Question(c.Server, namesOf(v.c.Servers, func(s Server) string { return s.Name })))
		}
		for _, p := range c.OAuth().Validate(v.c.PublicURL, v.c.SalesforceHosts()) {
			if p.Key != "id" || !taken {
				v.add(key+p.Key, p.Found, p.Want)
			}
		}
	}
}

func (v *validator) registration() {
	r := v.c.Registration
	for i, host := range r.MetadataDocuments.AllowHosts {
		if err := clientdoc.ValidHost(host); err != nil {
			v.add(fmt.Sprintf("registration.metadata_documents.allow_hosts[%d]", i), quote(host), "a host name in lower case, without scheme, port or wildcard, such as chatgpt.com")
		}
	}
	for i, cidr := range r.MetadataDocuments.AllowAddresses {
		if network, err := netip.ParsePrefix(cidr); err != nil || network != network.Masked() {
			v.add(fmt.Sprintf("registration.metadata_documents.allow_addresses[%d]", i), quote(cidr), "a network such as 127.0.0.2/32")
		}
	}
	for i, uri := range r.Dynamic.PrivateUseURIs {
		if err := client.ValidatePrivateUseURI(uri); err != nil {
			v.add(fmt.Sprintf("registration.dynamic.private_use_uris[%d]", i), quote(uri), err.Error())
		}
	}
	if res := r.MetadataDocuments.Resolver; res != "" {
		if host, port, err := net.SplitHostPort(res); err != nil || host == "" || port == "" {
			v.add("registration.metadata_documents.resolver", quote(res), "host:port of a DNS server")
		}
	}
}

// publishes says whether a client id is the URL of a document that may be read.
func (v *validator) publishes(id string) bool {
	u, err := url.Parse(id)
	return err == nil && clientdoc.IsURL(id) && slices.Contains(v.c.Registration.MetadataDocuments.AllowHosts, u.Hostname())
}
