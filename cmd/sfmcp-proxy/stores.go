package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/notice"
	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/config"
)

// closeTime is how long whatever closes waits for what is under way: the outcomes of
// calls that were cut off, and refreshes.
const closeTime = 4 * time.Second

// busyTimeout is how long a statement waits for a SQLite file that another process holds: 0 is what
// package db has, and tests have less.
var busyTimeout time.Duration

// stores are what remembers, on one database and one ring of keys. They are all that a
// command needs that looks at something or takes access away: neither Salesforce nor
// what leads there has to be in order for that.
type stores struct {
	config *config.Config
	log    *slog.Logger
	now    func() time.Time

	ring        *seal.KeyRing
	db          *db.DB
	audit       *audit.Log
	roster      *roster.Roster
	clients     *client.Store
	grants      *grant.Store
	access      *access.Control
	links       *link.Store
	approvals   *approval.Store
	unsettled   *approval.Unsettled // of the process; nil: a command, which makes no calls
	waits       context.Context     // of the process; nil: a command's
	budgets     *budget.Store
	outside     *outside.Store
	notices     *notice.Courier
	sessions    *ui.Sessions
	company     *company.SignIn
	people      *people.Store
	definitions *definition.Store
	tokens      *apitoken.Store

	reports   sync.WaitGroup      // of altered rows, on their way to the log
	disagrees *audit.Disagreement // that the log was found to be with, once it is closed; nil: none
}

// openStores reads the sealing keys and opens the stores, see [stores.open].
func openStores(ctx context.Context, c *config.Config, log *slog.Logger, n *outbound) (*stores, error) {
	ring, err := openKeys(ctx, c)
	if err != nil {
		return nil, err
	}
	return (&stores{config: c, log: log, ring: ring, now: time.Now}).open(ctx, n)
}

// open opens the database, then the stores in the order in which they need each other. Without a
// way out they hold what they have, and nothing is renewed.
func (s *stores) open(ctx context.Context, n *outbound) (_ *stores, err error) {
	c := s.config
	if s.db, err = s.openDatabase(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.db.Close())
		}
	}()
	keeps := audit.Config{Dir: c.Audit.Dir, Name: hostOf(c.PublicURL), DB: s.db, Ring: s.ring, Now: s.now, Log: s.log}
	if c.Audit.InDatabase() {
		keeps.Dir, keeps.Machine = "", machine(c)
	}
	if s.audit, err = audit.New(keeps); err != nil {
		return nil, err
	}
	s.db.OnAltered(s.altered)
	s.db.OnKeyMissing(func(e *db.KeyMissingError) {
		s.log.Warn("a row of the database names a key that the key file lacks: nothing follows from it", "key", e.ID, "error", e)
	})
	if err = s.openRoster(ctx); err != nil {
		return nil, err
	}
	if n == nil {
		n = &outbound{}
	}
	if err = s.openClients(n); err != nil {
		return nil, err
	}
	if s.grants, err = grant.New(grant.Config{
		DB: s.db, Ring: s.ring, Clients: s.clients, Now: s.now,
		Lifetimes: c.Lifetimes.Grants(),
	}); err != nil {
		return nil, err
	}
	who := c.Access()
	who.DB, who.Grants, who.Now = s.db, s.grants, s.now
	if s.access, err = access.New(who); err != nil {
		return nil, err
	}
	s.links = s.linksThrough(n)
	if err := s.openPeople(n); err != nil {
		return nil, err
	}
	if err := s.openCalls(n); err != nil {
		return nil, err
	}
	s.sessions = ui.NewSessions(ui.Config{
		DB: s.db, Cookies: cookies(c), Lifetime: c.Lifetimes.Session, Now: s.now,
	})
	s.tokens = apitoken.New(apitoken.Config{DB: s.db, Roles: []string{people.Security, people.Auditor}, Now: s.now})
	return s, nil
}

