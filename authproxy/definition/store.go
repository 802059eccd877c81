package definition

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// cachedServers is how many servers' pins are remembered, the most recently used.
const cachedServers = 256

// Config is what a Store works with.
type Config struct {
	DB *db.DB
	// Review: the first list of a server waits for a person, too.
	Review bool
	Now    func() time.Time // nil: time.Now
}

// Store keeps the definitions. It is safe for concurrent use.
type Store struct {
	db     *db.DB
	review bool
	now    func() time.Time
	pins   *db.Cache[Server, *Pins]
}

// New returns the store in c.DB.
func New(c Config) (*Store, error) {
	if c.DB == nil {
		return nil, errors.New("definitions: a database is required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{db: c.DB, review: c.Review, now: c.Now, pins: db.NewCache[Server, *Pins](c.DB, cachedServers)}, nil
}

// Pins are what is recorded of one server, to be looked up for every call. They do not
// change: a decision makes others.
type Pins struct {
	begun    map[Kind]time.Time
	accepted map[name]string // its digest
	recorded map[text]State  // of what waits or is rejected
	names    map[name]bool   // of these
	changes  map[Kind]int64
	version  string
}

type name struct {
	kind Kind
	name string
}

type text struct {
	name
	digest string
}

func (p *Pins) note(of name, digest string, state State) {
	p.recorded[text{of, digest}], p.names[of] = state, true
}

// Accepts reports whether that definition is accepted.
func (p *Pins) Accepts(kind Kind, called, digest string) bool {
	accepted, ok := p.accepted[name{kind, called}]
	return ok && accepted == digest
}

// IsRecorded reports whether that definition waits for a person or is rejected.
func (p *Pins) IsRecorded(kind Kind, called, digest string) bool {
	_, ok := p.recorded[text{name{kind, called}, digest}]
	return ok
}

// Rejected reports whether a person rejected that definition.
func (p *Pins) Rejected(kind Kind, called, digest string) bool {
	return p.recorded[text{name{kind, called}, digest}] == Rejected
}

// Knows reports whether any definition is accepted under a name.
func (p *Pins) Knows(kind Kind, called string) bool {
	_, ok := p.accepted[name{kind, called}]
	return ok
}

// Begun returns since when there is a first list of a kind; zero: there is none.
func (p *Pins) Begun(kind Kind) time.Time { return p.begun[kind] }

// Quarantined is how many definitions wait for a person or are rejected.
func (p *Pins) Quarantined() (waiting, rejected int) {
	for _, state := range p.recorded {
		if state == Waiting {
			waiting++
		} else {
			rejected++
		}
	}
	return waiting, rejected
}

// Changes of a kind rises whenever anybody has seen another definition than before: what was
// listed at a lower number has to be listed again.
func (p *Pins) Changes(kind Kind) int64 { return p.changes[kind] }

// Version names what is accepted: the same version accepts the same.
func (p *Pins) Version() string { return p.version }

// Pins returns what is recorded of a server. An error means that nothing is known, and
// so that nothing passes. It remembers as [db.Cache] does.
func (s *Store) Pins(ctx context.Context, server Server) (*Pins, error) {
	p, err := s.pins.Get(server, func(*Pins) bool { return true }, func() (*Pins, error) { return s.read(ctx, s.db.Reads, server) })
	if err != nil {
		return nil, fmt.Errorf("reading definitions: %w", err)
	}
	return p, nil
}

// querier is a transaction or a handle.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (s *Store) read(ctx context.Context, q querier, server Server) (*Pins, error) {
	p := &Pins{begun: map[Kind]time.Time{}, changes: map[Kind]int64{}, accepted: map[name]string{}, recorded: map[text]State{}, names: map[name]bool{}}
	if err := p.readLists(ctx, q, server); err != nil {
		return nil, err
	}
	version := sha256.New()
	err := s.each(ctx, q, `WHERE org = $1 AND upstream = $2 ORDER BY kind, name, digest`, []any{server.Org, server.URL}, func(d *Pinned) error {
		key := name{d.Kind, d.Name}
		if d.State != Accepted {
			p.note(key, d.Digest, d.State)
			return nil
		}
		p.accepted[key] = d.Digest
		fmt.Fprintf(version, "%s %q %s\n", d.Kind, d.Name, d.Digest)
		return nil
	})
	p.version = hex.EncodeToString(version.Sum(nil)[:16])
	return p, err
}

func (p *Pins) readLists(ctx context.Context, q querier, server Server) error {
	rows, err := q.QueryContext(ctx, `SELECT kind, begun_at, changes FROM definition_lists WHERE org = $1 AND upstream = $2`, server.Org, server.URL)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kind Kind
		var begun, changes int64
		if err := rows.Scan(&kind, &begun, &changes); err != nil {
			return err
		}
		p.begun[kind] = db.Time(begun)
		p.changes[kind] = changes
	}
	return rows.Err()
}

const columns = `org, upstream, kind, name, digest, state, why, text, seen_at, decided_at, decided_by_kind, decided_by_id, decided_by_as, mac`

// each calls f with the rows that where selects. One that somebody made accepted without
// the keys is not there.
func (s *Store) each(ctx context.Context, q querier, where string, args []any, f func(*Pinned) error) error {
	rows, err := q.QueryContext(ctx, `SELECT `+columns+` FROM definitions `+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var d Pinned
		var seen, decided int64
		var mac, text string
		if err := rows.Scan(&d.Org, &d.URL, &d.Kind, &d.Name, &d.Digest, &d.State, &d.Why, &text, &seen, &decided,
			&d.DecidedBy.Kind, &d.DecidedBy.ID, &d.DecidedBy.As, &mac); err != nil {
			return err
		}
		d.Text, d.Twice, d.SeenAt, d.DecidedAt = []byte(text), d.Why == ListedTwice, db.Time(seen), db.Time(decided)
		if d.State == Accepted {
			authentic, err := s.db.Verify(db.Definitions, mac, d.covered()...)
			if err != nil {
				return err
			}
			if !authentic {
				continue
			}
		}
		if d.Why != TooLong && Digest(d.Text) != d.Digest { // what is shown would not be what is accepted
			if d.Text = nil; d.State != Accepted {
				continue
			}
		}
		if err := f(&d); err != nil {
			return err
		}
	}
	return rows.Err()
}

// covered are the columns of [db.Definitions].
func (d *Pinned) covered() []any {
	return []any{d.Org, d.URL, string(d.Kind), d.Name, d.Digest, string(d.State), db.Millis(d.DecidedAt),
		string(d.DecidedBy.Kind), d.DecidedBy.ID, d.DecidedBy.As}
}

// lock lets one transaction at a time change what is recorded of a server.
func (s *Store) lock(ctx context.Context, tx *sql.Tx, server Server) error {
	return s.db.Lock(ctx, tx, "definitions of "+server.Org+" "+server.URL)
}
