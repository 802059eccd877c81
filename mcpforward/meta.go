package mcpforward

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// protocolPrefix is what the names in _meta that the protocol gives a meaning begin with.
const protocolPrefix = "io.modelcontextprotocol/"

// The members of _meta by which a request of the stateless era describes its client
// (MCP 2026-07-28, general fields).
const (
	metaVersion      = protocolPrefix + "protocolVersion"
	metaCapabilities = protocolPrefix + "clientCapabilities"
	metaClientInfo   = protocolPrefix + "clientInfo"
	metaLogLevel     = protocolPrefix + "logLevel"
)

// metaForServer is the part of a request's _meta that concerns Salesforce: progress, its
// own names and those of extensions. What the stateless era says of the client is for
// us, and clients also put things there that are nobody else's business, such as
// where the user is.
func metaForServer(params jsonrpc.Object) (jsontext.Value, bool) {
	all, ok := params.Object("_meta")
	if !ok {
		return nil, false
	}
	var passes jsonrpc.Object
	for name, value := range all.WithoutNull().All() {
		if name == "progressToken" || strings.HasPrefix(name, "salesforce/") || strings.HasPrefix(name, protocolPrefix) && !isForUs(name) {
			passes.Set(name, value)
		}
	}
	return passes.Encode(), passes.Len() > 0
}

// isForUs reports whether one of the protocol's names in _meta is between a client and us.
func isForUs(name string) bool {
	switch name {
	case metaVersion, metaCapabilities, metaClientInfo, metaLogLevel,
		protocolPrefix + "subscriptionId", protocolPrefix + "related-task",
		protocolPrefix + "authorization-context-id": // SEP-2643: correlates a repeat with its denial
		return true
	}
	return false
}

// metaForWrites returns params with nothing of _meta but the progress token. Nobody judges
// or approves what else is there, so it does not go with what changes something.
func metaForWrites(params jsontext.Value) jsontext.Value {
	o, err := jsonrpc.ParseObject(params)
	if err != nil {
		return params
	}
	meta, _ := o.Object("_meta")
	o.Delete("_meta")
	if token, ok := meta.Get("progressToken"); ok {
		var passes jsonrpc.Object
		passes.Set("progressToken", token)
		o.Set("_meta", passes.Encode())
	}
	return o.Encode()
}

// withoutChallenge takes out of a result what would pass a challenge of Salesforce's on to
// the client (SR-RS-2). Everything else in _meta passes. members are those of the result.
func withoutChallenge(value jsontext.Value, members *jsonrpc.Object) jsontext.Value {
	if remove(members, "_meta", "mcp/www_authenticate") {
		return members.Encode()
	}
	return value
}

// remove removes a member of a member, and the latter if nothing is left. It reports
// whether there was one.
func remove(o *jsonrpc.Object, outer, inner string) bool {
	v, _ := o.Object(outer)
	if _, ok := v.Get(inner); !ok {
		return false
	}
	v.Delete(inner)
	if v.Len() == 0 {
		o.Delete(outer)
		return true
	}
	o.Set(outer, v.Encode())
	return true
}