// openClients opens the store of clients. Which there are depends on who may publish them, fetched or not.
func (s *stores) openClients(n *outbound) (err error) {
	c := s.config
	if n.documents == nil { // a command, which fetches nothing, or no host may publish any
		if n.documents, err = c.Documents(nil, nil); err != nil {
			return err
		}
	}
	s.clients, err = client.New(client.Config{
		DB: s.db, Clients: c.OAuthClients(), PublicURL: c.PublicURL, SalesforceHosts: c.SalesforceHosts(),
		Documents: n.documents, Dynamic: c.Registration.Dynamic.Enabled, PrivateUseURIs: c.Registration.Dynamic.PrivateUseURIs,
		Lifecycle: c.Lifecycle.Clients(), Now: s.now,
	})
	return err
}

// openCalls opens what decides about calls and remembers them.
func (s *stores) openCalls(n *outbound) (err error) {
	c := s.config
	if s.approvals, err = approval.New(approval.Config{DB: s.db, Ring: s.ring, Lifetime: c.Lifetimes.Approval, KeepArguments: c.Approvals.KeepArguments, Now: s.now, People: s.people, Unsettled: s.unsettled}); err != nil {
		return err
	}
	if s.budgets, err = budget.New(budget.Config{DB: s.db, Now: s.now, OnAlarm: s.budgetAlarm}); err != nil {
		return err
	}
	s.outside = outside.New(s.db, s.now)
	if s.definitions, err = definition.New(definition.Config{DB: s.db, Review: c.Definitions == config.Review, Now: s.now}); err != nil {
		return err
	}
	s.notices = notice.New(notice.Config{DB: s.db, Targets: c.Approvals.NoticeTargets(n.roots, n.via, s.now), Source: noticeSource{s}, Log: s.log, Now: s.now})
	return nil
}

// openPeople opens what knows who signed in with the company. It asks nobody anything yet.
func (s *stores) openPeople(n *outbound) (err error) {
	who := s.config.Company()
	who.Ring, who.Now, who.Log, who.HTTP = s.ring, s.now, s.log, n.http
	if who.HTTP == nil { // a command, which signs nobody in
		who.HTTP = salesforce.NewHTTPClient(nil, nil)
	}
	if s.company, err = company.New(who); err != nil {
		return err
	}
	s.people = people.New(people.Config{DB: s.db, SignIn: s.company, MaxAge: s.config.Console.RolesMaxAge, Idle: s.config.Console.SessionIdle,
		Lifetime: s.config.Lifetimes.Session, Blocked: s.grants.Blocked, Users: s.usersCalled, Now: s.now})
	return nil
}

// usersCalled are the Salesforce users of the orgs of the configuration whom a name means.
func (s *stores) usersCalled(ctx context.Context, who string) ([]grant.User, error) {
	var orgs []string
	for _, o := range s.config.Salesforce.Orgs {
		orgs = append(orgs, o.Name)
	}
	return s.grants.FindUsersIn(ctx, orgs, who)
}

// openDatabase opens the configuration's database for the key ring that it belongs to,
// or says that one of the two is not the other's.
func (s *stores) openDatabase(ctx context.Context) (*db.DB, error) {
	database := db.Config{URL: s.config.Database, BusyTimeout: busyTimeout, Waits: s.waits}
	if err := database.Expect(s.ring); err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, database)
	if err != nil {
		return nil, err
	}
	if err := d.Claim(ctx, s.ring); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// checkRole refuses to serve, in production, by a database role that may do more than is the proxy's
// own business, and tells of one that may change what is evidence. Commands work with any.
func (s *stores) checkRole(ctx context.Context) error {
	role, err := s.db.Excess(ctx)
	if err != nil {
		return err
	}
	problem := role.Problem()
	if problem != "" && s.config.Production {
		return errors.New("production is true, but " + problem)
	}
	if problem == "" && s.config.Audit.InDatabase() {
		problem = role.Note()
	}
	if problem != "" {
		s.log.Warn(problem)
	}
	return nil
}

