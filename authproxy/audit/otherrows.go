package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/logrows"
)

// Others are the logs of other machines whose records are rows of the same database.
type Others struct{ log *Log }

// Others gives access to them.
func (l *Log) Others() Others { return Others{l} }

func (o Others) rows() logrows.Rows { return logrows.Rows{DB: o.log.config.DB} }

// Verify verifies the log of a name by its public keys, as [VerifyCopy] does with the files of one, and with the
// checkpoint that the database has of it. That its first entries were removed by age, one of the others may say. has is
// false if the database has no rows of it, and nothing says that it had.
func (o Others) Verify(ctx context.Context, origin string, keys []string, others ...string) (seen Verified, has bool, err error) {
	verifiers, err := parseVerifiers(keys)
	if err != nil {
		return seen, false, err
	}
	v := &verification{keys: verifiers}
	signed, err := (&checkpointRow{db: o.log.config.DB, name: checkpointRows + origin}).read(ctx) // before the rows, which grow
	if err != nil {
		return seen, false, fmt.Errorf("reading the checkpoint of the audit log %s in the database: %w", origin, err)
	}
	if signed != nil {
		v.signed = append(v.signed, namedCheckpoint{"the database", signed})
	}
	segments, err := o.rows().SegmentsOf(ctx, origin)
	if err == nil && len(segments) == 0 {
		if has, err = o.rows().Keeps(ctx, origin); has {
			err = &Broken{1, "the database has none of its rows any more"}
		}
	}
	if err != nil || len(segments) == 0 {
		return seen, has, err
	}
	if v.said, err = o.saysPruned(ctx, origin, segments[0], others); err != nil {
		return seen, true, err
	}
	seen, err = v.run(ctx, segments, o.log.tiles.dir) // which has no tiles of that log
	return seen, true, err
}

// prunedOf is the object of the entry that says that entries of another log were removed.
func prunedOf(origin string, first, last int64) string {
	return fmt.Sprintf("entries %d to %d of the log %s", first, last, origin)
}

// saysPruned says whether all entries of another log before its first segment were removed by age: the own log tells, or
// one of the others. Who told long ago has removed that entry by age itself; then what was removed was older than all
// that the own log has.
func (o Others) saysPruned(ctx context.Context, origin string, first logfile.Segment, others []string) (said bool, err error) {
	if first.First == 1 {
		return false, nil
	}
	end := fmt.Sprintf(" to %d of the log %s", first.First-1, origin)
	err = o.log.List(ctx, Filter{Action: string(LogPrune)}, func(e Entry) error {
		said = said || strings.HasPrefix(e.Object, "entries ") && strings.HasSuffix(e.Object, end)
		return nil
	})
	if err != nil || said {
		return said, err
	}
	own, at, err := o.log.Published().Oldest(ctx)
	if err != nil {
		return false, err
	}
	if e, err := firstOf(first); err == nil && own > 1 && e.At.Before(at) { // what is wrong with it, the verification says
		return true, nil
	}
	for _, other := range others {
		if said, err := o.tells(ctx, other, end); err != nil || said {
			return said, err
		}
	}
	return false, nil
}

// tells says whether a log has an entry of a removal whose object ends so. What is wrong with the log, its own
// verification says.
func (o Others) tells(ctx context.Context, origin, end string) (bool, error) {
	segments, err := o.rows().SegmentsOf(ctx, origin)
	if err != nil {
		return false, err
	}
	action, object := []byte(`"action":"`+string(LogPrune)+`"`), []byte(end+`"`)
	err = logfile.ScanSegments(segments, 1, func(r logfile.Record) error {
		if bytes.Contains(r.Text, action) && bytes.Contains(r.Text, object) {
			return errEnough
		}
		return ctx.Err()
	})
	var damage *logfile.Damage
	if errors.As(err, &damage) {
		err = nil
	}
	if err == errEnough {
		return true, nil
	}
	return false, err
}

// Prune removes from a closed log what [Log.Prune] would remove. That is recorded in the own log, first: the closed one
// gets nothing more. Whether a log is closed its caller knows. n is how many entries were removed.
func (o Others) Prune(ctx context.Context, origin string, before time.Time) (n int64, err error) {
	segments, err := o.rows().SegmentsOf(ctx, origin)
	if err != nil {
		return 0, err
	}
	old, err := oldOf(segments, before)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	if may, err := o.rows().MayRemove(ctx); err != nil || !may {
		return 0, err
	}
	first, last := old[0].First, segments[len(old)].First-1
	err = o.log.Call(ctx, Entry{Actor: actor.Proxy, Action: LogPrune, Source: "audit log", Object: prunedOf(origin, first, last),
		Reason: "all of them are from before " + before.UTC().Format(time.RFC3339)}, func(ctx context.Context) (Result, error) {
		return Result{}, o.rows().RemoveOf(ctx, origin, old, last+1)
	})
	return last - first + 1, err
}

// oldOf are those of the segments whose entries are all from before a time; never the last one.
func oldOf(segments []logfile.Segment, before time.Time) (old []logfile.Segment, err error) {
	for i := range segments[:max(len(segments)-1, 0)] {
		first, err := firstOf(segments[i+1])
		if err != nil {
			return nil, err
		}
		if !first.At.Before(before) {
			break
		}
		old = append(old, segments[i])
	}
	return old, nil
}
