package console

import (
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
)

const example = "https://mcp.example.com"

func documentsOf(hosts ...string) *clientdoc.Fetcher {
	return clientdoc.New(clientdoc.Config{AllowHosts: hosts})
}

func loopbackClient(id, name string, uris ...string) client.Client {
	return client.Client{ID: id, Name: name, RedirectURIs: uris}
}

var sections = regexp.MustCompile(`(?s)<section class="card" aria-labelledby="([a-z-]+)">\s*<(h[23]) .*?</section>`)

// offered returns the client's section of each assistant that the page offers, and
// what it says of those that it does not, both by anchor.
func (a answer) offered() (guides, missing map[string]string) {
	guides, missing = map[string]string{}, map[string]string{}
	for _, m := range sections.FindAllStringSubmatch(a.body, -1) {
		text := html.UnescapeString(m[0])
		switch {
		case m[2] == "h3":
			missing[m[1]] = text
		case m[1] != "every":
			guides[m[1]] = text
		}
	}
	return guides, missing
}

// Each assistant is offered exactly where a client fits it, with that client's id.
func TestConnectOffersWhatIsRegistered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		publicURL string
		clients   []client.Client
		want      map[string]string // anchor: client id
	}{
		"nobody": {example, nil, map[string]string{}},
		"ChatGPT, callback of one app": {example, []client.Client{loopbackClient("cg", "ChatGPT", "https://chatgpt.com/connector/oauth/abc123")},
			map[string]string{"chatgpt": "cg"}},
		"ChatGPT, stable callback": {example, []client.Client{loopbackClient("cg", "X", "https://chatgpt.com/connector_platform_oauth_redirect")},
			map[string]string{"chatgpt": "cg"}},
		"almost ChatGPT": {example, []client.Client{loopbackClient("cg", "ChatGPT", "https://chatgpt.com/connector/oauth/", "https://chatgpt.com.evil.example/connector/oauth/x",
			"https://chatgpt.com/other")}, map[string]string{}},
		"Claude": {example, []client.Client{loopbackClient("c", "Claude", "https://claude.ai/api/mcp/auth_callback")}, map[string]string{"claude": "c"}},
		"cloud assistants and no https": {"http://127.0.0.1:8080", []client.Client{loopbackClient("c", "Claude", "https://claude.ai/api/mcp/auth_callback"),
			loopbackClient("p", "Postman", "https://oauth.pstmn.io/v1/callback")}, map[string]string{"postman": "p"}},
		"cloud assistants and a private address": {"https://10.0.0.5", []client.Client{loopbackClient("c", "Claude", "https://claude.ai/api/mcp/auth_callback")}, map[string]string{}},
		"loopback, any port": {example, []client.Client{loopbackClient("d", "Demo", "http://localhost/callback", "http://localhost/oauth/callback")},
			map[string]string{"claude-code": "d", "cursor": "d", "mcp-inspector": "d"}},
		"loopback, by address": {example, []client.Client{loopbackClient("d", "Demo", "http://127.0.0.1/callback", "http://127.0.0.1/oauth/callback")},
			map[string]string{"mcp-inspector": "d"}},
		"VS Code at home": {example, []client.Client{loopbackClient("v", "VS Code", "http://127.0.0.1/")}, map[string]string{"vs-code": "v"}},
		"VS Code afar":    {example, []client.Client{loopbackClient("v", "VS Code", "https://vscode.dev/redirect")}, map[string]string{"vs-code": "v"}},
		"the one that bears its name": {example, []client.Client{loopbackClient("aaa", "Anything", "http://localhost/callback"), loopbackClient("bbb", "Our Cursor", "http://localhost/callback"),
			loopbackClient("zzz", "Claude Code", "http://localhost/callback")}, map[string]string{"claude-code": "zzz", "cursor": "bbb"}},
	} {
		s := newSiteWith(t, c.publicURL, client.Config{}, c.clients...)
		page := s.send("GET", "/connect/sales", "", nil)
		page.want(t, 200, c.publicURL+"/mcp/sales", "Sales, confirmed writes", "Accounts & contacts")
		guides, missing := page.offered()
		got := map[string]string{}
		for anchor, text := range guides {
			for _, client := range c.clients {
				if regexp.MustCompile(`[>" ]` + client.ID + `["< ]`).MatchString(text) {
					got[anchor] += client.ID
				}
			}
			if !strings.Contains(text, c.publicURL+"/mcp/sales") {
				t.Errorf("%s: the guide to %s lacks the URL: %s", name, anchor, text)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got): %s", name, diff)
		}
		if len(guides)+len(missing) != len(assistants) {
			t.Errorf("%s: %d guides and %d missing", name, len(guides), len(missing))
		}
		for anchor, text := range missing {
			if !strings.Contains(text, "The administrator has to ") {
				t.Errorf("%s: %s does not say what to do: %s", name, anchor, text)
			}
		}
	}
}

