package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// inFront answers under a name of its own for an endpoint and lets look see, and
// change, each request. Else nothing is changed: a foreign Host or Origin arrives as
// it was sent. A body is read whole before it is passed on, or answers that begin
// early are lost (golang/go#40747).
func inFront(t *testing.T, endpoint string, look func(r *http.Request, body []byte)) string {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	own := ""
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.Path = to.Scheme, to.Host, to.Path
		if r.In.Host == own {
			r.Out.Host = to.Host
		}
		if r.In.Header.Get("Origin") == "http://"+own {
			r.Out.Header.Set("Origin", to.Scheme+"://"+to.Host)
		}
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		look(r, body)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	own = "localhost:" + port
	return "http://" + own + "/"
}

// callVersions are the protocol versions in which tools were called through a front.
type callVersions struct {
	t    *testing.T
	url  string
	mu   sync.Mutex
	seen []string
}

func watchCalls(t *testing.T, endpoint string) *callVersions {
	t.Helper()
	v := &callVersions{t: t}
	v.url = inFront(t, endpoint, func(r *http.Request, body []byte) {
		if !bytes.Contains(body, []byte(`"tools/call"`)) {
			return
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.seen = append(v.seen, r.Header.Get("MCP-Protocol-Version"))
	})
	return v
}

// want checks that every call was made in one version.
func (v *callVersions) want(version string) {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	slices.Sort(v.seen)
	if seen := slices.Compact(v.seen); !slices.Equal(seen, []string{version}) {
		v.t.Errorf("tools were called in version %v, want %s", seen, version)
	}
}
