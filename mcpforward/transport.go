package mcpforward

import (
	"net/http"
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

// checkAddress refuses what no MCP client sends: another host (DNS rebinding), a page of
// another origin (MCP transports, security warning), a path that is no endpoint. The
// path is compared as it was sent, undecoded, but for one slash at its end, which clients
// add and mean nothing by.
func (r *request) checkAddress() error {
	name, ok := strings.CutPrefix(strings.TrimSuffix(r.http.URL.EscapedPath(), "/"), "/mcp/")
	if !ok || !access.ValidServerName(name) {
		return &refusal{status: http.StatusNotFound, message: "there is nothing at this address"}
	}
	r.name = name
	scheme, _, _ := strings.Cut(r.origin, ":")
	if hostOf(r.http.Host, scheme) != r.host {
		return &refusal{status: http.StatusMisdirectedRequest, message: "this host is not served here"}
	}
	for _, origin := range r.http.Header.Values("Origin") {
		if !strings.EqualFold(origin, r.origin) {
			return &refusal{status: http.StatusForbidden, message: "requests of web pages of another origin are not served"}
		}
	}
	return nil
}

// hostOf is a Host header in the form in which two are compared.
func hostOf(host, scheme string) string {
	host = strings.ToLower(host)
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}
