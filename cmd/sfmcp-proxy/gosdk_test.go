package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
)

// sdkSession connects the official Go SDK, its OAuth handler included: it discovers
// everything from the 401 on, as a client does that knows the URL and its id alone.
func sdkSession(t *testing.T, d *demo, server, username string, options ...func(*auth.AuthorizationCodeHandlerConfig)) *mcp.ClientSession {
	t.Helper()
	config := &auth.AuthorizationCodeHandlerConfig{
		PreregisteredClient: &oauthex.ClientCredentials{ClientID: d.ClientID, Issuer: d.PublicURL},
		RedirectURL:         testCallback,
		RequestRefreshToken: true,
		AuthorizationCodeFetcher: func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			location, err := d.browser().LogIn(ctx, args.URL, username, d.password(username))
			if err != nil {
				return nil, err
			}
			back, err := url.Parse(location)
			if err != nil {
				return nil, err
			}
			q := back.Query()
			return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
		},
	}
	for _, option := range options {
		option(config)
	}
	handler, err := auth.NewAuthorizationCodeHandler(config)
	if err != nil {
		t.Fatal(err)
	}
	sdk := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1"}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), plenty)
	defer cancel()
	session, err := sdk.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: d.MCPURLs[server], OAuthHandler: handler}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func sdkText(r *mcp.CallToolResult) string {
	var all []string
	for _, c := range r.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			all = append(all, text.Text)
		}
	}
	return strings.Join(all, "\n")
}

func TestGoSDK(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	s := sdkSession(t, d, "sobject-all", rep)
	ctx := t.Context()
	if v := s.InitializeResult().ProtocolVersion; v != "2026-07-28" {
		t.Errorf("negotiated %s", v)
	}
	tools, err := s.ListTools(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range tools.Tools {
		a := tool.Annotations
		if strings.HasPrefix(tool.Name, "delete") {
			t.Errorf("%s is listed", tool.Name)
		}
		if a == nil || a.DestructiveHint == nil || a.OpenWorldHint == nil || a.ReadOnlyHint != (tool.Name == "soqlQuery" || tool.Name == "find" ||
			strings.HasPrefix(tool.Name, "get") || strings.HasPrefix(tool.Name, "list")) {
			t.Errorf("%s: annotations %+v", tool.Name, a)
		}
	}
	prompts, err := s.ListPrompts(ctx, nil)
	if err != nil || len(prompts.Prompts) == 0 {
		t.Errorf("prompts: %+v %v", prompts, err)
	}
	d.errand(goSDK{t, s}, "SDK Ltd")
}

func TestGoSDKPromptsAndResources(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	ctx := t.Context()
	prompts := sdkSession(t, d, "sobject-all", rep)
	p, err := prompts.GetPrompt(ctx, &mcp.GetPromptParams{Name: "accountReviewBriefing", Arguments: map[string]string{"accountId": accountID(t, d)}})
	if err != nil || len(p.Messages) == 0 {
		t.Errorf("prompt: %+v %v", p, err)
	}
	widgets := sdkSession(t, d, "acme-ops", rep)
	list, err := widgets.ListResources(ctx, nil)
	if err != nil || !slices.ContainsFunc(list.Resources, func(r *mcp.Resource) bool { return strings.HasPrefix(r.URI, "ui://") }) {
		t.Fatalf("resources: %+v %v", list, err)
	}
	read, err := widgets.ReadResource(ctx, &mcp.ReadResourceParams{URI: list.Resources[0].URI})
	if err != nil || len(read.Contents) == 0 || len(read.Contents[0].Text) < 100_000 {
		t.Errorf("resource: %v", err)
	}
	if _, err := widgets.ReadResource(ctx, &mcp.ReadResourceParams{URI: "file:///etc/passwd"}); err == nil {
		t.Error("a resource of another kind is read")
	}
	summary, err := widgets.CallTool(ctx, &mcp.CallToolParams{Name: "getAccountSummary",
		Arguments: map[string]any{"inputs": []any{map[string]any{"accountId": accountID(t, d)}}}})
	if err != nil || summary.IsError || summary.StructuredContent == nil {
		t.Errorf("custom read tool: %+v %v", summary, err)
	}
	write, err := widgets.CallTool(ctx, &mcp.CallToolParams{Name: "createAccountWithOpportunity",
		Arguments: map[string]any{"inputs": []any{map[string]any{"accountName": "X", "opportunityName": "Y", "closeDate": "2027-01-31"}}}})
	if err != nil || !write.IsError || !strings.Contains(sdkText(write), "/approvals/") {
		t.Errorf("custom write tool: %+v %v", write, err)
	}
}

func accountID(t *testing.T, d *demo) string {
	t.Helper()
	id, ok := d.records("Account")[0]["Id"].(string)
	if !ok {
		t.Fatal("no account")
	}
	return id
}

// When the access token is about to end, the SDK refreshes, and the session goes on.
func TestGoSDKRefreshes(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	s := sdkSession(t, d, "sobject-reads", rep, func(c *auth.AuthorizationCodeHandlerConfig) {
		c.NewTokenSource = func(ctx context.Context, cfg *oauth2.Config, first *oauth2.Token) (oauth2.TokenSource, error) {
			first.Expiry = time.Now() // as far as the SDK knows
			return cfg.TokenSource(ctx, first), nil
		}
	})
	for range 2 {
		r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "getUserInfo", Arguments: map[string]any{}})
		if err != nil || r.IsError || !strings.Contains(sdkText(r), rep) {
			t.Errorf("after expiry: %+v %v", r, err)
		}
	}
	var rotated int
	if err := d.database().Reads.QueryRow(`SELECT count(*) FROM refresh_tokens WHERE rotated_at > 0`).Scan(&rotated); err != nil || rotated == 0 {
		t.Errorf("%d refresh tokens were rotated, %v", rotated, err)
	}
}
