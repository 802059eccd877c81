package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// upstreamsVariable tells the bare proxy where each variant is: JSON, name to address.
const upstreamsVariable = "SFMCP_BENCH_UPSTREAMS"

// runBare is the bare reverse proxy: /mcp/VARIANT goes to that variant's stub.
func runBare() error {
	var upstreams map[string]string
	if err := json.Unmarshal([]byte(os.Getenv(upstreamsVariable)), &upstreams); err != nil {
		return err
	}
	targets := map[string]*url.URL{}
	for name, address := range upstreams {
		targets["/mcp/"+name] = &url.URL{Scheme: "http", Host: address}
	}
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // clients that go away are part of a measurement
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(targets[r.In.URL.Path])
			r.Out.URL.Path = hostedPath
		},
		Transport: newTransport(),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var serving errgroup.Group
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if targets[r.URL.Path] == nil || strings.Contains(r.URL.Path, "..") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	serving.Go(func() error { return server.Serve(l) })
	if err := json.NewEncoder(os.Stdout).Encode(l.Addr().String()); err != nil {
		return err
	}
	return untilInputEnds(&serving)
}

// newTransport keeps the connections that the clients need; Go's default would keep two.
func newTransport() *http.Transport {
	return &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096, IdleConnTimeout: time.Minute}
}
