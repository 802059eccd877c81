package definition

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// Accept lets exactly the definition with that digest pass, in the name of by; another one
// that was accepted under its name is gone. Errors: [ErrNotFound]; [ErrAlready];
// [ErrUnclear].
func (s *Store) Accept(ctx context.Context, server Server, kind Kind, called, digest string, by actor.Actor) error {
	return s.decide(ctx, Pinned{Server: server, Definition: Definition{Kind: kind, Name: called, Digest: digest}}, by, Accepted, nil)
}

// Reject keeps the definition with that digest in quarantine, without waiting for a person
// any more. If it is accepted, it is so no longer, and nothing passes under its name.
// Errors: [ErrNotFound]; [ErrAlready].
func (s *Store) Reject(ctx context.Context, server Server, kind Kind, called, digest string, by actor.Actor) error {
	return s.decide(ctx, Pinned{Server: server, Definition: Definition{Kind: kind, Name: called, Digest: digest}}, by, Rejected, nil)
}

// AcceptSeen is [Store.Accept] of p if all that is recorded under its name is as in seen, which [Store.Of] returned
// before; else [ErrMoved].
func (s *Store) AcceptSeen(ctx context.Context, p Pinned, seen []Pinned, by actor.Actor) error {
	return s.decide(ctx, p, by, Accepted, seen)
}

// RejectSeen is [Store.Reject] likewise.
func (s *Store) RejectSeen(ctx context.Context, p Pinned, seen []Pinned, by actor.Actor) error {
	return s.decide(ctx, p, by, Rejected, seen)
}

// Acceptable says whether a definition is one that a person can accept: nil, or [ErrUnclear].
func (p *Pinned) Acceptable() error {
	if p.Why == ListedTwice || p.Why == TooLong || len(p.Text) == 0 {
		return ErrUnclear
	}
	return nil
}

// decide decides about the definition that p names; seen is what there must be under that name, nil: whatever it is.
func (s *Store) decide(ctx context.Context, p Pinned, by actor.Actor, to State, seen []Pinned) error {
	server, kind, called, digest := p.Server, p.Kind, p.Name, p.Digest
	if !by.Known() {
		return errors.New("deciding about a definition: nobody decides")
	}
	err := s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.lock(ctx, tx, server); err != nil {
			return err
		}
		if err := s.unmoved(ctx, tx, p, seen); err != nil {
			return err
		}
		d, err := s.one(ctx, tx, server, kind, called, digest)
		if err != nil {
			return err
		}
		if d.State == to {
			return ErrAlready
		}
		mac, from := "", d.State
		d.State, d.DecidedAt, d.DecidedBy = to, s.now().UTC().Truncate(time.Millisecond), by
		if to == Accepted {
			if err := d.Acceptable(); err != nil {
				return err
			}
			if err := clearAccepted(ctx, tx, server, kind, called); err != nil {
				return err
			}
			mac = s.db.MAC(db.Definitions, d.covered()...)
		}
		n, err := db.Affected(ctx, tx, `UPDATE definitions SET state = $1, decided_at = $2, decided_by_kind = $3, decided_by_id = $4, decided_by_as = $5, mac = $6
			WHERE org = $7 AND upstream = $8 AND kind = $9 AND name = $10 AND digest = $11 AND state = $12`,
			string(to), db.Millis(d.DecidedAt), string(by.Kind), by.ID, by.As, mac, server.Org, server.URL, string(kind), called, digest, string(from))
		if err == nil && n != 1 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		return s.db.RaiseAccessEpoch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("deciding about a definition: %w", err)
	}
	return nil
}

// unmoved compares what is recorded under the name of p with what was seen of it.
func (s *Store) unmoved(ctx context.Context, tx *sql.Tx, p Pinned, seen []Pinned) error {
	if seen == nil {
		return nil
	}
	states := map[string]State{}
	for _, one := range seen {
		states[one.Digest] = one.State
	}
	n := 0
	err := s.each(ctx, tx, `WHERE org = $1 AND upstream = $2 AND kind = $3 AND name = $4`, []any{p.Org, p.URL, string(p.Kind), p.Name}, func(d *Pinned) error {
		if n++; states[d.Digest] != d.State {
			return ErrMoved
		}
		return nil
	})
	if err == nil && n != len(states) {
		err = ErrMoved
	}
	return err
}

// clearAccepted makes place for another definition that is accepted under a name, also where
// somebody wrote one without the keys.
func clearAccepted(ctx context.Context, tx *sql.Tx, server Server, kind Kind, called string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM definitions WHERE org = $1 AND upstream = $2 AND kind = $3 AND name = $4 AND state = 'accepted'`,
		server.Org, server.URL, string(kind), called)
	return err
}

func (s *Store) one(ctx context.Context, tx *sql.Tx, server Server, kind Kind, called, digest string) (found *Pinned, err error) {
	err = s.each(ctx, tx, `WHERE org = $1 AND upstream = $2 AND kind = $3 AND name = $4 AND digest = $5`,
		[]any{server.Org, server.URL, string(kind), called, digest}, func(d *Pinned) error { found = d; return nil })
	if err == nil && found == nil {
		err = ErrNotFound
	}
	return found, err
}

// List returns what is recorded of a server, by kind and name, the accepted definition of a
// name first, then the newest.
func (s *Store) List(ctx context.Context, server Server) ([]Pinned, error) {
	return s.list(ctx, `WHERE org = $1 AND upstream = $2`, server.Org, server.URL)
}

// Of returns what is recorded under one name, in the order of List. Nothing is no error.
func (s *Store) Of(ctx context.Context, server Server, kind Kind, called string) ([]Pinned, error) {
	return s.list(ctx, `WHERE org = $1 AND upstream = $2 AND kind = $3 AND name = $4`, server.Org, server.URL, string(kind), called)
}

func (s *Store) list(ctx context.Context, where string, args ...any) (all []Pinned, err error) {
	where += ` ORDER BY kind DESC, name, CASE state WHEN 'accepted' THEN 0 ELSE 1 END, seen_at DESC, digest`
	err = s.each(ctx, s.db.Reads, where, args, func(d *Pinned) error { all = append(all, *d); return nil })
	if err != nil {
		return nil, fmt.Errorf("listing definitions: %w", err)
	}
	return all, nil
}
