package export

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/destination"
	"sfmcp-proxy/authproxy/receiver"
)

const (
	// attemptTime bounds one attempt. The lease is renewed before it could end within that.
	attemptTime = 25 * time.Second
	// lookEvery is how often entries of other processes are looked for, of which this one has
	// not heard.
	lookEvery = 2 * time.Second
	// longestWait is the longest that a receiver can have us wait by Retry-After.
	longestWait = time.Hour
	// reportAfter is for how long a destination takes nothing before the audit log says so. A
	// receiver that restarts is not worth an entry, and one that fails every second time would
	// fill the log.
	reportAfter = time.Minute
)

// courier sends to one destination.
type courier struct {
	Export
	positions
	audit   *audit.Log
	version string
	owner   string
	pauses  [2]time.Duration // after the first failure, and the longest

	at     *Position // nil: another process sends, or did when this one looked
	until  time.Time // of the lease
	looked time.Time // at the log itself
	limit  int       // entries of the next batch
	retry  int64     // last entry of the batch that was not taken; 0: none
	pause  time.Duration

	state        atomic.Pointer[State]
	sent, failed atomic.Int64
}

// run sends until ctx ends.
func (k *courier) run(ctx context.Context) {
	for wait := time.Duration(0); k.rest(ctx, wait); {
		more, err := k.turn(ctx)
		switch {
		case err != nil:
			k.pause = min(max(2*k.pause, k.pauses[0]), k.pauses[1])
			wait = k.pause/2 + part(k.pause/2) // neither all replicas nor all destinations at the same moment
			if r, ok := errors.AsType[*receiver.RetryAfter](err); ok {
				wait = max(wait, min(r.After, longestWait))
			}
		case more:
			wait, k.pause = 0, 0
		default:
			wait, k.pause = k.Every, 0
		}
	}
}

// part is a random part of d.
func part(d time.Duration) time.Duration {
	var b [1]byte
	rand.Read(b[:])
	return d * time.Duration(b[0]) >> 8
}

