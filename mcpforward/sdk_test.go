package mcpforward

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sfmcp-proxy/examples/salesforcesim"
)

// bearerTransport adds a client's token.
type bearerTransport struct{ token string }

func (b bearerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

// The official SDK, which tries the newest protocol first, as a client that nobody
// here wrote.
func TestOfficialSDK(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.switches(func(f *salesforcesim.Switches) { f.Framing, f.ProgressNotifications = "sse", 2 })
	_, token := w.token(salesforcesim.RepID, "chatgpt", "sales")
	session, err := mcp.NewClient(&mcp.Implementation{Name: "sdk", Version: "1"}, nil).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: w.server.URL + "/mcp/sales", HTTPClient: &http.Client{Transport: bearerTransport{token}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v := session.InitializeResult().ProtocolVersion; v != statelessVersion {
		t.Errorf("negotiated %s", v)
	}
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != 9 {
		t.Fatalf("ListTools: %v, %v", tools, err)
	}
	for _, tool := range tools.Tools {
		if tool.Name == "soqlQuery" && (!tool.Annotations.ReadOnlyHint || *tool.Annotations.OpenWorldHint) {
			t.Errorf("annotations %+v", tool.Annotations)
		}
	}
	call := func(name string, arguments map[string]any) (string, bool) {
		params := &mcp.CallToolParams{Name: name, Arguments: arguments}
		params.SetProgressToken("p")
		result, err := session.CallTool(t.Context(), params)
		if err != nil {
			return err.Error(), true
		}
		return result.Content[0].(*mcp.TextContent).Text, result.IsError
	}
	if text, failed := call("soqlQuery", map[string]any{"q": "SELECT Name FROM Account LIMIT 1"}); failed || !strings.Contains(text, "Northwind") {
		t.Errorf("soqlQuery: %s", text)
	}
	if text, failed := call("deleteSobjectRecord", map[string]any{}); !failed || !strings.Contains(text, "Unknown tool") {
		t.Errorf("deleteSobjectRecord: %s", text)
	}
	create := map[string]any{"sobject-name": "Account", "body": map[string]any{"Name": "Nimbus"}}
	if text, failed := call("createSobjectRecord", create); !failed || !strings.Contains(text, "/approvals/") {
		t.Errorf("createSobjectRecord: %s", text)
	}
	w.decide(true)
	if text, failed := call("createSobjectRecord", create); failed || w.accounts("Nimbus") != 1 {
		t.Errorf("approved: %s", text)
	}
	if err := session.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

// TestOfficialSDKOpensThePage: the SDK takes the request for input, has the page opened, and
// makes the call again by itself; the person decides there and nowhere else.
func TestOfficialSDKOpensThePage(t *testing.T) {
	t.Parallel()
	for _, decides := range []bool{true, false} {
		w := newWorld(t, nil)
		_, token := w.token(salesforcesim.RepID, "chatgpt", "sales")
		var opened []string
		client := mcp.NewClient(&mcp.Implementation{Name: "sdk", Version: "1"}, &mcp.ClientOptions{
			Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}},
			ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
				opened = append(opened, r.Params.URL)
				if decides {
					w.decide(true)
				}
				return &mcp.ElicitResult{Action: "accept"}, nil
			},
		})
		session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: w.server.URL + "/mcp/sales",
			HTTPClient: &http.Client{Transport: bearerTransport{token}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "createSobjectRecord",
			Arguments: map[string]any{"sobject-name": "Account", "body": map[string]any{"Name": "Nimbus"}}})
		if err != nil || len(opened) != 1 || !strings.HasPrefix(opened[0], w.server.URL+"/approvals/apr_") {
			t.Fatalf("opened %v: %v", opened, err)
		}
		made := map[bool]int{true: 1, false: 0}[decides]
		if result.IsError == decides || w.accounts("Nimbus") != made || len(w.forwarded()) != made {
			t.Errorf("decided: %t: %+v, %d accounts", decides, result, w.accounts("Nimbus"))
		}
		if err := session.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
}
