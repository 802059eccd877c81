package salesforcesim

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testCallback = "https://proxy.example/oauth/callback"
	testVerifier = "a-verifier-of-at-least-forty-three-characters-0123456789"
)

// clock is a clock that a test moves by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// start runs a simulator for one test.
func start(t *testing.T, cfg Config) *Running {
	t.Helper()
	if cfg.Callbacks == nil {
		cfg.Callbacks = []string{testCallback}
	}
	r, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func setSwitches(t *testing.T, s *Running, f Switches) {
	t.Helper()
	if err := s.SetSwitches(f); err != nil {
		t.Fatal(err)
	}
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizeQuery is a right authorize request; set changes it, an empty value takes a
// parameter away.
func authorizeQuery(set ...string) url.Values {
	q := url.Values{"response_type": {"code"}, "client_id": {PublicClientID}, "redirect_uri": {testCallback}, "state": {"s1"},
		"scope": {"mcp_api refresh_token"}, "code_challenge": {challengeOf(testVerifier)}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(set); i += 2 {
		q.Del(set[i])
		if set[i+1] != "" {
			q.Set(set[i], set[i+1])
		}
	}
	return q
}

func authorizeURL(base string, set ...string) string {
	return base + "/services/oauth2/authorize?" + authorizeQuery(set...).Encode()
}

// noRedirects is a client that shows redirects instead of following them.
var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("status %d, body %q: %v", r.status, r.body, err)
	}
	return m
}

func send(t *testing.T, method, address string, header http.Header, body string) reply {
	t.Helper()
	r, err := trySend(method, address, header, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func trySend(method, address string, header http.Header, body string) (reply, error) {
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := noRedirects.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(content)}, err
}

func postForm(t *testing.T, address string, form url.Values) reply {
	t.Helper()
	return send(t, "POST", address, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
}

// form makes values of pairs.
func form(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

// getCode signs a user in and returns the code.
func getCode(t *testing.T, s *Running, username, password string, set ...string) string {
	t.Helper()
	callback, err := LogIn(t.Context(), nil, authorizeURL(s.BaseURL(), set...), username, password)
	if err != nil {
		t.Fatal(err)
	}
	return queryOf(t, callback).Get("code")
}

func queryOf(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func redeemForm(code string, set ...string) url.Values {
	f := form("grant_type", "authorization_code", "client_id", PublicClientID, "redirect_uri", testCallback, "code", code,
		"code_verifier", testVerifier)
	for i := 0; i < len(set); i += 2 {
		f.Set(set[i], set[i+1])
	}
	return f
}

func refreshForm(token string) url.Values {
	return form("grant_type", "refresh_token", "client_id", PublicClientID, "refresh_token", token)
}

func (r *Running) tokenURL() string { return r.BaseURL() + "/services/oauth2/token" }

// issueTokens are tokens of the sales rep for the public app.
func issueTokens(t *testing.T, s *Running) (access, refresh string) {
	t.Helper()
	access, refresh, err := s.IssueTokens(RepUsername, PublicClientID)
	if err != nil {
		t.Fatal(err)
	}
	return access, refresh
}

// mcpClient talks to one hosted server.
type mcpClient struct {
	t       *testing.T
	url     string
	token   string
	session string
}

// connect signs the sales rep in and opens a session with a server.
func connect(t *testing.T, s *Running, server string) *mcpClient {
	t.Helper()
	access, _ := issueTokens(t, s)
	c := &mcpClient{t: t, url: s.ServerURL("", server), token: access}
	c.initialize()
	return c
}

func (c *mcpClient) initialize() {
	c.t.Helper()
	r := c.post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	if r.status != 200 {
		c.t.Fatalf("initialize: %d %s", r.status, r.body)
	}
	c.session = r.header.Get("Mcp-Session-Id")
	if r := c.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`); r.status != 202 {
		c.t.Fatalf("initialized: %d %s", r.status, r.body)
	}
}

func (c *mcpClient) header() http.Header {
	h := http.Header{"Authorization": {"Bearer " + c.token}, "Accept": {"application/json, text/event-stream"},
		"Content-Type": {"application/json"}}
	if c.session != "" {
		h.Set("Mcp-Session-Id", c.session)
	}
	return h
}

func (c *mcpClient) post(body string) reply {
	c.t.Helper()
	return send(c.t, "POST", c.url, c.header(), body)
}

const callUserInfo = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"getUserInfo","arguments":{}}}`

// create creates an account of a name; the tool is on sobject-all.
func createAccount(name string) string {
	return `{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"createSobjectRecord","arguments":{"sobject-name":"Account","body":{"Name":"` + name + `"}}}}`
}

func accountsNamed(s *Running, name string) int {
	n := 0
	for _, record := range s.Records("", "Account") {
		if record["Name"] == name {
			n++
		}
	}
	return n
}

// events are the data of a stream's events, and whether a comment came.
func events(body string) (data []string, comments bool) {
	lines := bufio.NewScanner(bytes.NewReader([]byte(body)))
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			data = append(data, text)
		}
		comments = comments || strings.HasPrefix(lines.Text(), ":")
	}
	return data, comments
}
