package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The connect page knows which clients the configuration lets in without an entry.
func TestConnectPageKnowsTheRegistrations(t *testing.T) {
	for name, c := range map[string]struct{ registration, offered, without string }{
		"none":         {"", "CLIENT_ID", `<h2 id="vs-code">`},
		"documents":    {"\nregistration:\n  metadata_documents: {allow_hosts: [vscode.dev]}\n", `<h2 id="vs-code">`, `<h3 id="cursor">`},
		"registration": {"\nregistration:\n  dynamic: {enabled: true}\n", `<h2 id="mcp-inspector">`, "CLIENT_ID"},
	} {
		res, err := http.Get(startRegistering(t, c.registration).PublicURL + "/connect/sobject-all")
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(page), c.offered) || strings.Contains(string(page), c.without) {
			t.Errorf("%s: %d, %v, want %s and not %s in %s", name, res.StatusCode, err, c.offered, c.without, page)
		}
	}
}
