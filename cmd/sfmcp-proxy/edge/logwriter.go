package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

const (
	// logSize is how many bytes of log wait for their reader; what does not fit is dropped.
	logSize = 4 << 20
	// logPause is how long records are gathered: one write, and one waking of the writer,
	// for all of them.
	logPause = 5 * time.Millisecond
)

// LogWriter writes what is logged from a goroutine of its own, so that a reader that stalls
// (a full pipe, a slow disk) costs records and not requests. The audit log does not
// pass here: a call whose entry cannot be stored is refused.
type LogWriter struct {
	out     io.Writer
	dropped atomic.Int64 // records, since the start

	mu      sync.Mutex
	waiting []byte

	wake       chan struct{} // holds a value while something waits
	end, ended chan struct{}
}

// NewLogWriter returns a writer to out. It has to be closed at the end.
func NewLogWriter(out io.Writer) *LogWriter {
	w := &LogWriter{out: out, wake: make(chan struct{}, 1), end: make(chan struct{}), ended: make(chan struct{})}
	go w.run()
	return w
}

// Write takes one record. It never waits and never fails.
func (w *LogWriter) Write(record []byte) (int, error) {
	w.mu.Lock()
	fits := len(w.waiting)+len(record) <= logSize
	if fits {
		w.waiting = append(w.waiting, record...)
	}
	w.mu.Unlock()
	if !fits {
		w.dropped.Add(1)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return len(record), nil
}

// run writes until it is told to end. What was dropped is said as soon as there is a
// reader again. What out does not take is dropped.
func (w *LogWriter) run() {
	defer close(w.ended)
	var written []byte // the last batch; its memory takes the next records
	var reported int64
	for open := true; open; {
		open = w.gather()
		w.mu.Lock()
		batch := w.waiting
		w.waiting = written[:0]
		w.mu.Unlock()
		if n, err := w.out.Write(batch); err != nil {
			w.dropped.Add(int64(bytes.Count(batch[n:], []byte{'\n'})))
		}
		written = batch
		if dropped := w.dropped.Load(); dropped > reported {
			_, err := fmt.Fprintf(w.out, `{"time":%q,"level":"WARN","msg":"log records were dropped: nobody read them in time","records":%d}`+"\n",
				time.Now().Format(time.RFC3339Nano), dropped-reported)
			if err == nil {
				reported = dropped
			}
		}
	}
}

// gather waits for records and then a little for more; false: these are the last.
func (w *LogWriter) gather() bool {
	select {
	case <-w.wake:
	case <-w.end:
		return false
	}
	select {
	case <-time.After(logPause):
		return true
	case <-w.end:
		return false
	}
}

// Dropped is how many records were dropped since the start.
func (w *LogWriter) Dropped() int64 { return w.dropped.Load() }

// Close lets what waits be written, for so long. What is logged later is lost.
func (w *LogWriter) Close(patience time.Duration) {
	close(w.end)
	select {
	case <-w.ended:
	case <-time.After(patience):
	}
}

// WithOrigin is a log handler that adds request id and source to every record that is logged with a
// request's context.
type WithOrigin struct{ slog.Handler }

// Handle implements slog.Handler.
func (h WithOrigin) Handle(ctx context.Context, rec slog.Record) error {
	if o := audit.OriginOf(ctx); o.RequestID != "" {
		rec.AddAttrs(slog.String("request_id", o.RequestID), slog.String("source", o.Source))
	}
	return h.Handler.Handle(ctx, rec)
}

// WithAttrs implements slog.Handler.
func (h WithOrigin) WithAttrs(attrs []slog.Attr) slog.Handler {
	return WithOrigin{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h WithOrigin) WithGroup(name string) slog.Handler {
	return WithOrigin{h.Handler.WithGroup(name)}
}
