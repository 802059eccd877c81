package client

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
)

// staleWait is how long a token request waits for a newer document or key set where
// there is an older one: clients give the token endpoint 10 s.
const staleWait = 2 * time.Second

// registration is a row of registered_clients.
type registration struct {
	id, metadata, keys, keysURI                                           string
	storedKind                                                            string
	kind                                                                  Kind // of storedKind; empty: it is a later version's
	createdAt, readAt, freshUntil, keysReadAt, keysFreshUntil, assertedAt int64
	mac, keysMAC                                                          string
}

const registrationColumns = `id, kind, metadata, created_at, read_at, fresh_until, keys, keys_uri, keys_read_at, keys_fresh_until, asserted_at, mac, keys_mac`

// covered are the columns of [db.RegisteredClients].
func (r *registration) covered() []any {
	return []any{r.id, r.storedKind, r.metadata, r.createdAt, r.readAt, r.freshUntil, r.assertedAt}
}

// coveredKeys are those of [db.ClientKeys].
func (r *registration) coveredKeys() []any {
	return []any{r.id, r.keys, r.keysURI, r.keysReadAt, r.keysFreshUntil}
}

// The kinds as the table has them.
const (
	storedDocument = "document"
	storedDynamic  = "dynamic"
)

func (r *registration) scan(row interface{ Scan(...any) error }) error {
	err := row.Scan(&r.id, &r.storedKind, &r.metadata, &r.createdAt, &r.readAt, &r.freshUntil, &r.keys, &r.keysURI, &r.keysReadAt, &r.keysFreshUntil, &r.assertedAt,
		&r.mac, &r.keysMAC)
	r.kind = kindOf[r.storedKind]
	return err
}

var kindOf = map[string]Kind{storedDocument: Document, storedDynamic: Dynamic}

