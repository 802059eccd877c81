package main

import (
	"net/http"
	"testing"
)

// Every 405 names what the address takes (RFC 9110 section 15.5.6).
func TestRefusedMethodsNameTheAllowed(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	for path, allow := range map[string]string{
		"/": "GET, HEAD", "/connect/sobject-all": "GET, HEAD", "/account": "GET, HEAD", "/account/disconnect": "POST", "/approvals": "GET, HEAD",
		"/approvals/apr_x": "GET, HEAD, POST", "/signin": "GET", "/signout": "POST", "/oauth/token": "POST", "/oauth/authorize": "GET",
	} {
		if code, header, _ := status(t, http.MethodPut, d.PublicURL+path, nil); code != http.StatusMethodNotAllowed || header.Get("Allow") != allow {
			t.Errorf("PUT %s: %d, Allow %q, want %q", path, code, header.Get("Allow"), allow)
		}
	}
}
