package link_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/seal"
)

const (
	orgID  = "00Dxx0000001gPFEAY"
	alice  = "005xx000001Sv6AAAS"
	bob    = "005xx000001Sv7AAAS"
	client = "3MVG9consumerkey"
)

var signingKey = func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}()

// login is a login host with rotating refresh tokens. It keeps what a test must know:
// how often it was asked, which tokens were revoked, and how often a spent token came.
type login struct {
	*httptest.Server
	clock *clock

	mu       sync.Mutex
	live     map[string]string // refresh token → user
	rotates  bool
	lifetime time.Duration
	serial   int
	calls    int // of the token endpoint
	reused   int // calls with a token that was spent
	spent    []string
	revoked  []string
	// token and revoke replace the endpoints; keys, if not 0, is a failing status.
	token, revoke http.HandlerFunc
	keys          int
	kid           string
}

// clock is the time of store, client and login host.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newLogin(t *testing.T) *login {
	f := &login{clock: &clock{now: time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)}, live: map[string]string{}, rotates: true, lifetime: 30 * time.Minute, kid: "k1"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /services/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		// The headers arrive before the sender decides whether the body may leave.
		if r.ParseForm() != nil {
			return
		}
		f.mu.Lock()
		f.calls++
		h := f.token
		f.mu.Unlock()
		if h == nil {
			h = f.refresh
		}
		h(w, r)
	})
	mux.HandleFunc("POST /services/oauth2/revoke", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		h := f.revoke
		f.mu.Unlock()
		if h == nil {
			h = f.end
		}
		h(w, r)
	})
	mux.HandleFunc("GET /id/keys", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.keys != 0 {
			w.WriteHeader(f.keys)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{"kty": "RSA", "kid": f.kid,
			"n": base64.RawURLEncoding.EncodeToString(signingKey.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(signingKey.E)).Bytes())}}})
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// set changes the login host while it runs.
func (f *login) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// counts returns calls of the token endpoint and how many brought a spent token.
func (f *login) counts() (calls, reused int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls, f.reused
}

// sent fails the test unless so many refresh tokens came, none of which was spent.
func (f *login) sent(t *testing.T, want int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.spent) != want || f.reused != 0 {
		t.Errorf("%d good refresh tokens came and %d spent ones, want %d and none", len(f.spent), f.reused, want)
	}
}

func (f *login) isRevoked(token string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.revoked, token)
}

// signIn is what an exchange of a code would give.
func (f *login) signIn(user string) *salesforce.Token {
	f.mu.Lock()
	defer f.mu.Unlock()
	refresh := f.issue(user)
	return &salesforce.Token{AccessToken: f.jwt(user), RefreshToken: refresh, ExpiresAt: f.clock.Now().Add(f.lifetime),
		OrgID: orgID, Subject: user, Scope: "refresh_token mcp_api"}
}

func (f *login) issue(user string) string {
	f.serial++
	token := fmt.Sprintf("5Aep861CANARY-refresh-%04d", f.serial)
	f.live[token] = user
	return token
}

func (f *login) jwt(user string) string {
	now := f.clock.Now()
	f.serial++
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": f.URL, "aud": []string{f.URL}, "sub": "uid:" + user,
		"scp": "refresh_token mcp_api", "client_id": client, "iat": now.Unix(), "nbf": now.Unix() - 15, "exp": now.Add(f.lifetime).Unix(), "sfi": f.serial})
	token.Header["kid"], token.Header["tty"], token.Header["tnk"] = f.kid, "sfdc-core-token", "core/usa1s/"+orgID
	signed, err := token.SignedString(signingKey)
	if err != nil {
		panic(err)
	}
	return signed
}

// refresh is the token endpoint as it should be.
func (f *login) refresh(w http.ResponseWriter, r *http.Request) { f.refreshAs(w, r, "") }