// registration reads a row; nil if there is none that this version knows, or one that somebody changed.
func (s *Store) registration(ctx context.Context, id string) (*registration, error) {
	var r registration
	err := r.scan(s.db.Reads.QueryRowContext(ctx, `SELECT `+registrationColumns+` FROM registered_clients WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading client: %w", err)
	}
	authentic, err := s.db.Verify(db.RegisteredClients, r.mac, r.covered()...)
	if err != nil || !authentic || r.kind == "" {
		return nil, err
	}
	return &r, nil
}

// registered lists the clients of the table that may be used under this configuration, by id, from
// behind one on, at most so many.
func (s *Store) registered(ctx context.Context, behind string, most int) (all []Client, err error) {
	rows, err := s.db.Reads.QueryContext(ctx, `SELECT `+registrationColumns+` FROM registered_clients WHERE id > $1 ORDER BY id`, behind)
	if err != nil {
		return nil, fmt.Errorf("listing clients: %w", err)
	}
	defer rows.Close()
	for len(all) < most && rows.Next() {
		var r registration
		if err := r.scan(rows); err != nil {
			return nil, fmt.Errorf("listing clients: %w", err)
		}
		if !s.db.Authentic(db.RegisteredClients, r.mac, r.covered()...) || r.kind == "" {
			continue
		}
		if c, err := s.clientOf(&r); err == nil && s.Knows(r.id) {
			all = append(all, c)
		}
	}
	return all, rows.Err()
}

// clientOf reads stored metadata as if it had come just now: what this version does
// not accept is not accepted because an older one stored it.
func (s *Store) clientOf(r *registration) (Client, error) {
	c := Client{ID: r.id, Kind: r.kind, asserted: r.assertedAt != 0, own: s.own}
	var err error
	if r.kind == Document {
		c.metadata, err = clientdoc.ParseDocument(r.id, []byte(r.metadata))
	} else {
		c.metadata, err = clientdoc.ParseRegistration([]byte(r.metadata))
	}
	if err != nil {
		return Client{}, err
	}
	c.Name, c.methods = c.metadata.Name, c.metadata.Methods
	c.ReadAt = db.Time(r.readAt)
	if u, err := url.Parse(r.id); err == nil && r.kind == Document {
		c.Host = u.Host
	}
	// What is no good for us is left out: documents are written for every server there is,
	// and name schemes of their own beside what works everywhere.
	c.RedirectURIs = slices.DeleteFunc(slices.Clone(c.metadata.RedirectURIs), func(uri string) bool {
		listed := r.kind == Dynamic && slices.Contains(s.privateUse, uri)
		return !listed && ValidateRedirectURI(uri, s.publicURL, s.salesforceHosts) != nil
	})
	if len(c.RedirectURIs) == 0 {
		return Client{}, errors.New("has no redirect URI that is allowed here")
	}
	if c.Name == "" {
		c.Name = "Unnamed client"
	}
	return c, nil
}

// documentClient returns the client of an allowed document URL. The database is asked
// first, so that a current document costs nothing.
func (s *Store) documentClient(ctx context.Context, id string, stale bool) (Client, error) {
	have, err := s.registration(ctx, id)
	if err != nil {
		return Client{}, err
	}
	now := s.millis()
	if have != nil && now < have.freshUntil {
		if c, err := s.clientOf(have); err == nil {
			return c, nil
		}
	}
	if stale && have == nil {
		return Client{}, ErrUnknown // whoever has a grant has been read before
	}
	if stale {
		patience, cancel := context.WithTimeout(ctx, staleWait)
		defer cancel()
		ctx = patience
	}
	body, fresh, err := s.documents.Document(ctx, id)
	if err != nil {
		if stale {
			if c, oldErr := s.clientOf(have); oldErr == nil {
				return c, nil
			}
		}
		return Client{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return s.keepDocument(context.WithoutCancel(ctx), registration{id: id, metadata: string(body), readAt: now, freshUntil: now + fresh.Milliseconds()})
}

// keepDocument stores a document that was fetched just now, unless another process has
// stored a later one, and returns its client.
func (s *Store) keepDocument(ctx context.Context, r registration) (Client, error) {
	r.storedKind, r.kind = storedDocument, Document
	if _, err := s.clientOf(&r); err != nil {
		return Client{}, fmt.Errorf("%w: %w: %w", ErrUnknown, clientdoc.ErrInvalid, err)
	}
	u, err := url.Parse(r.id)
	if err != nil {
		return Client{}, err
	}
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.replaces(ctx, tx, &r); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO registered_clients (id, kind, metadata, created_at, read_at, fresh_until, asserted_at, network, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, metadata = excluded.metadata, created_at = excluded.created_at, read_at = excluded.read_at,
				fresh_until = excluded.fresh_until, asserted_at = excluded.asserted_at, mac = excluded.mac`,
			r.id, r.storedKind, r.metadata, r.createdAt, r.readAt, r.freshUntil, r.assertedAt, u.Host, s.db.MAC(db.RegisteredClients, r.covered()...))
		return err
	})
	if err != nil {
		return Client{}, fmt.Errorf("storing client document: %w", err)
	}
	return s.clientOf(&r)
}

// replaces gives a document what is known of its client, or makes room for one that is new.
// Of a client whose row somebody changed it is taken that it has signed, so that the change
// lets nobody go on without.
func (s *Store) replaces(ctx context.Context, tx *sql.Tx, r *registration) error {
	var have registration
	err := have.scan(tx.QueryRowContext(ctx, `SELECT `+registrationColumns+` FROM registered_clients WHERE id = $1`+s.db.ForUpdate("registered_clients"), r.id))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		r.createdAt = r.readAt
		return s.makeRoom(ctx, tx, storedDocument, maxDocuments)
	case err != nil:
		return err
	}
	authentic, err := s.db.Verify(db.RegisteredClients, have.mac, have.covered()...)
	switch {
	case err != nil:
		return err
	case authentic && have.kind != Document:
		return fmt.Errorf("%w: a newer version of the program has it as a client of another kind", ErrUnknown)
	case authentic:
		r.createdAt, r.assertedAt = have.createdAt, have.assertedAt
	default:
		r.createdAt, r.assertedAt = r.readAt, r.readAt
	}
	return nil
}
