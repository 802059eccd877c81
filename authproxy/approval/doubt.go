package approval

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// doubtTime is how long it is tried to find out whether something was done, where the database took the
// statement and did not answer it, and to record how a call ended, and lastDoubt how long after [Unsettled.EndWaits]; doubtPause is
// between two tries.
const (
	doubtTime  = 20 * time.Second
	lastDoubt  = time.Second
	doubtPause = 200 * time.Millisecond
)

// doubting is the time for that. It does not end with ctx.
func (s *Store) doubting(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), s.doubt)
	stop := context.AfterFunc(s.unsettled.waits, func() { time.AfterFunc(lastDoubt, end) })
	return ctx, func() { stop(); end() }
}

// known does what changes one request and returns 1 if that had its effect, and 0 if the request is not any more as it was. Where the
// answer of the database is lost, or ctx ends meanwhile, it is found out what became of it: do is tried until the database answers.
// Behind one that had its effect the same has none, and ours finds one row if it was this one. What cannot be found out is
// [ErrInDoubt].
func (s *Store) known(ctx context.Context, do func(context.Context) (int64, error), ours func() (query string, args []any)) (n int64, err error) {
	if n, err = do(ctx); !db.InDoubt(err) {
		return n, err
	}
	ctx, end := s.doubting(ctx)
	defer end()
	for {
		if n, err = do(ctx); err == nil && n == 0 {
			query, args := ours()
			err = s.db.Reads.QueryRowContext(ctx, query, args...).Scan(&n)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return 0, nil
		}
		if err == nil {
			return n, nil
		}
		select {
		case <-time.After(doubtPause):
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", ErrInDoubt, err)
		}
	}
}

// knownTx is [Store.known] for what takes a transaction. do may refuse it by an error of its own; then nothing is committed.
func (s *Store) knownTx(ctx context.Context, do func(context.Context, *sql.Tx) (int64, error), ours func() (query string, args []any)) (int64, error) {
	var refused error
	n, err := s.known(ctx, func(ctx context.Context) (n int64, err error) {
		err = s.db.Tx(ctx, func(tx *sql.Tx) (err error) {
			n, err = do(ctx, tx)
			if refused = nil; db.FailureOf(err) == db.OtherFailure {
				refused = err
			}
			return err
		})
		if refused != nil {
			return 0, nil
		}
		return n, err
	}, ours)
	if err == nil && n == 0 {
		err = refused
	}
	return n, err
}

// inserted finds a request that [Store.insert] made, if it was committed; nil: none was made.
func inserted(r *Request) (query string, args []any) {
	if r == nil {
		r = &Request{}
	}
	return `SELECT 1 FROM approvals WHERE id = $1`, []any{r.ID}
}
