package console

import (
	"context"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/shared"
)

// Bounds of the streams by which inboxes learn that something came: each costs a connection and a
// look at its session every streamPause.
const (
	streamsPerPerson = 4   // beyond it the inbox is as it was when it was loaded
	streamsAtOnce    = 400 // of everybody, in this process
	streamPause      = 2 * time.Second
	streamLifetime   = 15 * time.Minute // the browser comes back after that
	streamQuiet      = 20 * time.Second // after which something is sent, so that nothing in between gives it up
)

// Streams are the inboxes that are in view.
type Streams struct {
	clock
	pause, lifetime time.Duration
	ended           chan struct{}
	end             sync.Once

	mu  sync.Mutex
	of  map[access.Person]int
	all int

	version shared.Answer[string] // of what waits
}

// clock is the time by which streams go on.
type clock struct {
	now func() time.Time
	// after tells once that so much time has passed, every tells it again and again; stop ends that.
	after, every func(time.Duration) (passed <-chan time.Time, stop func())
}

// clockOf is a clock that shows now and goes by itself.
func clockOf(now func() time.Time) clock {
	return clock{now, func(d time.Duration) (<-chan time.Time, func()) {
		timer := time.NewTimer(d)
		return timer.C, func() { timer.Stop() }
	}, func(d time.Duration) (<-chan time.Time, func()) {
		ticker := time.NewTicker(d)
		return ticker.C, ticker.Stop
	}}
}

func newStreams(now func() time.Time) *Streams {
	return &Streams{clock: clockOf(now), pause: streamPause, lifetime: streamLifetime, ended: make(chan struct{}), of: map[access.Person]int{}}
}

// End ends all streams, and lets none begin any more.
func (s *Streams) End() { s.end.Do(func() { close(s.ended) }) }

// enter counts one more of a person, unless they, or all together, have enough.
func (s *Streams) enter(who access.Person) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return nil, false
	default:
	}
	if s.of[who] >= streamsPerPerson || s.all >= streamsAtOnce {
		return nil, false
	}
	s.of[who]++
	s.all++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.all--; s.of[who] > 1 {
			s.of[who]--
		} else {
			delete(s.of, who)
		}
	}, true
}

// current is the version of what waits, which all streams together ask for once in a while.
func (s *Streams) current(ctx context.Context, read func(context.Context) (string, error)) (string, error) {
	return s.version.Get(ctx, shared.Ask[string]{Now: s.now, Lasts: s.pause / 2, Make: read})
}

// ticks calls f at once and after each pause, until it says that the stream is over, or that is so: for the
// time it has lasted, by the process, or because nobody listens.
func (s *Streams) ticks(ctx context.Context, f func() (over bool, err error)) error {
	late, stopLate := s.after(s.lifetime)
	defer stopLate()
	tick, stop := s.every(s.pause)
	defer stop()
	for {
		if over, err := f(); over || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ended:
			return nil
		case <-late:
			return nil
		case <-tick:
		}
	}
}
