package grant

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

const (
	testOrg      = "acme"
	testSubject  = "005xx000001Sv6AAAS"
	testResource = "https://proxy.example/mcp/sales"
	testRedirect = "https://client.example/cb"
	testVerifier = "verifier-0123456789-0123456789-0123456789-0123"
)

var testLifetimes = Lifetimes{
	Code: time.Minute, AccessToken: 15 * time.Minute, RefreshIdle: 720 * time.Hour, RefreshAbsolute: 2160 * time.Hour,
	RefreshGrace: 2 * time.Minute, Consent: 10 * time.Minute,
}

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// known are the clients that may exist.
type known []string

func (k known) Knows(id string) bool { return slices.Contains(k, id) }

type fixture struct {
	*Store
	clock *clock
	cfg   Config
	url   string // of the database
}

func open(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	url := dbtest.URL(t)
	d := dbtest.OpenURL(t, url)
	keys := filepath.Join(dir, "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{t: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	f := &fixture{clock: c, url: url, cfg: Config{
		DB: d, Ring: ring, Lifetimes: testLifetimes, Now: c.Now, Clients: known{"chatgpt", "tool"},
	}}
	if f.Store, err = New(f.cfg); err != nil {
		t.Fatal(err)
	}
	return f
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func authorizeRequest() AuthorizationRequest {
	return AuthorizationRequest{
		Kind: Authorize, Org: testOrg, Server: "sales", Resource: testResource, ClientID: "chatgpt", RedirectURI: testRedirect,
		State: "s&1=\u00e4", Scope: "mcp offline_access", CodeChallenge: challengeOf(testVerifier),
	}
}

// code walks an authorization request to its code.
func (f *fixture) code(t *testing.T, subject string) (grantID, code string) {
	t.Helper()
	ctx := t.Context()
	id, err := f.Requests.Open(ctx, authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := f.Requests.Send(ctx, id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	r, verifier, err := f.Requests.Finish(ctx, sent.State, sent.Login)
	if err != nil || verifier != sent.Verifier {
		t.Fatalf("FinishRequest: %v, verifier as sent: %t", err, verifier == sent.Verifier)
	}
	grantID, code, err = f.CreateGrant(ctx, r, subject)
	if err != nil {
		t.Fatal(err)
	}
	return grantID, code
}

func redemption(code string) Redemption {
	return Redemption{Code: code, ClientID: "chatgpt", RedirectURI: testRedirect, Verifier: testVerifier, Resource: testResource}
}

func rotation(token string) Rotation { return Rotation{RefreshToken: token, ClientID: "chatgpt"} }

func (f *fixture) tokens(t *testing.T, subject string) *Tokens {
	t.Helper()
	_, code := f.code(t, subject)
	tokens, err := f.Redeem(t.Context(), redemption(code))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func (f *fixture) opens(t *testing.T, tokens *Tokens, want bool) {
	t.Helper()
	_, err := f.Authenticate(t.Context(), tokens.AccessToken, "sales")
	if want && err != nil {
		t.Errorf("access token refused: %v", err)
	}
	if !want && !errors.Is(err, ErrInvalidToken) {
		t.Errorf("access token: got %v, want ErrInvalidToken", err)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

// epoch is how often access was taken away.
func (f *fixture) epoch(t *testing.T) (n int64) {
	t.Helper()
	if err := f.db.Reads.QueryRow(`SELECT value FROM epochs WHERE name = 'access'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNewRefusesBadConfiguration(t *testing.T) {
	t.Parallel()
	f := open(t)
	tests := []struct {
		name, want string
		change     func(*Config)
	}{
		{"no database", "database", func(c *Config) { c.DB = nil }},
		{"long code", "code: expected at most 1m0s", func(c *Config) { c.Lifetimes.Code = 2 * time.Minute }},
		{"long access token", "access_token: expected at most 15m", func(c *Config) { c.Lifetimes.AccessToken = time.Hour }},
		{"no idle lifetime", "refresh_idle: expected a positive", func(c *Config) { c.Lifetimes.RefreshIdle = 0 }},
		{"negative grace", "refresh_grace", func(c *Config) { c.Lifetimes.RefreshGrace = -1 }},
		{"absolute below idle", "refresh_absolute", func(c *Config) { c.Lifetimes.RefreshAbsolute = time.Hour }},
		{"no clients", "clients", func(c *Config) { c.Clients = nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := f.cfg
			tt.change(&c)
			_, err := New(c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestNothingSecretIsStored(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, code := f.code(t, testSubject)
	first, err := f.Redeem(t.Context(), redemption(code))
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.Rotate(t.Context(), rotation(first.RefreshToken))
	if err != nil {
		t.Fatal(err)
	}
	var stored strings.Builder
	for _, query := range []string{
		`SELECT code_hash || code_challenge FROM codes`, `SELECT token_hash FROM access_tokens`,
		`SELECT token_hash || sealed_successor FROM refresh_tokens`,
		`SELECT request_hash || browser_hash || upstream_state_hash || login_hash || sealed_verifier FROM authorization_requests`,
	} {
		rows, err := f.db.Reads.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		n := stored.Len()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			stored.WriteString(text + "\n")
		}
		rows.Close()
		if stored.Len() == n {
			t.Errorf("%s: no rows", query)
		}
	}
	for _, secret := range []string{code, first.AccessToken, first.RefreshToken, second.RefreshToken, testVerifier, "browser"} {
		// Nor without its prefix. A shorter word would stand in some hash by chance.
		if i := strings.Index(secret, "_"); strings.Contains(stored.String(), secret[i+1:]) {
			t.Errorf("the database holds %q", secret)
		}
	}
	if text := second.String(); strings.Contains(text, second.AccessToken) || strings.Contains(text, second.RefreshToken) {
		t.Error("String shows tokens")
	}
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestFailuresAreNotAnswers(t *testing.T) {
	t.Parallel()
	f := open(t)
	tokens := f.tokens(t, testSubject)
	if _, err := f.Authenticate(cancelled(), tokens.AccessToken, "sales"); err == nil || errors.Is(err, ErrInvalidToken) {
		t.Errorf("Authenticate without a database: %v, want another error than ErrInvalidToken", err)
	}
	if _, err := f.Rotate(cancelled(), rotation(tokens.RefreshToken)); err == nil || errors.Is(err, ErrInvalidGrant) {
		t.Errorf("Rotate without a database: %v, want another error than ErrInvalidGrant", err)
	}
}
