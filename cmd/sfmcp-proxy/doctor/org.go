package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/salesforce"
)

// A clock that is wrong by more than skewFails makes tokens look expired or not yet
// valid; that is the leeway with which they are verified.
const (
	skewWarns = 30 * time.Second
	skewFails = 60 * time.Second
)

// host tells whether the login host answers, and what its clock says.
func (x *examination) host(ctx context.Context, o Org) bool {
	ahead, dated, err := x.Salesforce.ProbeHost(ctx, o.Name)
	if err != nil {
		x.report(because(Finding{Org: o.Name, Check: "host", Found: "login host " + o.LoginURL + " is not reachable"}, err))
		return false
	}
	x.report(Finding{Org: o.Name, Check: "host", Status: Good, Found: "login host " + o.LoginURL + " answers"})
	x.report(clock(o.Name, ahead, dated))
	return true
}

func clock(org string, ahead time.Duration, dated bool) Finding {
	f := Finding{Org: org, Check: "clock", Status: Good, Found: "this host's clock agrees with Salesforce's"}
	if !dated {
		f.Status, f.Found = Warn, "the login host does not tell its time, so the clock cannot be compared"
		return f
	}
	off := ahead.Abs()
	if off <= skewWarns {
		return f
	}
	f.Status = Warn
	if off > skewFails {
		f.Status = Fail
	}
	side := "behind"
	if ahead < 0 {
		side = "ahead of"
	}
	f.Found = fmt.Sprintf("this host's clock is %s %s Salesforce's", off.Round(time.Second), side)
	f.Fix = "let this host's clock follow a time server (NTP): tokens are refused when clocks differ by more than " + skewFails.String()
	return f
}

func (x *examination) keys(ctx context.Context, o Org) {
	usable, address, err := x.Salesforce.ProbeKeys(ctx, o.Name)
	if err != nil {
		x.report(because(Finding{Org: o.Name, Check: "keys", Found: "no signing keys at " + address}, err))
		return
	}
	x.report(Finding{Org: o.Name, Check: "keys", Status: Good, Found: fmt.Sprintf("%d signing %s at %s", usable, plural(usable, "key"), address)})
}

// authorize tells what an authorize request says of the External Client App. Salesforce
// looks at the client id, then the callback, the host, PKCE and the scopes, and stops
// at the first that is wrong; what comes before it is right.
func (x *examination) authorize(ctx context.Context, o Org) {
	passed := []Finding{
		{Check: "client_id", Found: "consumer key is known: there is such an External Client App"},
		{Check: "callback", Found: "callback URL " + x.CallbackURL + " is known"},
		{Check: "domain", Found: "the app belongs to the org of login_url"},
		{Check: "scopes", Found: "scopes may be asked for: " + strings.Join(o.Scopes, " ")},
	}
	err := x.Salesforce.ProbeAuthorize(ctx, o.Name, salesforce.AsConfigured)
	wrong := firstWrong(err)
	for i, f := range passed {
		if i == wrong.before {
			break
		}
		f.Org, f.Status = o.Name, Good
		x.report(f)
	}
	if err != nil {
		if wrong.check == "callback" {
			wrong.found += " " + x.CallbackURL
		}
		x.report(because(Finding{Org: o.Name, Check: wrong.check, Found: wrong.found}, err))
		return
	}
	x.pkce(ctx, o)
}

// wrongness is which check an authorize request failed, and how many it had passed.
type wrongness struct {
	check  string
	before int
	found  string
}

func firstWrong(err error) wrongness {
	if err == nil {
		return wrongness{before: -1}
	}
	e, _ := errors.AsType[*salesforce.Error](err)
	code := ""
	if e != nil {
		code = e.Code
	}
	switch code {
	case salesforce.InvalidClientID:
		return wrongness{"client_id", 0, "Salesforce does not know the consumer key"}
	case salesforce.RedirectMismatch:
		return wrongness{"callback", 1, "the External Client App does not have our callback URL"}
	case salesforce.WrongDomain:
		return wrongness{"domain", 0, "login_url is not the host of the org that has the app"}
	case salesforce.InvalidScope, salesforce.UnsupportedScope:
		return wrongness{"scopes", 3, "the External Client App does not have the scopes"}
	}
	return wrongness{"authorize", 0, "a sign-in would not begin"}
}

func (x *examination) pkce(ctx context.Context, o Org) {
	f := Finding{Org: o.Name, Check: "pkce", Status: Good, Found: "PKCE is required"}
	err := x.Salesforce.ProbeAuthorize(ctx, o.Name, salesforce.WithoutChallenge)
	switch e, _ := errors.AsType[*salesforce.Error](err); {
	case err == nil:
		f.Status, f.Found = Warn, "a sign-in without PKCE would begin"
		f.Fix = salesforce.AppSettings + " > Security: switch on Require Proof Key for Code Exchange (PKCE)"
	case e == nil || e.Code != salesforce.InvalidRequest:
		f.Status, f.Found = Warn, "whether PKCE is required cannot be seen: "+reason(err)
	}
	x.report(f)
}

// because completes a Finding of a check that failed with err.
func because(f Finding, err error) Finding {
	f.Status = cmp.Or(f.Status, Fail)
	f.Found += ": " + reason(err)
	if e, ok := errors.AsType[*salesforce.Error](err); ok {
		f.Fix = e.Hint
	}
	return f
}

// reason is why a request to Salesforce failed, in the fewest words.
func reason(err error) string {
	e, ok := errors.AsType[*salesforce.Error](err)
	if !ok {
		return err.Error()
	}
	text := e.Code
	if e.Description != "" {
		text += " (" + e.Description + ")"
	}
	if e.Status != 0 {
		text += fmt.Sprintf(", HTTP %d", e.Status)
	}
	return text
}
