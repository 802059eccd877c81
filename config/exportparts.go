package config

import (
	"crypto/x509"
	"net/url"
	"time"

	"sfmcp-proxy/authproxy/audit/destination"
	"sfmcp-proxy/authproxy/audit/export"
	"sfmcp-proxy/authproxy/receiver"
	"sfmcp-proxy/authproxy/tunnel"
)

// ExportParts is what destinations need besides the configuration.
type ExportParts struct {
	Roots   *x509.CertPool // nil: the system's
	Via     *tunnel.Dialer // nil: no forward proxy
	Version string         // of this program
	Now     func() time.Time
}

// How much is sent at once: what a collector takes, and what makes an object worth having.
const (
	batchEntries, batchBytes   = 500, 1 << 20
	bucketEntries, bucketBytes = 10_000, 8 << 20
)

// AuditExports are the destinations of the audit log, in their order.
func (c *Config) AuditExports(parts ExportParts) (all []export.Export) {
	host := ""
	if u, err := url.Parse(c.PublicURL); err == nil {
		host = u.Hostname()
	}
	for _, e := range c.Exports {
		one := export.Export{Name: e.Name, Kind: e.Kind, Format: export.Format(e.Format), Personal: e.Personal, Arguments: e.Arguments,
			Every: e.Every, Entries: batchEntries, Bytes: batchBytes, To: e.destination(parts, host)}
		if e.Kind == "s3" {
			one.Entries, one.Bytes = bucketEntries, bucketBytes
		}
		all = append(all, one)
	}
	return all
}

// destination is what takes batches, on behalf of this host.
func (e Export) destination(parts ExportParts, host string) destination.Destination {
	allow := exportNetworks(e.AllowAddresses)
	client := receiver.New(receiver.Config{Allow: allow, AnyPort: true, Roots: parts.Roots, Via: parts.Via, HeadTime: exportHeadTime, Now: parts.Now})
	switch e.Kind {
	case "file":
		return destination.NewFile(destination.FileConfig{Path: e.Path, MaxBytes: int64(e.MaxSize), Keep: e.KeepFiles})
	case "syslog":
		return destination.NewSyslog(destination.SyslogConfig{Address: e.Address, Hostname: host, CertFile: e.CertFile, KeyFile: e.KeyFile,
			Allow: allow, Roots: parts.Roots, Via: parts.Via})
	case "otlp":
		return destination.NewOTLP(destination.OTLPConfig{URL: e.URL, TokenFile: e.TokenFile, Version: parts.Version, Client: client})
	case "splunk":
		return destination.NewSplunk(destination.SplunkConfig{URL: e.URL, TokenFile: e.TokenFile, Index: e.Index, Hostname: host, Ack: e.Ack, Client: client})
	case "webhook":
		w := destination.WebhookConfig{URL: e.URL, URLFile: e.URLFile, Client: client}
		for _, file := range []string{e.SecretFile, e.PreviousSecretFile} {
			if file != "" {
				w.SecretFiles = append(w.SecretFiles, file)
			}
		}
		return destination.NewWebhook(w)
	}
	return destination.NewS3(e.S3.place(CheckpointParts{HTTP: client.HTTP(), Now: parts.Now})) // Validate knows no other kind
}

// exportHeadTime is how long a receiver may take until its answer begins.
const exportHeadTime = 20 * time.Second
