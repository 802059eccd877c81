package client

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"sort"
	"time"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

var (
	// ErrUnknown: no such client, or none that may be used now.
	ErrUnknown = errors.New("unknown client")
	// ErrTooMany: as many clients have registered as may.
	ErrTooMany = errors.New("too many registered clients")
)

// Config is what a [Store] needs. Documents, Dynamic and Now may be left out.
type Config struct {
	DB *db.DB
	// Clients are the user-defined ones.
	Clients []Client
	// PublicURL is the issuer and the proxy's own URL: no client may be redirected to its
	// origin, and assertions are made for it.
	PublicURL string
	// SalesforceHosts are host names that no client may be redirected to.
	SalesforceHosts []string
	// Documents fetches Client ID Metadata Documents; nil: none are accepted.
	Documents *clientdoc.Fetcher
	// Dynamic lets clients register themselves. While it is false the clients that did
	// are unknown; to keep one, configure it under its id.
	Dynamic bool
	// PrivateUseURIs are the redirect URIs with schemes of programs' own that may be
	// registered, exactly.
	PrivateUseURIs []string
	// Lifecycle says when clients that nobody uses are hidden and end.
	Lifecycle Lifecycle
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store is safe for concurrent use, also by several processes on one database.
type Store struct {
	db      *db.DB
	clients map[string]Client // user-defined, by id
	now     func() time.Time

	documents       *clientdoc.Fetcher
	dynamic         bool
	privateUse      []string
	publicURL       string
	own             *url.URL // publicURL
	salesforceHosts []string
	lifecycle       Lifecycle
}

// New checks every client of the configuration.
func New(c Config) (*Store, error) {
	if c.DB == nil {
		return nil, errors.New("clients: a database is required")
	}
	own, err := url.Parse(c.PublicURL)
	if err != nil || own.Host == "" {
		return nil, errors.New("clients: a public URL is required")
	}
	s := &Store{
		db: c.DB, clients: map[string]Client{}, now: c.Now,
		documents: c.Documents, dynamic: c.Dynamic, privateUse: c.PrivateUseURIs, publicURL: c.PublicURL, own: own, salesforceHosts: c.SalesforceHosts, lifecycle: c.Lifecycle,
	}
	if s.now == nil {
		s.now = time.Now
	}
	var wrong []error
	for _, client := range c.Clients {
		for _, p := range client.Validate(c.PublicURL, c.SalesforceHosts) {
			wrong = append(wrong, fmt.Errorf("client %q: %v", client.ID, p))
		}
		if _, twice := s.clients[client.ID]; twice {
			wrong = append(wrong, fmt.Errorf("client %q: id is used twice", client.ID))
		}
		client.own, client.Kind = own, Configured
		s.clients[client.ID] = client
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("clients: %w", err)
	}
	return s, nil
}

func (s *Store) millis() int64 { return db.Millis(s.now()) }

// Current returns the client of that id, or [ErrUnknown], which wraps an error of
// package clientdoc when the id is the URL of a document that cannot be had: an
// authorization begins only on a document that is current.
func (s *Store) Current(ctx context.Context, id string) (Client, error) {
	return s.lookUp(ctx, id, false)
}

// LastKnown is [Store.Current] for what goes on, such as a refresh: where a document
// cannot be had now, the last good one counts.
func (s *Store) LastKnown(ctx context.Context, id string) (Client, error) {
	return s.lookUp(ctx, id, true)
}

func (s *Store) lookUp(ctx context.Context, id string, stale bool) (Client, error) {
	if s.Knows(id) { // of others there is nothing to be blocked
		if err := s.mayCome(ctx, id, stale); err != nil {
			return Client{}, err
		}
	}
	if c, ok := s.clients[id]; ok {
		return c, nil
	}
	switch {
	case !s.Knows(id):
		return Client{}, s.unknown(id)
	case clientdoc.IsURL(id):
		return s.documentClient(ctx, id, stale)
	}
	return s.dynamicClient(ctx, id)
}

// Knows says whether clients of that id may exist under this configuration. It asks
// nobody: for tokens, whose client was looked up when it got them.
func (s *Store) Knows(id string) bool {
	_, configured := s.clients[id]
	switch {
	case configured:
		return true
	case clientdoc.IsURL(id):
		return s.documents != nil && s.documents.Allowed(id) == nil
	}
	return s.dynamic && seal.WellFormed(id, dynamicPrefix)
}

func (s *Store) unknown(id string) error {
	if s.documents != nil && clientdoc.IsURL(id) {
		return fmt.Errorf("%w: %w", ErrUnknown, s.documents.Allowed(id))
	}
	return ErrUnknown
}

// Name is what people read for a client, its id where nothing better is known. It
// asks nobody but the database.
func (s *Store) Name(ctx context.Context, id string) string {
	if c, ok := s.clients[id]; ok {
		return c.Name
	}
	if r, err := s.registration(ctx, id); err == nil && r != nil {
		if c, err := s.clientOf(r); err == nil {
			return c.Name
		}
	}
	return id
}

// AcceptsDocuments says whether Client ID Metadata Documents are accepted,
// AcceptsRegistration whether clients may register themselves.
func (s *Store) AcceptsDocuments() bool    { return s.documents != nil }
func (s *Store) AcceptsRegistration() bool { return s.dynamic }

// AcceptsDocumentsOf says whether the documents of a host are accepted.
func (s *Store) AcceptsDocumentsOf(host string) bool {
	return s.documents != nil && s.documents.AllowsHost(host)
}

// UserDefined returns the clients of the configuration, by id.
func (s *Store) UserDefined() []Client {
	all := slices.Collect(maps.Values(s.clients))
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// All returns all clients that are known now, by id.
func (s *Store) All(ctx context.Context) ([]Client, error) {
	stored, err := s.registered(ctx, "", math.MaxInt)
	if err != nil {
		return nil, err
	}
	all := append(s.UserDefined(), stored...)
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all, nil
}

// Forget deletes what is stored of a client: its registration, or its document with its
// keys and with what it has shown. One that is configured stays, and one with a document
// may come again while its host is allowed.
func (s *Store) Forget(ctx context.Context, id string) error {
	if _, err := s.db.KnownAffected(ctx, `DELETE FROM registered_clients WHERE id = $1`, id); err != nil {
		return fmt.Errorf("forgetting client: %w", err)
	}
	return nil
}

// How long what no grant refers to is kept. Programs keep the id of a registration for good,
// and few ask for another by themselves; a document can be fetched again.
const (
	unusedRegistration = 30 * 24 * time.Hour
	unusedDocument     = 24 * time.Hour
)

// Sweep forgets clients that registered themselves, and documents, which no grant refers
// to: those that nobody uses, and those whose last grant package grant has deleted. Call it
// once a minute, after the sweep of the grants.
func (s *Store) Sweep(ctx context.Context) error {
	now := s.millis()
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM registered_clients WHERE (kind = $1 AND created_at <= $2 OR kind = $4 AND read_at <= $3)
			AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = registered_clients.id)`,
			storedDynamic, now-unusedRegistration.Milliseconds(), now-unusedDocument.Milliseconds(), storedDocument); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM client_assertions WHERE expires_at <= $1`, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("sweeping clients: %w", err)
	}
	return nil
}
