package main

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/export"
	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/console/api"
	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/reseal"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
	"sfmcp-proxy/cmd/sfmcp-proxy/signals"
	"sfmcp-proxy/config"
	"sfmcp-proxy/mcpforward"
	"sfmcp-proxy/mcpforward/traces"
	"sfmcp-proxy/mcpforward/upstream"
)

// sweepEvery is how often what can no longer have an effect is deleted.
const sweepEvery = time.Minute

// servingEvery is how often the process notes that it serves.
const servingEvery = time.Minute

// product is what answers, on one configuration: stores, handlers and the work beside
// requests. A reload opens another one and closes this one (see takeOver).
type product struct {
	*stores
	outbound *outbound
	edge     *edge.Edge // of the process, through all its products,
	signals  *signals.Signals
	reread   func() (*config.Config, error) // the configuration as it is in the files; nil: it is fixed

	pool          *upstream.Pool
	cutoff        *authproxy.Cutoff
	authorization *authproxy.Server
	pages         *console.Console
	team          *team.Team
	api           *api.API
	forward       *mcpforward.Handler
	routes        http.Handler
	unable        *unable
	traces        *traces.Tracer // nil: there is no collector

	requests    edge.InFlight      // that are answered here
	checkpoints *publish.Publisher // carries those of the audit log elsewhere; nil: nobody does
	agreed      bool               // the log has agreed with all of them
	exports     *export.Couriers   // send the audit log to destinations

	sweepers   []func(context.Context) error
	sweepClock sweepClock
	sweepsWait atomic.Bool // as a metric tells it
	outOfTouch string      // what tellTouch has logged; "": nothing, or that it is over
	stopWork   context.CancelFunc
	halt       func() // ends the whole process, as a signal would
}

