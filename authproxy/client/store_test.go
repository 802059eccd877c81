package client

import (
	"errors"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db/dbtest"
)

const testRedirect = "https://client.example/cb"

func config(t *testing.T) Config {
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
	r, err := s.Register(t.Context(), &clientdoc.Metadata{Name: "D", RedirectURIs: []string{testRedirect}})
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