// refreshAs answers with another user's token unless as is empty.
func (f *login) refreshAs(w http.ResponseWriter, r *http.Request, as string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	presented := r.PostFormValue("refresh_token")
	user, ok := f.live[presented]
	if !ok {
		if slices.Contains(f.spent, presented) {
			f.reused++
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"expired access/refresh token"}`)
		return
	}
	if as != "" {
		user = as
	}
	answer := map[string]string{"access_token": f.jwt(user), "token_type": "Bearer", "scope": "refresh_token mcp_api"}
	if f.rotates {
		delete(f.live, presented)
		f.spent = append(f.spent, presented)
		answer["refresh_token"] = f.issue(user)
	}
	json.NewEncoder(w).Encode(answer)
}

// end is the revocation endpoint as it should be.
func (f *login) end(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := r.PostFormValue("token")
	f.revoked = append(f.revoked, token)
	if _, ok := f.live[token]; !ok {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_token"}`)
	}
	delete(f.live, token)
}

// lose does what was asked for and breaks the connection before the answer.
func (f *login) lose(_ http.ResponseWriter, r *http.Request) {
	f.refresh(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// files are the database and key file of one test; several stores may open them.
type files struct{ dir, url string }

func newFiles(t *testing.T) files {
	t.Helper()
	dir := t.TempDir()
	if err := seal.CreateKeyFile(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	return files{dir, dbtest.URL(t)}
}

// process is a Store with database handles of its own, as in another process.
type process struct {
	*link.Store
	db *db.DB

	mu     sync.Mutex
	events []link.EventKind
}

func (p *process) seen() []link.EventKind {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// start opens a process on the files. change, if not nil, alters its configuration.
func (fs files) start(t *testing.T, f *login, change func(*link.Config)) *process {
	t.Helper()
	d := dbtest.OpenURL(t, fs.url)
	ring, err := seal.LoadKeyRing(filepath.Join(fs.dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	sf, err := salesforce.New(salesforce.Config{Now: f.clock.Now, Log: log, Orgs: []salesforce.Org{
		{Name: "acme", LoginURL: f.URL, OrgID: orgID, ClientID: client, InsecureHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{db: d}
	cfg := link.Config{DB: d, Ring: ring, Salesforce: sf, Now: f.clock.Now, Log: log, RetryDelay: time.Millisecond, Watch: time.Millisecond,
		OnEvent: func(e link.Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.events = append(p.events, e.Kind)
		}}
	if change != nil {
		change(&cfg)
	}
	p.Store = link.New(cfg)
	return p
}

// nearAndFar is a login with two processes on one PostgreSQL: one that signed in, and one behind a network
// that can be cut. The test runs beside others, and is skipped on SQLite.
func nearAndFar(t *testing.T) (f *login, near, far *process, network *dbtest.Network) {
	t.Helper()
	if !dbtest.OnPostgres() {
		t.Skip("of PostgreSQL: there is no network to a file")
	}
	t.Parallel()
	f = newLogin(t)
	fs := newFiles(t)
	near = fs.start(t, f, nil)
	near.signIn(t, f)
	far, network = fs.startFar(t, f)
	return f, near, far, network
}

// startFar starts a process whose way to PostgreSQL can be cut.
func (fs files) startFar(t *testing.T, f *login) (*process, *dbtest.Network) {
	t.Helper()
	network := dbtest.Between(t, fs.url)
	far, err := db.Open(t.Context(), db.Config{URL: network.URL(fs.url)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	if err := far.Claim(t.Context(), dbtest.Ring(t, fs.url)); err != nil {
		t.Fatal(err)
	}
	return fs.start(t, f, func(c *link.Config) { c.DB = far }), network
}

// signedIn starts a process with alice's login stored, and returns that login.
func signedIn(t *testing.T, f *login) (*process, *salesforce.Token) {
	t.Helper()
	p := newFiles(t).start(t, f, nil)
	return p, p.signIn(t, f)
}

func (p *process) signIn(t *testing.T, f *login) *salesforce.Token {
	t.Helper()
	token := f.signIn(alice)
	if err := p.Replace(t.Context(), "acme", token); err != nil {
		t.Fatal(err)
	}
	return token
}

func (p *process) state(t *testing.T) link.State {
	t.Helper()
	s, err := p.Status(t.Context(), "acme", alice)
	if err != nil {
		t.Fatal(err)
	}
	return s.State
}

// drain runs the revocation queue until it is empty.
func (p *process) drain(t *testing.T) {
	t.Helper()
	if left, err := p.RevokePending(t.Context()); left != 0 || err != nil {
		t.Errorf("revocations: %d left, %v", left, err)
	}
}

// eventually waits for what another goroutine does. How long only decides how long a
// broken program takes to fail, so it leaves room for a busy machine.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
	}
}
