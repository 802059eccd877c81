package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
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

// Halt ends appending in this process.
func (l *Log) Halt(d *Disagreement) {
	if l.halted.CompareAndSwap(nil, d) {
		l.config.Log.Error("the audit log has stopped", slog.Any("error", d))
	}
}

// Agree compares the log with every checkpoint that can be reached, and these among
// each other. The error is a [*Disagreement] if they do not agree, anything else if that could not
// be found out. A log that is longer than its checkpoints is how a crash leaves it.
func (l *Log) Agree(ctx context.Context) error {
	if l.file == nil {
		return l.halted.Load()
	}
	return l.checkpoints.With(func() error { return l.agree(ctx) })
}

// agree does so while nobody writes checkpoints.
func (l *Log) agree(ctx context.Context) error {
	if err := l.file.CatchUp(); err != nil {
		return asDisagreement(err)
	}
	sizes := map[string]int64{}
	places := l.places()
	for _, p := range places {
		text, err := p.read(ctx)
		if err != nil {
			return fmt.Errorf("reading a checkpoint of the audit log in %s: %w", p.name, err)
		}
		if text == nil {
			sizes[p.name] = -1
			continue
		}
		c, err := l.parse(text)
		if err != nil {
			return &Disagreement{Place: p.name, Why: l.foreign(text, err)}
		}
		if err := l.compare(p.name, c); err != nil {
			return err
		}
		sizes[p.name] = c.Size
	}
	// Each checkpoint reached the places in their order.
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
	if err := l.otherLogs(ctx); err != nil {
		return err
	}
	l.agreed = true
	return nil
}

// foreign says what is wrong with a checkpoint that is not one of ours.
func (l *Log) foreign(text []byte, err error) string {
	_, origin := l.follow.now()
	name, _, _ := strings.Cut(string(text), "\n")
	if name != origin && strings.Contains(name, "/audit/") {
		return fmt.Sprintf("it has a checkpoint of the log %s, and in %s is %s: that log was removed or exchanged", name, l.config.Dir, origin)
	}
	return "its checkpoint was changed, or signed by a key that is not in the key file: " + err.Error()
}

// compare looks whether the log is the one of a checkpoint, or has grown since.
func (l *Log) compare(place string, c tree.Checkpoint) error {
	if size := l.follow.size(); c.Size > size {
		return &Disagreement{place, fmt.Sprintf("its checkpoint is of %d entries, and the log has %d: entries %d to %d were cut off", c.Size, size, size+1, c.Size), true}
	}
	root, err := rootAt(l.config.Dir, c.Size)
	if err != nil {
		return asDisagreement(err)
	}
	if root != c.Root {
		return &Disagreement{place, fmt.Sprintf("the log's first %d entries are not those of its checkpoint: they were changed or exchanged", c.Size), true}
	}
	return nil
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
func rootAt(dir string, size int64) (tlog.Hash, error) {
	segments, err := logfile.Segments(dir)
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

// otherLogs looks for checkpoints of other logs in a database that no other process on
// another machine has: the log that it knew is not the one that is here.
func (l *Log) otherLogs(ctx context.Context) error {
	if l.config.DB.Shared() {
		return nil
	}
	_, origin := l.follow.now()
	rows, err := l.config.DB.Reads.QueryContext(ctx, `SELECT name FROM meta WHERE name LIKE 'audit_checkpoint %'`)
	if err != nil {
		return fmt.Errorf("reading the checkpoints of the audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return fmt.Errorf("reading the checkpoints of the audit log: %w", err)
		}
		if other := strings.TrimPrefix(name, "audit_checkpoint "); other != origin {
			return &Disagreement{Place: "the database", Why: fmt.Sprintf("it knows the log %s, and in %s is %s: that log was removed or exchanged", other, l.config.Dir, origin)}
		}
	}
	return rows.Err()
}

// Acknowledge records that by has seen what does not agree, which [Log.Agree] or
// [Log.AgreeWith] has returned, and makes the log as it is now the one that counts. A log that
// is not what it was is ended: its files stay in a directory of their own, and a new one
// begins with the record of this.
func (l *Log) Acknowledge(ctx context.Context, what *Disagreement, by actor.Actor) error {
	e := Entry{Actor: by, Action: LogAcknowledge, Outcome: OK, Source: "command line", Object: what.Place, Reason: what.Why}
	if what.lost {
		aside, err := l.begin()
		if err != nil {
			return err
		}
		e.Reason += "; the log was ended, its files are in " + aside
	}
	l.halted.Store(nil)
	if _, err := l.Append(ctx, e); err != nil {
		return err
	}
	if err := l.forgetOtherLogs(ctx); err != nil {
		return err
	}
	return l.checkpoints.With(func() error { return l.overwrite(ctx) })
}

// overwrite puts the checkpoint of the log as it is in every place, whatever is there.
func (l *Log) overwrite(ctx context.Context) error {
	edge, origin := l.follow.now()
	signed, err := l.sign(origin, &edge)
	if err != nil {
		return err
	}
	for _, p := range l.places() {
		if err := p.write(ctx, signed); err != nil {
			return fmt.Errorf("storing a checkpoint of the audit log in %s: %w", p.name, err)
		}
	}
	l.follow.setStored(edge.Size())
	l.agreed = true
	return nil
}

// begin moves the log's files aside and begins a new log. It returns where they are.
func (l *Log) begin() (aside string, err error) {
	_, origin := l.follow.now()
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			return "", err
		}
	}
	aside = filepath.Join(l.config.Dir, "ended-"+filepath.Base(origin)+l.config.Now().UTC().Format("-20060102T150405Z"))
	if err := os.Mkdir(aside, 0o700); err != nil {
		return "", fmt.Errorf("ending the audit log: %w", err)
	}
	entries, err := os.ReadDir(l.config.Dir)
	if err != nil {
		return "", fmt.Errorf("ending the audit log: %w", err)
	}
	for _, entry := range entries {
		if entry.Type().IsRegular() && !strings.HasPrefix(entry.Name(), "lock") {
			if err := os.Rename(filepath.Join(l.config.Dir, entry.Name()), filepath.Join(aside, entry.Name())); err != nil {
				return "", fmt.Errorf("ending the audit log: %w", err)
			}
		}
	}
	return aside, l.open()
}

func (l *Log) forgetOtherLogs(ctx context.Context) error {
	if l.config.DB.Shared() {
		return nil
	}
	_, origin := l.follow.now()
	_, err := l.config.DB.Writes.ExecContext(ctx, `DELETE FROM meta WHERE name LIKE 'audit_checkpoint %' AND name <> $1`, "audit_checkpoint "+origin)
	return err
}
