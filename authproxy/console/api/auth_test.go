package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/people"
)

// newAPI is an API that can let in and refuse, at a fixed time.
func newAPI(t *testing.T) *API {
	t.Helper()
	url := dbtest.URL(t)
	d := dbtest.OpenURL(t, url)
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	log, err := audit.New(audit.Config{Dir: t.TempDir(), Name: "proxy.example", DB: d, Ring: dbtest.Ring(t, url), Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	a := &API{Config: Config{Reads: &oversight.Reader{Config: oversight.Config{Audit: log}}, Tokens: apitoken.New(apitoken.Config{DB: d, Roles: readers(), Now: now}), Now: now, Log: slog.New(slog.DiscardHandler)},
		requests: party.NewBudgets[string](defaultRequests.PerSecond, defaultRequests.Burst), failures: party.NewBudgets[netip.Prefix](defaultFailures.PerSecond, defaultFailures.Burst)}
	a.router = a.routed()
	return a
}

func (a *API) token(t *testing.T, name, role string) (secret, id string) {
	t.Helper()
	secret, made, err := a.Tokens.Create(t.Context(), apitoken.Wanted{Name: name, Role: role, Lifetime: time.Hour, By: actor.Operator("alice", "")})
	if err != nil {
		t.Fatal(err)
	}
	return secret, made.ID
}

// status is what a request from a network is answered.
func (a *API) status(t *testing.T, from, secret, method, path string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(audit.WithOrigin(t.Context(), audit.Origin{Source: from}), method, path, nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code
}

// D15: what one token may ask for is bounded, and no other token has less for it.
func TestD15RequestsOfATokenAreBounded(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	busy, _ := a.token(t, "busy", people.Auditor)
	other, _ := a.token(t, "other", people.Auditor)
	for i := range defaultRequests.Burst {
		if got := a.status(t, "192.0.2.1", busy, http.MethodGet, Prefix+"nothing"); got != http.StatusNotFound {
			t.Fatalf("request %d: status %d", i, got)
		}
	}
	if got := a.status(t, "192.0.2.1", busy, http.MethodGet, Prefix+"nothing"); got != http.StatusTooManyRequests {
		t.Errorf("one more: status %d", got)
	}
	if got := a.status(t, "192.0.2.1", other, http.MethodGet, Prefix+"nothing"); got != http.StatusNotFound {
		t.Errorf("another token: status %d", got)
	}
}

// D15: who comes without a good token, or asks for what it may not, is refused without an entry
// after a while; a good token of the same network still opens.
func TestD15FailuresOfANetworkAreBounded(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	good, _ := a.token(t, "good", people.Auditor)
	over, id := a.token(t, "over", people.Security)
	if _, err := a.Tokens.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	block := version + "/people/acme/005xx000001Sv6AAAS/block"
	tries := []struct {
		secret, method string
		want           int
	}{{"", http.MethodGet, 401}, {"sft_x", http.MethodGet, 401}, {over, http.MethodPost, 401}, {good, http.MethodPost, 403}}
	for i := range defaultFailures.Burst {
		try := tries[i%len(tries)]
		if got := a.status(t, "192.0.2.1", try.secret, try.method, block); got != try.want {
			t.Fatalf("try %d: status %d", i, got)
		}
	}
	entries := func() (n int) {
		if err := a.Audit().List(t.Context(), audit.Filter{Action: string(audit.APITokenUse)}, func(e audit.Entry) error {
			n++
			if !strings.HasPrefix(e.Reason, "POST "+version+"/people/{org}/{subject}/block: ") {
				t.Errorf("an entry names the person, or not the act: %s", e.Reason)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := entries()
	if before == 0 || before > defaultFailures.Burst/2 {
		t.Errorf("%d entries", before)
	}
	for _, try := range tries {
		if got := a.status(t, "192.0.2.1", try.secret, try.method, block); got != http.StatusTooManyRequests {
			t.Errorf("one more: status %d", got)
		}
	}
	if entries() != before {
		t.Error("refused without bound, and on record")
	}
	if got := a.status(t, "192.0.2.1", good, http.MethodGet, Prefix+"nothing"); got != http.StatusNotFound {
		t.Errorf("a good token of the same network: status %d", got)
	}
	if got := a.status(t, "198.51.100.7", "", http.MethodGet, block); got != http.StatusUnauthorized {
		t.Errorf("another network: status %d", got)
	}
}
