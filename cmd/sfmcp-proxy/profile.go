package main

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

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/config"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// profiles asks Salesforce who a user is, by the tool getUserInfo of a standard
// server: an mcp_api token opens no other source. What it returns is shown to people
// and matched with usernames of the configuration; the subject of the verified token
// stays the key to everything.
type profiles struct{ p *product }

// Profile returns the display name and the username of a user who has just signed in.
// It is a call to Salesforce as that user, so it is recorded like any other.
func (p profiles) Profile(ctx context.Context, org, subject string) (name, username string, err error) {
	i := slices.IndexFunc(p.p.config.Servers, func(s config.Server) bool {
		return s.Org == org && strings.Contains(s.Upstream, "/platform/sobject-")
	})
	if i < 0 {
		return "", "", errors.New("no configured server of the org offers getUserInfo")
	}
	server := p.p.config.Servers[i]
	entry := audit.Entry{Actor: "proxy", Action: "user.lookup", Outcome: audit.Intent, Org: org, Subject: subject,
		Server: server.Name, Tool: "getUserInfo", Class: string(policy.Read)}
	if entry.IntentSeq, err = p.p.audit.Append(ctx, entry); err != nil {
		return "", "", err
	}
	name, username, err = p.ask(ctx, server, subject)
	entry.Outcome = audit.OK
	if err != nil {
		entry.Outcome, entry.Reason = audit.Failed, err.Error()
	}
	if _, lost := p.p.audit.Append(context.WithoutCancel(ctx), entry); lost != nil {
		p.p.log.ErrorContext(ctx, "audit entry is lost", "action", entry.Action, "error", lost)
	}
	return name, username, err
}

// ask calls the tool.
func (p profiles) ask(ctx context.Context, s config.Server, subject string) (name, username string, err error) {
	answer, err := p.p.pool.Call(ctx, p.p.target(s, subject),
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

// target is a user's session with the hosted server behind s.
func (st *stores) target(s config.Server, subject string) upstream.Target {
	return upstream.Target{
		Org: s.Org, Subject: subject, Server: s.Name, URL: s.Upstream, Timeout: s.Timeout,
		Token: func(ctx context.Context) (string, error) { return st.links.Token(ctx, s.Org, subject) },
		Refused: func(ctx context.Context, token string) (string, error) {
			return st.links.Refused(ctx, s.Org, subject, token)
		},
	}
}
