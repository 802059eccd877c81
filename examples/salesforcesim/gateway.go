package salesforcesim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// rpc is one JSON-RPC message from a client.
type rpc struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   json.RawMessage `json:"error"`
}

// gateway is api.salesforce.com: the hosted MCP servers with their sessions, their
// activation and the limit of API calls.
type gateway struct{ sim *Sim }

// exchange is one POST on its way down the gateway's decision ladder.
type exchange struct {
	sim      *Sim
	w        http.ResponseWriter
	r        *http.Request
	switches Switches
	holder   *holder
	server   string // namespace/name
	message  rpc
	session  *session
}

// serve is the hosted MCP gateway. The order of its checks is what clients see,
// so it is kept exactly.
func (g gateway) serve(w http.ResponseWriter, r *http.Request, path string) {
	x := &exchange{sim: g.sim, w: w, r: r, switches: g.sim.Switches()}
	if x.switches.RedirectTo != "" {
		http.Redirect(w, r, x.switches.RedirectTo, http.StatusTemporaryRedirect)
		return
	}
	at, shaped := parseServerPath(strings.TrimPrefix(path, gatewayPrefix))
	shaped = shaped && strings.HasPrefix(path, gatewayPrefix)
	if x.authenticate(at, shaped) && x.negotiate() && x.findServer(at, shaped) && x.parse() && x.findSession() {
		x.dispatch()
	}
}

// authenticate is steps 1 and 2. It comes before everything else, so that an answer
// tells a stranger nothing.
func (x *exchange) authenticate(at serverPath, shaped bool) bool {
	token, ok := strings.CutPrefix(x.r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return x.unauthorized("JWT Token is required")
	}
	c, err := x.sim.gateway.bearer(token)
	if err != nil || (shaped && !at.fits(c.org)) {
		return x.unauthorized("Invalid token")
	}
	x.holder = c
	return true
}

func (x *exchange) unauthorized(message string) bool {
	if x.switches.AuthenticateHeader {
		x.w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+x.sim.cfg.BaseURL+resourceMetadataPath+x.r.URL.Path+`"`)
	}
	writeJSON(x.w, http.StatusUnauthorized, map[string]any{"errors": []map[string]string{{"message": message}}})
	return false
}

// negotiate is steps 3 and 4.
func (x *exchange) negotiate() bool {
	if x.r.Method == http.MethodDelete && x.switches.DeleteAccepted {
		x.sim.gateway.closeSession(x.r.Header.Get("Mcp-Session-Id"))
		x.w.WriteHeader(http.StatusOK)
		return false
	}
	if x.r.Method != http.MethodPost {
		x.w.Header().Set("Allow", http.MethodPost)
		x.w.WriteHeader(http.StatusMethodNotAllowed)
		return false
	}
	accept := strings.Join(x.r.Header.Values("Accept"), ",")
	if !strings.Contains(accept, "application/json") || !strings.Contains(accept, "text/event-stream") {
		http.Error(x.w, "Not Acceptable: client must accept application/json and text/event-stream", http.StatusNotAcceptable)
		return false
	}
	return true
}

// findServer is step 5.
func (x *exchange) findServer(at serverPath, shaped bool) bool {
	if shaped {
		x.server = x.sim.gateway.activeServer(x.holder.org, at.server)
	}
	if x.server != "" {
		return true
	}
	status := http.StatusNotFound
	if x.switches.InactiveServer405 {
		status = http.StatusMethodNotAllowed
	}
	http.Error(x.w, "Server definition not found for: "+path.Base(x.r.URL.Path), status)
	return false
}

// parse is step 6. Batches and bodies with anything after the message are refused with the rest.
func (x *exchange) parse() bool {
	body, err := io.ReadAll(x.r.Body)
	if err == nil {
		err = json.Unmarshal(body, &x.message)
	}
	m := &x.message
	answers := m.Method == "" && len(m.ID) > 0 && (m.Result != nil || m.Error != nil)
	switch {
	case err != nil:
		return x.badRequest(err.Error())
	case m.JSONRPC != "2.0":
		return x.badRequest("jsonrpc is not 2.0")
	case m.Method == "" && !answers:
		return x.badRequest("neither a request nor an answer")
	}
	note(x.r, func(r *Request) { r.RPC = m.Method })
	return true
}

