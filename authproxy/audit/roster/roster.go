package roster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
)

const (
	// lookEvery is how often a process looks at the roster.
	lookEvery = time.Minute
	// observeEvery is how often it records what it sees, if there is something new: each record is
	// something new for the others. observeAfter entries of one log are recorded with the next look.
	observeEvery = 10 * time.Minute
	observeAfter = 1000
	// silence is after how long without a sign a log can be closed.
	silence = 3 * lookEvery
	// closeTime is how long the statement may take that closes one.
	closeTime = 30 * time.Second
)

// Config is what a Roster works with. All but Host must be set.
type Config struct {
	Log  *audit.Log // the own one
	DB   *db.DB
	Host string // name of this machine
	Now  func() time.Time
	Warn *slog.Logger // hears of logs that seem to have been removed
}

// Roster is which audit logs there are, for the process that writes one of them. It is safe for
// concurrent use.
type Roster struct {
	log    *audit.Log
	rows   rows
	host   string
	now    func() time.Time
	warn   *slog.Logger
	shared bool
	look   chan struct{} // told when to look at once
	silent atomic.Int64  // as [Roster.Silent] says
}

// New returns the roster of a database; of one that is not shared it does nothing.
func New(c Config) *Roster {
	return &Roster{log: c.Log, rows: rows{c.DB}, host: c.Host, now: c.Now, warn: c.Warn, shared: c.DB.Shared(), look: make(chan struct{}, 1)}
}

// Logs lists the roster by name; of a database that has none, the own log. A row that was changed by
// something else than the proxy is not in it.
func (r *Roster) Logs(ctx context.Context) (all []Log, err error) {
	if !r.shared {
		origin, begun := r.own()
		if !begun {
			return nil, nil
		}
		keys, err := r.log.KeysOf(origin)
		return []Log{{Origin: origin, Host: r.host, Verifiers: keys, HeardAt: r.now(), Entries: r.log.State().Entries}}, err
	}
	found, err := r.rows.all(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := r.sight(ctx, found, looked)
	entries := map[string]int64{}
	for _, s := range seen {
		entries[s.Origin] = s.Entries
	}
	for _, l := range found {
		if l.authentic {
			l.Entries = entries[l.Origin]
			all = append(all, l.Log)
		}
	}
	return all, err
}

// own is the name of the own log; false: it has no entry, and so no name that lasts.
func (r *Roster) own() (origin string, begun bool) {
	origin, n := r.log.Heard()
	return origin, n > 0
}

// Join enters the own log, if the roster does not have it: as an entry first, and then as a row.
func (r *Roster) Join(ctx context.Context) error {
	if !r.shared {
		return nil
	}
	origin, begun := r.own()
	if begun {
		if _, err := r.rows.one(ctx, origin); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	left, err := r.leftBehind(ctx, origin)
	if err != nil {
		return err
	}
	if _, err := r.log.Append(ctx, audit.Entry{Actor: actor.Proxy, Action: audit.LogJoin, Outcome: audit.OK, Source: "audit log", Object: r.host, Reason: left}); err != nil {
		return fmt.Errorf("entering the audit log into the roster: %w", err)
	}
	origin, _ = r.own()
	keys, err := r.log.KeysOf(origin)
	if err != nil {
		return err
	}
	return r.rows.insert(ctx, Log{Origin: origin, Host: r.host, Verifiers: keys, JoinedAt: r.now(), HeardAt: r.now()})
}

// leftBehind says which logs of this machine nobody writes any more, and are not closed: this one
// may be there because one of them was removed.
func (r *Roster) leftBehind(ctx context.Context, own string) (text string, err error) {
	all, err := r.Logs(ctx)
	for _, l := range all {
		if l.Host != r.host || l.Origin == own || l.Closed != nil || r.now().Sub(l.HeardAt) < silence {
			continue
		}
		r.warn.Warn("an audit log of this machine is open in the roster, and nobody writes it: if its directory is gone for good, close it with `sfmcp-proxy audit log close`",
			"log", l.Origin, "last_heard", l.HeardAt.UTC().Format(time.RFC3339))
		text += fmt.Sprintf("the log %s of the same machine is open, and was last heard of at %s; ", l.Origin, l.HeardAt.UTC().Format(time.RFC3339))
	}
	return text, err
}

// Look compares the own log with the roster, says there that it is written, and records what the
// others have, if that is due. The error is that of [Roster.Agree].
func (r *Roster) Look(ctx context.Context) error {
	if !r.shared {
		return nil
	}
	origin, begun := r.own()
	if !begun {
		return nil
	}
	before, seen, all, err := r.compare(ctx)
	if err != nil {
		return err
	}
	r.silent.Store(r.countSilent(all))
	if err := r.rows.sign(ctx, all); err != nil {
		return err
	}
	if own, ownErr := r.rows.one(ctx, origin); ownErr == nil && own.authentic {
		err = r.hear(ctx, own)
	}
	if err != nil || !before.due(seen, r.now().UnixMilli()) {
		return err
	}
	return r.record(ctx, seen)
}

// Silent is how many logs of other replicas were open at the last look, and had not been heard of for three
// minutes: their replicas are gone or hang, or cannot reach the database. The log of a machine on which only commands
// run is not among them: nobody is there who could be heard of.
func (r *Roster) Silent() int64 { return r.silent.Load() }

func (r *Roster) countSilent(all []row) (n int64) {
	own, _ := r.own()
	for _, l := range all {
		served := !l.HeardAt.Equal(l.JoinedAt) // a process looks right after it has joined
		if l.authentic && l.Origin != own && l.Closed == nil && served && r.now().Sub(l.HeardAt) >= silence {
			n++
		}
	}
	return n
}

// hear notes that the own log is written, by which keys.
func (r *Roster) hear(ctx context.Context, own row) error {
	keys, err := r.log.KeysOf(own.Origin)
	if err != nil {
		return err
	}
	l := own.Log
	l.HeardAt = r.now()
	for _, key := range own.Verifiers { // what they signed stays
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	l.Verifiers = keys
	return r.rows.hear(ctx, own, l)
}

// Hurry has [Roster.Run] find out at once whether the own log was closed: something about access has
// changed.
func (r *Roster) Hurry() {
	select {
	case r.look <- struct{}{}:
	default: // it will
	}
}

// Run looks every minute until ctx ends. A disagreement halts the own log.
func (r *Roster) Run(ctx context.Context) {
	if !r.shared {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	said := ""
	for look := r.Look; ; {
		err := look(ctx)
		if d := (*audit.Disagreement)(nil); errors.As(err, &d) {
			r.log.Halt(d)
		} else if err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			r.warn.Error("looking at the roster of audit logs", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			look = r.Look
		case <-r.look:
			look = r.CheckOpen // one row: access may change often
		}
	}
}
