package notice

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/receiver"
)

// lookEvery is the time between two looks at what waits. Nobody is told later than that.
const lookEvery = time.Second

// attemptTime bounds one attempt; lease is longer.
const attemptTime = 20 * time.Second

// pauses are the times before a message is tried again; the last one holds on.
var pauses = []time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute}

// Source knows the requests.
type Source interface {
	// Waiting returns the requests that wait for a decision now.
	Waiting(ctx context.Context) ([]Waiting, error)
	// Describe says what there is to say of a request, and whether it still waits; nil: there
	// is no such request any more. ID, Event, At and Approval are not its business.
	Describe(ctx context.Context, id string) (m *Message, waits bool, err error)
}

// Config is what a Courier works with.
type Config struct {
	DB      *db.DB
	Targets []Target
	Source  Source
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	// Tick tells again and again that it is time to look at what waits; stop ends that. nil: once a second.
	Tick func() (tick <-chan time.Time, stop func())
}

// Courier fills the queue and sends what is in it. It is safe for concurrent use.
type Courier struct {
	queue
	targets []Target
	source  Source
	log     *slog.Logger
	tick    func() (<-chan time.Time, func())
	pace    []*rate.Limiter // by target
	told    map[string]bool // what was queued for which target, so that it is not tried each second
	// sent and failed count messages since the start.
	sent, failed atomic.Int64
}

// New returns a courier; nothing is sent before Run.
func New(c Config) *Courier {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Tick == nil {
		c.Tick = func() (<-chan time.Time, func()) {
			ticker := time.NewTicker(lookEvery)
			return ticker.C, ticker.Stop
		}
	}
	k := &Courier{queue: queue{c.DB, c.Now}, targets: c.Targets, source: c.Source, log: c.Log, tick: c.Tick, told: map[string]bool{}}
	for range c.Targets {
		k.pace = append(k.pace, rate.NewLimiter(rate.Every(time.Minute/PerMinute), PerMinute))
	}
	return k
}

// Counts returns how many messages were sent and given up since the start.
func (k *Courier) Counts() (sent, failed int64) { return k.sent.Load(), k.failed.Load() }

// Run sends until ctx ends. Without targets there is nothing to do.
func (k *Courier) Run(ctx context.Context) {
	if len(k.targets) == 0 {
		return
	}
	var workers sync.WaitGroup
	for i := range k.targets {
		workers.Go(func() { k.every(ctx, func() error { return k.deliver(ctx, i) }) })
	}
	k.every(ctx, func() error { return k.fill(ctx) })
	workers.Wait()
}

