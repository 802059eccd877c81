package client

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/party"
)

// FT-39: a client of a kind that only a newer version knows is unknown here, and is kept for it.
func TestFaultFT39ClientsOfALaterVersion(t *testing.T) {
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
	const document = "https://client.example/c"
	keep := func() error {
		_, err := s.keepDocument(t.Context(), registration{id: document, metadata: `{"client_id":"` + document + `","redirect_uris":["` + testRedirect + `"],"client_name":"D","token_endpoint_auth_method":"none"}`,
			readAt: s.millis(), freshUntil: s.millis()})
		return err
	}
	if err := keep(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Writes.Exec(`UPDATE registered_clients SET kind = 'of_a_later_version', created_at = 1, read_at = 1`); err != nil {
		t.Fatal(err)
	}
	dbtest.Sign(t, s.db, db.RegisteredClients)
	s.db.OnAltered(func(a db.Altered) { t.Errorf("taken for a forgery: %+v", a) })
	if got, err := s.Current(t.Context(), r.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := keep(); !errors.Is(err, ErrUnknown) {
		t.Errorf("its document takes its place: %v", err)
	}
	if all, err := s.registered(t.Context(), "", 10); err != nil || len(all) != 0 {
		t.Errorf("listed: %+v, %v", all, err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.db.Reads.QueryRow(`SELECT COUNT(*) FROM registered_clients WHERE kind = 'of_a_later_version'`).Scan(&left); err != nil || left != 2 {
		t.Errorf("%d of 2 are left, %v", left, err)
	}
}
