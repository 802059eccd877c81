package mcpforward

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// instructions are for the model.
const instructions = "Calls run in Salesforce as the signed-in user, within the rules of the organization. " +
	"Some changes wait for a person: the result then holds a link. Give the link to the user, " +
	"and after approval repeat exactly the same call."

// offered are our capabilities. They do not depend on the hosted server's: asking it
// could take 45 s, and what it lacks is answered as empty.
const offered = `{"tools":{},"prompts":{},"resources":{},"completions":{},"logging":{}}`

// initialize opens a session. Salesforce's own session is opened when a call needs it.
func (x *exchange) initialize() error {
	asked, ok := x.params.String("protocolVersion")
	if !ok {
		return x.answer(x.invalid("protocolVersion is missing"))
	}
	info, _ := x.params.Get("clientInfo")
	can, _ := x.params.Get("capabilities")
	s := session{version: newestVersion, client: declared{name: readClientInfo(info), capabilities: readCapabilities(can)}}
	if spoken[asked] {
		s.version = asked
	}
	id, err := x.sessions.open(x.r.Context(), x.grant.ID, s)
	if err != nil {
		return unavailable("the session could not be opened", err)
	}
	x.reply.Header().Set(sessionHeader, id)
	return x.result(fmt.Appendf(nil, `{"protocolVersion":%s,"capabilities":%s,"serverInfo":%s,"instructions":%s}`,
		jsonrpc.Quote(s.version), offered, x.serverInfo(), jsonrpc.Quote(instructions)))
}

// discover is server/discover, by which clients of the stateless era may begin.
func (x *exchange) discover() error {
	return x.result(fmt.Appendf(nil, `{"supportedVersions":%s,"capabilities":%s,"instructions":%s}`,
		supportedVersions, offered, jsonrpc.Quote(instructions)))
}

// serverInfo names the endpoint. Which hosted server stands behind it is not said.
func (x *exchange) serverInfo() jsontext.Value {
	title, program := x.server.Title, x.Version
	if title == "" {
		title = x.server.Name
	}
	if program == "" {
		program = "dev"
	}
	return fmt.Appendf(nil, `{"name":"sfmcp-proxy","title":%s,"version":%s}`, jsonrpc.Quote(title), jsonrpc.Quote(program))
}

// setLogLevel is logging/setLevel: from now on the client gets the log messages of
// that severity which the hosted server sends along with the client's calls.
func (x *exchange) setLogLevel() error {
	raw, _ := x.params.Get("level")
	level, ok := readLogLevel(raw)
	if !ok {
		return x.answer(x.invalid("level is not a log level"))
	}
	if err := x.sessions.setLogLevel(x.r.Context(), x.session.hash, x.grant.ID, level); err != nil {
		return sessionFault(err)
	}
	return x.result(jsontext.Value(`{}`))
}

func readLogLevel(v jsontext.Value) (string, bool) {
	level, _ := jsonrpc.Unquote(v)
	return level, upstream.IsLogLevel(level)
}
