package mcpforward

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

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

// spoken are the versions with sessions. Clients of 2025 give up when they are answered
// another version than they asked for. Of the older two nothing is different here: batches,
// which 2025-03-26 has, are refused in every version, and its clients need none.
var spoken = map[string]bool{"2024-11-05": true, "2025-03-26": true, "2025-06-18": true, newestVersion: true}

// supportedVersions is what clients of the stateless era are told.
const supportedVersions = `["` + statelessVersion + `","` + newestVersion + `","2025-06-18","2025-03-26","2024-11-05"]`

// The members of _meta by which a request of the stateless era describes its client
// (MCP 2026-07-28, general fields).
const (
	metaVersion      = protocolPrefix + "protocolVersion"
	metaCapabilities = protocolPrefix + "clientCapabilities"
	metaClientInfo   = protocolPrefix + "clientInfo"
	metaLogLevel     = protocolPrefix + "logLevel"
)

// The error codes of 2026-07-28.
const (
	headerMismatch     jsonrpc.Code = -32020
	missingCapability  jsonrpc.Code = -32021
	unsupportedVersion jsonrpc.Code = -32022
)

// era finds out which one the request belongs to, and refuses what is of neither. The
// stateless era shows by _meta or by the header; initialize opens the other.
func (x *exchange) era() error {
	version, err := x.oneHeader(versionHeader)
	if err != nil {
		return err
	}
	raw, _ := x.params.Get("_meta")
	meta, _ := jsonrpc.ParseObject(raw)
	_, described := meta.Get(metaVersion)
	switch {
	case described, version == statelessVersion && x.msg.Method != "initialize", x.msg.Method == "server/discover":
		x.stateless = true
		if x.msg.IsRequest() { // for the others no header and no _meta is defined
			return x.describe(version, meta)
		}
	case x.msg.Method != "initialize" && version != "" && !spoken[version]:
		return notSupported(version)
	}
	return nil
}

// describe reads what a request of the stateless era says of itself. Headers repeat
// the body for those on the way, so they must agree with it; what counts is the body.
func (x *exchange) describe(header string, meta jsonrpc.Object) error {
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
	x.client = declared{name: readClientInfo(clientInfo), capabilities: readCapabilities(clientCapabilities)}
	if level, wanted := meta.Get(metaLogLevel); wanted {
		if x.client.logLevel, ok = readLogLevel(level); !ok {
			return badRequest(jsonrpc.InvalidParams, metaLogLevel+" is not a log level")
		}
	}
	return x.mirrored()
}

// mirrored compares the headers that repeat the method and the name of what is called
// (MCP 2026-07-28, standard request headers).
func (x *exchange) mirrored() error {
	method, err := x.oneHeader("Mcp-Method")
	if err != nil {
		return err
	}
	if method != x.msg.Method {
		return mismatch("Mcp-Method")
	}
	member := map[string]string{"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}[x.msg.Method]
	if member == "" {
		return nil
	}
	name, err := x.oneHeader("Mcp-Name")
	if err != nil {
		return err
	}
	said, ok := x.params.String(member)
	if name, readable := headerValue(name); !readable || ok && name != said {
		return mismatch("Mcp-Name")
	}
	return nil
}

// oneHeader returns a header that must not be repeated, empty if it is absent.
func (x *exchange) oneHeader(name string) (string, error) {
	values := x.r.Header.Values(name)
	if len(values) > 1 {
		return "", mismatch(name)
	}
	return x.r.Header.Get(name), nil
}

func mismatch(header string) error {
	return badRequest(headerMismatch, "Header mismatch: "+header+" is missing, repeated or differs from the message")
}

// notSupported refuses a version. Clients of both eras choose another from the list.
func notSupported(version string) error {
	return &refusal{status: http.StatusBadRequest, code: unsupportedVersion, message: "Unsupported protocol version",
		data: fmt.Appendf(nil, `{"supported":%s,"requested":%s}`, supportedVersions, jsonrpc.Quote(shortened(version, 64)))}
}

// How long a client of the stateless era may take an answer for current. What the
// policy lets it see can change any time; calls are judged anew whatever it has seen.
const (
	listFreshMS     = 60_000
	discoverFreshMS = 300_000
)

// freshness of the results that must say it (MCP 2026-07-28, caching). A resource may
// be any record: it is never fresh.
var freshness = map[string]int{
	"server/discover": discoverFreshMS, "tools/list": listFreshMS, "prompts/list": listFreshMS, "resources/list": listFreshMS,
	"resources/templates/list": listFreshMS, "resources/read": 0,
}

// complete adds to a result what the client's era demands of every result. All that
// can be cached is private: it was filtered for this caller.
func (x *exchange) complete(result jsontext.Value) jsontext.Value {
	if !x.stateless {
		return result
	}
	o, err := jsonrpc.ParseObject(result)
	if err != nil {
		return result // built by us or checked before: it is an object
	}
	o.Set("resultType", jsontext.Value(`"complete"`))
	if ms, ok := freshness[x.msg.Method]; ok {
		o.Set("ttlMs", fmt.Append(nil, ms))
		o.Set("cacheScope", jsontext.Value(`"private"`))
	}
	raw, _ := o.Get("_meta")
	meta, _ := jsonrpc.ParseObject(raw)
	meta.Set(protocolPrefix+"serverInfo", x.serverInfo())
	o.Set("_meta", meta.Encode())
	return o.Encode()
}

// pass answers with an error of Salesforce's, in the words of the client's era. Of its
// data only what clients need for their next step passes, built anew.
func (x *exchange) pass(c *call, fault *jsonrpc.Error) error {
	const resourceNotFound jsonrpc.Code = -32002 // until 2025-11-25; later −32602
	reading := x.msg.Method == "resources/read"
	switch {
	case reading && (fault.Code == resourceNotFound || fault.Code == jsonrpc.InvalidParams):
		return x.answer(unknown(x.msg, c.tool))
	case (reading || x.msg.Method == "prompts/get") && fault.Code == jsonrpc.MethodNotFound: // the server has none at all
		return x.answer(unknown(x.msg, c.tool))
	case x.stateless && fault.Code == missingCapability:
		return &refusal{status: http.StatusBadRequest, code: fault.Code, message: fault.Message, data: requiredCapabilities(fault.Data)}
	}
	return x.answer(jsonrpc.Failure(x.msg.ID, x.passable(fault.Code), fault.Message))
}

// requiredCapabilities rebuilds the data of a missingCapability error.
func requiredCapabilities(data jsontext.Value) jsontext.Value {
	o, _ := jsonrpc.ParseObject(data)
	raw, _ := o.Get("requiredCapabilities")
	said, _ := jsonrpc.ParseObject(raw)
	var required jsonrpc.Object
	for _, name := range []string{canBeAsked, canListRoots, canSample} {
		if _, ok := said.Get(name); ok {
			required.Set(name, jsontext.Value(`{}`))
		}
	}
	return append(append([]byte(`{"requiredCapabilities":`), required.Encode()...), '}')
}

// passable is the code under which an error of Salesforce's reaches the client. Codes
// between −32000 and −32099 mean what the specification of the client's era says, or
// nothing: −32042 would send a user to an address that nobody here vouches for.
func (x *exchange) passable(code jsonrpc.Code) jsonrpc.Code {
	const elicitationRequired jsonrpc.Code = -32042
	if code == elicitationRequired || x.stateless && code <= -32000 && code >= -32099 {
		return jsonrpc.InternalError
	}
	return code
}
