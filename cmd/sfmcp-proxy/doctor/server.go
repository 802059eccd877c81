package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/mcpforward/upstream"
)

const (
	limitPage  = "Setup > Company Information > API Requests, Last 24 Hours"
	jwtSetting = salesforce.AppSettings + " > Security: Issue JSON Web Token (JWT)-based access tokens for named users must be on"
)

// server tells whether the gateway answers, and with a user's login whether the hosted
// server is active, and returns what it listed. The error is that of recording the use of the login.
func (x *examination) server(ctx context.Context, s Server, logins []string) (listed, error) {
	f := Finding{Org: s.Org, Server: s.Name, Check: "gateway", Status: Good, Found: "gateway answers, and asks for a token"}
	if err := x.Salesforce.ProbeGateway(ctx, s.Upstream); err != nil {
		f.Status, f.Found = "", "no answer as of Salesforce's gateway at "+s.Upstream
		x.report(because(f, err))
		return listed{}, nil
	}
	x.report(f)
	f.Check = "active"
	if len(logins) == 0 {
		f.Status, f.Found, f.Fix = Warn, "no stored login: whether "+hosted(s)+" is active cannot be seen", signInOnce
		x.report(f)
		return listed{}, nil
	}
	for i, subject := range logins {
		tools, err := x.tools(ctx, s, subject)
		if e, ok := errors.AsType[*upstream.Error](err); ok {
			if anotherMay := e.Kind == upstream.LoginLost || e.Kind == upstream.Forbidden; anotherMay && i+1 < len(logins) {
				continue
			}
			x.report(inactive(f, s, e))
			return listed{}, nil
		}
		if err != nil {
			return listed{}, err
		}
		x.report(active(f, s, len(tools)))
		return listed{s, subject, tools}, x.query(ctx, s, subject, tools)
	}
	return listed{}, nil
}

// definitions tells of definitions that wait for a person, if there are any.
func (x *examination) definitions(ctx context.Context, s Server) {
	f := Finding{Org: s.Org, Server: s.Name, Check: "definitions", Status: Warn}
	n, err := x.Quarantined(ctx, s)
	switch {
	case err != nil:
		f.Found = "whether definitions wait for a person cannot be seen: " + err.Error()
	case n > 0:
		f.Found = fmt.Sprintf("%d %s for a person, and cannot be used", n, map[bool]string{true: "definition waits", false: "definitions wait"}[n == 1])
		f.Fix = "sfmcp-proxy tools list --quarantined, then tools diff and tools accept or tools reject"
	default:
		return
	}
	x.report(f)
}

func active(f Finding, s Server, tools int) Finding {
	f.Found = fmt.Sprintf("%s is active, with %d %s", hosted(s), tools, plural(tools, "tool"))
	if tools == 0 {
		f.Status, f.Fix = Warn, setupPage(s)+": the server must have tools; after activation it takes about two minutes until they are listed"
	}
	return f
}

// inactive words why a server gave no list of its tools.
func inactive(f Finding, s Server, e *upstream.Error) Finding {
	f.Status = Fail
	f.Found = hosted(s) + " does not answer: " + e.Reason
	if e.Status != 0 {
		f.Found += fmt.Sprintf(", HTTP %d", e.Status)
	}
	switch e.Kind {
	case upstream.ServerInactive:
		f.Found = hosted(s) + " is not active"
		f.Fix = setupPage(s) + ": activate " + hosted(s) + " (takes about two minutes); or upstream names another server than meant, or another environment"
	case upstream.LoginLost:
		f.Found = "the gateway refuses the tokens of signed-in users, HTTP 401"
		f.Fix = jwtSetting + ", and the app enabled; upstream must be of the org's environment (sandboxes and scratch orgs: …/v1/sandbox/…); then sign in again"
	case upstream.Forbidden:
		f.Status, f.Found = Warn, "the users who have signed in may not use "+hosted(s)+", HTTP 403"
		f.Fix = "Setup > Users > (the user) > Permission Set Assignments: give them access to the server"
	case upstream.Limited:
		f.Status, f.Found = Warn, "a limit of the org is reached"
		f.Fix = limitPage
	default:
		f.Fix = "https://status.salesforce.com tells of maintenance; a web filter on the way may answer in Salesforce's place; timeout is " + s.Timeout.String()
	}
	return f
}

// hosted is what Salesforce calls the server.
func hosted(s Server) string { return policy.HostedName(s.Upstream) }

func setupPage(s Server) string {
	if strings.HasPrefix(hosted(s), "custom/") {
		return "Setup > Integration > Salesforce MCP Servers"
	}
	return "Setup > MCP Servers"
}