// badRequest is an answer that is not JSON-RPC, although the message may have been.
func (x *exchange) badRequest(why string) bool {
	writeJSON(x.w, http.StatusBadRequest, map[string]any{"error": map[string]any{"code": 400, "message": "Invalid JSON-RPC message: " + why}})
	return false
}

// findSession is step 7.
func (x *exchange) findSession() bool {
	if x.message.Method == "initialize" {
		return true
	}
	held, expired := x.sim.gateway.useSession(x.holder, x.server, x.r.Header.Get("Mcp-Session-Id"))
	switch {
	case expired && x.switches.SessionDeath == "404":
		http.Error(x.w, "Session not found", http.StatusNotFound)
	case expired && x.switches.SessionDeath == "is_error" && x.message.Method == "tools/call":
		x.answer(toolText("Unexpected error while invoking tool "+x.toolName(), true))
	case held == nil:
		x.badRequest("Session Key missing, but it's not an initialize request")
	case len(x.message.ID) > 0 && x.sim.strikes(func(f *Switches) *Count { return &f.NotInitialized }):
		http.Error(x.w, "Server not initialized", http.StatusNotFound)
	default:
		x.session = held
		return true
	}
	return false
}

// dispatch is steps 8 to 13.
func (x *exchange) dispatch() {
	m := &x.message
	switch {
	case len(m.ID) == 0 || m.Method == "":
		if m.Method == "notifications/initialized" {
			x.sim.gateway.markInitialized(x.session.id)
		}
		x.w.WriteHeader(http.StatusAccepted)
	case x.switches.BeforeEffect && x.broken():
	case m.Method == "initialize":
		x.initialize()
	case m.Method == "ping":
		x.answer(json.RawMessage(`{}`))
	case m.Method == "tools/list":
		x.listTools()
	case m.Method == "tools/call":
		x.callTool()
	case strings.HasPrefix(m.Method, "prompts/") && serverHas(x.server, "prompts"):
		x.prompts()
	case strings.HasPrefix(m.Method, "resources/") && serverHas(x.server, "resources"):
		x.resources()
	default:
		x.fail(-32601, "Method not found: "+m.Method)
	}
}

func (x *exchange) initialize() {
	var params struct {
		ProtocolVersion string `json:"protocolVersion"`
		Capabilities    struct {
			Extensions map[string]json.RawMessage `json:"extensions"`
		} `json:"capabilities"`
	}
	if err := json.Unmarshal(x.message.Params, &params); err != nil {
		x.fail(-32602, "Invalid params")
		return
	}
	if !wait(x.r, x.switches.InitializeDelay) {
		return
	}
	version := "2025-06-18"
	if slices.Contains([]string{"2024-11-05", "2025-03-26", "2025-06-18"}, params.ProtocolVersion) {
		version = params.ProtocolVersion
	}
	capabilities := map[string]any{"tools": map[string]any{}}
	for _, feature := range []string{"prompts", "resources"} {
		if serverHas(x.server, feature) {
			capabilities[feature] = map[string]any{}
		}
	}
	_, ui := params.Capabilities.Extensions["io.modelcontextprotocol/ui"]
	x.w.Header().Set("Mcp-Session-Id", x.sim.gateway.openSession(x.holder, x.server, ui))
	if x.switches.DuplicateSessionHeaders {
		x.w.Header().Add("Mcp-Session-Id", x.sim.random.uuid())
	}
	x.answer(records.Encode(map[string]any{"protocolVersion": version, "capabilities": capabilities,
		"serverInfo": map[string]string{"name": path.Base(x.server), "version": "1.0.0"}}))
}

func (x *exchange) listTools() {
	if !x.session.initialized && !x.switches.ListBeforeInitialized {
		x.w.WriteHeader(http.StatusOK)
		return
	}
	tools, _ := x.tools()
	x.answer(x.listed("tools", tools))
}

func (x *exchange) tools() ([]json.RawMessage, bool) {
	return listTools(x.server, listOptions{Dialect: cmp.Or(x.switches.Dialect, "live"), Annotations: cmp.Or(x.switches.Annotations, "accurate"),
		Drift: x.switches.Drift, UI: x.session.ui})
}

