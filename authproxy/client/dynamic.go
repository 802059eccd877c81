package client

import (
	"context"
	"errors"
	"fmt"
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

// Register stores a client that registers itself (RFC 7591 3.1). Every redirect URI
// must be acceptable ([*clientdoc.RedirectError] otherwise). [ErrTooMany]: there
// is no room; [ErrUnknown]: this is switched off.
func (s *Store) Register(ctx context.Context, m *clientdoc.Metadata) (*Registration, error) {
	if !s.dynamic {
		return nil, ErrUnknown
	}
	for _, uri := range m.RedirectURIs {
		if err := ValidateRedirectURI(uri, s.publicURL, s.salesforceHosts); err != nil {
			return nil, &clientdoc.RedirectError{Cause: err}
		}
	}
	metadata, err := json.Marshal(registeredMetadata{m.Name, m.RedirectURIs, m.ApplicationType})
	if err != nil {
		return nil, fmt.Errorf("registering client: %w", err)
	}
	id, now := seal.Secret(dynamicPrefix), s.millis()
	n, err := s.db.Bounded(ctx, "registered_clients", `INSERT INTO registered_clients (id, kind, metadata, created_at, read_at, fresh_until)
		SELECT $1, $2, $3, $4, $4, 0 WHERE (SELECT COUNT(*) FROM registered_clients WHERE kind = $2) < $5`,
		id, storedDynamic, string(metadata), now, maxDynamic)
	if err != nil {
		return nil, fmt.Errorf("registering client: %w", err)
	}
	if n == 0 {
		return nil, ErrTooMany
	}
	return &Registration{id, db.Time(now), m.Name, m.RedirectURIs, m.ApplicationType}, nil
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
