package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// hostedTool is what doctor needs of a tool's definition.
type hostedTool struct {
	Name        string `json:"name"`
	InputSchema struct {
		Properties map[string]jsontext.Value `json:"properties"`
	} `json:"inputSchema"`
}

// tools are the tools that the server lists to a user; that it lists any takes MCP's
// initialize.
func (x *examination) tools(ctx context.Context, s Server, subject string) ([]hostedTool, error) {
	result, err := x.ask(ctx, s, audit.Entry{Action: audit.DoctorList, Subject: subject}, jsonrpc.Request(jsontext.Value(`1`), "tools/list", nil))
	var list struct {
		Tools []hostedTool `json:"tools"`
	}
	if err == nil && json.Unmarshal(result, &list) != nil {
		err = &upstream.Error{Kind: upstream.Broken, Reason: "tools/list was answered with no list"}
	}
	return list.Tools, err
}

// query makes the smallest query there is. Two settings let everything work but the
// calls: lists come, and sign-ins succeed.
func (x *examination) query(ctx context.Context, s Server, subject string, tools []hostedTool) error {
	const name = "soqlQuery"
	i := slices.IndexFunc(tools, func(t hostedTool) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	parameter := "q"
	if _, docs := tools[i].InputSchema.Properties["query"]; docs { // as Salesforce documents it
		parameter = "query"
	}
	params := fmt.Sprintf(`{"name":%q,"arguments":{%q:"SELECT Id FROM User LIMIT 1"}}`, name, parameter)
	entry := audit.Entry{Action: audit.DoctorQuery, Subject: subject, Tool: name, Class: string(policy.Read)}
	result, err := x.ask(ctx, s, entry, jsonrpc.Request(jsontext.Value(`2`), "tools/call", jsontext.Value(params)))
	f := Finding{Org: s.Org, Server: s.Name, Check: "query", Status: Good, Found: "a query is answered"}
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		x.report(inactive(f, s, e))
		return nil
	}
	if err != nil {
		return err
	}
	x.report(queried(f, result))
	return nil
}

// queried reads what became of a query. Salesforce tells failures in the text of the
// result, by codes of its own.
func queried(f Finding, result jsontext.Value) Finding {
	var r struct {
		IsError bool             `json:"isError"`
		Content []jsontext.Value `json:"content"`
	}
	if json.Unmarshal(result, &r) == nil && !r.IsError {
		return f
	}
	f.Status = Fail
	switch text := slices.Concat(r.Content...); {
	case upstream.UnknownException.In(text):
		f.Found = "tools are listed, and every query fails: UNKNOWN_EXCEPTION"
		f.Fix = "Setup > API Access Control: allow the External Client App; switched on, it stops queries of apps that are not on its list. If it is off, " +
			"https://status.salesforce.com tells of incidents"
	case upstream.LimitExceeded.In(text):
		f.Status, f.Found = Warn, "a limit of the org is reached"
		f.Fix = limitPage
	default:
		f.Found = "a query of the User object is refused"
		f.Fix = "Setup > Profiles, or Permission Sets > (the user's) > System Permissions: API Enabled; and read access to User"
	}
	return f
}

// ask makes one call in a user's name, recorded like any other, and returns its result.
// Errors other than [*upstream.Error] are [audit.ErrNoIntent].
func (x *examination) ask(ctx context.Context, s Server, entry audit.Entry, request *jsonrpc.Message) (result jsontext.Value, err error) {
	entry.Actor, entry.Org, entry.Server = x.Actor, s.Org, s.Name
	entry.Username = x.Username(ctx, s.Org, entry.Subject)
	err = x.Audit.Call(ctx, entry, func(ctx context.Context) (audit.Result, error) {
		result, err = x.result(ctx, s, entry.Subject, request)
		return audit.Result{}, err
	})
	return result, err
}

func (x *examination) result(ctx context.Context, s Server, subject string, request *jsonrpc.Message) (jsontext.Value, error) {
	answer, err := x.Pool.Call(ctx, upstream.Target{
		Org: s.Org, Subject: subject, Server: s.Name, URL: s.Upstream, Timeout: s.Timeout,
		Token: func(ctx context.Context) (string, error) { return x.Logins.Token(ctx, s.Org, subject) },
		// A refresh would not tell more, and could cost the user's login.
		Refused: func(context.Context, string) (string, error) { return "", upstream.ErrLoginLost },
	}, request, true)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	for {
		m, err := answer.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil, &upstream.Error{Kind: upstream.Broken, Reason: "no answer to " + request.Method}
		case err != nil:
			return nil, err
		case m.IsResponse() && m.Error != nil:
			return nil, &upstream.Error{Kind: upstream.Broken, Reason: request.Method + " was answered with an error"}
		case m.IsResponse():
			return m.Result, nil
		}
	}
}
