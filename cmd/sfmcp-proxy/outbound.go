package main

import (
	"crypto/x509"
	"log/slog"
	"net/http"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/tunnel"
	"sfmcp-proxy/config"
	"sfmcp-proxy/mcpforward/upstream"
)

// outbound is the way to Salesforce, and to the hosts of clients' metadata documents.
type outbound struct {
	roots      *x509.CertPool // nil: the system's
	via        *tunnel.Dialer // nil: no forward proxy
	http       *http.Client
	salesforce *salesforce.Client
	documents  *clientdoc.Fetcher // nil: no host may publish one
}

// openOutbound makes no connection yet.
func openOutbound(c *config.Config, log *slog.Logger) (n *outbound, err error) {
	n = &outbound{}
	if n.roots, err = c.TrustedRoots(); err != nil {
		return nil, err
	}
	if n.via, err = c.Tunnel(); err != nil {
		return nil, err
	}
	n.http = salesforce.NewHTTPClient(n.roots, n.via)
	if n.documents, err = c.Documents(n.roots, n.via); err != nil {
		return nil, err
	}
	n.salesforce, err = salesforce.New(salesforce.Config{
		Orgs: c.OAuthOrgs(), HTTP: n.http, RedirectURI: c.CallbackURL(), Log: log,
	})
	return n, err
}

// openPool opens the sessions with Salesforce's hosted servers. with has what is not known here.
func (n *outbound) openPool(c *config.Config, with upstream.Config) *upstream.Pool {
	with.HTTP, with.Version, with.ResponseBytes = n.http, version, int64(c.Limits.ResponseBytes)
	return upstream.New(with)
}
