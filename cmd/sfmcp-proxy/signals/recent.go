package signals

import (
	"slices"
	"sync"
	"time"
)

// recentKept is how many requests to each hosted server are remembered: of a server with more in
// the time that is asked for, the newest speak for all.
const recentKept = 512

// Recent is how requests to a hosted server went lately, in this process.
type Recent struct {
	Requests, Failed int
	// Median and Slow are how long they took: half of them as long or shorter, and 95 of 100.
	Median, Slow time.Duration
}

// recent remembers the newest requests to each server. It is bounded by the servers of the
// configuration.
type recent struct {
	mu      sync.Mutex
	servers map[string]*lately
}

type lately struct {
	all  [recentKept]request
	next int
}

type request struct {
	at     time.Time
	took   time.Duration
	failed bool
}

func (r *recent) add(server string, one request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.servers == nil {
		r.servers = map[string]*lately{}
	}
	l := r.servers[server]
	if l == nil {
		l = &lately{}
		r.servers[server] = l
	}
	l.all[l.next%recentKept] = one
	l.next++
}

// Recent says how the requests went that ended since then, by server. Servers without any are not
// in it.
func (s *Signals) Recent(since time.Time) map[string]Recent {
	s.recent.mu.Lock()
	defer s.recent.mu.Unlock()
	all := map[string]Recent{}
	for server, l := range s.recent.servers {
		var took []time.Duration
		var r Recent
		for _, one := range l.all[:min(l.next, recentKept)] {
			if one.at.Before(since) {
				continue
			}
			took = append(took, one.took)
			if one.failed {
				r.Failed++
			}
		}
		if r.Requests = len(took); r.Requests == 0 {
			continue
		}
		slices.Sort(took)
		r.Median, r.Slow = took[(len(took)-1)/2], took[(len(took)-1)*95/100]
		all[server] = r
	}
	return all
}
