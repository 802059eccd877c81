package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/db"
)

// MaxShutdownDelay is how long shutdown_delay may be. What ends a process by force waits for that, and for the 30 s that ending
// takes, in the unit of systemd and the composition of examples.
const MaxShutdownDelay = time.Minute

func (v *validator) listeners() {
	c := v.c
	if err := access.ValidatePublicURL(c.PublicURL); err != nil {
		v.add("public_url", quote(c.PublicURL), err.Error())
	}
	host, port, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil || !validPort(port):
		v.add("listen", quote(c.Listen), "host:port")
	case !loopback(host) && c.TLS.CertFile == "" && len(c.TrustedProxies) == 0:
		v.add("listen", quote(c.Listen)+" without TLS", "a loopback address, or tls with a certificate, or trusted_proxies naming what ends TLS in front of it")
	}
	if adminHost, adminPort, err := net.SplitHostPort(c.AdminListen); err != nil || !validPort(adminPort) {
		v.add("admin_listen", quote(c.AdminListen), "host:port")
	} else if adminPort == port && port != "0" && (adminHost == host || anyAddress(adminHost) || anyAddress(host)) {
		v.add("admin_listen", "the public listener's address", "another address or port")
	}
	if c.ShutdownDelay < 0 || c.ShutdownDelay > MaxShutdownDelay {
		v.add("shutdown_delay", c.ShutdownDelay.String(), "0s to 1m, and 30s less than what ends the process waits before it kills it")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		v.add("tls", "one of cert_file and key_file", "both or none")
	} else if c.TLS.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile); err != nil {
			v.add("tls", reason(err), "a readable certificate chain and its private key, both PEM")
		}
	}
	for i, origin := range c.AllowedOrigins {
		if !validOrigin(origin) {
			v.add(fmt.Sprintf("allowed_origins[%d]", i), quote(origin), "an origin as browsers send it, such as https://app.example.com, app://name or null: scheme and host in lower case, no path, no default port, no wildcard")
		}
	}
	for i, cidr := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			v.add(fmt.Sprintf("trusted_proxies[%d]", i), quote(cidr), "a network such as 10.0.0.0/8")
		}
	}
	if c.TrustedCAFile != "" {
		if text, err := os.ReadFile(c.TrustedCAFile); err != nil {
			v.add("trusted_ca_file", reason(err), "a readable file")
		} else if !x509.NewCertPool().AppendCertsFromPEM(text) {
			v.add("trusted_ca_file", "no certificate in it", "PEM certificates")
		}
	}
}

// anyAddress says whether who listens on host listens on every address of the machine.
func anyAddress(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "" || err == nil && address.IsUnspecified()
}

func (v *validator) storage() {
	database := db.Config{URL: v.c.Database}
	if strings.HasPrefix(v.c.Database, "sqlite:") && strings.Contains(v.c.Database, ":memory:") {
		v.add("database", quote(v.c.Database), "sqlite:PATH of a file: what is granted, revoked and approved must outlive this process")
	} else if database.Validate() != nil && database.IsPostgres() {
		found, want := database.Wrong()
		v.add("database", found, want)
	} else if database.Validate() != nil {
		scheme, _, _ := strings.Cut(v.c.Database, ":") // a URL may hold a password: show no more than this
		v.add("database", quote(scheme+":…"), "sqlite:PATH or postgres://USER@HOST/DATABASE?sslmode=verify-full")
	}
	if path, isFile := strings.CutPrefix(v.c.Database, "sqlite:"); isFile {
		if found, err := os.Stat(path); err == nil && found.IsDir() {
			v.add("database", "sqlite:"+path+", which is a folder", "sqlite:PATH of a file in it")
		}
	}
	if v.c.KeysFile == "" {
		v.add("keys_file", "nothing", "the path of the sealing keys")
	}
	v.keys()
}

// validOrigin says whether a browser could send that in an Origin header (RFC 6454 6.2).
func validOrigin(text string) bool {
	u, err := url.Parse(text)
	switch {
	case text == "null":
		return true
	case err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != text || text != strings.ToLower(text) || strings.Contains(text, "*"):
		return false
	}
	return !(u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80")
}

// adminOpen reports whether other machines reach the private listener.
func (c *Config) adminOpen() bool {
	host, _, err := net.SplitHostPort(c.AdminListen)
	return err == nil && !loopback(host)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// validPort says whether a listener can have that port, a number or a name such as "http".
func validPort(port string) bool {
	_, err := net.LookupPort("tcp", port)
	return err == nil && port != ""
}
