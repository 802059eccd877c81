package authproxy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

// linkActions is what an event of a link is called in the audit log.
var linkActions = map[link.EventKind]audit.Action{
	link.Refreshed: audit.LinkRefresh, link.NotRotated: audit.LinkRefresh, link.LoginLost: audit.LinkLost,
	link.RevokedUpstream: audit.LinkRevoke, link.RevokeFailed: audit.LinkRevoke,
}

// RecordLinkEvents returns what records in the audit log what happens to Salesforce logins
// without a caller: [link.Config.OnEvent]; grants knows their users' names. An entry that cannot be written is told to log:
// what it is about has happened.
func RecordLinkEvents(to *audit.Log, grants *grant.Store, log *slog.Logger) func(link.Event) {
	return func(e link.Event) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		entry := audit.Entry{Actor: actor.Proxy, Action: linkActions[e.Kind], Object: string(e.Kind), Outcome: audit.OK,
			Org: e.Org, Subject: e.Subject, Username: usernameOf(ctx, grants, e.Org, e.Subject)}
		if e.Err != nil {
			entry.Outcome, entry.Reason = audit.Failed, e.Err.Error()
			if f, ok := errors.AsType[*salesforce.Error](e.Err); ok {
				entry.Status = f.Case()
			}
		}
		if _, err := to.Append(ctx, entry); err != nil {
			log.Error("audit entry is lost", "action", entry.Action, "error", err)
		}
		if e.Kind == link.LoginLost {
			log.Warn("Salesforce login lost", "org", e.Org, "subject", e.Subject, "error", e.Err)
		}
	}
}
