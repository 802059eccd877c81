package client

import (
	"errors"
	"fmt"
	"testing"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// FT-46: while the key is not here that a client's document, or its keys, are stored under, nothing is stored in their place, no
// signature is spent, and no keys are fetched anew; with the key everything is as before.
func TestFaultFT46ClientsBehindAKey(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	c := config(t)
	c.DB, c.Documents = dbtest.OpenURL(t, url), &clientdoc.Fetcher{}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	const id, unsigned, keysURI = "https://client.example/c", "https://client.example/d", "https://client.example/keys"
	const document = `{"client_id":"%s","client_name":"C","redirect_uris":["` + testRedirect + `"],"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"` + keysURI + `"}`
	keep := func(id string) (Client, error) {
		return s.keepDocument(t.Context(), registration{id: id, kind: Document, metadata: fmt.Sprintf(document, id), readAt: s.millis(), freshUntil: s.millis() + 1e6})
	}
	for _, which := range []string{id, unsigned} {
		if _, err := keep(which); err != nil {
			t.Fatal(err)
		}
	}
	if fresh, err := s.spendAssertion(t.Context(), id, "first", s.now()); err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	signs, err := keep(id)
	if err != nil || !signs.asserted {
		t.Fatalf("%+v, %v", signs, err)
	}
	const none = `{"keys":[]}`
	now, until := s.millis(), s.millis()+1_000_000
	if _, err := s.db.Writes.ExecContext(t.Context(), `UPDATE registered_clients SET keys = $1, keys_uri = $2, keys_read_at = $3, keys_fresh_until = $4, keys_mac = $5 WHERE id = $6`,
		none, keysURI, now, until, s.db.MAC(db.ClientKeys, id, none, keysURI, now, until), id); err != nil {
		t.Fatal(err)
	}

	back := dbtest.Behind(t, s.db, db.ClientKeys, dbtest.Ring(t, url))
	if _, err := s.key(t.Context(), signs, "k", "ES256"); !errors.Is(err, db.ErrKeyMissing) {
		t.Errorf("its keys: %v", err)
	}
	back()
	if _, err := s.key(t.Context(), signs, "k", "ES256"); !errors.Is(err, ErrUnknown) {
		t.Errorf("its keys, with the key: %v", err)
	}

	back = dbtest.Behind(t, s.db, db.RegisteredClients, dbtest.Ring(t, url))
	if got, err := keep(id); !errors.Is(err, db.ErrKeyMissing) {
		t.Errorf("read anew: %+v, %v", got, err)
	}
	if r, err := s.registration(t.Context(), id); !errors.Is(err, db.ErrKeyMissing) {
		t.Errorf("asked for: %+v, %v", r, err)
	}
	if fresh, err := s.spendAssertion(t.Context(), unsigned, "first", s.now()); !errors.Is(err, db.ErrKeyMissing) {
		t.Errorf("its first signature: %t, %v", fresh, err)
	}
	back()
	if fresh, err := s.spendAssertion(t.Context(), unsigned, "first", s.now()); err != nil || !fresh {
		t.Errorf("its first signature, with the key: %t, %v", fresh, err)
	}
	for _, which := range []string{id, unsigned} {
		if got, err := keep(which); err != nil || !got.asserted {
			t.Errorf("with the key: %+v, %v", got, err)
		}
	}
}
