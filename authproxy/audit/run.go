package audit

import (
	"context"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/publish"
)

const (
	// checkpointAfter is after how many entries a checkpoint is stored, if its time has not
	// come before.
	checkpointAfter = 1000
	// checkpointPause is how long the next one waits even then: each costs some syncs of the
	// disk that the log is on.
	checkpointPause = time.Second
	// tilesEvery is how often the tiles are brought up to date. Whoever proves something before
	// does it first.
	tilesEvery = time.Minute
	// pruneEvery is how often segments that are old enough are looked for.
	pruneEvery = time.Hour
)

// Upkeep is what [Log.Run] does.
type Upkeep struct {
	Every     time.Duration      // between checkpoints
	Keep      time.Duration      // of entries; 0: for ever
	Clock     Clock              // of the process, see [ClockOf]
	Publisher *publish.Publisher // carries checkpoints elsewhere; nil: nobody does
}

// Run stores a checkpoint every so often, and after every 1,000 entries, and gives it to the
// publisher; it brings the tiles up to date, and removes the segments whose entries are all too
// old; until ctx ends. While entries cannot be written it tries to, once a second.
func (l *Log) Run(ctx context.Context, u Upkeep) {
	p := pass{log: l, clock: u.Clock}
	for {
		p.run(ctx, u)
		if !u.rest(ctx, l.follow.due) {
			return
		}
	}
}

// pass is what [Log.Run] does again and again.
type pass struct {
	log           *Log
	clock         Clock
	tiled, pruned time.Time // when that was done last
	said          string    // the last failure
	published     int64     // size of the checkpoint here when the publisher was given the newest
}

func (p *pass) run(ctx context.Context, u Upkeep) {
	l := p.log
	l.resume()
	p.failed(ctx, "storing a checkpoint of the audit log", p.checkpoint(ctx, u))
	now := l.config.Now()
	trusted, jumped := p.clock.Trusts(now)
	if jumped != 0 {
		l.config.Log.Warn("the clock has jumped, or nothing was recorded for long: no old segment of the audit log is removed for a day", "by", jumped)
	}
	if now.Sub(p.tiled).Abs() >= tilesEvery {
		p.failed(ctx, "writing the tiles of the audit log", u.tiles(l))
		p.tiled = now
	}
	if u.Keep > 0 && trusted && now.Sub(p.pruned).Abs() >= pruneEvery {
		p.failed(ctx, "removing old segments of the audit log", l.Prune(ctx, now.Add(-u.Keep)))
		p.pruned = now
	}
}

// failed logs what failed: once, and not every few seconds.
func (p *pass) failed(ctx context.Context, what string, err error) {
	if text := fmt.Sprint(what, err); err != nil && ctx.Err() == nil && text != p.said {
		p.said = text
		p.log.config.Log.Error(what, "error", err)
	}
}

// rest waits until the next checkpoint is due, and says whether to go on.
func (u Upkeep) rest(ctx context.Context, due <-chan struct{}) bool {
	pause, tick := time.NewTimer(min(checkpointPause, u.Every)), time.NewTimer(u.Every)
	defer pause.Stop()
	defer tick.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-tick.C:
	case <-due:
	}
	return true
}

// checkpoint stores a checkpoint, and gives the newest to the publisher if that has not got it, whoever stored it: it may be one
// of a command, of the start, or of a process that was killed before it could give it away. What is stored was seen to
// agree with the places here.
func (p *pass) checkpoint(ctx context.Context, u Upkeep) error {
	err := p.log.Checkpoint(ctx)
	stored := p.log.follow.storedSize()
	if err != nil || u.Publisher == nil || stored == p.published {
		return err
	}
	if newest := p.log.Published().Newest(); newest.Size > 0 {
		u.Publisher.Publish(newest)
		p.published = stored
	}
	return nil
}

// tiles brings the tiles up to the newest checkpoint, if there is one.
func (u Upkeep) tiles(l *Log) error {
	if l.temporary || l.Published().Newest().Size == 0 { // what is made for a while is made when it is asked for
		return nil
	}
	_, _, err := l.tiles.newest(&l.checkpoints)
	return err
}

// Prune removes the segments whose entries are all from before a time, and their indexes. The
// tree goes on over them: what is left verifies by the signed checkpoint in its first line. That
// is recorded first.
func (l *Log) Prune(ctx context.Context, before time.Time) error {
	segments, err := reading{l}.segments()
	if err != nil {
		return err
	}
	old, err := oldOf(segments, before)
	if err != nil || len(old) == 0 {
		return err
	}
	if may, err := l.stored.removable(ctx); err != nil || !may {
		if err == nil {
			l.config.Log.Info("segments of the audit log that are old enough stay: the role of this process may not remove them; `sfmcp-proxy audit prune` with a role that may does", "entries", fmt.Sprintf("%d to %d", old[0].First, segments[len(old)].First-1))
		}
		return err
	}
	last := segments[len(old)].First - 1
	return l.Call(ctx, Entry{Actor: actor.Proxy, Action: LogPrune, Source: "audit log", Object: fmt.Sprintf("entries %d to %d", old[0].First, last),
		Reason: "all of them are from before " + before.UTC().Format(time.RFC3339)}, func(ctx context.Context) (Result, error) {
		if err := l.stored.remove(ctx, old, last+1); err != nil {
			return Result{}, err
		}
		for _, s := range old {
			l.indexes.removed(s)
		}
		return Result{}, nil
	})
}

// firstOf is the first entry of a segment.
func firstOf(s logfile.Segment) (e Entry, err error) {
	_, err = logfile.ScanSegment(s, func(r logfile.Record) error {
		if e, err = decode(r.Text); err != nil {
			return fmt.Errorf("audit entry %d: %w", r.Seq, err)
		}
		return errEnough
	})
	if err == errEnough {
		err = nil
	}
	return e, err
}
