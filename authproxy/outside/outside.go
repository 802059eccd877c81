// Package outside remembers to whose client text was given that people outside the company
// wrote (policy.OutsideText): e-mails, chats, web forms, files. Such text can hold orders for
// a model, so policies can hold or deny what the same user's client does for a while after.
//
// It is remembered for a user and a client, not for one connection: what a client has read
// through one server it can write through another. And it is in the database, before anybody
// gets the text: a restart or another replica forgets nothing. A client that reads such text
// all the time costs one write a minute, and a few more for the first sources.
package outside

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
)

// Reader is to whom text is given: a Salesforce user of an org, through an OAuth client.
type Reader struct{ Org, Subject, Client string }

// Source is where text came from: a record, or a tool if the answer names none.
type Source struct {
	Tool   string `json:"tool"`
	Object string `json:"object,omitempty"` // API name; empty: not known
	ID     string `json:"id,omitempty"`     // of the record; empty: none is named
}

// Sources is how many sources are kept of a reader: the last ones.
const Sources = 8

// Mark says that a reader was given outside text. The zero value is that there was none.
type Mark struct {
	// At is when rules begin to count. It is up to a minute later than the last text, so
	// that not every one is written.
	At      time.Time
	Sources []Source // the last of them, the latest last
}

// Within reports whether the text was given less than d ago, or may have been.
func (m Mark) Within(d time.Duration, now time.Time) bool {
	return !m.At.IsZero() && now.Before(m.At.Add(d))
}

// step is how much later than now a mark counts from.
const step = time.Minute

// Store remembers. It is safe for concurrent use.
type Store struct {
	db  *db.DB
	now func() time.Time

	mu    sync.Mutex
	known map[Reader]Mark // as this process has written them
}

// New returns a store on d. now may be nil: time.Now.
func New(d *db.DB, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{db: d, now: now, known: map[Reader]Mark{}}
}

// Note remembers that a reader is about to be given text from sources. An error says that it
// is not remembered, so that nobody may get the text.
func (s *Store) Note(ctx context.Context, r Reader, sources []Source) error {
	now := s.now()
	s.mu.Lock()
	known := s.known[r]
	s.mu.Unlock()
	merged := merge(known.Sources, sources)
	news := len(known.Sources) < Sources && len(merged) > len(known.Sources)
	if d := known.At.Sub(now); d >= 0 && d <= step && !news {
		return nil
	}
	m, err := s.write(context.WithoutCancel(ctx), r, Mark{now.Add(step), sources})
	if err != nil {
		return fmt.Errorf("noting outside text: %w", err)
	}
	s.mu.Lock()
	s.known[r] = m
	s.mu.Unlock()
	return nil
}

// write adds a mark to what the database has.
func (s *Store) write(ctx context.Context, r Reader, m Mark) (Mark, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var written Mark
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO outside_text (org, subject, client_id, counts_from, sources) VALUES ($1, $2, $3, 0, '[]')
			ON CONFLICT (org, subject, client_id) DO NOTHING`, r.Org, r.Subject, r.Client); err != nil {
			return err
		}
		have, err := s.read(ctx, tx, r, s.db.ForUpdate("outside_text"))
		if err != nil {
			return err
		}
		written = Mark{m.At, merge(have.Sources, m.Sources)}
		text, err := json.Marshal(written.Sources)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE outside_text SET counts_from = $1, sources = $2 WHERE org = $3 AND subject = $4 AND client_id = $5`,
			db.Millis(written.At), string(text), r.Org, r.Subject, r.Client)
		return err
	})
	return written, err
}

// Last returns the mark of a reader.
func (s *Store) Last(ctx context.Context, r Reader) (Mark, error) {
	return s.read(ctx, s.db.Reads, r, "")
}

func (s *Store) read(ctx context.Context, from db.RowQuerier, r Reader, lock string) (m Mark, err error) {
	var at int64
	var text string
	err = from.QueryRowContext(ctx, `SELECT counts_from, sources FROM outside_text
		WHERE org = $1 AND subject = $2 AND client_id = $3`+lock, r.Org, r.Subject, r.Client).Scan(&at, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return Mark{}, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &m.Sources)
	}
	if err != nil {
		return Mark{}, fmt.Errorf("reading whether outside text was given: %w", err)
	}
	m.At = db.Time(at)
	return m, nil
}

// Sweep forgets what no policy can ask for any more.
func (s *Store) Sweep(ctx context.Context) error {
	before := s.now().Add(-policy.MaxTaint - step)
	s.mu.Lock()
	for r, m := range s.known {
		if m.At.Before(before) {
			delete(s.known, r)
		}
	}
	s.mu.Unlock()
	_, err := db.Affected(ctx, s.db.Writes, `DELETE FROM outside_text WHERE counts_from < $1`, db.Millis(before))
	return err
}

// merge returns the last of both lists, each source once, the latest last.
func merge(have, more []Source) []Source {
	all := slices.DeleteFunc(slices.Clone(have), func(s Source) bool { return slices.Contains(more, s) })
	for _, s := range more {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	if all == nil {
		all = []Source{}
	}
	return all[max(0, len(all)-Sources):]
}
