package mcpforward

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/jsonrpc"
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

// guard refuses what no MCP client sends: another host (DNS rebinding), a page of
// another origin (MCP transports, security warning), a path that is no endpoint. The
// path is compared as it was sent, undecoded, but for one slash at its end, which clients
// add and mean nothing by.
func (x *exchange) guard() error {
	name, ok := strings.CutPrefix(strings.TrimSuffix(x.r.URL.EscapedPath(), "/"), "/mcp/")
	if !ok || !access.ValidServerName(name) {
		return &refusal{status: http.StatusNotFound, message: "there is nothing at this address"}
	}
	x.name = name
	scheme, _, _ := strings.Cut(x.origin, ":")
	if hostOf(x.r.Host, scheme) != x.host {
		return &refusal{status: http.StatusMisdirectedRequest, message: "this host is not served here"}
	}
	for _, origin := range x.r.Header.Values("Origin") {
		if !strings.EqualFold(origin, x.origin) {
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

// read decodes the body: one strict JSON-RPC message.
func (x *exchange) read() error {
	if err := checkType(x.r.Header); err != nil {
		return err
	}
	if !x.reply.Acceptable() {
		return &refusal{status: http.StatusNotAcceptable, message: "Accept must allow application/json or text/event-stream"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.reply.HTTP(), x.r.Body, x.Limits.RequestBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return &refusal{status: http.StatusRequestEntityTooLarge, code: jsonrpc.InvalidRequest, message: "the message is too large"}
	} else if err != nil {
		return badRequest(jsonrpc.ParseError, "the message did not arrive whole")
	}
	if x.msg, err = jsonrpc.Decode(body); err != nil {
		return x.malformed(err)
	}
	if x.msg.Params != nil {
		x.params, err = jsonrpc.ParseObject(x.msg.Params)
	}
	return err
}

// malformed records a body that is not one strict message: no client sends that by
// accident. Beyond the user's limit it is refused unrecorded, so that it cannot fill
// the disk.
func (x *exchange) malformed(err error) error {
	var fault *jsonrpc.Error
	if !errors.As(err, &fault) {
		return err
	}
	x.recordMalformed(fault.Message)
	return badRequest(fault.Code, fault.Message)
}

func (x *exchange) recordMalformed(how string) {
	if x.budgets.Of(x.user()).Allow() {
		e := x.entry("request.refuse", audit.Denied)
		e.Reason = "malformed: " + how
		x.record(e)
	}
}

// checkType accepts JSON in UTF-8 as it is, and nothing else (SR-RS-6, SR-FW-1).
func checkType(h http.Header) error {
	refuse := &refusal{status: http.StatusUnsupportedMediaType, message: "Content-Type must be application/json, without Content-Encoding"}
	types := h.Values("Content-Type")
	if len(types) != 1 || len(h.Values("Content-Encoding")) > 0 {
		return refuse
	}
	if types[0] == "application/json" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(types[0])
	if err != nil || kind != "application/json" {
		return refuse
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return refuse
		}
	}
	return nil
}