// openKeys reads the sealing keys, or says that those are lost that a database was made with.
func openKeys(ctx context.Context, c *config.Config) (*seal.KeyRing, error) {
	source, err := c.KeySource(ctx)
	if err != nil {
		return nil, err
	}
	ring, err := source.Load(ctx)
	if err != nil && c.KeysFrom == seal.FromFile {
		if lost := (db.Config{URL: c.Database}).KeysLost(ctx, c.KeysFile); lost != nil {
			return nil, lost
		}
	}
	return ring, err
}

// linksThrough is the store of Salesforce logins that renews and revokes them through n.
func (s *stores) linksThrough(n *outbound) *link.Store {
	c := link.Config{DB: s.db, Ring: s.ring, Now: s.now, Log: s.log, OnEvent: authproxy.RecordLinkEvents(s.audit, s.grants, s.log)}
	if n.salesforce != nil {
		c.Salesforce = n.salesforce
	}
	return link.New(c)
}

// hostOf is the host of a URL that the configuration has checked.
func hostOf(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ""
	}
	return u.Host
}

func cookies(c *config.Config) ui.Cookies {
	return ui.Cookies{Secure: strings.HasPrefix(c.PublicURL, "https:")}
}

// bindOrgs sees that every name of an org still stands for the org that it did. What
// brings stored tokens to Salesforce asks first; cutting off here does not need it.
func (s *stores) bindOrgs(ctx context.Context) (err error) {
	for _, o := range s.config.Salesforce.Orgs {
		err = errors.Join(err, s.links.Bind(ctx, o.Name, grant.FullID(o.OrgID)))
	}
	return err
}

// newDecisions is what takes people's decisions about calls that wait.
func (s *stores) newDecisions() *authproxy.Decisions {
	return &authproxy.Decisions{Approvals: s.approvals, Grants: s.grants, Audit: s.audit, Access: s.access, People: s.people, StepUpACR: s.config.StepUpACR(), Now: s.now}
}

// newCutoff is what takes access away. What this process holds for a user in memory ends by forget;
// nil: it holds nothing.
func (s *stores) newCutoff(forget func(org, subject string)) *authproxy.Cutoff {
	return &authproxy.Cutoff{Access: s.access, Clients: s.clients, Grants: s.grants, Links: s.links, Approvals: s.approvals, People: s.people,
		Sessions: s.sessions, Tokens: s.tokens, Audit: s.audit, Forget: forget, OtherLogs: s.db.Shared()}
}

// altered tells of a row that somebody changed without the keys. It is called inside
// transactions, which the entry has to wait for.
func (s *stores) altered(row db.Altered) {
	s.log.Error("a row of the database was changed by something else than the proxy, and counts as absent", "table", row.Table, "row", row.Row, "why", row.Why)
	e := audit.Entry{Actor: actor.Proxy, Action: audit.StoreTamper, Outcome: audit.Denied, Object: row.Table + " " + row.Row, Reason: row.Why}
	if row.Table == db.Users.Table {
		e.Org, e.Subject, _ = strings.Cut(row.Row, "/")
	}
	s.reports.Go(func() { s.audit.Record(context.Background(), e) })
}

// close waits for what must not be cut in half, such as the refresh of a Salesforce login
// whose answer is on its way, until ctx ends. That the audit log was written to and does not agree with its checkpoints
// is no error: disagrees has it.
func (s *stores) close(ctx context.Context) error {
	err := s.links.Close(ctx)
	s.reports.Wait()
	err = errors.Join(err, s.budgets.Close(ctx), s.joinRoster(ctx))
	closed := s.audit.Close(ctx)
	s.disagrees, _ = errors.AsType[*audit.Disagreement](closed)
	err = errors.Join(err, without[*audit.Disagreement](closed))
	s.db.AwaitWatchers() // a command that is done has taken effect
	return errors.Join(err, s.db.Close())
}
