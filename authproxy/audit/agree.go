package audit

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
)

// Disagreement is that a checkpoint and the log, or two checkpoints, cannot both be right:
// something was cut, changed, or put back to an earlier state.
type Disagreement struct {
	Place string // which of them says something else
	Why   string
	// lost: the log is not what it was, and cannot be gone on with.
	lost bool
}

func (d *Disagreement) Error() string {
	return fmt.Sprintf("the audit log and %s disagree: %s. Nothing is served until somebody has looked: "+
		"`sfmcp-proxy audit verify` says what is sound; `sfmcp-proxy audit acknowledge` records that it was seen, and goes on", d.Place, d.Why)
}

// Ended is a disagreement after which the log cannot be gone on with: to acknowledge it begins
// another one.
func Ended(place, why string) *Disagreement { return &Disagreement{place, why, true} }

// Halt ends appending in this process.
func (l *Log) Halt(d *Disagreement) { l.halted.set(d) }

// Halted is why this process appends nothing any more; nil: it does.
func (l *Log) Halted() error { return l.halted.err() }

// Agree compares the log with every checkpoint that can be reached, and these among
// each other. The error is a [*Disagreement] if they do not agree, anything else if that could not
// be found out. A log that is longer than its checkpoints is how a crash leaves it.
func (l *Log) Agree(ctx context.Context) error {
	if l.file == nil {
		return l.halted.err()
	}
	return l.checkpoints.with(l.file, func() error { return l.checkpoints.agree(ctx) })
}

// with runs f while nobody else reads or writes the places of checkpoints, after
// everything that was appended before them was heard of.
func (c *checkpoints) with(file appender, f func() error) error {
	return c.lock.With(func() error {
		c.catchUp = file.CatchUp
		if err := file.CatchUp(); err != nil {
			return asDisagreement(err)
		}
		return f()
	})
}

// asDisagreement is err, as a Disagreement if it is about files that are not as they
// were written.
func asDisagreement(err error) error {
	var damage *logfile.Damage
	var broken *Broken
	if errors.As(err, &damage) || errors.As(err, &broken) {
		return &Disagreement{"its own files", err.Error(), true}
	}
	return err
}

// rootAt is the root of the tree of the log's first size entries. It trusts the first line of
// their segment for what comes before; [Log.Verify] does not.
func rootAt(stored storage, size int64) (tlog.Hash, error) {
	segments, err := stored.segments()
	if err != nil {
		return tlog.Hash{}, err
	}
	at := len(segments) - 1
	for at > 0 && segments[at].First > size {
		at--
	}
	if at < 0 || size < segments[at].First-1 {
		return tlog.Hash{}, fmt.Errorf("the audit log begins after entry %d: nothing tells whether it was there", size)
	}
	head, err := logfile.ReadHead(segments[at])
	if err != nil {
		return tlog.Hash{}, err
	}
	state, err := parseSegmentState(head.State)
	if err != nil {
		return tlog.Hash{}, &Broken{head.First, err.Error()}
	}
	edge := state.edge
	if _, err := logfile.ScanSegment(segments[at], func(r logfile.Record) error {
		if edge.Size() == size {
			return errEnough
		}
		edge.Append(r.Text)
		return nil
	}); err != nil && !errors.Is(err, errEnough) && edge.Size() < size {
		return tlog.Hash{}, err
	}
	return edge.Root(), nil
}

// errEnough ends a scan.
var errEnough = errors.New("enough")

// Acknowledge records that by has seen what does not agree, which [Log.Agree] or
// [Published.AgreeWith] has returned, and makes the log as it is now the one that counts. A log that
// is not what it was is ended: its records stay apart, and a new one
// begins with the record of this.
func (l *Log) Acknowledge(ctx context.Context, what *Disagreement, by actor.Actor) error {
	e := Entry{Actor: by, Action: LogAcknowledge, Outcome: OK, Source: "command line", Object: what.Place, Reason: what.Why}
	if what.lost {
		where, err := ending{l}.run(ctx)
		if err != nil {
			return err
		}
		e.Reason += "; the log was ended, " + where
	}
	l.halted.why.Store(nil)
	if _, err := l.Append(ctx, e); err != nil {
		return err
	}
	return l.checkpoints.with(l.file, func() error { return l.checkpoints.overwrite(ctx) })
}

// ending is what ends a log that cannot be gone on with.
type ending struct{ log *Log }

// run has the log's records stay where they are found, and begins a new log. It says where that is.
func (e ending) run(ctx context.Context) (where string, err error) {
	l := e.log
	_, origin := l.follow.now()
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			return "", err
		}
	}
	if where, err = l.stored.end(ctx, origin, l.config.Now()); err != nil {
		return "", fmt.Errorf("ending the audit log: %w", err)
	}
	if err := l.indexes.forget(); err != nil {
		return "", fmt.Errorf("ending the audit log: %w", err)
	}
	if err := os.RemoveAll(l.tiles.dir); err != nil { // they are the old log's, and follow from it
		return "", fmt.Errorf("ending the audit log: %w", err)
	}
	return where, l.open()
}
