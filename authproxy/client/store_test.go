package client

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/party"
)

const testRedirect = "https://client.example/cb"

func config(t testing.TB) Config {
	t.Helper()
	d := dbtest.Open(t)
	return Config{DB: d, PublicURL: "https://proxy.example", Clients: []Client{{ID: "tool", Name: "Tool", RedirectURIs: []string{testRedirect}}}}
}

func TestNewRefusesBadConfiguration(t *testing.T) {
	t.Parallel()
	good := config(t)
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		want   string
		change func(*Config)
	}{
		"no database":   {"database", func(c *Config) { c.DB = nil }},
		"no public URL": {"public URL", func(c *Config) { c.PublicURL = "" }},
		"client twice":  {"used twice", func(c *Config) { c.Clients = append(c.Clients, c.Clients[0]) }},
		"no redirect":   {"at least one", func(c *Config) { c.Clients = []Client{{ID: "a", Name: "A"}} }},
		"id with space": {"visible ASCII", func(c *Config) { c.Clients = []Client{{ID: "a b", Name: "A", RedirectURIs: []string{testRedirect}}} }},
		"no name":       {"name", func(c *Config) { c.Clients = []Client{{ID: "a", RedirectURIs: []string{testRedirect}}} }},
		"our own origin": {"this proxy", func(c *Config) {
			c.Clients = []Client{{ID: "a", Name: "A", RedirectURIs: []string{"https://proxy.example/account"}}}
		}},
		"Salesforce": {"Salesforce", func(c *Config) {
			c.SalesforceHosts = []string{"acme.my.salesforce.com"}
			c.Clients = []Client{{ID: "a", Name: "A", RedirectURIs: []string{"https://acme.my.salesforce.com/x"}}}
		}},
	} {
		c := good
		tt.change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tt.want)
		}
	}
}

// What may exist follows from the configuration alone, whatever is stored.
func TestKnows(t *testing.T) {
	t.Parallel()
	dynamic := dynamicPrefix + strings.Repeat("A", 43)
	documents := clientdoc.New(clientdoc.Config{AllowHosts: []string{"client.example"}})
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"configured alone": {func(*Config) {}, "tool"},
		"documents":        {func(c *Config) { c.Documents = documents }, "tool https://client.example/c"},
		"registration":     {func(c *Config) { c.Dynamic = true }, "tool " + dynamic},
		"a registration that is kept": {func(c *Config) {
			c.Clients = append(c.Clients, Client{ID: dynamic, Name: "Kept", RedirectURIs: []string{testRedirect}})
		}, "tool " + dynamic},
	} {
		c := config(t)
		tt.change(&c)
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, id := range []string{"tool", "https://client.example/c", "https://other.example/c", "http://client.example/c", dynamic, dynamicPrefix + "x", dynamic + "A", "other", ""} {
			if s.Knows(id) {
				got = append(got, id)
			} else if _, err := s.Current(t.Context(), id); !errors.Is(err, ErrUnknown) {
				t.Errorf("%s: %q: %v", name, id, err)
			}
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestForgetLeavesConfiguredClients(t *testing.T) {
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
	if got, err := s.LastKnown(t.Context(), r.ID); err != nil || got.Kind != Dynamic || got.Name != "D" {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, id := range []string{r.ID, "tool", "other"} {
		if err := s.Forget(t.Context(), id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := s.LastKnown(t.Context(), r.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("the registration: %v", err)
	}
	if got, err := s.LastKnown(t.Context(), "tool"); err != nil || got.Kind != Configured {
		t.Errorf("the configured one: %+v, %v", got, err)
	}
}

// rows counts the clients of a kind.
func (s *Store) rows(t *testing.T, kind string) (n int) {
	t.Helper()
	if err := s.db.Reads.QueryRow(`SELECT COUNT(*) FROM registered_clients WHERE kind = $1`, kind).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// fillRows stores that many clients, of a network and host that SQL expressions name by i.
func (s *Store) fillRows(t *testing.T, n int, kind, id, network, host string) {
	t.Helper()
	_, err := s.db.Writes.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO registered_clients (id, kind, metadata, created_at, read_at, fresh_until, network, host)
		SELECT `+id+` || i, $2, '{}', $3, $3, 0, `+network+`, `+host+` FROM n`, n, kind, s.millis())
	if err != nil {
		t.Fatal(err)
	}
}

// S4: a network that fills the table of registrations displaces itself, at once: nobody
// else waits a day, or loses what he has just registered. What is in use stays.
func TestS4OneNetworkCannotFillTheRegistrations(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	for name, flood := range map[string][2]string{
		"34 networks of /64 in one /48": {"'2001:db8:1::/48'", "'2001:db8:1:' || (i % 34) || '::/64'"},
		"4000 networks of /24":          {"'net ' || (i % 4000)", "'net ' || (i % 4000)"},
	} {
		c := config(t)
		c.Dynamic = true
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		register := func(from string) string {
			r, err := s.Register(t.Context(), &clientdoc.Metadata{RedirectURIs: []string{testRedirect}}, party.SourcesOf(from))
			if err != nil {
				t.Fatalf("%s: from %s: %v", name, from, err)
			}
			return r.ID
		}
		kept := []string{register("192.0.2.1")}
		s.fillRows(t, maxDynamic-1, storedDynamic, "'dyn_filler'", flood[0], flood[1])
		kept = append(kept, register("203.0.113.1"))
		for i := range 50 {
			register(fmt.Sprintf("2001:db8:1:%x::1", i))
		}
		for _, id := range kept {
			if _, err := s.LastKnown(t.Context(), id); err != nil {
				t.Errorf("%s: %s: %v", name, id, err)
			}
		}
		if n := s.rows(t, storedDynamic); n != maxDynamic {
			t.Errorf("%s: %d registrations", name, n)
		}
	}
}

// S4, D15: a listed host that answers every path with a document fills its own share, and
// documents in use stay.
func TestS4DocumentsAreBounded(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Documents = clientdoc.New(clientdoc.Config{AllowHosts: []string{"flood.example", "client.example"}})
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(id string) error {
		metadata := `{"client_id":"` + id + `","client_name":"C","redirect_uris":["` + testRedirect + `"]}`
		_, err := s.keepDocument(t.Context(), registration{id: id, kind: Document, metadata: metadata, readAt: s.millis(), freshUntil: s.millis()})
		return err
	}
	if err := keep("https://client.example/old"); err != nil {
		t.Fatal(err)
	}
	s.fillRows(t, 999, storedDocument, "'https://flood.example/'", "'flood.example'", "''")
	for i := range 20 {
		if err := keep(fmt.Sprintf("https://flood.example/new%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := keep("https://client.example/new"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"https://client.example/old", "https://client.example/new", "https://flood.example/new19"} {
		if have, err := s.registration(t.Context(), id); err != nil || have == nil {
			t.Errorf("%s is gone: %v", id, err)
		}
	}
	if n := s.rows(t, storedDocument); n != 1000 {
		t.Errorf("%d documents", n)
	}
	if _, err := s.db.Writes.Exec(`INSERT INTO grants (id, org, subject, client_id, server, resource, scope, redirect_uri, created_at, expires_at)
		SELECT id, '', '', id, '', '', '', '', 0, 0 FROM registered_clients`); err != nil {
		t.Fatal(err)
	}
	if err := keep("https://client.example/another"); !errors.Is(err, ErrTooMany) {
		t.Errorf("all are in use: %v", err)
	}
	if err := keep("https://client.example/old"); err != nil {
		t.Errorf("one that is known: %v", err)
	}
}
