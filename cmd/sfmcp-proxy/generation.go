package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/config"
)

// A reload opens the whole product a second time, on the new configuration and the same
// database, as another process would, and then sends new requests there: so nothing is
// ever half of one configuration and half of another. Requests that have begun end where
// they began. The app that serve was called on keeps what belongs to the process: the
// listeners, the middleware, the metrics.

// fixed are the keys that the process is built on.
var fixed = []string{"public_url", "listen", "admin_listen", "tls", "trusted_proxies", "database", "keys_file", "limits"}

// dispatch answers with the app of now.
func (a *app) dispatch(w http.ResponseWriter, r *http.Request) {
	now := a.enter()
	defer now.own.end()
	now.routes.ServeHTTP(w, r)
}

// enter counts a request in where it will be answered.
func (a *app) enter() *app {
	for {
		now := a.current.Load()
		now.own.begin()
		if a.current.Load() == now {
			return now
		}
		now.own.end() // it was succeeded in between, and may be closed already
	}
}

// reloadConfig takes the configuration file into force, or says in the log, the audit log
// and the metrics why not.
func (a *app) reloadConfig(ctx context.Context, g *errgroup.Group) {
	entry := audit.Entry{Actor: "proxy", Action: "config.reload", Object: "configuration", Outcome: audit.OK}
	changed, err := a.succeed(ctx, g)
	switch {
	case err != nil:
		entry.Outcome, entry.Reason = audit.Failed, err.Error()
		a.metrics.reloads.WithLabelValues("configuration", "failed").Inc()
		a.log.Error("configuration cannot be used: the former one stays in force", "error", err)
	case !changed:
		return
	default:
		a.metrics.reloads.WithLabelValues("configuration", "ok").Inc()
		a.log.Info("configuration reloaded")
	}
	// By whoever answers now: the former one may be closed already.
	if _, err := a.current.Load().audit.Append(ctx, entry); err != nil {
		a.log.Error("audit entry is lost", "action", entry.Action, "error", err)
	}
}

// succeed puts an app on the configuration file of now in the place of the current one.
func (a *app) succeed(ctx context.Context, g *errgroup.Group) (changed bool, err error) {
	former := a.current.Load()
	c, err := a.reread()
	if err != nil {
		return false, err
	}
	roots, err := trustedRoots(c.TrustedCAFile)
	if err != nil {
		return false, err
	}
	if reflect.DeepEqual(c, former.config) && roots.Equal(former.roots) { // the configuration has that file's name alone
		return false, nil
	}
	if keys := differing(c, former.config); len(keys) > 0 {
		return false, fmt.Errorf("changing %s needs a restart", strings.Join(keys, ", "))
	}
	next, err := openApp(ctx, c, a.log)
	if err != nil {
		return false, err
	}
	if err := next.bindOrgs(ctx); err != nil {
		return false, errors.Join(err, next.closeParts())
	}
	next.metrics, next.strangers, next.registrants = a.metrics, a.strangers, a.registrants
	next.forward.Succeed(former.forward)
	next.routes = next.table()
	next.work(ctx, g)
	for _, warning := range c.Warnings() {
		a.log.Warn(warning)
	}
	a.current.Store(next) // only this goroutine stores
	g.Go(func() error { return former.retire(ctx) })
	return true, nil
}

// differing names the fixed keys whose values differ.
func differing(a, b *config.Config) (keys []string) {
	x, y := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range x.NumField() {
		key := x.Type().Field(i).Tag.Get("mapstructure")
		if slices.Contains(fixed, key) && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			keys = append(keys, key)
		}
	}
	return keys
}

// retire closes an app when the requests and refreshes that began there have ended, or ctx
// ends. Streams that only listen end at once: their clients come back to the next one.
func (a *app) retire(ctx context.Context) error {
	a.endListening()
	a.own.wait(ctx)
	_ = a.links.Close(ctx) // an error is the end of ctx, and closeParts waits once more
	a.stopWork()
	return a.closeParts()
}

// work is what an app does beside requests, until ctx ends or it is told to stop.
func (a *app) work(ctx context.Context, g *errgroup.Group) {
	ctx, a.stopWork = context.WithCancel(ctx)
	g.Go(func() error { a.links.RunRevocations(ctx); return nil })
	g.Go(func() error { a.db.WatchAccess(ctx, db.AccessPoll, a.accessChanged); return nil })
	g.Go(func() error { a.sweepLoop(ctx); return nil })
}

// closeParts waits for what must not be cut in half, such as the refresh of a Salesforce
// login whose answer is on its way, or the record of how a call ended.
func (a *app) closeParts() error {
	a.pool.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	a.own.wait(ctx)
	err := a.links.Close(ctx)
	a.audit.Flush()
	a.db.AwaitWatchers() // a command that is done has taken effect
	return errors.Join(err, a.db.Close())
}

// endListening ends the streams on which clients only listen.
func (a *app) endListening() {
	a.forward.Drain()
}
