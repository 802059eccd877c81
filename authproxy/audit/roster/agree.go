package roster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

// place is what a disagreement is with.
const place = "the roster of audit logs in the database"

// Agree compares the roster with what the own log last saw of it. The error is an
// [*audit.Disagreement] if both cannot be right, anything else if that could not be found out.
func (r *Roster) Agree(ctx context.Context) error {
	if _, begun := r.own(); !r.shared || !begun {
		return nil
	}
	_, _, _, err := r.compare(ctx)
	return err
}

// compare does so, and returns what was seen, and what there is now.
func (r *Roster) compare(ctx context.Context) (before look, seen []Sighting, all []row, err error) {
	if before, err = r.last(ctx); err != nil {
		return before, nil, nil, err
	}
	if all, err = r.rows.all(ctx); err != nil {
		return before, nil, nil, err
	}
	origin, _ := r.own()
	for _, l := range all {
		if l.Origin == origin && l.authentic && l.Closed != nil {
			return before, nil, nil, closedLog(l.Log)
		}
	}
	if seen, err = r.sight(ctx, all, before.unsigned); err != nil {
		return before, nil, nil, err
	}
	now := map[string]Sighting{}
	for _, s := range seen {
		now[s.Origin] = s
	}
	for origin, was := range before.logs {
		is, there := now[origin]
		if why := contradiction(was, is, there, r.changed(all, origin)); why != "" {
			return before, nil, nil, &audit.Disagreement{Place: place, Why: fmt.Sprintf("entry %d of this log saw the log %s, and %s", before.seq, origin, why)}
		}
	}
	return before, seen, all, nil
}

// changed says whether a log has a row that something else than the proxy wrote.
func (r *Roster) changed(all []row, origin string) bool {
	for _, l := range all {
		if l.Origin == origin {
			return !l.authentic
		}
	}
	return false
}

// contradiction is why what is there cannot have become of what was seen; empty: it can.
func contradiction(was, is Sighting, there, changed bool) string {
	switch {
	case changed:
		return "its row was changed by something else than the proxy"
	case !there:
		return "it has no row any more: rows are never deleted"
	case was.Closed && !is.Closed:
		return "it was closed then, and its row says that it is open"
	case is.Entries < was.Entries:
		return fmt.Sprintf("its checkpoint was of %d entries then, and is of %d: it was put back", was.Entries, is.Entries)
	case is.Entries == was.Entries && is.Root != was.Root:
		return fmt.Sprintf("its checkpoint of %d entries is another one: the log was exchanged", is.Entries)
	case was.Closed && is.Entries > was.Entries:
		return fmt.Sprintf("it was closed then with %d entries, and has %d: somebody has used it again", was.Entries, is.Entries)
	}
	return ""
}

// closedLog is the disagreement of a log with its closing.
func closedLog(l Log) *audit.Disagreement {
	return audit.Ended(place, fmt.Sprintf("this log, %s, was closed at %s by %s (%s), and a closed log gets nothing more; acknowledging it begins another one",
		l.Origin, l.Closed.At.UTC().Format(time.RFC3339), l.Closed.By, l.Closed.Why))
}

// CheckOpen halts the own log if it is closed, so that commands do not write to it either.
func (r *Roster) CheckOpen(ctx context.Context) error {
	origin, begun := r.own()
	if !r.shared || !begun {
		return nil
	}
	l, err := r.rows.one(ctx, origin)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil && l.authentic && l.Closed != nil {
		r.log.Halt(closedLog(l.Log))
	}
	return err
}

// Acknowledged puts the roster right after a person has looked: rows that the own log saw and that
// are gone or changed are entered again, closed ones as closed, and what is there now is recorded as
// seen. If the own log was ended, ended is its name, and is closed.
func (r *Roster) Acknowledged(ctx context.Context, ended string, by actor.Actor, why string) error {
	if !r.shared {
		return nil
	}
	all, err := r.rows.all(ctx)
	if err != nil {
		return err
	}
	before, err := r.last(ctx)
	if err != nil {
		return err
	}
	known := map[string]row{}
	for _, l := range all {
		known[l.Origin] = l
	}
	for origin, was := range before.logs {
		if l := known[origin]; l.authentic && (l.Closed != nil || !was.Closed) {
			continue
		}
		if err := r.enterAgain(ctx, was, by, why); err != nil {
			return err
		}
	}
	if l, known := known[ended]; known && l.authentic && l.Closed == nil {
		c := Closing{At: r.now(), By: by, Why: "its replica began another one: " + why}
		if had, err := r.sight(ctx, []row{l}, looked); err == nil && len(had) > 0 {
			c.Entries = had[0].Entries
		}
		if _, err := r.rows.close(ctx, l, c, r.now().Add(time.Minute)); err != nil {
			return err
		}
	}
	if all, err = r.rows.all(ctx); err != nil {
		return err
	}
	seen, err := r.sight(ctx, all, looked)
	if err != nil {
		return err
	}
	return r.record(ctx, seen)
}

func (r *Roster) enterAgain(ctx context.Context, was Sighting, by actor.Actor, why string) error {
	keys, err := r.log.KeysOf(was.Origin)
	if err != nil {
		return err
	}
	l := Log{Origin: was.Origin, Verifiers: keys, JoinedAt: r.now(), HeardAt: r.now()}
	if was.Closed {
		l.Closed = &Closing{At: r.now(), By: by, Why: "entered again: " + why, Entries: was.Entries}
	}
	return r.rows.overwrite(ctx, l)
}

// looked says of every log that what is there was seen by a person.
func looked(string) bool { return true }

// ErrWritten: a log cannot be closed while a process writes it.
var ErrWritten = errors.New("a process has written this log in the last minutes: stop that first, and wait three minutes")

// Close closes the log of a replica that has gone away for good. It is recorded in the own log,
// with how many entries the closed one has. [ErrNotFound], [ErrWritten]
func (r *Roster) Close(ctx context.Context, origin string, by actor.Actor, why string) (Closing, error) {
	if !r.shared {
		return Closing{}, errors.New("this database has one audit log, and no roster")
	}
	if own, _ := r.own(); own == origin {
		return Closing{}, errors.New("this is the log of this machine, which would have to record that it gets nothing more: close it on another one")
	}
	l, err := r.rows.one(ctx, origin)
	switch {
	case err != nil:
		return Closing{}, err
	case !l.authentic:
		return Closing{}, fmt.Errorf("the row of %s was changed by something else than the proxy: `sfmcp-proxy audit acknowledge` enters it again", origin)
	case l.Closed != nil:
		return *l.Closed, nil
	}
	c, err := r.log.CheckpointOf(ctx, origin, l.Verifiers)
	if err != nil {
		return Closing{}, err
	}
	closing := Closing{At: r.now(), By: by, Why: why}
	arguments := []byte(`{"entries":0}`)
	if c != nil {
		closing.Entries = c.Size
		arguments = fmt.Appendf(nil, `{"entries":%d,"root":%q}`, c.Size, hex.EncodeToString(c.Root[:]))
	}
	err = r.log.Call(ctx, audit.Entry{Actor: by, Action: audit.LogClose, Source: "command line", Object: origin, Reason: why, Arguments: arguments}, func(ctx context.Context) (audit.Result, error) {
		// From here on whoever interrupts the command must not keep intent and effect apart.
		ctx, end := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer end()
		closed, err := r.rows.close(ctx, l, closing, r.now().Add(-silence))
		if err == nil && !closed {
			err = ErrWritten
		}
		if err != nil {
			return audit.Result{}, err
		}
		return audit.Result{Reason: why}, nil
	})
	return closing, err
}
