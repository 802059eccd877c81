package console

import (
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/ui"
)

// assistant is a program that people connect, as its makers document it.
type assistant struct {
	name   string
	anchor string // also the id that a new client for it is suggested
	cloud  bool   // calls come from its maker's network, not from the person's computer

	documentHost string // publishes its Client ID Metadata Document; "": it has none
	registers    bool   // it can register itself (RFC 7591)

	// redirects are the redirect URIs that it uses, any port where they are loopback;
	// one of them is enough to offer it.
	redirects []string
	// also are those that it may use besides, on other devices or some day.
	also []string
	// prefix begins those of its redirect URIs that end in something it makes up.
	prefix string

	steps func(target) []ui.GuideStep
	or    func(target) []ui.GuideStep // nil: none
	note  func(target) string         // nil: none
}

// target is what an assistant is to be connected to.
type target struct {
	publicURL string
	url       string // of the MCP endpoint
	server    string // its name
	title     string // what people call it
	way       way
	client    client.Client // zero unless way is byClient
}

// way is how an assistant becomes a client of the proxy.
type way int

const (
	noWay          way = iota
	byDocument         // its id is the URL of its Client ID Metadata Document
	byRegistration     // it registers itself
	byClient           // it is given the id of a configured client
)

// allows says whether the assistant may come back to uri. Those that bring their own
// redirect URIs may use them all.
func (t target) allows(uri string) bool {
	return t.way != byClient || t.client.AllowsRedirect(uri)
}

var assistants = []assistant{
	{
		name: "ChatGPT", anchor: "chatgpt", cloud: true, steps: chatGPTSteps,
		documentHost: "chatgpt.com", registers: true,
		redirects: []string{"https://chatgpt.com/connector_platform_oauth_redirect"},
		prefix:    "https://chatgpt.com/connector/oauth/",
		note: func(target) string {
			return "On the web, with developer mode on. If your workspace offers an app for this server already, choose it and click Connect: no step but the last is left."
		},
	},
	{
		name: "Claude", anchor: "claude", cloud: true, steps: claudeSteps,
		documentHost: "claude.ai", registers: true,
		redirects: []string{"https://claude.ai/api/mcp/auth_callback"},
		also:      []string{"https://claude.com/api/mcp/auth_callback"},
		note: func(target) string {
			return "On claude.ai or in Claude Desktop; the phone apps use what is added there. In a Team or Enterprise plan an owner adds it, under Organization settings, and everybody connects on their own."
		},
	},
	{
		name: "Claude Code", anchor: "claude-code", steps: claudeCodeSteps,
		documentHost: "claude.ai", registers: true,
		redirects: []string{"http://localhost/callback"},
	},
	{
		name: "VS Code", anchor: "vs-code", steps: vsCodeSteps, note: vsCodeNote,
		documentHost: "vscode.dev", registers: true,
		redirects: []string{"http://127.0.0.1:33418/", "https://vscode.dev/redirect"},
	},
	{
		name: "Cursor", anchor: "cursor", steps: cursorSteps, registers: true,
		redirects: []string{"http://localhost:8787/callback"},
	},
	{
		name: "MCP Inspector", anchor: "mcp-inspector", steps: inspectorSteps, or: inspectorOr, registers: true,
		redirects: []string{inspectorWeb, inspectorCLI},
		note:      func(target) string { return "For developers; needs Node 22." },
	},
	{
		name: "Postman", anchor: "postman", steps: postmanSteps,
		redirects: []string{postmanCallback},
		note: func(target) string {
			return "For developers, in the desktop app: calls tools without a model in between."
		},
	},
}

// The redirect URIs of the Inspector's two faces, and Postman's.
const (
	inspectorWeb    = "http://localhost:6274/oauth/callback"
	inspectorCLI    = "http://127.0.0.1:6276/oauth/callback"
	postmanCallback = "https://oauth.pstmn.io/v1/callback"
)

// logIn ends every guide.
var logIn = ui.GuideStep{Text: "Your browser opens a page of this proxy. Allow the connection there, then log in at Salesforce."}

