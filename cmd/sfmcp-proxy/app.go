package main

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/config"
	"sfmcp-proxy/mcpforward"
	"sfmcp-proxy/mcpforward/upstream"
)

// closeTime is how long a closing process waits for what is under way: the outcomes of
// calls that were cut off, and refreshes.
const closeTime = 4 * time.Second

// app is the product, assembled: for serve all of it, for a command what it needs.
type app struct {
	config   *config.Config
	log      *slog.Logger
	now      func() time.Time
	policies map[string]*policy.Policy // by name

	ring       *db.KeyRing
	db         *db.DB
	audit      *audit.Log
	grants     *grant.Store
	links      *link.Store
	approvals  *approval.Store
	sessions   *ui.Sessions
	salesforce *salesforce.Client
	pool       *upstream.Pool
	cutoff     *authproxy.Cutoff

	authorization *authproxy.Server
	pages         *console.Console
	forward       *mcpforward.Handler

	roots          *x509.CertPool // nil: the system's
	trustedProxies []netip.Prefix
	strangers      *strangers // who begin sign-ins
	registrants    *strangers // who register clients
	metrics        *metrics
	ids            requestIDs
	load           load
	writeTime      time.Duration // for one write of an answer
	certificate    *certificate  // nil: without TLS
	sweepers       []func(context.Context) error
	draining       atomic.Bool

	current  atomic.Pointer[app]            // what answers: this one, or its successor after a reload
	reread   func() (*config.Config, error) // reads the configuration again; nil: it is fixed
	routes   http.Handler                   // once serving
	own      load                           // the requests that are answered here
	stopWork context.CancelFunc

	listening                     map[string]net.Listener // by address, those that are there already
	publicAddress, privateAddress string                  // once serving
}

// openApp opens the parts in the order in which they need each other.
func openApp(ctx context.Context, c *config.Config, log *slog.Logger) (_ *app, err error) {
	a := &app{config: c, log: log, now: time.Now, policies: map[string]*policy.Policy{}, strangers: newStrangers(signInsPerSecond, signInBurst),
		registrants: newStrangers(registrationsPerSecond, registrationBurst), metrics: newMetrics(), writeTime: writeTime}
	for _, p := range c.Policies {
		a.policies[p.Name] = p.Judge()
	}
	if a.trustedProxies, err = prefixes(c.TrustedProxies); err != nil {
		return nil, err
	}
	if a.ring, err = db.LoadKeyRing(c.KeysFile); err != nil {
		return nil, err
	}
	if err := a.ring.Expect(db.Config{URL: c.Database}); err != nil {
		return nil, err
	}
	if a.db, err = db.Open(ctx, db.Config{URL: c.Database}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.db.Close())
		}
	}()
	if err := a.ring.Claim(ctx, a.db); err != nil {
		return nil, err
	}
	if err := a.openStores(); err != nil {
		return nil, err
	}
	if err := a.openHandlers(); err != nil {
		return nil, err
	}
	a.current.Store(a)
	return a, nil
}

// openStores opens what remembers.
func (a *app) openStores() (err error) {
	c := a.config
	if a.roots, err = trustedRoots(c.TrustedCAFile); err != nil {
		return err
	}
	client := salesforce.NewHTTPClient(a.roots)
	if a.audit, err = audit.New(audit.Config{DB: a.db, Ring: a.ring, Now: a.now}); err != nil {
		return err
	}
	fetcher, err := documents(c, a.roots, a.now)
	if err != nil {
		return err
	}
	l := c.Lifetimes
	if a.grants, err = grant.New(grant.Config{
		DB: a.db, Ring: a.ring, Clients: clients(c), PublicURL: c.PublicURL, SalesforceHosts: c.SalesforceHosts(), Now: a.now,
		Documents: fetcher, Dynamic: c.Registration.Dynamic.Enabled,
		Lifetimes: grant.Lifetimes{Code: l.Code, AccessToken: l.AccessToken, RefreshIdle: l.RefreshIdle,
			RefreshAbsolute: l.RefreshAbsolute, RefreshGrace: l.RefreshGrace, Consent: l.Consent},
	}); err != nil {
		return err
	}
	if a.salesforce, err = salesforce.New(salesforce.Config{
		Orgs: orgs(c), HTTP: client, RedirectURI: c.PublicURL + "/oauth/callback", Now: a.now, Log: a.log,
	}); err != nil {
		return err
	}
	a.links = link.New(link.Config{DB: a.db, Ring: a.ring, Salesforce: a.salesforce, Now: a.now, Log: a.log, OnEvent: a.linkEvent})
	if a.approvals, err = approval.New(approval.Config{DB: a.db, Ring: a.ring, Lifetime: l.Approval, Now: a.now}); err != nil {
		return err
	}
	a.sessions = ui.NewSessions(ui.Config{
		Reads: a.db.Reads, Writes: a.db.Writes, Cookies: a.cookies(), Lifetime: l.Session, Now: a.now,
	})
	a.pool = upstream.New(upstream.Config{
		HTTP: client, Log: a.log, Now: a.now, Version: version, ResponseBytes: int64(c.Limits.ResponseBytes),
	})
	a.cutoff = &authproxy.Cutoff{
		Grants: a.grants, Links: a.links, Approvals: a.approvals, Sessions: a.sessions, Audit: a.audit, Forget: a.pool.Forget,
	}
	a.sweepers = []func(context.Context) error{
		a.grants.Sweep,
		func(ctx context.Context) error { return a.cutoff.Sweep(ctx, a.now()) },
		func(ctx context.Context) error { _, err := a.approvals.Expire(ctx); return err },
		func(ctx context.Context) error { _, err := a.sessions.Sweep(ctx); return err },
	}
	return nil
}

