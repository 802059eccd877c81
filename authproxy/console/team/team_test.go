package team

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/packing"
)

// What a pack of each kind holds beside the entries is said before it is made.
func TestPacksAreDescribed(t *testing.T) {
	t.Parallel()
	for _, kind := range append(packing.Controls(), "user", "approval", "") {
		if packHolds[kind] == "" {
			t.Errorf("nothing is said of a pack of %q", kind)
		}
	}
}

// A search asks the database for nothing that it answers with an error, and for the whole id of a client that is the
// URL of its document.
func TestAsked(t *testing.T) {
	t.Parallel()
	document := "https://client.example/" + strings.Repeat("a", 2000)
	for query, want := range map[string]string{"x=+rep+": "rep", "x=a%00b%ffc": "abc", "x=" + document: document, "x=" + strings.Repeat("%C3%BC", 1025): strings.Repeat("\u00fc", 1024), "x=a" + strings.Repeat("%C3%BC", 1024): "a" + strings.Repeat("\u00fc", 1023), "": ""} {
		q := &request{Request: httptest.NewRequest(http.MethodGet, "/console/audit?"+query, nil)}
		if got := q.asked("x"); got != want {
			t.Errorf("%.40q asks %.40q of %d bytes, want %d", query, got, len(got), len(want))
		}
	}
}