func chatGPTSteps(t target) []ui.GuideStep {
	create := ui.GuideStep{Path: []string{"Settings", "Apps", "Create app"}, Fields: []ui.GuideField{
		{Label: "Name", Value: t.title}, {Label: "MCP Server URL", Value: t.url}, {Label: "Authentication", Value: "OAuth", Choice: true},
	}}
	connect := ui.GuideStep{Path: []string{"Create", "Connect"}, Text: logIn.Text}
	switch t.way {
	case byDocument:
		create.Text = "Leave the advanced settings as they are: the registration method is CIMD by default, and needs no client id. " +
			"A warning that CIMD is not available means that something is wrong: tell your administrator."
		return []ui.GuideStep{create, connect}
	case byRegistration:
		return []ui.GuideStep{create, {Path: []string{"Advanced settings"}, Text: "No client id is needed. A warning that CIMD is not available does no harm.",
			Fields: []ui.GuideField{{Label: "Registration method", Value: "Dynamic Client Registration (DCR)", Choice: true}}}, connect}
	}
	return []ui.GuideStep{
		create,
		{Path: []string{"Advanced settings"}, Text: "Leave the client secret empty. A warning that CIMD is not available does no harm.", Fields: []ui.GuideField{
			{Label: "Registration method", Value: "User-defined OAuth client", Choice: true}, {Label: "OAuth Client ID", Value: t.client.ID},
		}},
		{Path: []string{"Callback URL"}, Text: "ChatGPT may show a callback URL of its own for each new app. It has to be registered here: send it to your administrator, " +
			"who adds it to the redirect_uris of the client " + t.client.ID + ", if it is not there yet."},
		connect,
	}
}

func claudeSteps(t target) []ui.GuideStep {
	steps := []ui.GuideStep{{Path: []string{"Customize", "Connectors", "+", "Add custom connector"}, Fields: []ui.GuideField{
		{Label: "Name", Value: t.title}, {Label: "Remote MCP server URL", Value: t.url},
	}}}
	if t.way == byClient {
		steps = append(steps, ui.GuideStep{Path: []string{"Advanced settings"}, Text: "Leave the client secret empty.",
			Fields: []ui.GuideField{{Label: "OAuth Client ID", Value: t.client.ID}}})
	}
	return append(steps, ui.GuideStep{Path: []string{"Add", "Connect"}, Text: logIn.Text})
}

// clientFlag names the client on a command line, if one is to be named.
func (t target) clientFlag() string {
	if t.way != byClient {
		return ""
	}
	return "--client-id " + shellWord(t.client.ID) + " "
}

func claudeCodeSteps(t target) []ui.GuideStep {
	return []ui.GuideStep{
		{Text: "In a terminal:", Block: "claude mcp add --transport http " + t.clientFlag() + shellWord(t.server) + " " + shellWord(t.url)},
		{Text: "In Claude Code, open the list of servers, choose " + t.server + ", then Authenticate:", Block: "/mcp"},
		logIn,
	}
}

// vsCodeNote: VS Code comes back to the person's computer, except from remote windows
// and in the browser.
func vsCodeNote(t target) string {
	switch desktop, web := t.allows("http://127.0.0.1:33418/"), t.allows("https://vscode.dev/redirect"); {
	case !desktop:
		return "In remote windows and in the browser only: for others the redirect URI http://127.0.0.1:33418/ is missing in the client " + t.client.ID + "."
	case !web:
		return "On your own computer only: for remote windows and the browser the redirect URI https://vscode.dev/redirect is missing in the client " + t.client.ID + "."
	}
	return ""
}

