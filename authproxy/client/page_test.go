package client

import (
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/party"
)

// Pages of clients, put one behind the other, are all that are known and all that are blocked, each once.
func TestClientPages(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Dynamic, c.Clients = true, append(c.Clients, Client{ID: "other", Name: "Other", RedirectURIs: []string{testRedirect}})
	clients, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	blocked := map[string]bool{"nothing-else-is-known": true, "a-first": true}
	var want []string
	for _, c := range clients.UserDefined() {
		want = append(want, c.ID)
		blocked[c.ID] = true // and is there once all the same
	}
	for range 7 {
		r, err := clients.Register(t.Context(), &clientdoc.Metadata{RedirectURIs: []string{testRedirect}}, party.SourcesOf("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, r.ID)
	}
	want = append(want, "a-first", "nothing-else-is-known")
	slices.Sort(want[2:9])
	for most := 1; most <= len(want)+1; most++ {
		var got []string
		var behind *Client
		for {
			page, err := clients.Page(t.Context(), behind, blocked, most)
			if err != nil || len(page) > most {
				t.Fatalf("%d clients, %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			for _, c := range page {
				got = append(got, c.ID)
			}
			behind = &page[len(page)-1]
		}
		if len(got) == len(want) {
			slices.Sort(got[2:9]) // a database has its own order of ids
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %d: %q, want %q", most, got, want)
		}
	}
}
