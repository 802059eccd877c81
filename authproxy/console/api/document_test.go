package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/people"
)

// Every route says whom it is for, and what no reader may do is a change.
func TestRoutesSayWhomTheyAreFor(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, r := range Routes() {
		switch {
		case len(r.Roles) == 0 || r.Does == "" || (r.Answer == nil) != (r.Media != "") || names[r.Name]:
			t.Errorf("%s %s says too little, or what another says: %+v", r.Method, r.Path, r)
		case r.Method == http.MethodGet && (r.Body != nil || r.edits != nil):
			t.Errorf("%s reads and takes a body", r.Path)
		case r.Method != http.MethodGet && slices.Contains(r.Roles, people.Auditor) && !slices.Contains([]string{"tryCall", "verifyLog", "makeEvidence"}, r.Name):
			t.Errorf("%s %s is for those who read", r.Method, r.Path)
		}
		names[r.Name] = true
	}
}

// The description has every route, names no schema that is not there, and is the same each time.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := Document("https://mcp.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if again, err := Document("https://mcp.example.com"); err != nil || !bytes.Equal(text, again) {
			t.Fatalf("another document each time: %v", err)
		}
	}
	var d struct {
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, r := range Routes() {
		if d.Paths[r.Path][strings.ToLower(r.Method)] == nil {
			t.Errorf("%s %s is missing", r.Method, r.Path)
		}
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllSubmatch(text, -1) {
		if d.Components.Schemas[string(ref[1])] == nil {
			t.Errorf("no schema %s", ref[1])
		}
	}
}

// Pages of a list have each item once, also where items end or begin between two of them.
func TestPages(t *testing.T) {
	t.Parallel()
	key := func(s string) string { return s }
	q := &call{query: url.Values{"limit": {"2"}}}
	all := []string{"d", "a", "c", "e", "b"}
	items, next, err := page(q, all, key)
	if err != nil || !slices.Equal(items, []string{"a", "b"}) || next == "" {
		t.Fatal(items, next, err)
	}
	q.query.Set("cursor", next)
	items, next, err = page(q, []string{"a", "aa", "c", "d"}, key) // b ended, aa began
	if err != nil || !slices.Equal(items, []string{"c", "d"}) || next != "" {
		t.Error(items, next, err)
	}
	if items, next, err = page(q, nil, key); err != nil || items == nil || len(items) != 0 || next != "" {
		t.Error(items, next, err)
	}
	q.query.Set("cursor", "!")
	if _, _, err := page(q, all, key); err == nil {
		t.Error("no cursor of ours")
	}
}