// every does the same again and again until ctx ends. What fails is tried at the next turn.
func (k *Courier) every(ctx context.Context, do func() error) {
	tick, stop := k.tick()
	defer stop()
	for {
		if err := do(); err != nil && ctx.Err() == nil {
			k.log.ErrorContext(ctx, "notices", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
	}
}

// Sweep removes what is over.
func (k *Courier) Sweep(ctx context.Context) error {
	var names []string
	for i := range k.targets {
		names = append(names, k.targets[i].Name)
	}
	return k.sweep(ctx, names)
}

// fill queues what targets are to be told and have not been.
func (k *Courier) fill(ctx context.Context) error {
	// This is read first: what has waited before the look, and does not in it, waits no more. Other
	// processes queue meanwhile, too.
	undecided := make([][]string, len(k.targets))
	for i := range k.targets {
		if t := &k.targets[i]; t.wants(Decided) {
			var err error
			if undecided[i], err = k.undecided(ctx, t.Name); err != nil {
				return err
			}
		}
	}
	waiting, err := k.source.Waiting(ctx)
	if err != nil {
		return err
	}
	if err := k.fillRequested(ctx, waiting); err != nil {
		return err
	}
	waits := make(map[string]bool, len(waiting))
	for _, w := range waiting {
		waits[aboutRequest(w.ID, w.Again)] = true
	}
	for i, abouts := range undecided {
		for _, about := range abouts {
			if waits[about] {
				continue
			}
			if err := k.add(ctx, k.targets[i].Name, Decided, about, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillRequested queues that requests wait.
func (k *Courier) fillRequested(ctx context.Context, waiting []Waiting) error {
	told := make(map[string]bool, len(waiting)) // of what waits no more, nothing is remembered
	for i := range k.targets {
		t := &k.targets[i]
		for _, w := range waiting {
			if !t.wants(Requested) || !t.concerns(w) {
				continue
			}
			about := aboutRequest(w.ID, w.Again)
			key := t.Name + " " + about
			if !k.told[key] {
				if err := k.add(ctx, t.Name, Requested, about, ""); err != nil {
					return err
				}
			}
			told[key] = true
		}
	}
	k.told = told
	return nil
}

// Raise queues an alarm about a budget for every target that wants alarms. window tells the
// alarms of a budget apart: of one window each target hears once. text must say nothing of a
// person.
func (k *Courier) Raise(ctx context.Context, budget, window, text string) error {
	for i := range k.targets {
		if t := &k.targets[i]; t.wants(Alarm) {
			if err := k.add(ctx, t.Name, Alarm, window+" "+budget, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// deliver sends what is due of a target, at its pace.
func (k *Courier) deliver(ctx context.Context, i int) error {
	for ctx.Err() == nil && k.pace[i].TokensAt(k.now()) >= 1 {
		row, err := k.take(ctx, k.targets[i].Name)
		if err != nil || row == nil {
			return err
		}
		k.pace[i].AllowN(k.now(), 1)
		if err := k.attempt(ctx, &k.targets[i], row); err != nil {
			return err
		}
	}
	return nil
}

// attempt sends one message and records what became of it.
func (k *Courier) attempt(ctx context.Context, t *Target, row *Row) error {
	m, moot, err := k.message(ctx, row)
	switch {
	case errors.Is(err, errWaits):
		return k.later(ctx, row.ID, pause(row.Attempts, nil), err.Error())
	case err != nil:
		return err // the row is tried again when its lease is over
	case moot != "":
		return k.end(ctx, row.ID, outcomeMoot, moot)
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	err = t.Send.Send(ctx, m)
	lasting := context.WithoutCancel(ctx)
	switch {
	case err == nil:
		k.sent.Add(1)
		return k.end(lasting, row.ID, outcomeSent, "")
	case errors.Is(err, receiver.ErrRefused) || k.now().Sub(row.Created) > giveUpAfter:
		k.failed.Add(1)
		k.log.ErrorContext(ctx, "a notice was given up", "target", t.Name, "event", row.Event, "about", row.About, "attempts", row.Attempts, "error", err)
		return k.end(lasting, row.ID, outcomeFailed, err.Error())
	}
	k.log.WarnContext(ctx, "a notice was not taken and is tried again", "target", t.Name, "event", row.Event, "about", row.About, "attempts", row.Attempts, "error", err)
	return k.later(lasting, row.ID, pause(row.Attempts, err), err.Error())
}

// pause is the time before a message is tried again after so many attempts.
func pause(attempts int, err error) time.Duration {
	p := pauses[min(attempts, len(pauses))-1]
	if r, ok := errors.AsType[*receiver.RetryAfter](err); ok {
		p = max(p, min(r.After, time.Hour))
	}
	return p
}

// errWaits: how a request ended is to be told, and it has not ended.
var errWaits = errors.New("it still waits")

// message puts a message together from what is true now, or says why it is moot.
func (k *Courier) message(ctx context.Context, row *Row) (m *Message, moot string, err error) {
	authentic, err := k.db.Verify(db.Notices, row.mac, row.covered()...)
	if err != nil {
		return nil, "", err
	}
	if !authentic {
		return nil, "it was changed by something else than the proxy", nil
	}
	if row.Event == Alarm {
		_, budget, _ := strings.Cut(row.About, " ")
		return &Message{ID: row.ID, Event: Alarm, At: row.Created, Budget: budget, Text: row.Text}, "", nil
	}
	id, again := requestOf(row.About)
	m, waits, err := k.source.Describe(ctx, id)
	switch {
	case err != nil:
		return nil, "", err
	case m == nil:
		return nil, "there is no such request any more", nil
	case row.Event == Requested && !waits:
		return nil, "it was decided before it could be told", nil
	case m.Again != again && waits:
		return nil, "it waits again", nil
	case m.Again != again:
		// How it ended is told once, whoever saw it wait again.
		return nil, "it has waited again since", k.add(ctx, row.Target, Decided, aboutRequest(id, m.Again), "")
	case row.Event == Decided && waits:
		return nil, "", errWaits
	}
	m.ID, m.Event, m.At, m.Approval = row.ID, row.Event, row.Created, id
	return m, "", nil
}
