package main

import (
	"crypto/x509"
	"log/slog"
	"time"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/config"
	"sfmcp-proxy/mcpforward/upstream"
)

// This file puts the configuration into the words of each part, so that none of them
// knows of files, keys or the others.

// callbackURL is where Salesforce sends people back to.
func callbackURL(c *config.Config) string { return c.PublicURL + "/oauth/callback" }

// openPool opens the sessions with Salesforce's hosted servers.
func openPool(c *config.Config, n *outbound, log *slog.Logger) *upstream.Pool {
	return upstream.New(upstream.Config{
		HTTP: n.http, Log: log, Version: version, ResponseBytes: int64(c.Limits.ResponseBytes),
	})
}

// documents is what fetches Client ID Metadata Documents; nil if no host may publish one.
func documents(c *config.Config, roots *x509.CertPool, now func() time.Time) (*clientdoc.Fetcher, error) {
	d := c.Registration.MetadataDocuments
	if len(d.AllowHosts) == 0 {
		return nil, nil
	}
	networks, err := config.Networks(d.AllowAddresses)
	if err != nil {
		return nil, err
	}
	return clientdoc.New(clientdoc.Config{AllowHosts: d.AllowHosts, AllowAddresses: networks, Resolver: d.Resolver, Roots: roots, Now: now}), nil
}
