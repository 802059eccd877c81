package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// in_network asks where a call comes from: by X-Forwarded-For and Forwarded if a trusted proxy
// wrote them, by the connection if anybody else did. A proxy that does not say for whom it asks
// is no client in its own network.
func TestRS22InNetworkBehindProxies(t *testing.T) {
	t.Parallel()
	const proxy, stranger = "127.0.0.2", "127.0.0.3"
	d := startEdited(t, func(text string) string {
		const reads, writes = "      - {effect: allow, classes: [read]}\n", "  - name: confirm-writes\n    mode: enforce\n    rules:\n"
		text = strings.Replace(text, reads, "      - {effect: allow, classes: [read], when: 'source.in_network(\"192.0.2.0/24\")'}\n", 1)
		text = strings.Replace(text, writes+reads, writes+"      - {effect: allow, classes: [read], when: 'source.in_network(\"127.0.0.0/8\")'}\n", 1)
		return text + "\ntrusted_proxies: [" + proxy + "/32]\n"
	})
	office, here := d.connect("sobject-reads", rep), d.connect("sobject-all", rep)
	for _, row := range []struct {
		name   string
		c      *mcpClient
		from   string
		header http.Header
		passes bool
	}{
		{"a client of the office", office, proxy, http.Header{"X-Forwarded-For": {"192.0.2.7"}}, true},
		{"by Forwarded", office, proxy, http.Header{"Forwarded": {"for=192.0.2.7"}}, true},
		{"a client elsewhere", office, proxy, http.Header{"X-Forwarded-For": {"198.51.100.1"}}, false},
		{"who says to be in the office", office, proxy, http.Header{"X-Forwarded-For": {"192.0.2.7, 198.51.100.1"}}, false},
		{"in a header of its own", office, proxy, http.Header{"X-Forwarded-For": {"192.0.2.7", "198.51.100.1"}}, false},
		{"a stranger with the header", office, stranger, http.Header{"X-Forwarded-For": {"192.0.2.7"}}, false},
		{"a stranger with both headers", office, stranger, http.Header{"X-Forwarded-For": {"192.0.2.7"}, "Forwarded": {"for=192.0.2.7"}}, false},
		{"a stranger who has such an address", here, stranger, nil, true},
		{"a proxy that says nothing", here, proxy, nil, false},
		{"a proxy that does not know", here, proxy, http.Header{"X-Forwarded-For": {"unknown"}}, false},
		{"a proxy that asks for itself", here, proxy, http.Header{"X-Forwarded-For": {proxy}}, false},
		{"a proxy that asks for a stranger", here, proxy, http.Header{"X-Forwarded-For": {stranger}}, true},
	} {
		d.control("DELETE", "/requests", nil, nil)
		text := row.c.from(t, row.from, row.header)
		if denied := strings.Contains(text, "not allowed"); denied == row.passes || row.passes && !strings.Contains(text, `\"records\"`) {
			t.Errorf("%s: %s", row.name, text)
		}
		if sent := strings.Contains(string(mustJSON(t, d.recorded("path=/platform/mcp"))), "soqlQuery"); sent != row.passes {
			t.Errorf("%s: sent to Salesforce: %v", row.name, sent)
		}
	}
}

// from makes a query over a connection from an address of this machine.
func (c *mcpClient) from(t *testing.T, address string, header http.Header) string {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	call := mustJSON(t, map[string]any{"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": map[string]any{
		"name": "soqlQuery", "arguments": map[string]any{"q": "SELECT Name FROM Account LIMIT 1"}}})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, bytes.NewReader(call))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Authorization": "Bearer " + c.access, "Mcp-Session-Id": c.session, "MCP-Protocol-Version": latestSessions} {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s %v", resp.StatusCode, body, err)
	}
	return string(body)
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
