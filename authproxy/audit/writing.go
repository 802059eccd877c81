package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/postings"
)

// writing is the way of an entry to the disk: it is encoded, waits in the queue, and is written
// with those that wait beside it.
type writing struct{ log *Log }

// encoded is an entry that was accepted, as it waits. What its intent has alike, if it has one, is
// taken from there; nil: it has none.
func (w writing) encoded(ctx context.Context, e Entry, intent *waiting) (*waiting, error) {
	if !e.Actor.Known() || e.Action == "" || e.Outcome == "" {
		return nil, errors.New("appending audit entry: actor, action and outcome are required")
	}
	if refuse := w.log.refuse.Load(); refuse != nil {
		if err := (*refuse)(e); err != nil {
			return nil, fmt.Errorf("appending audit entry: %w", err)
		}
	}
	one := &waiting{entry: e}
	if err := w.log.persons.hide(ctx, &one.entry); err != nil {
		return nil, fmt.Errorf("appending audit entry: %w", err)
	}
	if intent != nil && intent.isLike(one) {
		one.encode(intent.tail[intent.same[0]:intent.same[1]])
		one.terms = slices.Clone(intent.terms)
		one.terms[outcomeTerm] = postings.NewTerm("outcome", string(one.entry.Outcome))
		return one, nil
	}
	one.encode(nil)
	one.terms = termsOf(&one.entry)
	return one, nil
}

// append stores an entry that was accepted, of whose intent the log knows.
func (w writing) append(ctx context.Context, e Entry, intent *waiting) (*waiting, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("appending audit entry: %w", err)
	}
	one, err := w.encoded(ctx, e, intent)
	if err != nil {
		return nil, err
	}
	w.log.queue.append(one)
	return one, one.err
}

// later stores one that nobody waits for.
func (w writing) later(ctx context.Context, e Entry, intent *waiting, lost func(error)) {
	one, err := w.encoded(ctx, e, intent)
	if err != nil {
		lost(err)
		return
	}
	if !w.log.queue.later(one, lost) {
		if w.log.queue.append(one); one.err != nil {
			lost(one.err)
		}
	}
}

// commit writes a group.
func (w writing) commit(group []*waiting) error {
	l := w.log
	group = slices.DeleteFunc(slices.Clone(group), func(w *waiting) bool { return w.tail == nil }) // Flush stores nothing
	if len(group) == 0 {
		return nil
	}
	if err := l.halted.err(); err != nil {
		return fmt.Errorf("appending audit entry: %w", err)
	}
	began := time.Now()
	l.group = group
	err := l.file.Append(l.fill)
	written := l.follow.writes(nil)
	l.group = nil
	l.note(err)
	if err == nil {
		err = l.halted.err() // by what was heard of just before the group was to be written: no fault of the disk
	}
	w.tell(written, time.Since(began), err)
	if err != nil {
		return fmt.Errorf("appending audit entry: %w", err)
	}
	return nil
}

// fill adds what is being written to a group of the log, and a record of what was cut off before it. It adds nothing to a log
// that somebody without the keys has added to.
func (w writing) fill(g *logfile.Group) {
	l := w.log
	if l.halted.err() != nil {
		return
	}
	group := l.group
	if n := g.Cut(); n > 0 {
		group = slices.Insert(group, 0, cutOff(n))
	}
	at := l.config.Now().UTC().Truncate(time.Millisecond)
	if f := l.failing.Load(); f != nil && !slices.ContainsFunc(group, func(w *waiting) bool { return w.entry.Action == LogResume }) {
		group = slices.Insert(slices.Clone(group), 0, f.over())
	}
	if back := wentBack(l.follow.lastTime(), at); back != nil {
		group = slices.Insert(slices.Clone(group), 0, back)
	}
	l.follow.writes(group)
	_, origin := l.follow.now()
	for _, one := range group {
		one.entry.Seq, one.entry.At = g.Next(), at
		l.text = l.checkpoints.vouch(origin, append(encodeHead(l.text[:0], one.entry.Seq, at), one.tail...))
		g.Add(l.text)
	}
}

// tell has the [Watcher] hear of a group that was written, or not.
func (w writing) tell(group []*waiting, took time.Duration, err error) {
	watcher := w.log.watcher.Load()
	if watcher == nil {
		return
	}
	(*watcher).Wrote(took, err)
	if err != nil {
		return
	}
	for _, waiting := range group {
		(*watcher).Entry(&waiting.entry)
	}
}

// lost says that an entry could not be stored.
func (w writing) lost(ctx context.Context, action Action, outcome Outcome, intent int64, err error) {
	w.log.config.Log.LogAttrs(ctx, slog.LevelError, "audit entry is lost", slog.String("action", string(action)),
		slog.String("outcome", string(outcome)), slog.Int64("intent", intent), slog.Any("error", err))
}
