package console

import (
	"context"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/access"
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
	pause, lifetime time.Duration
	ended           chan struct{}
	end             sync.Once

	mu  sync.Mutex
	of  map[access.Person]int
	all int

	look    sync.Mutex
	version string    // of what waits, as it was
	at      time.Time // then
}

func newStreams() *Streams {
	return &Streams{pause: streamPause, lifetime: streamLifetime, ended: make(chan struct{}), of: map[access.Person]int{}}
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
	s.look.Lock()
	defer s.look.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < s.pause/2 {
		return s.version, nil
	}
	version, err := read(ctx)
	if err == nil {
		s.version, s.at = version, time.Now()
	}
	return version, err
}