// Each assistant is offered the simplest way that works: its own document, its own
// registration, a configured client.
func TestConnectOffersTheSimplestWay(t *testing.T) {
	t.Parallel()
	everything := loopbackClient("configured", "Everything", "https://chatgpt.com/connector_platform_oauth_redirect", "https://claude.ai/api/mcp/auth_callback",
		"http://localhost/callback", "http://127.0.0.1:33418/", inspectorWeb, inspectorCLI, postmanCallback)
	all := []string{"chatgpt.com", "claude.ai", "vscode.dev"}
	const alone, given = "without a client id", "with a client id"
	for name, c := range map[string]struct {
		publicURL string
		config    client.Config
		clients   []client.Client
		want      map[string]string
		chatGPT   string // what its section says
	}{
		"documents": {example, client.Config{Documents: documentsOf(all...)}, nil,
			map[string]string{"chatgpt": alone, "claude": alone, "claude-code": alone, "vs-code": alone}, "CIMD by default"},
		"one host's documents": {example, client.Config{Documents: documentsOf("claude.ai")}, nil,
			map[string]string{"claude": alone, "claude-code": alone}, "add chatgpt.com to registration.metadata_documents.allow_hosts, or add a client"},
		"registration": {example, client.Config{Dynamic: true}, nil,
			map[string]string{"chatgpt": alone, "claude": alone, "claude-code": alone, "vs-code": alone, "cursor": alone, "mcp-inspector": alone}, "Dynamic Client Registration (DCR)"},
		"registration, and documents that are refused": {example, client.Config{Documents: documentsOf("chatgpt.com.evil.example"), Dynamic: true}, nil,
			map[string]string{"cursor": alone, "mcp-inspector": alone}, "allow_hosts"},
		"clients only": {example, client.Config{}, []client.Client{everything},
			map[string]string{"chatgpt": given, "claude": given, "claude-code": given, "vs-code": given, "cursor": given, "mcp-inspector": given, "postman": given}, "User-defined OAuth client"},
		"all ways": {example, client.Config{Documents: documentsOf(all...), Dynamic: true}, []client.Client{everything},
			map[string]string{"chatgpt": alone, "claude": alone, "claude-code": alone, "vs-code": alone, "cursor": alone, "mcp-inspector": alone, "postman": given}, "CIMD by default"},
		"a document and clients": {example, client.Config{Documents: documentsOf("vscode.dev"), Dynamic: true}, []client.Client{everything},
			map[string]string{"chatgpt": given, "claude": given, "claude-code": given, "vs-code": alone, "cursor": alone, "mcp-inspector": alone, "postman": given}, "User-defined OAuth client"},
		"out of reach": {"http://127.0.0.1:8080", client.Config{Documents: documentsOf(all...), Dynamic: true}, nil,
			map[string]string{"claude-code": alone, "vs-code": alone, "cursor": alone, "mcp-inspector": alone}, "can reach over the internet"},
	} {
		guides, missing := newSiteWith(t, c.publicURL, c.config, c.clients...).send("GET", "/connect/sales", "", nil).offered()
		got := map[string]string{}
		for anchor, text := range guides {
			got[anchor] = alone
			if strings.Contains(text, "configured") {
				got[anchor] = given
			} else if regexp.MustCompile(`--client-id|Client ID<|clientId|CLIENT_ID|client secret`).MatchString(text) {
				t.Errorf("%s: %s asks for an id that there is not: %s", name, anchor, text)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got): %s", name, diff)
		}
		if text := guides["claude-code"]; got["claude-code"] == alone && !strings.Contains(text, "claude mcp add --transport http sales "+c.publicURL+"/mcp/sales<") {
			t.Errorf("%s: the command is not there: %s", name, text)
		}
		if text := guides["chatgpt"] + missing["chatgpt"]; !strings.Contains(text, c.chatGPT) {
			t.Errorf("%s: %q is not in %s", name, c.chatGPT, text)
		}
	}
}

// What the page tells the administrator to add makes the assistant fit.
func TestConnectSuggestsWhatFits(t *testing.T) {
	t.Parallel()
	for _, a := range assistants {
		if _, ok := a.clientAmong(nil); ok {
			t.Errorf("%s is offered without a client", a.name)
		}
		given := client.Client{ID: a.anchor, Name: a.name}
		for line := range strings.SplitSeq(a.clientEntry(), "\n") {
			if uri, ok := strings.CutPrefix(line, "      - "); ok {
				given.RedirectURIs = append(given.RedirectURIs, strings.Replace(uri, "…", "abc123", 1))
			}
		}
		if err := given.Validate(example, nil); err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
		if got, ok := a.clientAmong([]client.Client{given}); !ok || got.ID != a.anchor {
			t.Errorf("%s does not fit %v", a.name, given.RedirectURIs)
		}
	}
}