// bindOrgs sees that every name of an org still stands for the org that it did. What
// brings stored tokens to Salesforce asks first; cutting off here does not need it.
func (a *app) bindOrgs(ctx context.Context) (err error) {
	for _, o := range a.config.Salesforce.Orgs {
		err = errors.Join(err, a.links.Bind(ctx, o.Name, grant.FullID(o.OrgID)))
	}
	return err
}

func (a *app) cookies() ui.Cookies {
	return ui.Cookies{Secure: strings.HasPrefix(a.config.PublicURL, "https:")}
}

// openHandlers joins the parts that face the outside.
func (a *app) openHandlers() (err error) {
	c := a.config
	guard, err := ui.NewGuard(c.PublicURL)
	if err != nil {
		return err
	}
	if a.authorization, err = authproxy.New(authproxy.Config{
		PublicURL: c.PublicURL, Orgs: a.authorizationOrgs(), Servers: a.authorizationServers(),
		Grants: a.grants, Links: a.links, Salesforce: a.salesforce, Sessions: a.sessions, Cookies: a.cookies(),
		Audit: a.audit, Cutoff: a.cutoff, Profiles: profiles{a}, Log: a.log, Now: a.now,
	}); err != nil {
		return err
	}
	if a.pages, err = console.New(console.Config{
		PublicURL: c.PublicURL, Servers: a.consoleServers(), OrgHost: a.orgHost,
		Sessions: a.sessions, Guard: guard, Grants: a.grants, Approvals: a.approvals, Audit: a.audit,
		Disconnect: a.cutoff, Logins: a.links, Now: a.now, Log: a.log,
		DocumentHosts: c.Registration.MetadataDocuments.AllowHosts, Dynamic: c.Registration.Dynamic.Enabled,
	}); err != nil {
		return err
	}
	a.forward, err = mcpforward.New(mcpforward.Config{
		PublicURL: c.PublicURL, Servers: a.forwardServers(), Version: version, DB: a.db,
		Grants: a.grants, Links: a.links, Approvals: a.approvals, Audit: a.audit, Pool: a.pool,
		Groups: func(_, subject, username string) []string { return a.groupsOf(subject, username) }, Log: a.log, Now: a.now,
		Limits: mcpforward.Limits{
			RequestBytes: int64(c.Limits.RequestBytes), CallsPerMinute: c.Limits.CallsPerMinute, ConcurrentCalls: c.Limits.ConcurrentCalls,
		},
	})
	if err != nil {
		return err
	}
	a.sweepers = append(a.sweepers, a.forward.Sweep, a.db.Erase) // last: what the others deleted
	return nil
}

// close closes what answers now; what answered before a reload is closed already.
func (a *app) close() error { return a.current.Load().closeParts() }

// countDropped shows how many log records were dropped.
func (a *app) countDropped(s *sink) {
	a.metrics.total("sfmcp_log_records_dropped_total", "Log records that nobody read in time.",
		func() float64 { return float64(s.dropped.Load()) })
}

// accessChanged runs after each change that took access away, whichever process made it.
func (a *app) accessChanged() { a.forward.Recheck(context.Background()) }

// linkEvent records what happened to a Salesforce login without a caller.
func (a *app) linkEvent(e link.Event) {
	action := map[link.EventKind]string{
		link.Refreshed: "link.refresh", link.NotRotated: "link.refresh", link.LoginLost: "link.lost", link.RevokedUpstream: "link.revoke", link.RevokeFailed: "link.revoke",
	}[e.Kind]
	entry := audit.Entry{Actor: "proxy", Action: action, Object: string(e.Kind), Outcome: audit.OK, Org: e.Org, Subject: e.Subject}
	if e.Err != nil {
		entry.Outcome, entry.Reason = audit.Failed, e.Err.Error()
		if s, ok := errors.AsType[*salesforce.Error](e.Err); ok {
			entry.Status = s.Case()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := a.audit.Append(ctx, entry); err != nil {
		a.log.Error("audit entry is lost", "action", action, "error", err)
	}
	if e.Kind == link.LoginLost {
		a.log.Warn("Salesforce login lost", "org", e.Org, "subject", e.Subject, "error", e.Err)
	}
}
