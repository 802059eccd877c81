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
func initialize(r *request) (result, error) {
	asked, ok := r.params.String("protocolVersion")
	if !ok {
		return result{}, invalidParams("protocolVersion is missing")
	}
	client, _ := r.params.Get("clientInfo")
	can, _ := r.params.Get("capabilities")
	s := session{version: newestVersion, client: declared{name: readClientInfo(client), capabilities: readCapabilities(can)}}
	if hasSessions(asked) {
		s.version = asked
	}
	id, err := r.sessions.open(r.http.Context(), r.grant.ID, s)
	if err != nil {
		return result{}, unavailable("the session could not be opened", err)
	}
	r.out.Header().Set(sessionHeader, id)
	return result{value: fmt.Appendf(nil, `{"protocolVersion":%s,"capabilities":%s,"serverInfo":%s,"instructions":%s}`,
		jsonrpc.Quote(s.version), offered, r.serverInfo(), jsonrpc.Quote(instructions))}, nil
}

// discover is server/discover, by which clients of the stateless era may begin.
func discover(r *request) (result, error) {
	return result{value: fmt.Appendf(nil, `{"supportedVersions":%s,"capabilities":%s,"instructions":%s}`,
		supportedVersions, offered, jsonrpc.Quote(instructions))}, nil
}

// serverInfo names the endpoint. Which hosted server stands behind it is not said.
func (r *request) serverInfo() jsontext.Value {
	title, program := r.server.Title, r.Version
	if title == "" {
		title = r.server.Name
	}
	if program == "" {
		program = "dev"
	}
	return fmt.Appendf(nil, `{"name":"sfmcp-proxy","title":%s,"version":%s}`, jsonrpc.Quote(title), jsonrpc.Quote(program))
}

// setLogLevel is logging/setLevel: from now on the client gets the log messages of
// that severity which the hosted server sends along with the client's calls.
func setLogLevel(r *request) (result, error) {
	raw, _ := r.params.Get("level")
	level, ok := readLogLevel(raw)
	if !ok {
		return result{}, invalidParams("level is not a log level")
	}
	if err := r.sessions.setLogLevel(r.http.Context(), r.session.hash, r.grant.ID, level); err != nil {
		return result{}, sessionError(err)
	}
	return result{value: jsontext.Value(`{}`)}, nil
}

func readLogLevel(v jsontext.Value) (string, bool) {
	level, _ := jsonrpc.Unquote(v)
	return level, upstream.IsLogLevel(level)
}

func ping(r *request) (result, error) { return result{value: jsontext.Value(`{}`)}, nil }
