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
	"sfmcp-proxy/authproxy/seal"
)

// dynamicPrefix marks the ids of clients that registered themselves. They must not look
// like the URL of a document (CIMD).
const dynamicPrefix = "dyn_"

// maxDynamic bounds how many clients are registered at a time.
const maxDynamic = 10_000

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
// room; [ErrUnknown]: this is switched off.
func (s *Store) Register(ctx context.Context, m *clientdoc.Metadata) (*Registration, error) {
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
	var n int64
	err = s.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		if err := s.makeRoom(ctx, tx, now); err != nil {
			return err
		}
		n, err = db.Affected(ctx, tx, `INSERT INTO registered_clients (id, kind, metadata, created_at, read_at, fresh_until)
			SELECT $1, $2, $3, $4, $4, 0 WHERE (SELECT COUNT(*) FROM registered_clients WHERE kind = $2) < $5`,
			id, storedDynamic, string(metadata), now, maxDynamic)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("registering client: %w", err)
	}
	if n == 0 {
		return nil, ErrTooMany
	}
	return &Registration{id, db.Time(now), m.Name, uris, m.ApplicationType}, nil
}

// undisturbed is how long a registration that no grant refers to does not give way.
const undisturbed = 24 * time.Hour

// makeRoom removes the oldest registration that no grant refers to, if there is no room. A
// flood is over a day later, and meanwhile throws nobody out who has just registered.
func (s *Store) makeRoom(ctx context.Context, tx *sql.Tx, now int64) error {
	if err := s.db.Lock(ctx, tx, "registered_clients"); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM registered_clients WHERE (SELECT COUNT(*) FROM registered_clients WHERE kind = $1) >= $2
		AND id IN (SELECT r.id FROM registered_clients r WHERE r.kind = $1 AND r.created_at <= $3
			AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = r.id) ORDER BY r.created_at, r.id LIMIT 1)`,
		storedDynamic, maxDynamic, now-undisturbed.Milliseconds())
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
