package definition

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// Begin makes whole, a complete list, the first one of that kind, and returns how many of
// its definitions were recorded; 0, false: there was a first list already. They are accepted,
// by the proxy, or wait for a person if the configuration says so.
func (s *Store) Begin(ctx context.Context, server Server, kind Kind, whole []Definition) (recorded int, first bool, err error) {
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		recorded, first = 0, false
		if err := s.lock(ctx, tx, server); err != nil {
			return err
		}
		now := s.now().UTC().Truncate(time.Millisecond)
		n, err := db.Affected(ctx, tx, `INSERT INTO definition_lists (org, upstream, kind, begun_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			server.Org, server.URL, string(kind), db.Millis(now))
		if err == nil && n == 0 {
			err = db.ErrUnchanged
		}
		if err != nil {
			return err
		}
		first = true
		for i := range whole {
			if recorded == maxRows {
				break
			}
			if !whole[i].nameable() {
				continue
			}
			d := s.firstSeen(server, whole[i], now)
			if err := s.insert(ctx, tx, d); err != nil {
				return err
			}
			recorded++
		}
		return s.db.RaiseAccessEpoch(ctx, tx)
	})
	if err != nil {
		return 0, false, fmt.Errorf("recording the first list: %w", err)
	}
	return recorded, first, nil
}

// firstSeen is a definition of the first list as it is recorded.
func (s *Store) firstSeen(server Server, d Definition, now time.Time) *Pinned {
	p := &Pinned{Server: server, Definition: d, State: Waiting, Why: FirstList, SeenAt: now}
	p.unclear()
	if p.Why == FirstList && !s.review {
		p.State, p.DecidedAt, p.DecidedBy = Accepted, now, actor.Proxy
	}
	return p
}

// unclear says of a definition that cannot be accepted why.
func (d *Pinned) unclear() {
	switch {
	case d.Twice:
		d.Why = ListedTwice
	case len(d.Text) > maxText:
		d.Why = TooLong
	}
	if len(d.Text) > maxText {
		d.Why, d.Text = TooLong, nil
	}
}

// Learn accepts definitions of names that have none, as [Store.Begin] does: for a list that
// comes piece by piece, while that is allowed. Names of which anything is recorded are left alone. It
// returns those that were recorded.
func (s *Store) Learn(ctx context.Context, server Server, found []Definition) (learned []Pinned, err error) {
	return s.record(ctx, server, found, func(d *Pinned, known bool) bool {
		if known || d.Why == ListedTwice || d.Why == TooLong {
			return false
		}
		d.Why = FirstList
		if !s.review {
			d.State, d.DecidedAt, d.DecidedBy = Accepted, d.SeenAt, actor.Proxy
		}
		return true
	})
}

// Quarantine records definitions that are not accepted, so that a person can decide about
// them, and returns those that were not recorded before, with [db.ErrInDoubt] those of which that is not known. It
// must not be asked about what is accepted. Not all are recorded of what changes all the time.
func (s *Store) Quarantine(ctx context.Context, server Server, found []Definition) ([]Pinned, error) {
	return s.record(ctx, server, found, func(*Pinned, bool) bool { return true })
}

// record inserts what is not there yet, in the state that judge gives it.
func (s *Store) record(ctx context.Context, server Server, found []Definition, judge func(d *Pinned, known bool) bool) (fresh []Pinned, err error) {
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		fresh = nil
		if err := s.lock(ctx, tx, server); err != nil {
			return err
		}
		have, err := s.read(ctx, tx, server)
		if err != nil {
			return err
		}
		now := s.now().UTC().Truncate(time.Millisecond)
		rows := len(have.accepted) + len(have.recorded)
		for _, f := range found {
			accepted := have.accepted[name{f.Kind, f.Name}]
			if !f.nameable() || accepted == f.Digest || have.IsRecorded(f.Kind, f.Name, f.Digest) {
				continue
			}
			d := &Pinned{Server: server, Definition: f, State: Waiting, Why: NewName, SeenAt: now}
			if accepted != "" {
				d.Why = NewText
			}
			d.unclear()
			if !judge(d, accepted != "" || have.names[name{f.Kind, f.Name}]) {
				continue
			}
			room, err := s.makeRoom(ctx, tx, d, rows)
			if err != nil {
				return err
			}
			if !room {
				continue
			}
			if err := s.insert(ctx, tx, d); err != nil {
				return err
			}
			have.note(name{d.Kind, d.Name}, d.Digest, d.State)
			rows++
			fresh = append(fresh, *d)
		}
		if len(fresh) == 0 {
			return db.ErrUnchanged
		}
		return s.noteChanges(ctx, tx, server, fresh)
	})
	if err == nil {
		return fresh, nil
	}
	if !errors.Is(err, db.ErrInDoubt) {
		fresh = nil
	}
	return fresh, fmt.Errorf("recording definitions: %w", err)
}

// noteChanges makes every process list anew before it forwards a call, if anything waits.
// What was recorded at a time is of one kind.
func (s *Store) noteChanges(ctx context.Context, tx *sql.Tx, server Server, fresh []Pinned) error {
	if len(fresh) == 0 {
		return nil
	}
	if !slices.ContainsFunc(fresh, func(d Pinned) bool { return d.State != Accepted }) {
		return s.db.RaiseAccessEpoch(ctx, tx)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO definition_lists (org, upstream, kind, begun_at, changes) VALUES ($1, $2, $3, $4, 1)
		ON CONFLICT (org, upstream, kind) DO UPDATE SET changes = definition_lists.changes + 1`,
		server.Org, server.URL, string(fresh[0].Kind), db.Millis(s.now()))
	if err != nil {
		return err
	}
	return s.db.RaiseAccessEpoch(ctx, tx)
}

