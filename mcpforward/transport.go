package mcpforward

import (
	"net/http"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/access"
)

// consistsOf reports whether s has nothing but ASCII letters, digits and the others.
func consistsOf(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(others, c) >= 0) {
			return false
		}
	}
	return true
}

// arrival is where a request came to, and from which page.
type arrival struct{ *request }

// check refuses what no MCP client sends: another host (DNS rebinding), a page of
// another origin (MCP transports, security warning), a path that is no endpoint. The
// path is compared as it was sent, undecoded, but for one slash at its end, which clients
// add and mean nothing by.
func (r arrival) check() error {
	name, ok := strings.CutPrefix(strings.TrimSuffix(r.http.URL.EscapedPath(), "/"), "/mcp/")
	if !ok || !access.ValidServerName(name) {
		return &refusal{status: http.StatusNotFound, message: "there is nothing at this address"}
	}
	r.name = name
	scheme, _, _ := strings.Cut(r.origin, ":")
	if hostOf(r.http.Host, scheme) != r.host {
		return r.otherHost()
	}
	return r.checkOrigin()
}

// otherHost refuses a request for another host than ours. Mostly something in front has
// written its own name into the header, so the answer has both names; the log has them
// once in a while, since anybody can send any name.
func (r arrival) otherHost() error {
	came := shortened(r.http.Host, 255)
	if r.hostWarnings.AllowN(r.Now(), 1) {
		r.Log.WarnContext(r.http.Context(), "a request names another host than public_url does: what stands in front has to pass the client's Host header on, or be in trusted_proxies and set X-Forwarded-Host",
			"host", came, "expected", r.host)
	}
	return &refusal{status: http.StatusMisdirectedRequest,
		message: "this host is not served here: the Host header says " + came + ", expected is " + r.host}
}

// checkOrigin refuses requests of web pages, but for our own and those of origins that are
// configured; these may read the answers (Fetch, CORS protocol). No credentials of a browser
// count here, so none are allowed.
func (r arrival) checkOrigin() error {
	for _, origin := range r.http.Header.Values("Origin") {
		switch {
		case slices.Contains(r.AllowedOrigins, origin):
			h := r.out.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Add("Vary", "Origin")
			h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, "+sessionHeader)
		case !strings.EqualFold(origin, r.origin):
			return &refusal{status: http.StatusForbidden, message: "requests of web pages of another origin are not served"}
		}
	}
	return nil
}

// isPreflight reports whether a browser asks what a page of an allowed origin may send. That
// needs no token: none can be sent along.
func (r arrival) isPreflight() bool {
	return r.http.Method == http.MethodOptions && r.http.Header.Get("Access-Control-Request-Method") != "" &&
		r.out.Header().Get("Access-Control-Allow-Origin") != ""
}

// preflight answers it.
func (r arrival) preflight() (result, error) {
	h := r.out.Header()
	h.Set("Access-Control-Allow-Methods", "POST, GET, DELETE")
	h.Set("Access-Control-Allow-Headers", "*, Authorization") // the wildcard does not cover the latter
	h.Set("Access-Control-Max-Age", "600")
	return result{status: http.StatusNoContent}, nil
}

// hostOf is a Host header in the form in which two are compared.
func hostOf(host, scheme string) string {
	host = strings.ToLower(host)
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}