func (k *courier) rest(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// turn sends a batch, if there is anything to send. more says that there is more of it.
func (k *courier) turn(ctx context.Context) (more bool, err error) {
	log, size := k.audit.Heard()
	if size == 0 {
		return false, nil
	}
	if held, err := k.hold(ctx, log); err != nil || !held {
		k.note(ctx, size, time.Time{}, err)
		return false, err
	}
	now := k.now()
	if k.at.Seq >= size && now.Sub(k.looked).Abs() < lookEvery {
		k.note(ctx, size, time.Time{}, nil)
		return false, nil
	}
	k.looked = now
	entries, err := k.audit.Read(ctx, audit.Reading{After: k.at.Seq, Until: k.retry, Entries: k.limit, Bytes: k.Bytes, Reveal: k.Personal})
	if err != nil || len(entries) == 0 {
		k.note(ctx, size, time.Time{}, err)
		return false, err
	}
	last := entries[len(entries)-1].Seq
	k.note(ctx, max(size, last), entries[0].At, nil)
	if err := k.announce(ctx, log, entries[0].Seq); err != nil {
		return false, err
	}
	if err := k.send(ctx, log, entries); err != nil {
		return k.refused(ctx, len(entries), last, err)
	}
	return last < size, k.taken(ctx, len(entries), last)
}

// hold makes sure that this process is the one that sends, until after another attempt.
func (k *courier) hold(ctx context.Context, log string) (bool, error) {
	now := k.now()
	if k.at != nil && k.at.Log == log && now.Add(lease/2).Before(k.until) {
		return true, nil
	}
	at, err := k.take(ctx, k.Name, log, k.owner)
	if err != nil {
		k.until = time.Time{}
		return false, err
	}
	if at == nil {
		k.at = nil
		return false, nil
	}
	if k.at == nil || k.at.Log != log || k.at.Seq != at.Seq { // a person moved it, or another process sent
		k.retry = 0
	}
	k.at, k.until = at, now.Add(lease)
	return true, nil
}

// announce records what is about to happen for the first time, and what cannot be sent any more.
// Nothing is sent of which that is not durable.
func (k *courier) announce(ctx context.Context, log string, next int64) error {
	e := audit.Entry{Actor: actor.Proxy, Outcome: audit.OK, Object: k.Name}
	switch {
	case k.at.Seq > 0 && next > k.at.Seq+1 && k.retry == 0:
		e.Action, e.Outcome = audit.ExportSkip, audit.Failed
		e.Reason = fmt.Sprintf("entries %d to %d of %s were removed by audit.keep before the destination took them", k.at.Seq+1, next-1, log)
	case k.at.Seq == 0 && k.at.SentAt.IsZero() && k.at.Failures == 0 && k.retry == 0:
		e.Action, e.Reason = audit.ExportBegin, fmt.Sprintf("entries of %s from %d on are sent to a destination of kind %s, %s", log, next, k.Kind, k.extent())
	default:
		return nil
	}
	_, err := k.audit.Append(ctx, e)
	return err
}

// extent says what a destination gets of people.
func (k *courier) extent() string {
	switch {
	case k.Arguments:
		return "with what they say about people, arguments of calls too"
	case k.Personal:
		return "with what they say about people, without arguments of calls"
	}
	return "with pseudonyms in place of people"
}

// send gives the destination a batch.
func (k *courier) send(ctx context.Context, log string, entries []audit.Entry) error {
	return k.Send(ctx, Writer{Log: log, Version: k.version}, entries)
}

// Send gives the destination entries, by a writer whose format and arguments are its own. It
// returns nil once the receiver has taken all of them.
func (e Export) Send(ctx context.Context, w Writer, entries []audit.Entry) error {
	w.Format, w.Arguments = e.Format, e.Arguments
	b := &destination.Batch{Log: w.Log, Head: e.Format.Head(), Suffix: e.Format.suffix()}
	for _, one := range entries {
		r, err := w.record(one)
		if err != nil {
			return fmt.Errorf("writing entry %d: %w", one.Seq, err)
		}
		b.Records = append(b.Records, r)
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	return e.To.Send(ctx, b)
}

// taken notes that a batch was taken.
func (k *courier) taken(ctx context.Context, n int, last int64) error {
	lasting := context.WithoutCancel(ctx) // it was: what is not noted is sent again
	before := *k.at
	ok, err := k.advance(lasting, k.at, k.owner, last)
	if err != nil {
		return err
	}
	k.sent.Add(int64(n))
	k.retry, k.limit = 0, min(2*k.limit, k.Entries)
	if !ok {
		k.at = nil
		return nil
	}
	k.until = k.at.SentAt.Add(lease)
	_, size := k.audit.Heard()
	k.note(ctx, size, time.Time{}, nil)
	if !before.ReportedAt.IsZero() {
		k.audit.Record(lasting, audit.Entry{Actor: actor.Proxy, Action: audit.ExportHeal, Outcome: audit.OK, Object: k.Name,
			Reason: fmt.Sprintf("after %d failures since %s", before.Failures, before.FailedAt.UTC().Format(time.RFC3339))})
	}
	return nil
}

// refused notes that a batch was not taken. One that is too much is tried in halves at once, until
// it is the entry that is not taken.
func (k *courier) refused(ctx context.Context, n int, last int64, err error) (more bool, _ error) {
	if ctx.Err() != nil {
		return false, err
	}
	if errors.Is(err, destination.ErrTooMuch) && n > 1 {
		k.retry, k.limit = 0, n/2
		return true, nil
	}
	k.failed.Add(1)
	k.retry = last
	problem := err.Error()
	if n == 1 && errors.Is(err, destination.ErrTooMuch) {
		problem = fmt.Sprintf("entry %d: %s", last, problem)
	}
	if noted := k.positions.failed(ctx, k.at, k.owner, problem); noted != nil {
		return false, errors.Join(err, noted)
	}
	k.until = time.Time{} // a person may move the position meanwhile
	k.noteProblem(problem)
	if k.at.ReportedAt.IsZero() && k.now().Sub(k.at.FailedAt) >= reportAfter {
		if _, failed := k.audit.Append(ctx, audit.Entry{Actor: actor.Proxy, Action: audit.ExportFail, Outcome: audit.Failed, Object: k.Name, Reason: problem}); failed != nil {
			return false, errors.Join(err, failed)
		}
		return false, errors.Join(err, k.reported(ctx, k.at))
	}
	return false, err
}
