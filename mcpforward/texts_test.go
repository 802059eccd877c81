package mcpforward

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/mcpforward/upstream"
)

func TestWhenToTryAgain(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*upstream.Error{
		"":                          {Kind: upstream.Unavailable},
		" Try again in 2 seconds.":  {Kind: upstream.Unavailable, RetryAfter: 1100 * time.Millisecond},
		" Try again in 60 seconds.": {Kind: upstream.Limited, RetryAfter: time.Minute},
		" Try again in 10 seconds.": {Kind: upstream.Unavailable, Err: &link.UnavailableError{RetryAfter: 10 * time.Second}},
	} {
		if got := retryHint(e); got != want {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
}

// Nobody is asked to repeat a change that may have been made.
func TestUnsureWriteIsNotToBeTriedAgain(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t)
	var fails atomic.Bool
	server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Session-Id") != "" && fails.Load() {
			rw.Header().Set("Retry-After", "30")
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		server.ServeHTTP(rw, r)
	})
	c := w.capable("asking", `{}`)
	c.tool("log", `{}`)
	fails.Store(true)
	if a := c.tool("log", `{}`); !strings.Contains(a.text(), textUnsure) || strings.Contains(a.text(), "Try again") {
		t.Errorf("a write: %s", a.body)
	}
	if a := c.call("tools/list", `{}`); !strings.Contains(a.text(), "Try again in 30 seconds.") {
		t.Errorf("a list: %s", a.body)
	}
}
