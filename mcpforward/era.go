package mcpforward

import (
	"errors"
	"fmt"
	"net/http"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Two eras of the protocol are served at one address. A client of the stateless one
// says with every request which version it speaks and what it can do; a client of the
// older ones says so once, by initialize, which opens a session.
const (
	statelessVersion = "2026-07-28"
	// newestVersion is offered to a client that asks initialize for one that is not
	// spoken here.
	newestVersion = "2025-11-25"

	versionHeader = "MCP-Protocol-Version"
)

// hasSessions reports whether a version is one of those with sessions. Clients of 2025 give
// up when they are answered another version than they asked for. Of the older two nothing
// is different here: batches, which 2025-03-26 has, are refused in every version, and its
// clients need none.
func hasSessions(version string) bool {
	switch version {
	case newestVersion, "2025-06-18", "2025-03-26", "2024-11-05":
		return true
	}
	return false
}

// supportedVersions are the versions that clients of the stateless era can choose from.
const supportedVersions = `["` + statelessVersion + `","` + newestVersion + `","2025-06-18","2025-03-26","2024-11-05"]`

// The error codes of 2026-07-28.
const (
	headerMismatch     jsonrpc.Code = -32020
	missingCapability  jsonrpc.Code = -32021
	unsupportedVersion jsonrpc.Code = -32022
)

// readEra finds out which one the request belongs to, and refuses what is of neither. Where
// the headers differ from the message, whoever reads only headers was to see something
// else: that is recorded.
func (r *request) readEra() error {
	err := eraReader{r}.era()
	if e, ok := errors.AsType[*refusal](err); ok && e.code == headerMismatch {
		r.recordMalformed(e.message)
	}
	return err
}

// eraReader reads to which era a request belongs, and what it says of itself there.
type eraReader struct{ *request }

// era finds out which one the request belongs to. The stateless era shows by _meta or by
// the header; initialize opens the other.
func (r eraReader) era() error {
	version, err := oneHeader(r.http.Header, versionHeader)
	if err != nil {
		return err
	}
	meta, _ := r.params.Object("_meta")
	_, described := meta.Get(metaVersion)
	switch {
	case described, version == statelessVersion && r.msg.Method != "initialize", r.msg.Method == "server/discover":
		r.stateless = true
		if r.msg.IsRequest() { // for the others no header and no _meta is defined
			return r.describe(version, meta)
		}
	case r.msg.Method != "initialize" && version != "" && !hasSessions(version):
		return notSupported(version)
	}
	return nil
}

// describe reads what a request of the stateless era says of itself. Headers repeat
// the body for those on the way, so they must agree with it; what counts is the body.
func (r eraReader) describe(header string, meta jsonrpc.Object) error {
	version, ok := meta.String(metaVersion)
	clientCapabilities, _ := meta.Get(metaCapabilities)
	clientInfo, _ := meta.Get(metaClientInfo)
	switch {
	case !ok:
		return badRequest(jsonrpc.InvalidParams, "_meta lacks "+metaVersion)
	case header != version:
		return mismatch(versionHeader)
	case version != statelessVersion:
		return notSupported(version)
	case clientCapabilities.Kind() != '{':
		return badRequest(jsonrpc.InvalidParams, "_meta lacks "+metaCapabilities)
	}
	r.client = declared{name: readClientInfo(clientInfo), capabilities: readCapabilities(clientCapabilities)}
	if level, wanted := meta.Get(metaLogLevel); wanted {
		if r.client.logLevel, ok = readLogLevel(level); !ok {
			return badRequest(jsonrpc.InvalidParams, metaLogLevel+" is not a log level")
		}
	}
	return r.mirrored()
}

// mirrored compares the headers that repeat the method and the name of what is called
// (MCP 2026-07-28, standard request headers).
func (r eraReader) mirrored() error {
	method, err := oneHeader(r.http.Header, "Mcp-Method")
	if err != nil {
		return err
	}
	if method != r.msg.Method {
		return mismatch("Mcp-Method")
	}
	var member string
	switch r.msg.Method {
	case "tools/call", "prompts/get":
		member = "name"
	case "resources/read":
		member = "uri"
	default:
		return nil
	}
	name, err := oneHeader(r.http.Header, "Mcp-Name")
	if err != nil {
		return err
	}
	inBody, ok := r.params.String(member)
	if name, readable := headerValue(name); !readable || ok && name != inBody {
		return mismatch("Mcp-Name")
	}
	return nil
}

// oneHeader returns a header that must not be repeated, empty if it is absent.
func oneHeader(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) > 1 {
		return "", mismatch(name)
	}
	return h.Get(name), nil
}

func mismatch(header string) error {
	return badRequest(headerMismatch, "Header mismatch: "+header+" is missing, repeated or differs from the message")
}

// notSupported refuses a version. Clients of both eras choose another from the list.
func notSupported(version string) error {
	return &refusal{status: http.StatusBadRequest, code: unsupportedVersion, message: "Unsupported protocol version",
		data: fmt.Appendf(nil, `{"supported":%s,"requested":%s}`, supportedVersions, jsonrpc.Quote(shortened(version, 64)))}
}
