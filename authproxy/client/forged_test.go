package client

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/seal"
)

// S7: a registration that somebody changes or makes without the keys is none: codes do not
// go where he says.
func TestS7ForgedRegistrations(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Dynamic = true
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	register := func() string {
		r, err := s.Register(t.Context(), &clientdoc.Metadata{Name: "D", RedirectURIs: []string{testRedirect}}, party.Sources{})
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	for _, change := range []string{`metadata = '{"redirect_uris":["https://evil.example/"]}'`, `kind = 'document'`, `asserted_at = 1`, `created_at = created_at + 1`,
		`read_at = 1`, `fresh_until = 9`, `mac = ''`, `mac = keys_mac`} {
		id := register()
		if _, err := s.db.Writes.Exec(`UPDATE registered_clients SET `+change+` WHERE id = $1`, id); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Current(t.Context(), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %+v, %v", change, got, err)
		}
		if got, err := s.LastKnown(t.Context(), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %+v, %v", change, got, err)
		}
	}
	made := seal.Secret(dynamicPrefix)
	if _, err := s.db.Writes.Exec(`INSERT INTO registered_clients (id, kind, metadata, created_at, read_at, fresh_until, mac)
		SELECT $1, kind, metadata, created_at, read_at, fresh_until, mac FROM registered_clients WHERE id = $2`, made, register()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Current(t.Context(), made); !errors.Is(err, ErrUnknown) {
		t.Errorf("made: %+v, %v", got, err)
	}
	if all, err := s.All(t.Context()); err != nil || len(all) != 2 { // the configured one, and the one that was copied
		t.Errorf("%d clients, %v", len(all), err)
	}
}

// S7: a document's client that has signed goes on signing, though somebody resets that; a
// document that he changes is read anew.
func TestS7ForgedDocuments(t *testing.T) {
	t.Parallel()
	s, err := New(config(t))
	if err != nil {
		t.Fatal(err)
	}
	const id = "https://client.example/c"
	const document = `{"client_id":"` + id + `","client_name":"C","redirect_uris":["` + testRedirect + `"],"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://client.example/keys"}`
	keep := func() Client {
		t.Helper()
		got, err := s.keepDocument(t.Context(), registration{id: id, kind: Document, metadata: document, readAt: s.millis(), freshUntil: s.millis() + 1000})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if keep().asserted {
		t.Error("a new client has signed")
	}
	if fresh, err := s.spendAssertion(t.Context(), id, "jti", s.now()); err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	if !keep().asserted {
		t.Error("a newer document forgets that the client has signed")
	}
	for _, change := range []string{`asserted_at = 0`, `asserted_at = 0, mac = ''`} {
		if _, err := s.db.Writes.Exec(`UPDATE registered_clients SET ` + change); err != nil {
			t.Fatal(err)
		}
		if r, err := s.registration(t.Context(), id); err != nil || r != nil {
			t.Errorf("%s: %+v, %v", change, r, err)
		}
		if !keep().asserted {
			t.Errorf("%s: read anew, it need not sign", change)
		}
	}
	// Keys that were written in are no keys of the client's.
	if _, err := s.db.Writes.Exec(`UPDATE registered_clients SET keys = '{"keys":[]}', keys_uri = 'https://client.example/keys', keys_read_at = $1, keys_fresh_until = $2`,
		s.millis(), s.millis()+1e9); err != nil {
		t.Fatal(err)
	}
	r, err := s.registration(t.Context(), id)
	if err != nil || r == nil || s.db.Authentic(db.ClientKeys, r.keysMAC, r.coveredKeys()...) {
		t.Errorf("%+v, %v", r, err)
	}
}

// S7: a signature is noted in the client's own row. A row that somebody has changed is not
// made authentic by that: it stays as unknown as it was.
func TestS7SigningMakesNoForgedRowAuthentic(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Dynamic = true
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Register(t.Context(), &clientdoc.Metadata{Name: "D", RedirectURIs: []string{testRedirect}}, party.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Writes.Exec(`UPDATE registered_clients SET metadata = '{"redirect_uris":["https://evil.example/"]}' WHERE id = $1`, r.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.spendAssertion(t.Context(), r.ID, "jti", s.now()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Current(t.Context(), r.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("%+v, %v", got, err)
	}
}
