package audit

import (
	"context"
	"errors"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// actTime is how long an act may take whose caller may have gone. To end everything of a client with ten thousand
// connections takes a part of it; a database that never answers holds nobody for longer.
const actTime = 5 * time.Minute

// Lasting is the context of an act that has begun: it ends by its own time, and not because the caller goes.
func Lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), actTime)
}

// Give is [Log.Call] for what gives access, or anything else that is recorded first. A caller who has gone before the intent is on
// record gets nothing; from then on nobody keeps intent, effect and outcome apart. Where the database took a
// statement and did not answer it, and do says nothing else, the outcome is that nobody knows.
func (l *Log) Give(ctx context.Context, e Entry, do func(context.Context) (Result, error)) error {
	_, err := l.GiveWithin(ctx, e, func(ctx context.Context, _ int64) (Result, error) { return do(ctx) })
	return err
}

// GiveWithin is [Log.Give] for an act with entries of its own; see [Log.CallWithin].
func (l *Log) GiveWithin(ctx context.Context, e Entry, do func(_ context.Context, intent int64) (Result, error)) (outcome int64, err error) {
	return l.CallWithin(ctx, e, func(ctx context.Context, intent int64) (Result, error) {
		ctx, end := Lasting(ctx)
		defer end()
		r, err := do(ctx, intent)
		if r.Outcome == "" && r.Reason == "" && Unanswered(err) {
			r.Outcome, r.Reason = Unknown, "the database did not answer: "+err.Error()
		}
		return r, err
	})
}

// Unanswered says of an error that the database took a statement and did not answer, so that nobody knows what came of it.
func Unanswered(err error) bool {
	why := db.FailureOf(err)
	return errors.Is(err, db.ErrInDoubt) || (why == db.Unavailable || why == db.TooSlow) && db.InDoubt(err)
}
