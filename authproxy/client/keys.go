package client

import (
	"context"
	"crypto"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
)

// keysMaxAge is how long the last good key set of a client counts while a newer one
// cannot be had: a key that its owner took back must not be good for ever because its
// host is kept from answering. The document itself has no such limit, for it opens
// nothing: grants have lifetimes of their own.
const keysMaxAge = 7 * 24 * time.Hour

// keysPause is the least time between two fetches of a key set for unknown keys.
const keysPause = 30 * time.Second

// key returns the key that a Document client signs with, by key id and algorithm
// (RS256, ES256). [ErrUnknown]: there is none.
//
// Keys come from the document or from the jwks_uri in it, never from what is signed. A
// key set is fetched again when it is no longer current or does not have the key; the
// last good one serves for keysMaxAge while that fails.
func (s *Store) key(ctx context.Context, c Client, kid, algorithm string) (crypto.PublicKey, error) {
	if c.metadata == nil || s.documents == nil {
		return nil, ErrUnknown
	}
	now := s.millis()
	if c.metadata.JWKSURI == "" {
		if now-db.Millis(c.ReadAt) > keysMaxAge.Milliseconds() {
			return nil, ErrUnknown
		}
		return findKey(string(c.metadata.JWKS), kid, algorithm)
	}
	have, err := s.registration(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if have == nil {
		return nil, ErrUnknown
	}
	stored, storedErr := findKey(have.keys, kid, algorithm)
	authentic, err := s.db.Verify(db.ClientKeys, have.keysMAC, have.coveredKeys()...)
	if err != nil {
		return nil, err
	}
	other := have.keysURI != c.metadata.JWKSURI || !authentic
	if other { // of another place, or somebody changed them: as if there were none
		storedErr, have.keysReadAt = ErrUnknown, 0
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
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	have.keys, have.keysURI, have.keysReadAt, have.keysFreshUntil = string(keys), c.metadata.JWKSURI, now, now+fresh.Milliseconds()
	_, err = s.db.Writes.ExecContext(ctx, `UPDATE registered_clients SET keys = $1, keys_uri = $2, keys_read_at = $3, keys_fresh_until = $4, keys_mac = $5
		WHERE id = $6`, have.keys, have.keysURI, have.keysReadAt, have.keysFreshUntil, s.db.MAC(db.ClientKeys, have.coveredKeys()...), c.ID)
	if err != nil {
		return nil, fmt.Errorf("storing client keys: %w", err)
	}
	return findKey(string(keys), kid, algorithm)
}

func findKey(set, kid, algorithm string) (crypto.PublicKey, error) {
	keys, err := clientdoc.ParseKeys([]byte(set))
	if err != nil {
		return nil, ErrUnknown
	}
	key, err := keys.Find(kid, algorithm)
	if err != nil {
		return nil, ErrUnknown
	}
	return key, nil
}
