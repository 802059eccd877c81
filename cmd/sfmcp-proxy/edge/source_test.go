package edge

import (
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// RS-22: an address in X-Forwarded-For counts only if a trusted proxy put it there.
func TestRS22ForwardedFor(t *testing.T) {
	trusted := sources{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct{ peer, forwarded, want string }{
		"untrusted peer":         {"192.0.2.1:5", "203.0.113.9", "192.0.2.1"},
		"trusted peer":           {"10.1.1.1:5", "203.0.113.9", "203.0.113.9"},
		"client claims one more": {"10.1.1.1:5", "1.2.3.4, 203.0.113.9", "203.0.113.9"},
		"two trusted hops":       {"10.1.1.1:5", "203.0.113.9, 10.2.2.2", "203.0.113.9"},
		"rubbish":                {"10.1.1.1:5", "<script>", "10.1.1.1"},
		"rubbish before":         {"10.1.1.1:5", "<script>, 203.0.113.9", "203.0.113.9"},
		"none":                   {"10.1.1.1:5", "", "10.1.1.1"},
		"mapped":                 {"[::ffff:10.1.1.1]:5", "203.0.113.9", "203.0.113.9"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": {c.forwarded}}}
		if got := trusted.of(r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// AV-03: one address cannot fill the store of open sign-ins, and others go on.
func TestAV03SignInsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	s, now := newSourceLimit(SignInsPerSecond, SignInBurst), time.Now()
	admitted := 0
	for range 2 * SignInBurst {
		if s.admits("192.0.2.1", now) {
			admitted++
		}
	}
	if admitted != SignInBurst {
		t.Errorf("%d admitted at once, want %d", admitted, SignInBurst)
	}
	if !s.admits("192.0.2.2", now) {
		t.Error("another address is refused")
	}
	for i := range 2 * SignInBurst { // one host has a whole /64
		s.admits("2001:db8::"+string(rune('a'+i%6)), now)
	}
	if s.admits("2001:db8::ffff", now) {
		t.Error("another address of the same network is admitted")
	}
	if !s.admits("192.0.2.1", now.Add(time.Second)) {
		t.Error("a second later it is still refused")
	}
}

// C8: a trusted proxy that writes its own name into Host says in X-Forwarded-Host what the
// client asked for; nobody else's word counts.
func TestC8ForwardedHost(t *testing.T) {
	trusted := sources{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"untrusted peer": {"192.0.2.1:5", []string{"mcp.example.com"}, "backend:8080"},
		"trusted peer":   {"10.1.1.1:5", []string{"mcp.example.com"}, "mcp.example.com"},
		"with a port":    {"10.1.1.1:5", []string{"mcp.example.com:8443"}, "mcp.example.com:8443"},
		"a client's own": {"10.1.1.1:5", []string{"evil.example, mcp.example.com"}, "mcp.example.com"},
		"two headers":    {"10.1.1.1:5", []string{"evil.example", "mcp.example.com"}, "mcp.example.com"},
		"empty":          {"10.1.1.1:5", []string{""}, "backend:8080"},
		"none":           {"10.1.1.1:5", nil, "backend:8080"},
		"no address":     {"@", []string{"mcp.example.com"}, "backend:8080"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Host: "backend:8080", Header: http.Header{"X-Forwarded-Host": c.forwarded}}
		if got := trusted.host(r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
