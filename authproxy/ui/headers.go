package ui

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

const (
	// emptyPolicy is for answers that are no pages: nothing may be loaded.
	emptyPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

	permissions = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), display-capture=(), encrypted-media=(), " +
		"fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), " +
		"publickey-credentials-get=(), screen-wake-lock=(), usb=(), xr-spatial-tracking=()"

	// strictTransport: one year (OWASP ASVS 3.4.1).
	strictTransport = "max-age=31536000"
)

// Headers sets the security headers on every answer of next, errors included.
// Answers that [Site.Render] writes replace the content policy by that of their page.
// https says that the public URL is https, and adds Strict-Transport-Security.
func Headers(https bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setCommonHeaders(w.Header())
		w.Header()["Content-Security-Policy"] = emptyPolicyValue
		if https {
			w.Header()["Strict-Transport-Security"] = strictTransportValue
		}
		next.ServeHTTP(w, r)
	})
}

// Most answers share the values of these headers: whoever changes one sets another.
var (
	commonHeaders = http.Header{
		"X-Content-Type-Options": {"nosniff"},
		"X-Frame-Options":        {"DENY"},
		"Referrer-Policy":        {"no-referrer"},
	}
	sameOrigin           = []string{"same-origin"}
	emptyPolicyValue     = []string{emptyPolicy}
	strictTransportValue = []string{strictTransport}
)

// setCommonHeaders sets what every answer has, also one that is no page.
func setCommonHeaders(h http.Header) {
	maps.Copy(h, commonHeaders)
	if h.Get(openerPolicy) != keepOpener {
		h[openerPolicy] = sameOrigin
	}
}

const (
	openerPolicy = "Cross-Origin-Opener-Policy"
	keepOpener   = "unsafe-none"
)

// KeepOpener is for answers on the way of an authorization: a client on the web may have
// opened the window and wait for its end. Cut off from it, the window looks closed to
// the client, which gives up (ChatGPT: "OAuth flow canceled"), and the client's callback
// finds nobody to tell. The opener can do no more with it than close it or lead it
// elsewhere.
func KeepOpener(h http.Header) { h.Set(openerPolicy, keepOpener) }

// contentPolicy is the Content-Security-Policy of a page whose forms may lead to
// targets, which are URLs, origins or schemes ("https:"). scripted: the page has a script of ours,
// which reads from us.
func contentPolicy(targets []string, scripted bool) (string, error) {
	action := "'self'"
	seen := map[string]bool{}
	for _, target := range targets {
		source, err := formSource(target)
		if err != nil {
			return "", err
		}
		if !seen[source] {
			seen[source] = true
			action += " " + source
		}
	}
	scripts := ""
	if scripted {
		scripts = "script-src 'self'; connect-src 'self'; "
	}
	return "default-src 'none'; " + scripts + "style-src 'self'; img-src 'self'; form-action " + action +
		"; base-uri 'none'; frame-ancestors 'none'", nil
}

// sourceHost is the host grammar of CSP 3 section 2.3.1, without wildcards.
var sourceHost = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?$`)

var sourceScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// formSource turns target into a CSP source: the origin of a web address, or the
// scheme of anything else. The grammar has no place for IPv6 addresses, which get
// their scheme too.
func formSource(target string) (string, error) {
	u, err := url.Parse(target)
	if err != nil || !sourceScheme.MatchString(u.Scheme) {
		return "", fmt.Errorf("form target %q is no URL", target)
	}
	switch u.Scheme {
	case "javascript", "data", "blob", "filesystem":
		return "", fmt.Errorf("form target %q could run a script", target)
	case "http", "https":
	default:
		return u.Scheme + ":", nil
	}
	if u.Host == "" && u.Opaque == "" && u.Path == "" {
		return u.Scheme + ":", nil
	}
	if addr, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]")); err == nil && addr.Is6() {
		return u.Scheme + ":", nil
	}
	if !sourceHost.MatchString(u.Host) {
		return "", fmt.Errorf("form target %q has no usable host", target)
	}
	return u.Scheme + "://" + u.Host, nil
}