var copied = regexp.MustCompile(`(?s)class="copy">(.*?)</`)

// What is copied works where it is pasted, whatever the client is called.
func TestConnectValuesToPaste(t *testing.T) {
	t.Parallel()
	s := newSiteWith(t, example, client.Config{}, loopbackClient(`o'c"$(x)&<b>`, "Everything", "https://chatgpt.com/connector/oauth/abc123", "https://claude.ai/api/mcp/auth_callback", "http://localhost/callback",
		"http://127.0.0.1:33418/", inspectorWeb, inspectorCLI, "https://oauth.pstmn.io/v1/callback"))
	page := s.send("GET", "/connect/plain", "", nil)
	var values []string
	for _, m := range copied.FindAllStringSubmatch(page.body, -1) {
		values = append(values, html.UnescapeString(m[1]))
	}
	const quoted = `'o'\''c"$(x)&<b>'`
	for _, want := range []string{
		example + "/mcp/plain", "plain", `o'c"$(x)&<b>`,
		`claude mcp add --transport http --client-id ` + quoted + ` plain https://mcp.example.com/mcp/plain`,
		"{\n  \"servers\": {\n    \"plain\": {\n      \"type\": \"http\",\n      \"url\": \"https://mcp.example.com/mcp/plain\",\n      \"oauth\": {\n        \"clientId\": \"o'c\\\"$(x)&<b>\"\n      }\n    }\n  }\n}",
		"{\n  \"mcpServers\": {\n    \"plain\": {\n      \"url\": \"https://mcp.example.com/mcp/plain\",\n      \"auth\": {\n        \"CLIENT_ID\": \"o'c\\\"$(x)&<b>\"\n      }\n    }\n  }\n}",
		`npx @modelcontextprotocol/inspector@2.12.0 --transport http --server-url https://mcp.example.com/mcp/plain`,
		`MCP_AUTO_OPEN_ENABLED=true npx @modelcontextprotocol/inspector@2.12.0 --cli https://mcp.example.com/mcp/plain --transport http --client-id ` + quoted + ` --method tools/list`,
		example + "/oauth/authorize", example + "/oauth/token", "https://oauth.pstmn.io/v1/callback", "resource", "mcp",
	} {
		if !slices.Contains(values, want) {
			t.Errorf("nowhere to copy: %s\nthere is: %q", want, values)
		}
	}
	if strings.Contains(page.body, "<b>") || strings.Contains(page.body, "abc123") {
		t.Error("the client id became markup, or the page shows a registered redirect URI")
	}
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"demo": "demo", "https://mcp.example.com:8443/mcp/a-b": "https://mcp.example.com:8443/mcp/a-b", "": "''", "a b": "'a b'", "a'b": `'a'\''b'`,
		"http://[::1]:8080/mcp/x": "'http://[::1]:8080/mcp/x'", "$HOME": "'$HOME'", "a;b": "'a;b'", "~": "'~'", "a\\": `'a\'`, "!x": "'!x'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", in, got, want)
		}
	}
}

// The page is public, tells nothing of who uses it, and knows configured servers only.
func TestConnectIsPublic(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/connect/nothing", "/connect/Sales", "/connect/sales%2f", "/connect/%73ales", "/connect/%3Cscript%3E"} {
		got := s.send("GET", path, "", nil)
		if got.want(t, http.StatusNotFound, "Not found"); strings.Contains(got.body, "script") {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	if got := s.send("POST", "/connect/sales", "", nil); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d", got.status)
	}
	alice := s.signIn("acme", "005A")
	stranger := s.send("GET", "/connect/sales", "", nil)
	for _, secret := range []string{"005A", "acme", "csrf_token", "<form"} {
		if strings.Contains(stranger.body, secret) {
			t.Errorf("a stranger is shown %s", secret)
		}
	}
	alice.get("/connect/sales").want(t, 200, "Signed in as 005A")
}

func TestAccountLeadsToConnect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for subject, want := range map[string][]string{"005A": {"/connect/sales"}, "005B": {"/connect/sales", "/connect/plain"}} {
		var got []string
		for _, m := range regexp.MustCompile(`href="(/connect/[^"]*)"`).FindAllStringSubmatch(s.signIn("acme", subject).get("/account").body, -1) {
			got = append(got, m[1])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got): %s", subject, diff)
		}
	}
	if got := s.signIn("acme", "005A"); !strings.Contains(got.get("/account").text(), "Connect an assistant") {
		t.Error("without connections the page speaks of another one")
	}
}
