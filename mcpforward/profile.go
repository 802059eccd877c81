package mcpforward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// Profile asks Salesforce for the display name and the username of a user who has just
// signed in, by the tool getUserInfo of a standard server: an mcp_api token opens no other
// source. What it returns is shown to people and matched with usernames of the
// configuration; the subject of the verified token stays the key to everything. It is a
// call to Salesforce as that user, so it is recorded like any other.
func (h *Handler) Profile(ctx context.Context, org, subject string) (name, username string, err error) {
	servers := h.Access.Servers()
	i := slices.IndexFunc(servers, func(s *access.Server) bool {
		return s.Org == org && policy.DescribesObjects(s.URL)
	})
	if i < 0 {
		return "", "", errors.New("no configured server of the org offers getUserInfo")
	}
	if mode, err := h.Access.StopMode(ctx); err != nil || mode != access.StopOff && mode != access.StopWrites { // nothing is asked of Salesforce then
		return "", "", errors.Join(errStopped, err)
	}
	server := servers[i]
	known, _ := h.Access.Person(ctx, org, subject) // the name of an earlier sign-in, for the log
	err = h.Audit.Call(ctx, audit.Entry{Actor: actor.Proxy, Action: audit.UserLookup, Org: org, Subject: subject, Username: known.Username,
		Server: server.Name, Tool: "getUserInfo", Class: string(policy.Read)}, func(ctx context.Context) (audit.Result, error) {
		name, username, err = h.askProfile(ctx, server, subject)
		return audit.Result{Username: username}, err
	})
	return name, username, err
}

// askProfile calls the tool.
func (h *Handler) askProfile(ctx context.Context, s *access.Server, subject string) (name, username string, err error) {
	answer, err := h.Pool.Call(ctx, upstream.Target{
		Org: s.Org, Subject: subject, Server: s.Name, URL: s.URL, Timeout: s.Timeout, RequestID: audit.OriginOf(ctx).RequestID,
		Token: func(ctx context.Context) (string, error) { return h.Links.Token(ctx, s.Org, subject) },
		Refused: func(ctx context.Context, token string) (string, error) {
			return h.Links.Refused(ctx, s.Org, subject, token)
		},
	}, jsonrpc.Request(jsontext.Value(`1`), "tools/call", jsontext.Value(`{"name":"getUserInfo","arguments":{}}`)), true)
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
	plain := strings.NewReplacer("_", "", "-", "", " ", "")
	first := func(spellings ...string) string { // the first that is there, whatever else is
		for _, spelling := range spellings {
			for _, key := range slices.Sorted(maps.Keys(members)) {
				text, ok := members[key].(string)
				if ok && text != "" && len(text) <= 255 && strings.ToLower(plain.Replace(key)) == spelling {
					return text
				}
			}
		}
		return ""
	}
	return first("name", "fullname", "displayname"), first("username", "preferredusername"), nil
}
