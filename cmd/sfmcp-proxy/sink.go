package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sinkSize is how many bytes of log wait for their reader; what does not fit is dropped.
	sinkSize = 4 << 20
	// sinkPause is how long records are gathered: one write, and one waking of the writer,
	// for all of them.
	sinkPause = 5 * time.Millisecond
)

// sink writes what is logged from a goroutine of its own, so that a reader that stalls
// (a full pipe, a slow disk) costs records and not requests. The audit log does not
// pass here: a call whose entry cannot be stored is refused.
type sink struct {
	out     io.Writer
	dropped atomic.Int64 // records, since the start

	mu      sync.Mutex
	waiting []byte

	wake       chan struct{} // holds a value while something waits
	end, ended chan struct{}
}

func newSink(out io.Writer) *sink {
	s := &sink{out: out, wake: make(chan struct{}, 1), end: make(chan struct{}), ended: make(chan struct{})}
	go s.run()
	return s
}

// Write takes one record. It never waits and never fails.
func (s *sink) Write(record []byte) (int, error) {
	s.mu.Lock()
	fits := len(s.waiting)+len(record) <= sinkSize
	if fits {
		s.waiting = append(s.waiting, record...)
	}
	s.mu.Unlock()
	if !fits {
		s.dropped.Add(1)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return len(record), nil
}

// run writes until it is told to end. What was dropped is said as soon as there is a
// reader again. An error of out leaves nobody to tell.
func (s *sink) run() {
	defer close(s.ended)
	var spare []byte
	var told int64
	for open := true; open; {
		open = s.gather()
		s.mu.Lock()
		batch := s.waiting
		s.waiting = spare[:0]
		s.mu.Unlock()
		s.out.Write(batch)
		spare = batch
		if dropped := s.dropped.Load(); dropped > told {
			fmt.Fprintf(s.out, `{"time":%q,"level":"WARN","msg":"log records were dropped: nobody read them in time","records":%d}`+"\n",
				time.Now().Format(time.RFC3339Nano), dropped-told)
			told = dropped
		}
	}
}

// gather waits for records and then a little for more; false: these are the last.
func (s *sink) gather() bool {
	select {
	case <-s.wake:
	case <-s.end:
		return false
	}
	select {
	case <-time.After(sinkPause):
		return true
	case <-s.end:
		return false
	}
}

// close lets what waits be written, for so long. What is logged later is lost.
func (s *sink) close(patience time.Duration) {
	close(s.end)
	select {
	case <-s.ended:
	case <-time.After(patience):
	}
}
