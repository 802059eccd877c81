package client

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/seal"
)

// dynamicPrefix marks the ids of clients that registered themselves. They must not look
// like the URL of a document (CIMD).
const dynamicPrefix = "dyn_"

// How many clients are known at a time that are not configured. Where there are so many, the
// oldest that no grant refers to gives way: of registrations the busiest source's, of documents
// those of the host that most came from, which may answer every path with one.
const (
	maxDynamic   = 10_000
	maxDocuments = 1000
)

// Registration is a client that has registered itself.
type Registration struct {
	ID              string
	CreatedAt       time.Time
	Name            string
	RedirectURIs    []string
	ApplicationType string
}

// registeredMetadata is what is kept of a registration: what has a meaning here.
type registeredMetadata struct {
	Name            string   `json:"client_name,omitzero"`
	RedirectURIs    []string `json:"redirect_uris"`
	ApplicationType string   `json:"application_type,omitzero"`
}

// Register stores a client that registers itself (RFC 7591 3.1). Redirect URIs with a scheme
// of the program's own that are not listed are left out, which the answer has to say (RFC
// 7591 3.2.1): programs bring them along beside what works everywhere. Any other that is not
// acceptable, or none that is, is a [*clientdoc.RedirectError]. [ErrTooMany]: there is no
// room, as all that are registered are in use; [ErrUnknown]: this is switched off.
func (s *Store) Register(ctx context.Context, m *clientdoc.Metadata, from party.Sources) (*Registration, error) {
	if !s.dynamic {
		return nil, ErrUnknown
	}
	var uris []string
	for _, uri := range m.RedirectURIs {
		err := ValidateRedirectURI(uri, s.publicURL, s.salesforceHosts)
		switch {
		case err == nil || slices.Contains(s.privateUse, uri):
			uris = append(uris, uri)
		case ValidatePrivateUseURI(uri) != nil:
			return nil, &clientdoc.RedirectError{Cause: err}
		}
	}
	if len(uris) == 0 {
		return nil, &clientdoc.RedirectError{Cause: errors.New("none is acceptable here")}
	}
	metadata, err := json.Marshal(registeredMetadata{m.Name, uris, m.ApplicationType})
	if err != nil {
		return nil, fmt.Errorf("registering client: %w", err)
	}
	id, now := seal.Secret(dynamicPrefix), s.millis()
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.makeRoom(ctx, tx, storedDynamic, maxDynamic); err != nil {
			return err
		}
		r := registration{id: id, storedKind: storedDynamic, kind: Dynamic, metadata: string(metadata), createdAt: now, readAt: now}
		_, err := tx.ExecContext(ctx, `INSERT INTO registered_clients (id, kind, metadata, created_at, read_at, fresh_until, network, host, mac)
			VALUES ($1, $2, $3, $4, $4, 0, $5, $6, $7)`, id, storedDynamic, r.metadata, now, from.Network, from.Host,
			s.db.MAC(db.RegisteredClients, r.covered()...))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("registering client: %w", err)
	}
	return &Registration{id, db.Time(now), m.Name, uris, m.ApplicationType}, nil
}

// makeRoom removes the busiest source's oldest client of that kind that no grant refers to,
// if there are as many as may be. A flood displaces itself: who has just registered is
// displaced only where his network has most of all, and then as the last.
func (s *Store) makeRoom(ctx context.Context, tx *sql.Tx, kind string, most int) error {
	if err := s.db.Lock(ctx, tx, "registered_clients"); err != nil { // they are counted
		return err
	}
	var have int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM registered_clients WHERE kind = $1`, kind).Scan(&have)
	if err != nil || have < most {
		return err
	}
	const unused = `registered_clients WHERE kind = $1 AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = registered_clients.id)`
	network, host, err := db.Busiest(ctx, tx, unused, kind)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrTooMany
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM registered_clients WHERE id = (SELECT id FROM `+unused+`
		AND network = $2 AND host = $3 ORDER BY read_at, id LIMIT 1)`, kind, network, host)
	return err
}

func (s *Store) dynamicClient(ctx context.Context, id string) (Client, error) {
	r, err := s.registration(ctx, id)
	if err != nil {
		return Client{}, err
	}
	if r == nil || r.kind != Dynamic {
		return Client{}, ErrUnknown
	}
	c, err := s.clientOf(r)
	if err != nil {
		return Client{}, errors.Join(ErrUnknown, err)
	}
	return c, nil
}
