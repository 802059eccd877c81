package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/config"
	"sfmcp-proxy/mcpforward/upstream"
)

// A clock that is wrong by more than skewFails makes tokens look expired or not yet
// valid; that is the leeway with which they are verified.
const (
	skewWarns = 30 * time.Second
	skewFails = 60 * time.Second
)

// grade is how a check came out.
type grade string

const (
	good grade = "ok"
	warn grade = "warn" // nothing is broken by it, or nothing can be said
	fail grade = "fail"
)

// finding is the outcome of one check. Found and Fix hold no token.
type finding struct {
	Org    string `json:"org"`
	Server string `json:"server"` // empty: about the org
	Check  string `json:"check"`
	Status grade  `json:"status"`
	Found  string `json:"found"`
	Fix    string `json:"fix"` // what to change, and where; empty if nothing
}

// doctor looks at Salesforce as the proxy would, and tells each finding at once: a
// check may take as long as Salesforce does.
type doctor struct {
	*stores
	outbound *outbound
	pool     *upstream.Pool
	tell     func(finding) error
	failed   int
	err      error // of telling
}

func doctorCommand() *cobra.Command {
	cmd := withOutbound(&cobra.Command{
		Use: "doctor", Short: "Look at Salesforce from here and say which setting to change", Args: usageArgs(cobra.NoArgs),
		Long: `Looks at each configured org and server as the proxy would: host, clock, signing keys,
External Client App, stored logins, sign-ins, rotation, and whether each hosted server
is active and answers a query. What needs a signed-in user is done with a stored login,
if there is one: the list of tools, and a query for the id of one user. That is in the
audit log, and the login's token is renewed if that is due. Nothing else is changed.
Exit status 1 if a check fails.`,
	}, openOutbound, func(s *stores, n *outbound, cmd *cobra.Command, _ []string) error {
		asJSON, err := cmd.Flags().GetBool("json")
		if err != nil {
			return err
		}
		d := &doctor{stores: s, outbound: n, pool: openPool(s.config, n, s.log), tell: findingPrinter(cmd.OutOrStdout(), asJSON)}
		return d.examine(cmd.Context())
	})
	jsonFlag(cmd)
	return cmd
}

func findingPrinter(w io.Writer, asJSON bool) func(finding) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return func(f finding) error { return enc.Encode(f) }
	}
	return func(f finding) error {
		about := "org " + f.Org
		if f.Server != "" {
			about += ", server " + f.Server
		}
		mark := string(f.Status)
		if f.Status == fail {
			mark = "FAIL"
		}
		_, err := fmt.Fprintf(w, "%-4s  %s: %s\n", mark, about, printable(f.Found))
		if f.Fix != "" && err == nil {
			_, err = fmt.Fprintf(w, "      %s\n", printable(f.Fix))
		}
		return err
	}
}

func (d *doctor) report(f finding) {
	if f.Status == fail {
		d.failed++
	}
	if err := d.tell(f); err != nil && d.err == nil {
		d.err = err
	}
}

