package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
	"sfmcp-proxy/authproxy/db"
)

// checkpoints keeps the log's newest checkpoint in its places on this machine, and compares the
// log with those that are there.
type checkpoints struct {
	signing
	stored storage
	file   string // in the log's directory; "": it has none
	db     *db.DB
	follow *follower
	halted *halt

	// lock is held by whoever reads or writes the places: else an older checkpoint could be
	// written over a newer one, or one place be read before, and another after they were
	// written.
	lock   *logfile.FileLock
	agreed bool // this process has seen that the log and the places agree; with the lock
	// catchUp hears of what other processes have appended; nil: not known yet.
	catchUp func() error

	unwritable sync.Once // says that a place cannot be written
}

// halt is why this process appends nothing any more.
type halt struct {
	why atomic.Pointer[Disagreement]
	log *slog.Logger
}

func (h *halt) set(d *Disagreement) {
	if h.why.CompareAndSwap(nil, d) {
		h.log.Error("the audit log has stopped", slog.Any("error", d))
	}
}

func (h *halt) err() error {
	if why := h.why.Load(); why != nil {
		return why
	}
	return nil
}

// places are the log's directory, if it has one, the database, and the directory of the key file. All
// of them get each checkpoint in this order, so that one never has more than those before it.
func (k *checkpoints) places() (all []place) {
	if k.file != "" {
		all = append(all, filePlace("the log's directory", k.file))
	}
	row := k.row()
	all = append(all, place{name: "the database", read: row.read, write: row.write})
	if path := k.ring.Path(); path != "" {
		beside := filePlace("the directory of the key file", path+"."+checkpointFile)
		beside.optional = true
		all = append(all, beside)
	}
	return all
}

// row is the database's checkpoint of this log.
func (k *checkpoints) row() *checkpointRow {
	_, origin := k.follow.now()
	return &checkpointRow{db: k.db, name: checkpointRows + origin}
}

// parse reads a checkpoint of this log.
func (k *checkpoints) parse(signed []byte) (tree.Checkpoint, error) {
	_, origin := k.follow.now()
	return k.signing.parse(origin, signed)
}

// newest is the checkpoint in the first of the places, which is where the log is.
func (k *checkpoints) newest() (c tree.Checkpoint, signed []byte, err error) {
	signed, err = k.places()[0].read(context.Background())
	if err == nil && signed == nil {
		err = errors.New("there is no checkpoint yet")
	}
	if err == nil {
		c, err = k.parse(signed)
	}
	if err != nil {
		return c, nil, fmt.Errorf("reading the newest checkpoint of the audit log: %w", err)
	}
	return c, signed, nil
}

// all are the checkpoints of all places that can be read; the error is about the others.
func (k *checkpoints) all(ctx context.Context) (all []namedCheckpoint, unread error) {
	for _, p := range k.places() {
		text, err := p.read(ctx)
		switch {
		case err != nil:
			unread = errors.Join(unread, fmt.Errorf("reading the checkpoint in %s: %w", p.name, err))
		case text != nil:
			all = append(all, namedCheckpoint{p.name, text})
		}
	}
	return all, unread
}

// store brings the checkpoint of the log as it is to the places that have an older one, unless
// this process has stored it before. It is called with the lock.
func (k *checkpoints) store(ctx context.Context) error {
	if err := k.halted.err(); err != nil { // it would sign what is wrong
		return err
	}
	edge, origin := k.follow.now()
	if edge.Size() == 0 || edge.Size() == k.follow.storedSize() {
		return nil
	}
	if !k.agreed { // a newer checkpoint would hide what does not agree
		if err := k.agree(ctx); err != nil {
			return err
		}
	}
	signed, err := k.sign(origin, &edge)
	if err != nil {
		return err
	}
	for _, p := range k.places() { // in this order, and not beyond one that fails: no place has a newer one than those before it
		if err := k.storeIn(ctx, p, edge.Size(), signed); err != nil {
			return fmt.Errorf("storing a checkpoint of the audit log in %s: %w", p.name, err)
		}
	}
	k.follow.setStored(edge.Size())
	return nil
}

// storeAttempts is how often a checkpoint is stored anew because others have stored older ones meanwhile.
const storeAttempts = 10

// storeIn stores a checkpoint of that size in a place, unless it got that one, or a newer one, from another
// process. Where the log is in the database there is no lock over machines: another one may have replaced what
// was read, and by an older one.
func (k *checkpoints) storeIn(ctx context.Context, p place, size int64, signed []byte) error {
	for again := 1; ; again++ {
		newer, err := k.hasNewer(ctx, p, size)
		if err != nil || newer {
			return err
		}
		if err = k.write(ctx, p, signed); k.file != "" || !errors.Is(err, errReplaced) || again == storeAttempts {
			return err
		}
	}
}

// write stores a checkpoint in a place. One that cannot be written and need not be is logged once.
func (k *checkpoints) write(ctx context.Context, p place, signed []byte) error {
	err := p.write(ctx, signed)
	if err == nil || !p.optional || !isReadOnly(err) {
		return err
	}
	k.unwritable.Do(func() {
		k.halted.log.Warn("no checkpoint of the audit log is kept in a place that cannot be written", "place", p.name, "error", err)
	})
	return nil
}

