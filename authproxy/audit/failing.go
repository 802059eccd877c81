package audit

import (
	"fmt"
	"time"
)

// failing is that entries cannot be written.
type failing struct {
	since time.Time
	why   error // the first failure
}

// over is the entry that says that they can be again.
func (f *failing) over() *waiting {
	return ownEntry(Entry{Action: LogResume, Reason: fmt.Sprintf("entries could not be written from %s on: %v", f.since.UTC().Format(time.RFC3339), f.why)})
}

// Unwritable is why entries cannot be written just now; nil: they can, as far as this process knows. While they
// cannot, [Log.Run] tries once a second, and the first one that is written has the entry [LogResume] before it.
func (l *Log) Unwritable() error {
	if f := l.failing.Load(); f != nil {
		return fmt.Errorf("the audit log cannot be written since %s, and so nothing is done: %w", f.since.UTC().Format(time.RFC3339), f.why)
	}
	return nil
}

// note remembers how the last group went.
func (l *Log) note(err error) {
	if err == nil {
		l.failing.Store(nil)
		return
	}
	l.failing.CompareAndSwap(nil, &failing{l.config.Now(), err})
	l.follow.hurry()
}

// resume tries to write, if entries could not be written.
func (l *Log) resume() {
	if f := l.failing.Load(); f != nil {
		l.queue.append(f.over())
	}
}
