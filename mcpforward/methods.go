package mcpforward

import (
	"net/http"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// method is how one MCP method is handled: either answer or read is set.
type method struct {
	era          era
	notification bool
	counted      bool // against the limits; what is forwarded always is

	// answer answers the message here.
	answer func(*request) (result, error)
	// read makes of the message the call that is to be judged and forwarded.
	read func(*request) (*call, error)
}

// limited says whether the method counts against the limits of its user.
func (m method) limited() bool { return m.counted || m.read != nil }

// era says in which of the protocol's eras a method exists.
type era int

const (
	bothEras era = iota
	sessionEra
	statelessEra
)

// methodNamed is every method that is handled; all others are refused (SR-FW-2).
func methodNamed(name string) (m method, known bool) {
	switch name {
	case "initialize":
		m = method{answer: initialize, era: sessionEra, counted: true}
	case "server/discover":
		m = method{answer: discover, era: statelessEra, counted: true}
	case "ping":
		m = method{answer: ping, era: sessionEra}
	case "logging/setLevel":
		m = method{answer: setLogLevel, era: sessionEra, counted: true}
	case "subscriptions/listen":
		m = method{answer: subscribe, era: statelessEra}

	case "notifications/initialized", "notifications/progress", "notifications/roots/list_changed":
		m = method{answer: accept, era: sessionEra, notification: true}
	case "notifications/cancelled":
		m = method{answer: cancelCall, era: sessionEra, notification: true}

	case "tools/call":
		m = method{read: readToolCall}
	case "tools/list", "prompts/list", "resources/list", "resources/templates/list":
		m = method{read: readList}
	case "prompts/get":
		m = method{read: readPrompt}
	case "resources/read":
		m = method{read: readResource}
	case "completion/complete":
		m = method{read: readCompletion}
	}
	return m, m.answer != nil || m.read != nil
}

// method finds how the message is handled. In the stateless era the HTTP status of a
// request for an unknown method says so, too.
func (r *request) method() (method, error) {
	if r.msg.IsResponse() {
		return method{answer: receiveResponse}, nil
	}
	m, known := methodNamed(r.msg.Method)
	known = known && (m.era == bothEras || (m.era == statelessEra) == r.stateless)
	switch {
	case known && m.notification == r.msg.IsNotification():
		return m, nil
	case r.msg.IsNotification():
		return m, badRequest(jsonrpc.MethodNotFound, "no such notification")
	case r.stateless:
		return m, &refusal{status: http.StatusNotFound, code: jsonrpc.MethodNotFound, message: "no such method"}
	}
	return m, &rpcError{code: jsonrpc.MethodNotFound, message: "no such method"}
}
