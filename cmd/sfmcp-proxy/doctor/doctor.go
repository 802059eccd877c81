// Package doctor looks at Salesforce as the proxy would, and says which setting to change,
// at Salesforce, in the configuration, or on the way between the two.
//
// [Examine] looks at what the role of the database may do (database.go), at the company's sign-in (signin.go), and makes the checks of each org (org.go: host, clock, signing keys, External
// Client App), of the logins that are stored (logins.go: keys, sign-ins, rotation) and of
// each server (server.go, calls.go: gateway, tools, a query, definitions that wait), and compares the names in rules
// with what the org shows (rules.go). What needs a signed-in user
// is done with a stored login and recorded. Nothing but that login's token is changed.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/mcpforward/upstream"
)

// Grade is how a check came out.
type Grade string

// The grades.
const (
	Good Grade = "ok"
	Warn Grade = "warn" // nothing is broken by it, or nothing can be said
	Fail Grade = "fail"
)

// Finding is the outcome of one check. Found and Fix hold no token.
type Finding struct {
	Org    string `json:"org"`    // empty: about the database, or the company's sign-in
	Server string `json:"server"` // empty: about the org
	Check  string `json:"check"`
	Status Grade  `json:"status"`
	Found  string `json:"found"`
	Fix    string `json:"fix"` // what to change, and where; empty if nothing
}

// Org is an org to look at; Salesforce knows the rest of it by its name.
type Org struct {
	Name, LoginURL string
	Scopes         []string
}

// Server is a hosted MCP server to look at.
type Server struct {
	Name, Org string
	Upstream  string         // its URL at Salesforce
	Timeout   time.Duration  // of one call
	Policy    *policy.Policy // one for all servers that share it
}

// Logins are the stored logins: [link.Store].
type Logins interface {
	// Openable names the users whose login opens with the keys at hand, and the others.
	Openable(ctx context.Context, org string) (open, closed []string, err error)
	Token(ctx context.Context, org, subject string) (string, error)
}

// Config is what [Examine] needs, all of it.
type Config struct {
	Orgs    []Org
	Servers []Server
	// CallbackURL is ours, which every External Client App must have.
	CallbackURL string
	// KeysFile holds the sealing keys; it is named, not read.
	KeysFile string
	// Username is how people know the user of a login, for the audit log; "" if nobody knows.
	Username func(ctx context.Context, org, subject string) string
	// Quarantined is how many definitions of a server wait for a person.
	Quarantined func(context.Context, Server) (int, error)
	// Actor is who looks, for the audit log.
	Actor actor.Actor

	// SignIns are those of the company.
	SignIns []SignIn
	// Excess is what the role of the database may do beyond what serving needs.
	Excess func(context.Context) (db.Excess, error)
	// DatabaseClock is by how much this host's clock is ahead of the database's; not known: it has none of its own.
	DatabaseClock func(context.Context) (ahead time.Duration, known bool, err error)
	Salesforce    *salesforce.Client
	Logins        Logins
	Audit         *audit.Log
	Pool          *upstream.Pool
	// Report gets each finding at once: a check may take as long as Salesforce does.
	Report func(Finding) error
}

// examination is one look at everything.
type examination struct {
	Config
	failed int
	err    error // of reporting
}

// Examine makes all checks. The error says how many failed.
func Examine(ctx context.Context, c Config) error {
	x := &examination{Config: c}
	if err := errors.Join(x.database(ctx), x.databaseClock(ctx)); err != nil {
		return err
	}
	x.signIns(ctx)
	for _, o := range x.Orgs {
		if err := x.org(ctx, o); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if x.err == nil && x.failed > 0 {
		return fmt.Errorf("%d %s failed", x.failed, plural(x.failed, "check"))
	}
	return x.err
}

// org makes the checks of an org and of its servers.
func (x *examination) org(ctx context.Context, o Org) error {
	reached := x.host(ctx, o)
	if reached {
		x.keys(ctx, o)
		x.authorize(ctx, o)
	}
	logins, err := x.logins(ctx, o, reached)
	if err != nil {
		return err
	}
	var lists []listed
	for _, s := range x.Servers {
		if s.Org != o.Name {
			continue
		}
		x.definitions(ctx, s)
		list, err := x.server(ctx, s, logins)
		if err != nil {
			return err
		}
		if list.subject != "" {
			lists = append(lists, list)
		}
	}
	return x.rules(ctx, o, lists)
}

func (x *examination) report(f Finding) {
	if f.Status == Fail {
		x.failed++
	}
	if err := x.Report(f); err != nil && x.err == nil {
		x.err = err
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
