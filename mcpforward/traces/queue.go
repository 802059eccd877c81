package traces

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

const (
	// batch is how many spans are sent at once at most.
	batch = 512
	// sendTime is how long one attempt to send may take.
	sendTime = 10 * time.Second
	// firstPause and longestPause are between attempts while the collector does not take anything.
	firstPause, longestPause = time.Second, 30 * time.Second
)

// queue holds spans that have ended until they are sent. It is a processor of the SDK's.
type queue struct {
	config  Config
	sender  sender
	waiting chan sdk.ReadOnlySpan
	ending  context.Context // ends with the first call of Shutdown
	end     context.CancelFunc
	sending context.Context // ends when Shutdown has no more time
	giveUp  context.CancelFunc
	ended   chan struct{}

	sent, dropped atomic.Int64
}

func newQueue(c Config) *queue {
	q := &queue{config: c, sender: newSender(c), waiting: make(chan sdk.ReadOnlySpan, c.Queue), ended: make(chan struct{})}
	q.ending, q.end = context.WithCancel(context.Background())
	q.sending, q.giveUp = context.WithCancel(context.Background())
	go q.run()
	return q
}

// OnStart implements [sdk.SpanProcessor].
func (q *queue) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd queues a span, or drops it if there is no room: nobody waits.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	select {
	case q.waiting <- s:
	default:
		q.dropped.Add(1)
	}
}

// ForceFlush implements [sdk.SpanProcessor]; nothing here asks for it.
func (q *queue) ForceFlush(context.Context) error { return nil }

// Shutdown sends what waits, until ctx ends; what is left then is dropped. There is no error.
func (q *queue) Shutdown(ctx context.Context) error {
	q.end()
	defer q.giveUp()
	select {
	case <-q.ended:
	case <-ctx.Done():
		q.giveUp()
		<-q.ended
	}
	return nil
}

// run sends batches until the end. While the collector takes nothing, the one batch that it was to get
// waits, and the queue fills behind it.
func (q *queue) run() {
	defer close(q.ended)
	for {
		spans, over := q.collect()
		if len(spans) > 0 {
			q.deliver(spans)
		}
		if over {
			return
		}
	}
}

// collect waits for spans that are to be sent together.
func (q *queue) collect() (spans []sdk.ReadOnlySpan, over bool) {
	var due <-chan time.Time
	for len(spans) < batch {
		select {
		case s := <-q.waiting:
			spans = append(spans, s)
			if due == nil {
				due = time.After(q.config.Every)
			}
		case <-due:
			return spans, false
		case <-q.ending.Done():
			for len(spans) < batch {
				select {
				case s := <-q.waiting:
					spans = append(spans, s)
				default:
					return spans, true
				}
			}
			return spans, false
		}
	}
	return spans, false
}

// deliver sends a batch, again and again where the collector may take it later. After the end there is
// one attempt.
func (q *queue) deliver(spans []sdk.ReadOnlySpan) {
	failed := false
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		refused, err := q.sender.send(q.sending, spans)
		if err == nil {
			q.sent.Add(int64(len(spans)) - refused)
			q.dropped.Add(refused)
			if failed {
				q.config.Log.Info("the collector takes traces again")
			}
			return
		}
		if !failed { // once, however long it lasts
			q.config.Log.Warn("traces cannot be sent to telemetry.otlp_endpoint; calls are not affected", "error", err)
		}
		failed = true
		var later *retryError
		if !errors.As(err, &later) || q.ending.Err() != nil {
			q.dropped.Add(int64(len(spans)))
			return
		}
		wait := time.NewTimer(max(pause, min(later.after, longestPause)))
		select {
		case <-wait.C:
		case <-q.ending.Done():
			wait.Stop()
		}
	}
}