// examine makes all checks. The error says how many failed.
func (d *doctor) examine(ctx context.Context) error {
	if err := d.bindOrgs(ctx); err != nil {
		return err
	}
	for _, o := range d.config.Salesforce.Orgs {
		reached := d.host(ctx, o)
		if reached {
			d.keys(ctx, o)
			d.authorize(ctx, o)
		}
		logins, err := d.logins(ctx, o, reached)
		if err != nil {
			return err
		}
		for _, s := range d.config.Servers {
			if s.Org != o.Name {
				continue
			}
			if err := d.server(ctx, s, logins); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if d.err == nil && d.failed > 0 {
		return fmt.Errorf("%d %s failed", d.failed, plural(d.failed, "check"))
	}
	return d.err
}

// host tells whether the login host answers, and what its clock says.
func (d *doctor) host(ctx context.Context, o config.Org) bool {
	ahead, dated, err := d.outbound.salesforce.ProbeHost(ctx, o.Name)
	if err != nil {
		d.report(because(finding{Org: o.Name, Check: "host", Found: "login host " + o.LoginURL + " is not reachable"}, err))
		return false
	}
	d.report(finding{Org: o.Name, Check: "host", Status: good, Found: "login host " + o.LoginURL + " answers"})
	d.report(clock(o.Name, ahead, dated))
	return true
}

func clock(org string, ahead time.Duration, dated bool) finding {
	f := finding{Org: org, Check: "clock", Status: good, Found: "this host's clock agrees with Salesforce's"}
	if !dated {
		f.Status, f.Found = warn, "the login host does not tell its time, so the clock cannot be compared"
		return f
	}
	off := ahead.Abs()
	if off <= skewWarns {
		return f
	}
	f.Status = warn
	if off > skewFails {
		f.Status = fail
	}
	side := "behind"
	if ahead < 0 {
		side = "ahead of"
	}
	f.Found = fmt.Sprintf("this host's clock is %s %s Salesforce's", off.Round(time.Second), side)
	f.Fix = "let this host's clock follow a time server (NTP): tokens are refused when clocks differ by more than " + skewFails.String()
	return f
}

func (d *doctor) keys(ctx context.Context, o config.Org) {
	usable, address, err := d.outbound.salesforce.ProbeKeys(ctx, o.Name)
	if err != nil {
		d.report(because(finding{Org: o.Name, Check: "keys", Found: "no signing keys at " + address}, err))
		return
	}
	d.report(finding{Org: o.Name, Check: "keys", Status: good, Found: fmt.Sprintf("%d signing %s at %s", usable, plural(usable, "key"), address)})
}

// authorize tells what an authorize request says of the External Client App. Salesforce
// looks at the client id, then the callback, the host, PKCE and the scopes, and stops
// at the first that is wrong; what comes before it is right.
func (d *doctor) authorize(ctx context.Context, o config.Org) {
	callback := d.config.PublicURL + "/oauth/callback"
	passed := []finding{
		{Check: "client_id", Found: "consumer key is known: there is such an External Client App"},
		{Check: "callback", Found: "callback URL " + callback + " is known"},
		{Check: "domain", Found: "the app belongs to the org of login_url"},
		{Check: "scopes", Found: "scopes may be asked for: " + strings.Join(o.Scopes, " ")},
	}
	err := d.outbound.salesforce.ProbeAuthorize(ctx, o.Name, salesforce.AsConfigured)
	wrong := firstWrong(err)
	for i, f := range passed {
		if i == wrong.before {
			break
		}
		f.Org, f.Status = o.Name, good
		d.report(f)
	}
	if err != nil {
		if wrong.check == "callback" {
			wrong.found += " " + callback
		}
		d.report(because(finding{Org: o.Name, Check: wrong.check, Found: wrong.found}, err))
		return
	}
	d.pkce(ctx, o)
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

func (d *doctor) pkce(ctx context.Context, o config.Org) {
	f := finding{Org: o.Name, Check: "pkce", Status: good, Found: "PKCE is required"}
	err := d.outbound.salesforce.ProbeAuthorize(ctx, o.Name, salesforce.WithoutChallenge)
	switch e, _ := errors.AsType[*salesforce.Error](err); {
	case err == nil:
		f.Status, f.Found = warn, "a sign-in without PKCE would begin"
		f.Fix = salesforce.AppSettings + " > Security: switch on Require Proof Key for Code Exchange (PKCE)"
	case e == nil || e.Code != salesforce.InvalidRequest:
		f.Status, f.Found = warn, "whether PKCE is required cannot be seen: "+reason(err)
	}
	d.report(f)
}

// because completes a finding of a check that failed with err.
func because(f finding, err error) finding {
	f.Status = cmp.Or(f.Status, fail)
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
