package mcpforward

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// newestVersion is offered to a client that asks for one that is not spoken here.
const newestVersion = "2025-11-25"

var spoken = map[string]bool{"2025-06-18": true, newestVersion: true}

const versionHeader = "MCP-Protocol-Version"

// instructions are for the model.
const instructions = "Calls run in Salesforce as the signed-in user, within the rules of the organization. " +
	"Some changes wait for a person: the result then holds a link. Give the link to the user, " +
	"and after approval repeat exactly the same call."

// era refuses a request of the stateless protocol versions, whatever it shows by, and
// of versions that are not spoken. HTTP 400 makes a client of both eras begin with
// initialize.
func (x *exchange) era() error {
	headers := x.r.Header.Values(versionHeader)
	unspoken := len(headers) > 1 || len(headers) == 1 && !spoken[headers[0]]
	if x.msg.Method == "initialize" {
		unspoken = false // its version is in the body
	}
	meta, _ := x.params.Get("_meta")
	fields, _ := jsonrpc.ParseObject(meta)
	_, stateless := fields.Get("io.modelcontextprotocol/protocolVersion")
	if unspoken || stateless || x.msg.Method == "server/discover" {
		return badRequest(jsonrpc.InvalidRequest,
			"Unsupported protocol version: 2025-06-18 and 2025-11-25 are supported, beginning with initialize")
	}
	return nil
}

// initialize opens a session. Salesforce's own session is opened when a call needs it.
func (x *exchange) initialize() error {
	asked, ok := x.params.String("protocolVersion")
	if !ok {
		return x.answer(jsonrpc.Failure(x.msg.ID, jsonrpc.InvalidParams, "protocolVersion is missing"))
	}
	s := session{version: newestVersion, ui: declaresUI(x.params)}
	if spoken[asked] {
		s.version = asked
	}
	id, err := x.sessions.open(x.r.Context(), x.grant.ID, clientInfo(x.params), s)
	if err != nil {
		return unavailable("the session could not be opened", err)
	}
	x.reply.w.Header().Set(sessionHeader, id)
	return x.result(x.welcome(s.version))
}

// welcome is the result of initialize.
func (x *exchange) welcome(version string) jsontext.Value {
	title := x.server.Title
	if title == "" {
		title = x.server.Name
	}
	program := x.Version
	if program == "" {
		program = "dev"
	}
	return fmt.Appendf(nil,
		`{"protocolVersion":%s,"capabilities":{"tools":{},"prompts":{},"resources":{}},"serverInfo":{"name":"sfmcp-proxy","title":%s,"version":%s},"instructions":%s}`,
		jsonrpc.Quote(version), jsonrpc.Quote(title), jsonrpc.Quote(program), jsonrpc.Quote(instructions))
}

// declaresUI reports whether the client can show the user interfaces that tools
// bring along, which makes Salesforce list tools for it.
func declaresUI(params jsonrpc.Object) bool {
	capabilities, _ := params.Get("capabilities")
	declared, _ := jsonrpc.ParseObject(capabilities)
	extensions, _ := declared.Get("extensions")
	names, _ := jsonrpc.ParseObject(extensions)
	_, ok := names.Get("io.modelcontextprotocol/ui")
	return ok
}

// clientInfo is what the client calls itself, for people who look for a fault. It is
// self-reported and decides nothing.
func clientInfo(params jsonrpc.Object) string {
	raw, _ := params.Get("clientInfo")
	client, _ := jsonrpc.ParseObject(raw)
	name, _ := client.String("name")
	version, _ := client.String("version")
	return shortened(strings.Trim(name+" "+version, " "), 200)
}
