package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

const (
	// loginsTried bounds with how many users' logins a server is looked at: one of
	// them may be frozen, or may not use the server.
	loginsTried = 3
	// entriesRead is how far back in the audit log a sign-in is looked for.
	entriesRead = 500

	signInOnce = "sign in once with any MCP client and run doctor again"
)

// logins tells how sign-ins to the org end, and returns users with a login that works.
// The form of the tokens can only be seen in one that was issued.
func (x *examination) logins(ctx context.Context, o Org, reached bool) (subjects []string, err error) {
	stored, err := x.sealing(ctx, o)
	if err != nil {
		return nil, err
	}
	var renewal error
	for _, subject := range stored {
		if len(subjects) == loginsTried {
			break
		}
		if _, err := x.Logins.Token(ctx, o.Name, subject); err == nil {
			subjects = append(subjects, subject)
		} else if !errors.Is(err, link.ErrNeedsReauth) {
			renewal = err
		}
	}
	last, err := x.lastSignIn(ctx, o.Name)
	if err != nil {
		return nil, err
	}
	f := Finding{Org: o.Name, Check: "tokens", Status: Good, Found: "access tokens are JWTs of this org; the last one came at " + localTime(last.At)}
	switch e := salesforce.CaseOf(last.Status); {
	case last.Outcome != audit.OK && last.Status != "":
		f.Status, f.Found, f.Fix = Fail, "the last sign-in failed, at "+localTime(last.At)+": "+last.Reason, e.Hint
		if e.Kind == salesforce.Dead || e.Kind == salesforce.Transient {
			f.Status = Warn // one user's, or over
		}
		if f.Fix != "" {
			f.Fix += "; then " + signInOnce
		}
	case len(subjects) == 0 && renewal != nil && reached:
		f = because(Finding{Org: o.Name, Check: "tokens", Found: "stored logins cannot be renewed"}, renewal)
	case len(subjects) == 0:
		f.Status, f.Found = Warn, "no stored login: whether tokens come as JWTs cannot be seen"
		f.Fix = signInOnce
	}
	x.report(f)
	return subjects, x.rotation(ctx, o)
}

// sealing tells whether the stored logins open, and returns the users of those that do:
// to use one of the others would end it, while its key may yet be put back.
func (x *examination) sealing(ctx context.Context, o Org) (subjects []string, err error) {
	open, closed, err := x.Logins.Openable(ctx, o.Name)
	if err != nil || len(open)+len(closed) == 0 {
		return nil, err
	}
	f := Finding{Org: o.Name, Check: "sealing", Status: Good, Found: "stored logins open with the keys of " + x.KeysFile}
	if n := len(closed); n > 0 {
		f.Status, f.Found = Fail, fmt.Sprintf("%d of %d stored logins do not open with the keys of %s: their users would have to sign in again", n, n+len(open), x.KeysFile)
		f.Fix = "add the key that was taken from the file below the others, from a copy of it"
	}
	x.report(f)
	return open, nil
}

// rotation tells whether the last refresh brought a new refresh token; nothing while
// there was none.
func (x *examination) rotation(ctx context.Context, o Org) error {
	var last audit.Entry
	err := x.Audit.List(ctx, audit.Filter{Action: string(audit.LinkRefresh), Limit: entriesRead}, func(e audit.Entry) error {
		if e.Org == o.Name && e.Seq > last.Seq {
			last = e
		}
		return nil
	})
	f := Finding{Org: o.Name, Check: "rotation", Status: Good, Found: "refresh tokens are rotated"}
	switch link.EventKind(last.Object) {
	case link.Refreshed:
		x.report(f)
	case link.NotRotated:
		f.Status, f.Found = Warn, "refresh tokens are not rotated: a stolen one would work until it is revoked"
		f.Fix = salesforce.AppSettings + " > Security: switch on Enable Refresh Token Rotation"
		x.report(f)
	}
	return err
}

func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// lastSignIn is the newest entry that tells how a request for tokens of the org ended;
// zero without one.
func (x *examination) lastSignIn(ctx context.Context, org string) (last audit.Entry, err error) {
	for _, action := range []audit.Action{audit.LoginFinish, audit.LinkRefresh, audit.LinkLost} {
		err := x.Audit.List(ctx, audit.Filter{Action: string(action), Limit: entriesRead}, func(e audit.Entry) error {
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
