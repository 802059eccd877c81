package grant

import (
	"context"
	"crypto"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// keysMaxAge is how long the last good key set of a client counts while a newer one
// cannot be had: a key that its owner took back must not be good for ever because its
// host is kept from answering. The document itself has no such limit, for it opens
// nothing: grants have lifetimes of their own.
const keysMaxAge = 7 * 24 * time.Hour

// keysPause is the least time between two fetches of a key set for unknown keys.
const keysPause = 30 * time.Second

// staleWait is how long a token request waits for a newer document or key set where
// there is an older one: clients give the token endpoint 10 s.
const staleWait = 2 * time.Second

// registration is a row of registered_clients.
type registration struct {
	id, metadata, keys, keysURI                                string
	kind                                                       ClientKind
	readAt, freshUntil, keysReadAt, keysFreshUntil, assertedAt int64
}

const registrationColumns = `id, kind, metadata, read_at, fresh_until, keys, keys_uri, keys_read_at, keys_fresh_until, asserted_at`

// The kinds as the table has them.
const (
	storedDocument = "document"
	storedDynamic  = "dynamic"
)

func (r *registration) scan(row interface{ Scan(...any) error }) error {
	var kind string
	err := row.Scan(&r.id, &kind, &r.metadata, &r.readAt, &r.freshUntil, &r.keys, &r.keysURI, &r.keysReadAt, &r.keysFreshUntil, &r.assertedAt)
	if r.kind = Dynamic; kind == storedDocument {
		r.kind = Document
	}
	return err
}

// registration reads a row; nil if there is none.
func (s *Store) registration(ctx context.Context, id string) (*registration, error) {
	var r registration
	err := r.scan(s.db.Reads.QueryRowContext(ctx, `SELECT `+registrationColumns+` FROM registered_clients WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading client: %w", err)
	}
	return &r, nil
}

// registered lists the clients of the table that may be used under this configuration.
func (s *Store) registered(ctx context.Context) (all []Client, err error) {
	rows, err := s.db.Reads.QueryContext(ctx, `SELECT `+registrationColumns+` FROM registered_clients`)
	if err != nil {
		return nil, fmt.Errorf("listing clients: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r registration
		if err := r.scan(rows); err != nil {
			return nil, fmt.Errorf("listing clients: %w", err)
		}
		if c, err := s.clientOf(&r); err == nil && s.knows(r.id) {
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
	if u, err := url.Parse(r.id); err == nil && r.kind == Document {
		c.Host, c.ReadAt = u.Host, db.Time(r.readAt)
	}
	// What is no good for us is left out: documents are written for every server there is,
	// and name schemes of their own beside what works everywhere.
	c.RedirectURIs = slices.DeleteFunc(slices.Clone(c.metadata.RedirectURIs), func(uri string) bool {
		return ValidateRedirectURI(uri, s.publicURL, s.salesforceHosts) != nil
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
		return Client{}, ErrNoClient // whoever has a grant has been read before
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
		return Client{}, fmt.Errorf("%w: %w", ErrNoClient, err)
	}
	return s.keepDocument(context.WithoutCancel(ctx), registration{id: id, kind: Document, metadata: string(body), readAt: now, freshUntil: now + fresh.Milliseconds()})
}

// keepDocument stores a document that was fetched just now, unless another process has
// stored a later one, and returns its client.
func (s *Store) keepDocument(ctx context.Context, r registration) (Client, error) {
	if _, err := s.clientOf(&r); err != nil {
		return Client{}, fmt.Errorf("%w: %w: %w", ErrNoClient, clientdoc.ErrInvalid, err)
	}
	row := s.db.Writes.QueryRowContext(ctx, `INSERT INTO registered_clients (id, kind, metadata, created_at, read_at, fresh_until)
		VALUES ($1, $2, $3, $4, $4, $5)
		ON CONFLICT (id) DO UPDATE SET metadata = excluded.metadata, read_at = excluded.read_at, fresh_until = excluded.fresh_until
		RETURNING asserted_at`, r.id, storedDocument, r.metadata, r.readAt, r.freshUntil)
	if err := row.Scan(&r.assertedAt); err != nil {
		return Client{}, fmt.Errorf("storing client document: %w", err)
	}
	return s.clientOf(&r)
}

// ClientKey returns the key that a Document client signs with, by key id and algorithm
// (RS256, ES256). [ErrNoClient]: there is none.
//
// Keys come from the document or from the jwks_uri in it, never from what is signed. A
// key set is fetched again when it is no longer current or does not have the key; the
// last good one serves for keysMaxAge while that fails.
func (s *Store) ClientKey(ctx context.Context, c Client, kid, algorithm string) (crypto.PublicKey, error) {
	if c.metadata == nil || s.documents == nil {
		return nil, ErrNoClient
	}
	now := s.millis()
	if c.metadata.JWKSURI == "" {
		if now-db.Millis(c.ReadAt) > keysMaxAge.Milliseconds() {
			return nil, ErrNoClient
		}
		return findKey(string(c.metadata.JWKS), kid, algorithm)
	}
	have, err := s.registration(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if have == nil {
		return nil, ErrNoClient
	}
	stored, storedErr := findKey(have.keys, kid, algorithm)
	if have.keysURI != c.metadata.JWKSURI { // of another place: as if there were none
		storedErr, have.keysReadAt = ErrNoClient, 0
	}
	since := now - have.keysReadAt
	if now < have.keysFreshUntil && storedErr == nil || storedErr != nil && since < keysPause.Milliseconds() {
		return stored, storedErr
	}
	usable := storedErr == nil && since <= keysMaxAge.Milliseconds()
	patience, cancel := context.WithTimeout(ctx, 2*staleWait)
	defer cancel()
	keys, fresh, err := s.documents.Keys(patience, c.metadata.JWKSURI)
	if err != nil && usable {
		return stored, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoClient, err)
	}
	_, err = s.db.Writes.ExecContext(ctx, `UPDATE registered_clients SET keys = $1, keys_uri = $2, keys_read_at = $3, keys_fresh_until = $4
		WHERE id = $5`, string(keys), c.metadata.JWKSURI, now, now+fresh.Milliseconds(), c.ID)
	if err != nil {
		return nil, fmt.Errorf("storing client keys: %w", err)
	}
	return findKey(string(keys), kid, algorithm)
}

func findKey(set, kid, algorithm string) (crypto.PublicKey, error) {
	keys, err := clientdoc.ParseKeys([]byte(set))
	if err != nil {
		return nil, ErrNoClient
	}
	key, err := keys.Find(kid, algorithm)
	if err != nil {
		return nil, ErrNoClient
	}
	return key, nil
}

// SpendAssertion marks the id of a verified client assertion as used, and the client as
// one that signs. false: the id was used before (RFC 7523 3, item 7). The database
// remembers, so that it holds for every process; until expires, after which the
// assertion is no good in any case.
func (s *Store) SpendAssertion(ctx context.Context, clientID, jti string, expires time.Time) (fresh bool, err error) {
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		n, err := db.Affected(ctx, tx, `INSERT INTO client_assertions (client_id, jti_hash, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (client_id, jti_hash) DO NOTHING`, clientID, seal.Hash(jti), db.Millis(expires))
		if fresh = n == 1; err != nil || !fresh {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE registered_clients SET asserted_at = $1 WHERE id = $2 AND asserted_at = 0`, s.millis(), clientID)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("spending assertion: %w", err)
	}
	return fresh, nil
}
