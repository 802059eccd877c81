package mcpforward

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// declared is what a client says of itself: once at initialize, which its session
// keeps, or with every request (2026-07-28). It is self-reported: it decides what the
// client is offered, never what it may do.
type declared struct {
	name         string       // what it calls itself, for people who look for what is wrong
	capabilities capabilities // what it can do
	logLevel     string       // least severity of the log messages that it wants; empty: none
}

// capabilities are those of a client's capabilities that matter here, by the words
// under which sessions are stored and servers configured.
type capabilities []string

const (
	canShowUI    = "ui"          // extension io.modelcontextprotocol/ui: Salesforce lists more tools for it
	canSample    = "sampling"    // ask the client's model
	canBeAsked   = "elicitation" // ask the user, by a form
	canListRoots = "roots"       // ask for the folders the client works on
	canOpen      = "open"        // ask the user to open an address: elicitation with a URL
	// canReadDenials: it reads in members why a call was denied, see ask.go.
	canReadDenials = "denials"

	uiExtension     = protocolPrefix + "ui"
	denialExtension = protocolPrefix + "structured-authorization-denials" // SEP-2643
)

// passableCapabilities are those by which a server can be configured to pass requests of
// the hosted server to the client.
var passableCapabilities = []string{canBeAsked, canListRoots, canSample}

// has reports whether the client declared the capability.
func (c capabilities) has(name string) bool { return slices.Contains(c, name) }

func (c capabilities) String() string { return strings.Join(c, " ") }

// readCapabilities reads a ClientCapabilities object. A form is what elicitation means
// unless it names its modes (MCP 2025-11-25, elicitation).
func readCapabilities(v jsontext.Value) (c capabilities) {
	all, _ := jsonrpc.ParseObject(v)
	extensions, _ := all.Object("extensions")
	if _, ok := extensions.Object(uiExtension); ok {
		c = append(c, canShowUI)
	}
	if _, ok := extensions.Object(denialExtension); ok {
		c = append(c, canReadDenials)
	}
	if _, ok := all.Object("sampling"); ok {
		c = append(c, canSample)
	}
	if modes, ok := all.Object("elicitation"); ok {
		if _, form := modes.Object("form"); form || modes.Len() == 0 {
			c = append(c, canBeAsked)
		}
		if _, url := modes.Object("url"); url {
			c = append(c, canOpen)
		}
	}
	if _, ok := all.Object("roots"); ok {
		c = append(c, canListRoots)
	}
	return c
}

// readClientInfo returns what an Implementation object calls the client.
func readClientInfo(v jsontext.Value) string {
	client, _ := jsonrpc.ParseObject(v)
	name, _ := client.String("name")
	version, _ := client.String("version")
	return shortened(strings.Trim(name+" "+version, " "), 200)
}
