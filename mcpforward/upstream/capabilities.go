package upstream

import (
	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// ClientCapabilities is what the client behind a call can do for Salesforce, as far as the
// server's policy lets it: what initialize declares, and what passes to the client.
// Sessions are never shared between different ones.
type ClientCapabilities struct {
	UI             bool // user interfaces that tools bring along (io.modelcontextprotocol/ui)
	Sampling       bool // sampling/createMessage
	SamplingTools  bool // the same with tools, MCP 2025-11-25; nothing without Sampling
	Elicitation    bool // elicitation/create with a form
	ElicitationURL bool // elicitation/create with a URL, MCP 2025-11-25
	Roots          bool // roots/list; that they change is not declared
	// LogLevel is the least severe level of the log messages that are wanted, one of
	// RFC 5424 as MCP names them; empty: none are.
	LogLevel string
}

// knownVersion is known to be spoken by Salesforce. newestVersion is asked for only if
// something is declared that came with it: see the package's documentation.
const (
	knownVersion  = "2025-06-18"
	newestVersion = "2025-11-25"
)

// spoken are the versions that we accept. They do not differ in what this package uses
// of them.
var spoken = map[string]bool{"2024-11-05": true, "2025-03-26": true, knownVersion: true, newestVersion: true}

func (c ClientCapabilities) version() string {
	if c.SamplingTools || c.ElicitationURL {
		return newestVersion
	}
	return knownVersion
}

// declaration is the member capabilities of initialize's params.
func (c ClientCapabilities) declaration() jsontext.Value {
	var all, elicitation, sampling jsonrpc.Object
	if c.Roots {
		all.Set("roots", jsontext.Value(`{"listChanged":false}`))
	}
	if c.SamplingTools {
		sampling.Set("tools", jsontext.Value(`{}`))
	}
	if c.Sampling {
		all.Set("sampling", sampling.Encode())
	}
	if c.ElicitationURL {
		elicitation.Set("url", jsontext.Value(`{}`))
	}
	if c.ElicitationURL && c.Elicitation { // alone it is {}, as in 2025-06-18
		elicitation.Set("form", jsontext.Value(`{}`))
	}
	if c.ElicitationURL || c.Elicitation {
		all.Set("elicitation", elicitation.Encode())
	}
	if c.UI {
		all.Set("extensions", jsontext.Value(`{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}`))
	}
	return all.Encode()
}

// refusal returns the error that answers a request of Salesforce's which nobody
// declared; nil: it passes. The codes are those of MCP 2025-11-25 (client features).
func (c ClientCapabilities) refusal(m *jsonrpc.Message) *jsonrpc.Error {
	params, _ := jsonrpc.ParseObject(m.Params)
	declared, also := false, true // the method, and what it is asked with
	switch m.Method {
	case "roots/list":
		declared = c.Roots
	case "sampling/createMessage":
		_, tools := params.Get("tools")
		declared, also = c.Sampling, !tools || c.SamplingTools
	case "elicitation/create":
		mode, given := params.Get("mode")
		declared = c.Elicitation || c.ElicitationURL
		also = c.Elicitation && (!given || string(mode) == `"form"`) || c.ElicitationURL && string(mode) == `"url"`
	}
	switch {
	case !declared:
		return &jsonrpc.Error{Code: jsonrpc.MethodNotFound, Message: "not declared by this client"}
	case !also, params.Lookalike("mode", "tools"): // which some clients would read as these
		return &jsonrpc.Error{Code: jsonrpc.InvalidParams, Message: "not declared by this client"}
	}
	return nil
}

// severity orders the levels of log messages (RFC 5424 6.2.1, in MCP's words).
var severity = map[string]int{"debug": 1, "info": 2, "notice": 3, "warning": 4, "error": 5, "critical": 6, "alert": 7, "emergency": 8}

// wants reports whether a log message of Salesforce's passes.
func (c ClientCapabilities) wants(m *jsonrpc.Message) bool {
	params, _ := jsonrpc.ParseObject(m.Params)
	level, _ := params.String("level")
	return c.LogLevel != "" && severity[level] >= severity[c.LogLevel]
}

// IsLogLevel reports whether MCP has a level of log messages by that name.
func IsLogLevel(name string) bool { return severity[name] > 0 }

// valid reports whether the level is one: with a wrong one everything would pass.
func (c ClientCapabilities) valid() bool { return c.LogLevel == "" || IsLogLevel(c.LogLevel) }
