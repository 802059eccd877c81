package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
)

// unableEdge is a way in behind which /assets/ answers and the rest panics; /busy is refused
// for load.
func unableEdge(t *testing.T) string {
	t.Helper()
	u, err := newUnable(ui.Site{Contact: "it-help@acme.example"}, true)
	if err != nil {
		t.Fatal(err)
	}
	e := edge.New(edge.Config{RequestBytes: 1 << 20, Connections: 100, Log: slog.New(slog.DiscardHandler), Unable: u.answer})
	server := httptest.NewServer(e.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/assets/"):
			ui.Assets().ServeHTTP(w, r)
		case strings.HasSuffix(r.URL.Path, "/busy"):
			u.answer(w, r, http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Length", "5")
			panic("secret-canary")
		}
	})))
	t.Cleanup(server.Close)
	return server.URL
}

// Who is refused for load, or meets a fault of ours, is answered in a form of their own, with
// the id of the request and a way on.
func TestU11UnableAnswersInTheReadersForm(t *testing.T) {
	t.Parallel()
	address := unableEdge(t)
	for _, tt := range []struct {
		method, path, accept string
		status               int
		kind                 string
		has, lacks           []string
	}{
		{"GET", "/account", "text/html,*/*;q=0.8", 500, "text/html; charset=utf-8", []string{"Something went wrong", "mailto:it-help@acme.example", `<a href=""`}, nil},
		{"GET", "/busy", "text/html", 503, "text/html; charset=utf-8", []string{"Too much to do", "Nothing was done", `<a href=""`}, nil},
		{"POST", "/account/disconnect", "text/html", 500, "text/html; charset=utf-8", []string{"Look at your account"}, []string{`href=""`, "Nothing was done"}},
		{"POST", "/oauth/consent/busy", "text/html", 503, "text/html; charset=utf-8", []string{"Go back and try again"}, []string{`href=""`}},
		{"POST", "/oauth/token", "*/*", 500, "application/json", []string{`"error":"server_error"`}, nil},
		{"POST", "/oauth/token/busy", "", 503, "application/json", []string{`"error":"temporarily_unavailable"`}, nil},
		{"POST", "/mcp/sales", "application/json, text/event-stream", 500, "application/json", []string{`"jsonrpc":"2.0"`, `"id":null`, `"code":-32603`}, nil},
		{"GET", "/mcp/busy", "text/html", 503, "application/json", []string{`"code":-32603`}, nil},
		{"GET", "/.well-known/x", "application/json", 500, "application/json", []string{`"error":"server_error"`}, nil},
		{"GET", "/busy", "", 503, "text/plain; charset=utf-8", []string{"too much to do at the moment; try again in a second"}, nil},
	} {
		r, err := http.NewRequest(tt.method, address+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", tt.accept)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		body, id := string(text), resp.Header.Get("X-Request-Id")
		name := fmt.Sprintf("%s %s, %s", tt.method, tt.path, tt.accept)
		if err != nil || resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != tt.kind || id == "" || !strings.Contains(body, id) || strings.Contains(body, "canary") {
			t.Errorf("%s: %v, %d %s, id %q:\n%s", name, err, resp.StatusCode, resp.Header.Get("Content-Type"), id, body)
		}
		if h := resp.Header; h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") == "" || h.Get("Cache-Control") != "no-store" || h.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: headers %v", name, h)
		}
		for _, part := range tt.has {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %q:\n%s", name, part, body)
			}
		}
		for _, part := range tt.lacks {
			if strings.Contains(body, part) {
				t.Errorf("%s has %q", name, part)
			}
		}
	}
}

// U14: the same pages in a browser.
func TestU14PagesWithoutAnAnswerAreAccessible(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	address := unableEdge(t)
	i := startAxe(t, startChrome(t))
	i.inspect("too much to do", address+"/busy", http.StatusServiceUnavailable, "Try again", "Request id", "it-help@acme.example")
	i.inspect("something went wrong", address+"/account?from=x", http.StatusInternalServerError, "not your fault")
	if v := i.click(`main .links a`); v.Status != http.StatusInternalServerError || v.URL != address+"/account?from=x" {
		t.Errorf("trying again leads to %d %s", v.Status, v.URL)
	}
}
