package audit

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	// maxGroup bounds one write, and so how long its last caller waits; entries that nobody
	// waits for may come on top.
	maxGroup = 256
	// maxLater bounds the entries that nobody waits for.
	maxLater = 256
	// laterTime is how long such an entry lies in memory if no other takes it along.
	laterTime = 5 * time.Millisecond
)

// queue has callers that append at the same time share one write: the first one writes for all
// that queued up behind it. It is safe for concurrent use.
type queue struct {
	write func(group []*waiting) error // by one caller at a time

	mu        sync.Mutex
	waiting   []*waiting
	leading   bool // somebody writes
	unawaited int  // entries of the queue that nobody waits for
	armed     bool // a timer will see to them
}

// later queues an entry that nobody waits for, and reports whether there was room.
func (q *queue) later(w *waiting, lost func(error)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.unawaited == maxLater {
		return false
	}
	w.lost = lost
	q.unawaited++
	q.waiting = append(q.waiting, w)
	if !q.leading {
		q.arm()
	}
	return true
}

// arm sees to it that what is queued is written if nobody comes who waits for it.
// It is called with mu held.
func (q *queue) arm() {
	if q.armed {
		return
	}
	q.armed = true
	time.AfterFunc(laterTime, func() {
		q.mu.Lock()
		q.armed = false
		lead := !q.leading && len(q.waiting) > 0
		q.leading = q.leading || lead
		q.mu.Unlock()
		if lead {
			q.lead(nil)
		}
	})
}

// length is how many are queued.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// flush returns when everything that was appended before, by any method, is durable or
// lost.
func (q *queue) flush() { q.append(&waiting{}) }

// append writes w and whatever is queued before it, or waits until somebody has.
func (q *queue) append(w *waiting) {
	w.turn = make(chan bool, 1)
	q.mu.Lock()
	q.waiting = append(q.waiting, w)
	lead := !q.leading
	q.leading = true
	q.mu.Unlock()
	if lead || <-w.turn {
		q.lead(w)
	}
}

// lead writes the group at the front of the queue and hands over to whoever came
// meanwhile. self is in the group; nil: nobody waits for it.
func (q *queue) lead(self *waiting) {
	runtime.Gosched() // whoever is about to append comes along
	q.mu.Lock()
	n := max(min(len(q.waiting), maxGroup), slices.Index(q.waiting, self)+1)
	group := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	q.mu.Unlock()

	err := errors.New("appending audit entry: interrupted")
	defer func() { // also when write panics: nobody may wait for ever
		for _, w := range group {
			w.ended(err, self)
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		for _, w := range group {
			if w.turn == nil {
				q.unawaited--
			}
		}
		q.handOver()
	}()
	err = q.write(group)
}

// ended tells whoever cares how it went.
func (w *waiting) ended(err error, leader *waiting) {
	if err != nil {
		w.err, w.entry.Seq = err, 0
	}
	switch {
	case w.turn == nil && err != nil:
		w.lost(err)
	case w.turn != nil && w != leader:
		w.turn <- false
	}
}

// handOver makes the first caller that waits lead, and a timer if there is none. It is
// called with mu held.
func (q *queue) handOver() {
	next := slices.IndexFunc(q.waiting, func(w *waiting) bool { return w.turn != nil })
	if q.leading = next >= 0; q.leading {
		q.waiting[next].turn <- true
	} else if len(q.waiting) > 0 {
		q.arm()
	}
}
