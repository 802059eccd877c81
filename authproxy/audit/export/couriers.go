package export

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/destination"
	"sfmcp-proxy/authproxy/db"
)

// Export is a destination, and what it gets.
type Export struct {
	Name string
	Kind string // for people: file, syslog, …
	To   destination.Destination
	Format
	// Personal gives it what entries say about people, Arguments those of calls as well.
	Personal, Arguments bool
	// Every is how long entries are gathered, and Entries and Bytes how many are sent at once.
	Every          time.Duration
	Entries, Bytes int
}

// Config is what Couriers work with.
type Config struct {
	DB      *db.DB
	Audit   *audit.Log
	Exports []Export
	Version string // of this program
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Couriers send the audit log to all destinations, each at its own pace.
type Couriers struct {
	positions
	all   []*courier
	owner string
	log   *slog.Logger

	mu    sync.Mutex
	ended chan struct{} // closed when Run has ended; nil: it has not begun
}

// New returns couriers; nothing is sent before Run.
func New(c Config) *Couriers {
	if c.Now == nil {
		c.Now = time.Now
	}
	k := &Couriers{positions: positions{c.DB, c.Now}, owner: rand.Text(), log: c.Log}
	for _, e := range c.Exports {
		one := &courier{Export: e, positions: k.positions, audit: c.Audit, version: c.Version, owner: k.owner, limit: e.Entries,
			pauses: [2]time.Duration{time.Second, 5 * time.Minute}}
		one.state.Store(&State{Name: e.Name})
		k.all = append(k.all, one)
	}
	return k
}

// Run sends until ctx ends. Then another process, or the next product of this one, goes on.
func (k *Couriers) Run(ctx context.Context) {
	if len(k.all) == 0 {
		return
	}
	k.mu.Lock()
	k.ended = make(chan struct{})
	k.mu.Unlock()
	defer close(k.ended)
	var workers sync.WaitGroup
	for _, one := range k.all {
		workers.Go(func() { one.run(ctx) })
	}
	if k.log != nil {
		workers.Go(func() { k.watch(ctx) })
	}
	workers.Wait()
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := k.release(lasting, k.owner); err != nil && k.log != nil {
		k.log.Warn("the next process waits a minute before it goes on with exports", "error", err)
	}
}

// watch logs which destinations begin to fail, and which take entries again.
func (k *Couriers) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	failing := make([]bool, len(k.all))
	for {
		for i, s := range k.States() {
			switch {
			case s.Problem != "" && !failing[i]:
				k.log.Warn("a destination of exports does not take entries of the audit log", "destination", s.Name, "error", s.Problem)
			case s.Problem == "" && failing[i]:
				k.log.Info("a destination of exports takes entries again", "destination", s.Name)
			}
			failing[i] = s.Problem != ""
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close returns when Run has ended, whose context must have, or when ctx ends.
func (k *Couriers) Close(ctx context.Context) {
	k.mu.Lock()
	ended := k.ended
	k.mu.Unlock()
	if ended == nil {
		return
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// State is how a destination is doing, as this process knows.
type State struct {
	Name string
	// Sends says that this process is the one that sends there. If it is not, the rest is zero.
	Sends  bool
	Behind int64     // entries that it has not taken
	Oldest time.Time // when the first of them was written; zero: it has all, or that is not known yet
	// Problem is what the last attempt failed with; "" after one that succeeded.
	Problem      string
	Sent, Failed int64 // entries and attempts since the start
}

// States says how each destination is doing, in the order of the configuration.
func (k *Couriers) States() []State {
	all := make([]State, len(k.all))
	for i, one := range k.all {
		all[i] = *one.state.Load()
		all[i].Sent, all[i].Failed = one.sent.Load(), one.failed.Load()
	}
	return all
}

// note keeps how far the destination is, of a log of that size. Entries are still to be sent from
// the time of oldest on. That an attempt was cut off by the end of the process is no problem.
func (k *courier) note(ctx context.Context, size int64, oldest time.Time, problem error) {
	if ctx.Err() != nil {
		return
	}
	s := &State{Name: k.Name}
	if k.at != nil {
		s.Sends, s.Behind, s.Oldest, s.Problem = true, max(size-k.at.Seq, 0), oldest, k.at.Problem
	}
	if problem != nil {
		s.Problem = problem.Error()
	}
	k.state.Store(s)
}

// noteProblem keeps what an attempt failed with.
func (k *courier) noteProblem(problem string) {
	s := *k.state.Load()
	s.Problem = problem
	k.state.Store(&s)
}