// openProduct opens the parts in the order in which they need each other. It answers and
// does nothing by itself yet.
func openProduct(ctx context.Context, c *config.Config, of *process) (_ *product, err error) {
	p := &product{edge: of.edge, signals: of.signals, stopWork: func() {}, halt: of.end}
	p.reread = func() (*config.Config, error) { // which the process learns after it is open
		if of.reread == nil {
			return nil, nil
		}
		return of.reread()
	}
	if p.outbound, err = openOutbound(c, of.log); err != nil {
		return nil, err
	}
	ring, err := of.keys(ctx, c)
	if err != nil {
		return nil, err
	}
	if p.stores, err = (&stores{config: c, log: of.log, ring: ring, now: time.Now, unsettled: of.unsettled, waits: of.waits}).open(ctx, p.outbound); err != nil {
		return nil, err
	}
	p.sweepClock.seen = audit.ClockOf(ctx, p.audit, p.now())
	p.audit.Watch(p.signals)
	if p.checkpoints, err = p.publisher(p.outbound); err != nil {
		return nil, errors.Join(err, closing(p.stores.close))
	}
	p.exports = exporting{p.stores}.couriers(p.outbound)
	p.openTraces()
	p.pool = p.outbound.openPool(c, upstream.Config{Log: of.log, Watch: p.sent})
	p.cutoff = p.newCutoff(func(org, subject string) {
		p.pool.Forget(org, subject)
		p.forward.Forget(org, subject)
	})
	if err := p.openHandlers(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.routes = p.table()
	if p.unable, err = newUnable(p.site(), p.overTLS()); err != nil {
		return nil, errors.Join(err, p.close())
	}
	lifecycle := &authproxy.Lifecycle{Cutoff: p.cutoff}
	p.sweepers = []func(context.Context) error{
		p.settleLeft,
		p.grants.Sweep,
		p.clients.Sweep,
		func(ctx context.Context) error { return lifecycle.Sweep(ctx, p.now()) },
		func(ctx context.Context) error { return p.cutoff.Sweep(ctx, p.now()) },
		func(ctx context.Context) error { _, err := p.approvals.Expire(ctx); return err },
		func(ctx context.Context) error { _, err := p.sessions.Sweep(ctx); return err },
		p.people.Sweep,
		p.tokens.Sweep,
		p.forward.Sweep,
		p.notices.Sweep,
		p.budgets.Sweep,
		p.outside.Sweep,
		p.db.Sweep,
		p.db.Erase, // last: what the others deleted
	}
	return p, nil
}

// openHandlers joins the parts that face the outside.
func (p *product) openHandlers() (err error) {
	c := p.config
	guard, err := ui.NewGuard(c.PublicURL)
	if err != nil {
		return err
	}
	if p.forward, err = mcpforward.New(mcpforward.Config{
		Access: p.access, Version: version, DB: p.db, Links: p.links, Approvals: p.approvals, Audit: p.audit, Definitions: p.definitions, Pool: p.pool,
		Budgets: p.budgets, Counters: c.Counters(), Outside: p.outside, Site: p.site(), Log: p.log, Now: p.now, AllowedOrigins: c.AllowedOrigins, ApprovalWait: c.Approvals.Wait, Watch: p.answered, Traces: p.traces,
		Limits: mcpforward.Limits{
			RequestBytes: int64(c.Limits.RequestBytes), CallsPerMinute: c.Limits.CallsPerMinute, ConcurrentCalls: c.Limits.ConcurrentCalls,
		},
	}); err != nil {
		return err
	}
	if p.authorization, err = authproxy.New(authproxy.Config{
		Access: p.access, Clients: p.clients, Grants: p.grants, Links: p.links, Salesforce: p.outbound.salesforce, Sessions: p.sessions, Cookies: cookies(c),
		Company: p.company, People: p.people,
		Audit: p.audit, Cutoff: p.cutoff, Profiles: p.forward, Marks: p.marks(), Site: p.site(), Log: p.log, Now: p.now,
	}); err != nil {
		return err
	}
	decisions := p.newDecisions()
	decisions.Undos, decisions.Watch = p.forward, p.signals.Decided
	if p.pages, err = console.New(console.Config{
		Access: p.access, Sessions: p.sessions, Guard: guard, Clients: p.clients, Grants: p.grants, Approvals: p.approvals,
		Decisions: decisions, Inbox: decisions, Proposals: decisions, Together: decisions, FollowUps: decisions, LostQuery: p.forward.LostQuery, Currents: p.forward, Marks: p.marks(), People: p.people, Cookies: cookies(c), Providers: p.company.Providers(), Disconnect: p.cutoff, Logins: p.links, Budgets: p.budgetsOf, Outside: p.outside, Audit: p.audit, Site: p.site(), Now: p.now, Log: p.log,
	}); err != nil {
		return err
	}
	return p.openOversight()
}

// readingTime is how long a page is in front of a person before what they decide on it counts.
var readingTime = ui.ReadingTime

func (p *product) marks() ui.Marks { return ui.Marks{Ring: p.ring, Now: p.now, Least: readingTime} }

// work is what a product does beside requests, until ctx ends or it is told to stop.
func (p *product) work(ctx context.Context, g *errgroup.Group) {
	ctx, p.stopWork = context.WithCancel(ctx)
	g.Go(func() error { p.links.RunRevocations(ctx); return nil })
	g.Go(func() error { return p.watch(ctx) })
	g.Go(func() error { p.watchKeys(ctx); return nil })
	upkeep := audit.Upkeep{Every: p.config.Audit.CheckpointEvery, Keep: p.config.Audit.Keep, Clock: p.sweepClock.seen, Publisher: p.checkpoints}
	g.Go(func() error { p.audit.Run(ctx, upkeep); return nil })
	g.Go(func() error { p.roster.Run(ctx); return nil })
	g.Go(func() error { p.notices.Run(ctx); return nil })
	g.Go(func() error { p.exports.Run(ctx); return nil })
	g.Go(func() error {
		reseal.Worker{Config: reseal.Config{DB: p.db, Ring: p.ring, Log: p.log}}.Run(ctx)
		return nil
	})
	g.Go(func() error { p.sweepLoop(ctx); return nil })
	g.Go(func() error {
		tick := time.NewTicker(servingEvery)
		defer tick.Stop()
		p.noteServing(ctx, tick.C)
		return nil
	})
	g.Go(func() error { p.reachProviders(ctx); return nil })
}

// mostSaid is how many characters of what an identity provider answered are logged.
const mostSaid = 300

// reachProviders asks the identity providers of the company once, and warns of each that cannot be reached: nobody can sign in with
// it, which would be found out only by the first who tries. Nothing waits for it.
func (p *product) reachProviders(ctx context.Context) {
	for _, of := range p.company.Providers() {
		if err := p.company.Reach(ctx, of.Issuer); err != nil && ctx.Err() == nil {
			said := ui.Printable(err.Error())
			p.log.Warn("the company's identity provider cannot be reached: nobody can sign in with it; 'doctor' says which setting to look at", "issuer", of.Issuer, "error", said[:min(len(said), mostSaid)])
		}
	}
}

// watchKeys looks twice a second whether the key file has the keys that the database is sealed with, and logs when
// it lacks one and when it has it.
func (p *product) watchKeys(ctx context.Context) {
	tick := time.NewTicker(keysPoll)
	defer tick.Stop()
	told := ""
	for {
		asking, cancel := context.WithTimeout(ctx, stateTime)
		err := p.db.LookAtKeys(asking) // of a database that does not answer tellTouch says so
		cancel()
		if err == nil {
			told = p.tellKeys(told)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tellKeys logs which key is missing, if that is other than what was told last, and returns it.
func (p *product) tellKeys(told string) string {
	missing := ""
	if err := p.db.CheckKeys(); err != nil {
		missing = err.Error()
	}
	switch {
	case missing == told:
	case missing == "":
		p.log.Info("the key file has the keys of the database: requests are decided again")
	default:
		p.log.Error("nothing is decided until the key file has the key", "error", missing)
	}
	return missing
}

// watch follows what takes access away, whichever process does so. If a newer version has changed the
// database so that this one must not use it any more, its work ends at once, as sweeps would do what they
// must not, and the process when what is in flight has ended.
func (p *product) watch(ctx context.Context) error {
	err := p.db.WatchAccess(ctx, db.AccessPoll, p.accessChanged)
	if err != nil {
		p.log.Error("the process ends", "error", err)
		p.stopWork()
		p.halt()
	}
	return err
}

// accessChanged runs after each change that took access away, whichever process made it, and while it
// is not known what was taken away.
func (p *product) accessChanged() {
	p.tellTouch()
	p.audit.Persons().Forget()
	p.roster.Hurry()
	ctx, cancel := context.WithTimeout(context.Background(), recheckTime)
	defer cancel()
	p.forward.Recheck(ctx)
}

// tellTouch logs, once, that nothing is decided and why, and that it is over. The watcher alone calls it.
func (p *product) tellTouch() {
	told := ""
	if err := p.db.CheckInTouch(); err != nil {
		told = err.Error()
	}
	switch {
	case told == p.outOfTouch:
	case told != "":
		p.log.Error("no request is answered", "error", told)
	default:
		p.log.Info("requests are answered again")
	}
	p.outOfTouch = told
}

// recheckTime is how long it may take to find out whose calls may go on: what is not known then
// ends.
const recheckTime = time.Second

// noteServing notes, at once and at each tick, that this process serves, whatever else takes its time.
func (p *product) noteServing(ctx context.Context, tick <-chan time.Time) {
	for {
		_ = p.db.Serving(ctx, p.now()) // of a database that cannot be written others tell
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
	}
}

// sweepLoop deletes what can no longer have an effect.
func (p *product) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		for _, sweep := range p.sweepersNow(ctx) {
			if err := p.edge.Survive(func() error { return sweep(ctx) }); err != nil && ctx.Err() == nil {
				p.log.Error("sweeping", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sweepersNow are those that may work by the present clock: all, or the first alone, which deletes nothing.
func (p *product) sweepersNow(ctx context.Context) []func(context.Context) error {
	if !p.maySweep(ctx) {
		return p.sweepers[:1]
	}
	return p.sweepers
}

// endStreams ends those that only listen.
func (p *product) endStreams() {
	p.forward.Drain()
	p.pages.Streams.End()
}

// retire closes a product when the requests and refreshes that began there have ended, or
// ctx ends. Streams that only listen end at once: their clients come back to the next one.
func (p *product) retire(ctx context.Context) error {
	p.endStreams()
	p.requests.Wait(ctx)
	_ = p.links.Close(ctx) // an error is the end of ctx, and close waits once more
	p.stopWork()
	return p.close()
}

// close waits for what must not be cut in half, such as the record of how a call ended.
func (p *product) close() error {
	p.pool.Close()
	return closing(func(ctx context.Context) error {
		p.requests.Wait(ctx)
		p.settleLast(ctx)
		p.exports.Close(ctx)
		defer p.traces.Close(ctx) // last: they may be lost
		err := p.stores.close(ctx)
		if p.disagrees != nil {
			p.log.Error("no checkpoint was stored", "error", p.disagrees)
		}
		return errors.Join(err, p.closePublisher(ctx, p.checkpoints, p.agreed))
	})
}

// settleLeft records with their approvals how calls ended, where the database did not take that before. An approval that is given
// back is good again only behind a checkpoint: a start after a kill would take the entry of the call's intent for one of a call that
// left, and end the approval.
func (p *product) settleLeft(ctx context.Context) (err error) {
	if p.unsettled.GivesBack() {
		err = p.audit.Checkpoint(ctx)
	}
	return errors.Join(err, p.approvals.SettleLeft(ctx))
}

// settleLastTime is how long closing waits for the outcomes that settleLast records: the rest has to be closed in closeTime, too.
const settleLastTime = time.Second

// settleLast records with their approvals how calls ended, where the database did not take that before.
func (p *product) settleLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleLastTime)
	defer cancel()
	if err := p.settleLeft(ctx); err != nil {
		p.log.Error("how approved calls ended was not recorded with their approvals", "error", err)
	}
}
