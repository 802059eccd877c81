package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/config"
	"sfmcp-proxy/mcpforward/upstream"
)

const (
	// loginsTried bounds with how many users' logins a server is looked at: one of
	// them may be frozen, or may not use the server.
	loginsTried = 3
	// entriesRead is how far back in the audit log a sign-in is looked for.
	entriesRead = 500

	limitPage  = "Setup > Company Information > API Requests, Last 24 Hours"
	signInOnce = "sign in once with any MCP client and run doctor again"
	jwtSetting = salesforce.AppSettings + " > Security: Issue JSON Web Token (JWT)-based access tokens for named users must be on"
)

// logins tells how sign-ins to the org end, and returns users with a login that works.
// The form of the tokens can only be seen in one that was issued.
func (d *doctor) logins(ctx context.Context, o config.Org, reached bool) (subjects []string, err error) {
	stored, err := d.sealing(ctx, o)
	if err != nil {
		return nil, err
	}
	var renewal error
	for _, subject := range stored {
		if len(subjects) == loginsTried {
			break
		}
		if _, err := d.links.Token(ctx, o.Name, subject); err == nil {
			subjects = append(subjects, subject)
		} else if !errors.Is(err, link.ErrNeedsReauth) {
			renewal = err
		}
	}
	last, err := d.lastSignIn(ctx, o.Name)
	if err != nil {
		return nil, err
	}
	f := finding{Org: o.Name, Check: "tokens", Status: good, Found: "access tokens are JWTs of this org; the last one came at " + localTime(last.At)}
	switch e := salesforce.CaseOf(last.Status); {
	case last.Outcome != audit.OK && last.Status != "":
		f.Status, f.Found, f.Fix = fail, "the last sign-in failed, at "+localTime(last.At)+": "+last.Reason, e.Hint
		if e.Kind == salesforce.Dead || e.Kind == salesforce.Transient {
			f.Status = warn // one user's, or over
		}
		if f.Fix != "" {
			f.Fix += "; then " + signInOnce
		}
	case len(subjects) == 0 && renewal != nil && reached:
		f = because(finding{Org: o.Name, Check: "tokens", Found: "stored logins cannot be renewed"}, renewal)
	case len(subjects) == 0:
		f.Status, f.Found = warn, "no stored login: whether tokens come as JWTs cannot be seen"
		f.Fix = signInOnce
	}
	d.report(f)
	return subjects, d.rotation(ctx, o)
}

// sealing tells whether the stored logins open, and returns the users of those that do:
// to use one of the others would end it, while its key may yet be put back.
func (d *doctor) sealing(ctx context.Context, o config.Org) (subjects []string, err error) {
	open, closed, err := d.links.Openable(ctx, o.Name)
	if err != nil || len(open)+len(closed) == 0 {
		return nil, err
	}
	f := finding{Org: o.Name, Check: "sealing", Status: good, Found: "stored logins open with the keys of " + d.config.KeysFile}
	if n := len(closed); n > 0 {
		f.Status, f.Found = fail, fmt.Sprintf("%d of %d stored logins do not open with the keys of %s: their users would have to sign in again", n, n+len(open), d.config.KeysFile)
		f.Fix = "add the key that was taken from the file below the others, from a copy of it"
	}
	d.report(f)
	return open, nil
}

// rotation tells whether the last refresh brought a new refresh token; nothing while
// there was none.
func (d *doctor) rotation(ctx context.Context, o config.Org) error {
	var last audit.Entry
	err := d.audit.List(ctx, audit.Filter{Action: "link.refresh", Limit: entriesRead}, func(e audit.Entry) error {
		if e.Org == o.Name && e.Seq > last.Seq {
			last = e
		}
		return nil
	})
	f := finding{Org: o.Name, Check: "rotation", Status: good, Found: "refresh tokens are rotated"}
	switch link.EventKind(last.Object) {
	case link.Refreshed:
		d.report(f)
	case link.NotRotated:
		f.Status, f.Found = warn, "refresh tokens are not rotated: a stolen one would work until it is revoked"
		f.Fix = salesforce.AppSettings + " > Security: switch on Enable Refresh Token Rotation"
		d.report(f)
	}
	return err
}

func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// lastSignIn is the newest entry that tells how a request for tokens of the org ended;
// zero without one.
func (d *doctor) lastSignIn(ctx context.Context, org string) (last audit.Entry, err error) {
	for _, action := range []string{"login.finish", "link.refresh", "link.lost"} {
		err := d.audit.List(ctx, audit.Filter{Action: action, Limit: entriesRead}, func(e audit.Entry) error {
			if e.Org == org && e.Seq > last.Seq && (e.Outcome == audit.OK || e.Status != "") {
				last = e
			}
			return nil
		})
		if err != nil {
			return audit.Entry{}, err
		}
	}
	return last, nil
}

// server tells whether the gateway answers, and with a user's login whether the hosted
// server is active. The error is that of recording the use of the login.
func (d *doctor) server(ctx context.Context, s config.Server, logins []string) error {
	f := finding{Org: s.Org, Server: s.Name, Check: "gateway", Status: good, Found: "gateway answers, and asks for a token"}
	if err := d.outbound.salesforce.ProbeGateway(ctx, s.Upstream); err != nil {
		f.Status, f.Found = "", "no answer as of Salesforce's gateway at "+s.Upstream
		d.report(because(f, err))
		return nil
	}
	d.report(f)
	f.Check = "active"
	if len(logins) == 0 {
		f.Status, f.Found, f.Fix = warn, "no stored login: whether "+hosted(s)+" is active cannot be seen", signInOnce
		d.report(f)
		return nil
	}
	for i, subject := range logins {
		tools, err := d.tools(ctx, s, subject)
		if e, ok := errors.AsType[*upstream.Error](err); ok {
			if anotherMay := e.Kind == upstream.LoginLost || e.Kind == upstream.Forbidden; anotherMay && i+1 < len(logins) {
				continue
			}
			d.report(inactive(f, s, e))
			return nil
		}
		if err != nil {
			return err
		}
		d.report(active(f, s, len(tools)))
		return d.query(ctx, s, subject, tools)
	}
	return nil
}

func active(f finding, s config.Server, tools int) finding {
	f.Found = fmt.Sprintf("%s is active, with %d %s", hosted(s), tools, plural(tools, "tool"))
	if tools == 0 {
		f.Status, f.Fix = warn, setupPage(s)+": the server must have tools; after activation it takes about two minutes until they are listed"
	}
	return f
}

// inactive words why a server gave no list of its tools.
func inactive(f finding, s config.Server, e *upstream.Error) finding {
	f.Status = fail
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
		f.Status, f.Found = warn, "the users who have signed in may not use "+hosted(s)+", HTTP 403"
		f.Fix = "Setup > Users > (the user) > Permission Set Assignments: give them access to the server"
	case upstream.Limited:
		f.Status, f.Found = warn, "a limit of the org is reached"
		f.Fix = limitPage
	default:
		f.Fix = "https://status.salesforce.com tells of maintenance; a web filter on the way may answer in Salesforce's place; timeout is " + s.Timeout.String()
	}
	return f
}

// hosted is what Salesforce calls the server: namespace and name.
func hosted(s config.Server) string {
	parts := strings.Split(s.Upstream, "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

func setupPage(s config.Server) string {
	if strings.HasPrefix(hosted(s), "custom/") {
		return "Setup > Integration > Salesforce MCP Servers"
	}
	return "Setup > MCP Servers"
}
