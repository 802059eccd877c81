package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit"
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
	e, now := newEdge(t, nil), time.Now()
	admitted := 0
	for range 2 * SignInBurst {
		if admits(e.signIns, "192.0.2.1", now) {
			admitted++
		}
	}
	if admitted != SignInBurst {
		t.Errorf("%d admitted at once, want %d", admitted, SignInBurst)
	}
	if !admits(e.signIns, "192.0.2.2", now) {
		t.Error("another address is refused")
	}
	for i := range 34 * SignInBurst { // one network has 65,536 of these
		if admits(e.signIns, fmt.Sprintf("2001:db8:0:%x::%x", i%34, i), now) != (i < SignInBurst) {
			t.Fatalf("number %d of a /48 from 34 networks of /64", i)
		}
	}
	if !admits(e.signIns, "2001:db8:1::1", now) {
		t.Error("another network is refused")
	}
	if !admits(e.signIns, "192.0.2.1", now.Add(time.Second)) {
		t.Error("a second later it is still refused")
	}
}

// AV-03: whatever begins a sign-in, or ends one with a page of ours that leaves an entry, counts
// for the one party that asks, by whichever of its addresses; nobody else is refused for it.
func TestAV03EveryBeginningIsBounded(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	now := e.Now()
	e.Now = func() time.Time { return now }
	served := 0
	h := e.LimitSources(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }),
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }))
	ask := func(path, source string) int {
		r := httptest.NewRequestWithContext(audit.WithOrigin(t.Context(), audit.Origin{Source: source}), "GET", path, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	begun := []string{"/oauth/authorize", "/signin", "/signin/company", "/oauth/company/callback"}
	for i := range 3 * SignInBurst {
		ask(begun[i%len(begun)], fmt.Sprintf("2001:db8:7:%x::%x", i%40, i))
	}
	if served != SignInBurst {
		t.Errorf("%d of %d were served", served, 3*SignInBurst)
	}
	for i, path := range begun {
		if got := ask(path, "2001:db8:7:ffff::1"); got != http.StatusTooManyRequests {
			t.Errorf("%s from the same network: %d", path, got)
		}
		for _, other := range []string{"2001:db8:8::1", fmt.Sprintf("198.51.100.%d", i)} {
			if got := ask(path, other); got != http.StatusOK {
				t.Errorf("%s from %s: %d", path, other, got)
			}
		}
	}
	for _, path := range []string{"/oauth/token", "/oauth/callback", "/mcp/sales"} { // of one who has begun before
		if got := ask(path, "2001:db8:7::1"); got != http.StatusOK {
			t.Errorf("%s: %d", path, got)
		}
	}
}

// S4: a forwarded address is read in every form that load balancers write.
func TestS4ForwardedForms(t *testing.T) {
	t.Parallel()
	trusted := sources{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}
	for forwarded, want := range map[string]string{
		"203.0.113.9:4711":                       "203.0.113.9",
		"[2001:db8::9]:4711":                     "2001:db8::9",
		"[2001:db8::9]":                          "2001:db8::9",
		"2001:db8::9":                            "2001:db8::9",
		`"[2001:db8::9]:4711"`:                   "2001:db8::9",
		`"203.0.113.9"`:                          "203.0.113.9",
		"::ffff:203.0.113.9":                     "203.0.113.9",
		"[::ffff:203.0.113.9]:80":                "203.0.113.9",
		"fe80::1%<b>":                            "fe80::1",
		"203.0.113.9,10.2.2.2:80":                "203.0.113.9",
		"203.0.113.9:1 , [2001:db8:ffff::1]:443": "203.0.113.9",
		"unknown":                                "10.1.1.1",
		"203.0.113.9, unknown":                   "10.1.1.1", // what stands before is anybody's word
		"unknown, 203.0.113.9":                   "203.0.113.9",
		"1.2.3.4, unknown, 203.0.113.9":          "203.0.113.9",
		"203.0.113.9, ":                          "10.1.1.1",
		"1.2.3.4, , 203.0.113.9:99":              "203.0.113.9",
		"_hidden":                                "10.1.1.1",
		"203.0.113.9:4711:1":                     "10.1.1.1",
		"[203.0.113.9":                           "10.1.1.1",
		`"`:                                      "10.1.1.1",
		"203.0.113.999":                          "10.1.1.1",
		"0x7f.1":                                 "10.1.1.1",
		"203.0.113.9\x00":                        "10.1.1.1",
	} {
		r := &http.Request{RemoteAddr: "10.1.1.1:5", Header: http.Header{"X-Forwarded-For": {forwarded}}}
		if got := trusted.of(r); got != want {
			t.Errorf("X-Forwarded-For: %s: %s, want %s", forwarded, got, want)
		}
	}
	for forwarded, want := range map[string]string{
		"for=203.0.113.9":                              "203.0.113.9",
		`For="[2001:db8::9]:4711";proto=https`:         "2001:db8::9",
		"proto=https;host=x;for=203.0.113.9;by=10.1.1": "203.0.113.9",
		"for=1.2.3.4, for=203.0.113.9":                 "203.0.113.9",
		"for=203.0.113.9, for=10.2.2.2":                "203.0.113.9",
		`for="1.2.3.4, for=203.0.113.9`:                "203.0.113.9", // an open quote hides nothing
		"for=203.0.113.9, for=unknown":                 "10.1.1.1",
		"for=203.0.113.9, proto=https":                 "10.1.1.1",
		"for=_gazonk":                                  "10.1.1.1",
		"203.0.113.9":                                  "10.1.1.1",
		"for":                                          "10.1.1.1",
	} {
		r := &http.Request{RemoteAddr: "10.1.1.1:5", Header: http.Header{"Forwarded": {forwarded}}}
		if got := trusted.of(r); got != want {
			t.Errorf("Forwarded: %s: %s, want %s", forwarded, got, want)
		}
	}
	for name, r := range map[string]*http.Request{
		"untrusted peer":       {RemoteAddr: "192.0.2.1:5", Header: http.Header{"Forwarded": {"for=203.0.113.9"}}},
		"X-Forwarded-For also": {RemoteAddr: "10.1.1.1:5", Header: http.Header{"Forwarded": {"for=203.0.113.9"}, "X-Forwarded-For": {"192.0.2.1"}}},
	} {
		if got := trusted.of(r); got != "192.0.2.1" {
			t.Errorf("%s: %s", name, got)
		}
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
