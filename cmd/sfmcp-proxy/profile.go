package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/config"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// profiles asks Salesforce who a user is, by the tool getUserInfo of a standard
// server: an mcp_api token opens no other source. What it returns is shown to people
// and matched with usernames of the configuration; the subject of the verified token
// stays the key to everything.
type profiles struct{ a *app }

// Profile returns the display name and the username of a user who has just signed in.
func (p profiles) Profile(ctx context.Context, org, subject string) (name, username string, err error) {
	i := slices.IndexFunc(p.a.config.Servers, func(s config.Server) bool {
		return s.Org == org && strings.Contains(s.Upstream, "/platform/sobject-")
	})
	if i < 0 {
		return "", "", errors.New("no configured server of the org offers getUserInfo")
	}
	answer, err := p.a.pool.Call(ctx, p.a.target(p.a.config.Servers[i], subject),
		jsonrpc.Request(jsontext.Value(`1`), "tools/call", jsontext.Value(`{"name":"getUserInfo","arguments":{}}`)), true)
	if err != nil {
		return "", "", fmt.Errorf("asking for the user's name: %w", err)
	}
	defer answer.Close()
	for {
		m, err := answer.Next(ctx)
		if errors.Is(err, io.EOF) {
			return "", "", errors.New("asking for the user's name: no answer")
		} else if err != nil {
			return "", "", fmt.Errorf("asking for the user's name: %w", err)
		}
		if m.IsResponse() {
			return readProfile(m.Result)
		}
	}
}

// readProfile takes name and username out of a tool result. Salesforce's spelling of
// the members is not documented; the REST user has Username and Name.
func readProfile(result jsontext.Value) (name, username string, err error) {
	var r struct {
		IsError bool `json:"isError"`
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	if err := json.Unmarshal(result, &r); err != nil || r.IsError || len(r.Content) == 0 {
		return "", "", errors.New("asking for the user's name: Salesforce told none")
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(r.Content[0].Text), &members); err != nil {
		return "", "", errors.New("asking for the user's name: unreadable answer")
	}
	for key, value := range members {
		text, ok := value.(string)
		if !ok || len(text) > 255 {
			continue
		}
		switch strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(key)) {
		case "name", "fullname", "displayname":
			name = text
		case "username", "preferredusername":
			username = text
		}
	}
	return name, username, nil
}

// target is a user's session with the hosted server behind s.
func (a *app) target(s config.Server, subject string) upstream.Target {
	return upstream.Target{
		Org: s.Org, Subject: subject, Server: s.Name, URL: s.Upstream, Timeout: s.Timeout,
		Token: func(ctx context.Context) (string, error) { return a.links.Token(ctx, s.Org, subject) },
		Refused: func(ctx context.Context, token string) (string, error) {
			return a.links.Refused(ctx, s.Org, subject, token)
		},
	}
}
