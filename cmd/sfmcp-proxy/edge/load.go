package edge

import (
	"context"
	"net/netip"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// mostRequests is how many requests are answered at a time; further ones are refused
	// at once, which costs less than to let all of them wait.
	mostRequests = 4096
	// sourceRequests is how many of them one network may have: as of the connections, a
	// quarter. In HTTP/2 few connections make many requests.
	sourceRequests = mostRequests / 4
	// memoryPoll is how often live memory is held against the limit (GOMEMLIMIT).
	memoryPoll = 100 * time.Millisecond
)

// InFlight counts what is under way. The zero value is ready.
type InFlight struct{ n atomic.Int64 }

// Begin counts one in.
func (f *InFlight) Begin() { f.n.Add(1) }

// End counts one out.
func (f *InFlight) End() { f.n.Add(-1) }

// Count is how many are under way.
func (f *InFlight) Count() int64 { return f.n.Load() }

// Wait returns when nothing is under way any more, or ctx ends.
func (f *InFlight) Wait(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for f.Count() > 0 && ctx.Err() == nil {
		<-tick.C
	}
}

// load is how much this process has to do. The zero value is ready.
type load struct {
	InFlight             // requests
	short    atomic.Bool // of memory

	mu      sync.Mutex
	sources map[netip.Prefix]int // requests that are let in; see sources.network
}

// full says that a request should be refused, the one that asks being counted already.
func (l *load) full() bool { return l.short.Load() || l.Count() > mostRequests }

// admit counts a request of a network in, and refuses it if the network has its share.
func (l *load) admit(source netip.Prefix) bool {
	if !source.IsValid() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sources[source] >= sourceRequests {
		return false
	}
	if l.sources == nil {
		l.sources = map[netip.Prefix]int{}
	}
	l.sources[source]++
	return true
}

// release counts a request out that was let in.
func (l *load) release(source netip.Prefix) {
	if !source.IsValid() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sources[source]--; l.sources[source] == 0 {
		delete(l.sources, source)
	}
}

// memoryLimit is GOMEMLIMIT in bytes; without it, more than there is.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) } // a negative one only asks

// watchMemory refuses requests while three quarters of limit are in use by what is not
// garbage: beyond that the collector would take all processor time and the system, in the
// end, the process.
func (l *load) watchMemory(ctx context.Context, limit int64) {
	live := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(memoryPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		runtimemetrics.Read(live)
		l.short.Store(live[0].Value.Uint64() > uint64(limit)/4*3)
	}
}