func vsCodeSteps(t target) []ui.GuideStep {
	type oauth struct {
		ClientID string `json:"clientId"`
	}
	type server struct {
		Type  string `json:"type"`
		URL   string `json:"url"`
		OAuth oauth  `json:"oauth,omitzero"`
	}
	start := ui.GuideStep{Path: []string{"Start"}, Text: "Click it above the entry."}
	if t.way == byClient {
		start.Text += " An older version asks for the client id: paste it, and leave the client secret empty."
		start.Fields = []ui.GuideField{{Label: "Client ID", Value: t.client.ID}}
	}
	return []ui.GuideStep{
		{Path: []string{"Command Palette", "MCP: Open User Configuration"}, Text: "Add this server; keep those that are there already.",
			Block: settings(map[string]any{"servers": map[string]server{t.server: {"http", t.url, oauth{t.client.ID}}}})},
		start,
		logIn,
	}
}

func cursorSteps(t target) []ui.GuideStep {
	type auth struct {
		ClientID string `json:"CLIENT_ID"`
	}
	type server struct {
		URL  string `json:"url"`
		Auth auth   `json:"auth,omitzero"`
	}
	return []ui.GuideStep{
		{Path: []string{"Cursor Settings", "Tools & MCP", "New MCP Server"}, Text: "The file mcp.json opens. Add this server; keep those that are there already.",
			Block: settings(map[string]any{"mcpServers": map[string]server{t.server: {t.url, auth{t.client.ID}}}})},
		{Path: []string{"Tools & MCP", t.server, "Connect"}, Text: logIn.Text},
	}
}

const inspector = "npx @modelcontextprotocol/inspector@2.12.0"

func inspectorSteps(t target) []ui.GuideStep {
	if !t.allows(inspectorWeb) {
		return []ui.GuideStep{{Text: "In a terminal:", Block: inspectorCommand(t)}, logIn}
	}
	steps := []ui.GuideStep{{Text: "In a terminal:", Block: inspector + " --transport http --server-url " + shellWord(t.url)}}
	if t.way == byClient {
		steps = append(steps, ui.GuideStep{Path: []string{"Server Settings", "OAuth Settings"}, Text: "In the page that opens, before you connect. Leave the client secret empty.",
			Fields: []ui.GuideField{{Label: "Client ID", Value: t.client.ID}}})
	}
	return append(steps, ui.GuideStep{Path: []string{"Connect"}, Text: logIn.Text})
}

// inspectorOr: where both of its redirect URIs are registered, there are two ways.
func inspectorOr(t target) []ui.GuideStep {
	if !t.allows(inspectorWeb) || !t.allows(inspectorCLI) {
		return nil
	}
	return []ui.GuideStep{{Text: "Or without its page, as one command:", Block: inspectorCommand(t)}}
}

func inspectorCommand(t target) string {
	return "MCP_AUTO_OPEN_ENABLED=true " + inspector + " --cli " + shellWord(t.url) + " --transport http " + t.clientFlag() + "--method tools/list"
}

func postmanSteps(t target) []ui.GuideStep {
	return []ui.GuideStep{
		{Path: []string{"New", "MCP", "HTTP"}, Fields: []ui.GuideField{{Label: "URL", Value: t.url}}},
		{Path: []string{"Authorization", "OAuth 2.0", "Configure New Token"}, Text: "Tick “Authorize using browser”, and leave the client secret empty.", Fields: []ui.GuideField{
			{Label: "Grant type", Value: "Authorization Code (With PKCE)", Choice: true},
			{Label: "Callback URL", Value: postmanCallback},
			{Label: "Auth URL", Value: t.publicURL + "/oauth/authorize"},
			{Label: "Access Token URL", Value: t.publicURL + "/oauth/token"},
			{Label: "Client ID", Value: t.client.ID},
			{Label: "Code Challenge Method", Value: "SHA-256", Choice: true},
			{Label: "Scope", Value: "mcp"},
			{Label: "Client Authentication", Value: "Send client credentials in body", Choice: true},
		}},
		{Path: []string{"Advanced", "Auth Request"}, Text: "Add one parameter, which names the server that the token is for.", Fields: []ui.GuideField{
			{Label: "Key", Value: "resource"}, {Label: "Value", Value: t.url},
		}},
		{Path: []string{"Get New Access Token"}, Text: logIn.Text + " Then click Use Token, and Connect."},
	}
}
