package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
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

// Every page of the router's own that says what went wrong leads on and has the request's id.
func TestU11EveryErrorLeadsOn(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	check := func(what string, got int, header http.Header, body string, code int, links ...string) {
		t.Helper()
		if got != code || !strings.Contains(body, "<code>"+header.Get("X-Request-Id")+"</code>") || header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d, request id %q: %s", what, got, header.Get("X-Request-Id"), body)
		}
		for _, link := range links {
			if !strings.Contains(body, `href="`+link+`"`) {
				t.Errorf("%s: no link to %s: %s", what, link, body)
			}
		}
	}
	want := func(what, method, path string, code int, links ...string) {
		t.Helper()
		got, header, body := status(t, method, d.PublicURL+path, nil)
		check(what, got, header, body, code, links...)
	}
	want("no such page", http.MethodGet, "/nothing", http.StatusNotFound, "/account", "/")
	want("another method", http.MethodPut, "/account", http.StatusMethodNotAllowed, "/account", "/")
	want("another method of a form", http.MethodGet, "/signout", http.StatusMethodNotAllowed, "/account")
	var got int
	var header http.Header
	var body string
	for range 10 * edge.SignInBurst { // what comes anew meanwhile depends on how slow the machine is
		if got, header, body = status(t, http.MethodGet, d.PublicURL+"/signin", nil); got == http.StatusTooManyRequests {
			break
		}
	}
	check("too many", got, header, body, http.StatusTooManyRequests, "/account", "/signin")
}