// offers says whether the list of tools has one of this name.
func (x *exchange) offers(name string) bool {
	tools, _ := x.tools()
	return slices.ContainsFunc(tools, func(tool json.RawMessage) bool {
		var listed struct {
			Name string `json:"name"`
		}
		return json.Unmarshal(tool, &listed) == nil && listed.Name == name
	})
}

func (x *exchange) toolName() string {
	var params struct {
		Name string `json:"name"`
	}
	json.Unmarshal(x.message.Params, &params)
	return params.Name
}

func (x *exchange) callTool() {
	var params struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	if err := json.Unmarshal(x.message.Params, &params); err != nil || params.Name == "" {
		x.fail(-32602, "Invalid params")
		return
	}
	note(x.r, func(r *Request) { r.Tool = params.Name })
	if used, allowed := x.sim.gateway.countCall(x.holder.org); !allowed && x.offers(params.Name) {
		x.limited(used)
		return
	}
	standard := strings.HasPrefix(x.server, "platform/")
	if standard && x.switches.APIAccessControl && slices.Contains([]string{"soqlQuery", "find", "getRelatedRecords"}, params.Name) {
		x.answer(toolFailure("UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1042-7 (7)"))
		return
	}
	if x.sim.strikes(func(f *Switches) *Count { return &f.UnexpectedErrors }) {
		x.answer(toolText("Unexpected error while invoking tool "+params.Name, true))
		return
	}
	if len(bytes.TrimSpace(params.Arguments)) == 0 {
		params.Arguments = json.RawMessage(`{}`)
	}
	result, known := callTool(x.holder.org.data, x.holder.user.person(), x.server, params.Name, params.Arguments, callOptions{
		Dialect: cmp.Or(x.switches.Dialect, "live"), UpdateAlwaysUnexpected: x.switches.UpdateAlwaysUnexpected,
		OrgBaseURL: x.holder.org.base, Endpoints: x.changedOperations(), BigAnswer: x.switches.BigAnswer, MalformedTool: x.switches.MalformedTool})
	switch {
	case known:
		x.answer(result)
	case x.switches.UnknownToolIsError:
		x.answer(toolText("Unknown tool: "+params.Name, true))
	default:
		x.fail(-32602, "Unknown tool: "+params.Name)
	}
}

// limited says that the org's API calls of the day are used up. There is no Retry-After.
func (x *exchange) limited(used int) {
	const message = "TotalRequests Limit exceeded."
	status := map[string]int{"403": http.StatusForbidden, "429": http.StatusTooManyRequests}[x.switches.LimitSignal]
	if status == 0 {
		x.answer(toolFailure("REQUEST_LIMIT_EXCEEDED", message))
		return
	}
	x.w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", used, x.holder.org.DailyAPILimit))
	writeJSON(x.w, status, []map[string]string{{"message": message, "errorCode": "REQUEST_LIMIT_EXCEEDED"}})
}

func (x *exchange) prompts() {
	var params struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	json.Unmarshal(x.message.Params, &params)
	switch x.message.Method {
	case "prompts/list":
		x.answer(x.listed("prompts", listPrompts(x.server)))
	case "prompts/get":
		if result, known := getPrompt(x.holder.org.data, x.holder.user.person(), x.server, params.Name, params.Arguments); known {
			x.answer(result)
			return
		}
		x.fail(-32602, "Unknown prompt: "+params.Name)
	default:
		x.fail(-32601, "Method not found: "+x.message.Method)
	}
}

func (x *exchange) resources() {
	var params struct {
		URI string `json:"uri"`
	}
	json.Unmarshal(x.message.Params, &params)
	switch x.message.Method {
	case "resources/list":
		x.answer(records.Encode(map[string]any{"resources": orEmpty(listResources(x.server))}))
	case "resources/templates/list":
		x.answer(x.listed("resourceTemplates", nil))
	case "resources/read":
		if result, known := readResource(x.server, params.URI); known {
			x.answer(result)
			return
		}
		x.fail(-32002, "Resource not found")
	default:
		x.fail(-32601, "Method not found: "+x.message.Method)
	}
}