// hasNewer says whether a place has a checkpoint of that size or more. What this process
// stored there before must not have become less: then nothing is appended any more.
func (k *checkpoints) hasNewer(ctx context.Context, p place, size int64) (bool, error) {
	there, err := p.read(ctx)
	if err != nil || there == nil {
		return false, err
	}
	c, err := k.parse(there)
	stored := k.follow.storedSize()
	switch {
	case err != nil && stored > 0:
		k.halted.set(&Disagreement{Place: p.name, Why: "its checkpoint was changed: " + err.Error()})
	case err == nil && c.Size < stored:
		k.halted.set(&Disagreement{Place: p.name, Why: fmt.Sprintf("its checkpoint is of %d entries, and one of %d was stored there: it was put back", c.Size, stored)})
	}
	if err := k.halted.err(); err != nil {
		return false, err
	}
	return err == nil && c.Size >= size, nil
}

// overwrite puts the checkpoint of the log as it is in every place, whatever is there, and
// forgets other logs. It is called with the lock.
func (k *checkpoints) overwrite(ctx context.Context) error {
	edge, origin := k.follow.now()
	signed, err := k.sign(origin, &edge)
	if err != nil {
		return err
	}
	if err := k.forgetOtherLogs(ctx); err != nil {
		return err
	}
	for _, p := range k.places() {
		if err := k.write(ctx, p, signed); err != nil {
			return fmt.Errorf("storing a checkpoint of the audit log in %s: %w", p.name, err)
		}
	}
	k.follow.setStored(edge.Size())
	k.follow.compares()
	k.agreed = true
	return nil
}

// agree compares the log with the checkpoint of every place, and these among each other. It is
// called with the lock, after everything that was appended before was heard of.
func (k *checkpoints) agree(ctx context.Context) error {
	sizes := map[string]int64{}
	places := k.places()
	for _, p := range slices.Backward(places) { // so that a process on another machine, which has no part in the lock, may write meanwhile
		text, err := p.read(ctx)
		if err != nil {
			return fmt.Errorf("reading a checkpoint of the audit log in %s: %w", p.name, err)
		}
		if sizes[p.name] = -1; text == nil {
			continue
		}
		c, err := k.check(p.name, text)
		if err != nil {
			return err
		}
		sizes[p.name] = c.Size
	}
	for i, later := range places {
		for _, earlier := range places[:i] {
			switch has, had := sizes[earlier.name], sizes[later.name]; {
			case has < 0 && had >= 0:
				return &Disagreement{Place: earlier.name, Why: fmt.Sprintf("it has no checkpoint, and %s has one of %d entries: it was put back or exchanged", later.name, had)}
			case has < had:
				return &Disagreement{Place: earlier.name, Why: fmt.Sprintf("its checkpoint is of %d entries, that of %s of %d: it was put back to an earlier state", has, later.name, had)}
			}
		}
	}
	if err := k.tail(max(0, slices.Max(slices.Collect(maps.Values(sizes))))); err != nil {
		return asDisagreement(err)
	}
	if err := k.otherLogs(ctx); err != nil {
		return err
	}
	k.follow.compares()
	k.agreed = true
	return nil
}

// check looks whether the log is the one of a checkpoint that a place has, or has grown since.
func (k *checkpoints) check(place string, signed []byte) (tree.Checkpoint, error) {
	c, err := k.parse(signed)
	if err != nil {
		return c, &Disagreement{Place: place, Why: k.foreign(signed, err)}
	}
	if c.Size > k.follow.size() && k.catchUp != nil {
		if err := k.catchUp(); err != nil {
			return c, asDisagreement(err)
		}
	}
	if size := k.follow.size(); c.Size > size {
		return c, &Disagreement{place, fmt.Sprintf("its checkpoint is of %d entries, and the log has %d: entries %d to %d were cut off", c.Size, size, size+1, c.Size), true}
	}
	root, err := rootAt(k.stored, c.Size)
	if err != nil {
		return c, asDisagreement(err)
	}
	if root != c.Root {
		return c, &Disagreement{place, fmt.Sprintf("the log's first %d entries are not those of its checkpoint: they were changed or exchanged", c.Size), true}
	}
	return c, nil
}

// foreign says what is wrong with a checkpoint that is not one of ours.
func (k *checkpoints) foreign(text []byte, err error) string {
	_, origin := k.follow.now()
	name, _, _ := strings.Cut(string(text), "\n")
	if name != origin && strings.Contains(name, "/audit/") {
		return fmt.Sprintf("it has a checkpoint of the log %s, and in %s is %s: that log was removed or exchanged", name, k.stored, origin)
	}
	return "its checkpoint was changed, or signed by a key that is not in the key file: " + err.Error()
}

// otherLogs looks for checkpoints of other logs in a database that no other process on
// another machine has: the log that it knew is not the one that is here.
func (k *checkpoints) otherLogs(ctx context.Context) error {
	if k.db.Shared() {
		return nil
	}
	_, origin := k.follow.now()
	rows, err := k.db.Reads.QueryContext(ctx, `SELECT name FROM meta WHERE name LIKE 'audit_checkpoint %'`)
	if err != nil {
		return fmt.Errorf("reading the checkpoints of the audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return fmt.Errorf("reading the checkpoints of the audit log: %w", err)
		}
		if other := strings.TrimPrefix(name, checkpointRows); other != origin {
			return &Disagreement{Place: "the database", Why: fmt.Sprintf("it knows the log %s, and in %s is %s: that log was removed or exchanged", other, k.stored, origin)}
		}
	}
	return rows.Err()
}

func (k *checkpoints) forgetOtherLogs(ctx context.Context) error {
	if k.db.Shared() {
		return nil
	}
	_, err := k.db.Writes.ExecContext(ctx, `DELETE FROM meta WHERE name LIKE 'audit_checkpoint %' AND name <> $1`, k.row().name)
	return err
}
