package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The relay answers as the stub does, and has two entries of a call in its log, as long as
// the product's.
func TestRelayRecordsEachCall(t *testing.T) {
	stub := httptest.NewServer(newStub(variants[0]))
	defer stub.Close()
	entries, err := openLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	transport := newTransport()
	defer transport.CloseIdleConnections()
	server := httptest.NewServer(&relay{map[string]string{"/": stub.URL}, transport, entries})
	defer server.Close()
	c, err := dial(server.Listener.Addr().String(), request(callMessage))
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	for range 3 {
		if err := c.once(); err != nil {
			t.Fatal(err)
		}
	}
	if seen, err := entries.Verify(t.Context()); seen.Last != 6 || err != nil {
		t.Errorf("%+v, %v", seen, err)
	}
	alone := httptest.NewServer(&relay{map[string]string{"/": "http://127.0.0.1:1"}, transport, entries}) // a port that the system gives to no test
	defer alone.Close()
	resp, err := http.Post(alone.URL, "application/json", strings.NewReader(callMessage))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("without an upstream: %d", resp.StatusCode)
	}
}