// makeRoom reports whether d may have a row: of its name wait no more than may, and of its
// server there are no more rows than may be. The oldest that waits under a name gives way to
// a newer one, but not at once.
func (s *Store) makeRoom(ctx context.Context, tx *sql.Tx, d *Pinned, rows int) (bool, error) {
	var waiting int
	var newest int64
	err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(max(seen_at), 0) FROM definitions
		WHERE org = $1 AND upstream = $2 AND kind = $3 AND name = $4 AND state <> 'accepted'`,
		d.Org, d.URL, string(d.Kind), d.Name).Scan(&waiting, &newest)
	switch {
	case err != nil:
		return false, err
	case waiting < maxWaiting:
		return rows < maxRows, nil
	case db.Millis(d.SeenAt)-newest < flapping.Milliseconds():
		return false, nil
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM definitions WHERE org = $1 AND upstream = $2 AND kind = $3 AND name = $4 AND digest = (
		SELECT o.digest FROM definitions o WHERE o.org = $1 AND o.upstream = $2 AND o.kind = $3 AND o.name = $4 AND o.state <> 'accepted'
		ORDER BY o.seen_at, o.digest LIMIT 1)`, d.Org, d.URL, string(d.Kind), d.Name)
	return err == nil, err
}

// insert writes a row. One that somebody wrote under the same key without the keys gives way.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, d *Pinned) error {
	mac := ""
	if d.State == Accepted {
		mac = s.db.MAC(db.Definitions, d.covered()...)
		if err := clearAccepted(ctx, tx, d.Server, d.Kind, d.Name); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO definitions (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (org, upstream, kind, name, digest) DO UPDATE SET state = excluded.state, why = excluded.why, text = excluded.text,
			seen_at = excluded.seen_at, decided_at = excluded.decided_at, decided_by_kind = excluded.decided_by_kind,
			decided_by_id = excluded.decided_by_id, decided_by_as = excluded.decided_by_as, mac = excluded.mac`,
		d.Org, d.URL, string(d.Kind), d.Name, d.Digest, string(d.State), string(d.Why), string(d.Text), db.Millis(d.SeenAt), db.Millis(d.DecidedAt),
		string(d.DecidedBy.Kind), d.DecidedBy.ID, d.DecidedBy.As, mac)
	return err
}
