package salesforce_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"sfmcp-proxy/authproxy/salesforce"
)

const (
	orgID       = "00Dxx0000001gPFEAY"
	otherOrgID  = "00Dxx0000001gPGEAY"
	userID      = "005xx000001Sv6AAAS"
	clientID    = "3MVG9consumerkey"
	redirectURI = "https://proxy.example/oauth/callback"
)

var (
	signingKey = newKey(2048)
	otherKey   = newKey(2048)
)

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// fake is a login host that says what a test tells it to. The zero handlers give a
// correct answer; keys serves the public half of signingKey as kid "k1".
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	token  http.HandlerFunc
	revoke http.HandlerFunc
	keys   http.HandlerFunc
	now    time.Time

	tokenForms  []url.Values
	revokeForms []url.Values
	keyFetches  int
}

func newFake(t *testing.T) *fake {
	f := &fake{now: time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)}
	f.token = func(w http.ResponseWriter, r *http.Request) { f.answer(w, f.tokenAnswer(f.jwt(nil, nil))) }
	f.revoke = func(http.ResponseWriter, *http.Request) {}
	f.keys = serveKeys(jwkOf("k1", signingKey))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /services/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		h := f.record(r, &f.tokenForms, &f.token)
		h(w, r)
	})
	mux.HandleFunc("POST /services/oauth2/revoke", func(w http.ResponseWriter, r *http.Request) {
		h := f.record(r, &f.revokeForms, &f.revoke)
		h(w, r)
	})
	mux.HandleFunc("GET /id/keys", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.keyFetches++
		h := f.keys
		f.mu.Unlock()
		h(w, r)
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) record(r *http.Request, into *[]url.Values, h *http.HandlerFunc) http.HandlerFunc {
	r.ParseForm()
	f.mu.Lock()
	defer f.mu.Unlock()
	*into = append(*into, r.PostForm)
	return *h
}

// set changes a handler or the clock while the server runs.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fake) org() salesforce.Org {
	return salesforce.Org{Name: "acme", LoginURL: f.URL, OrgID: orgID, ClientID: clientID, InsecureHTTP: true}
}

func (f *fake) client(t *testing.T, orgs ...salesforce.Org) *salesforce.Client {
	t.Helper()
	if orgs == nil {
		orgs = []salesforce.Org{f.org()}
	}
	c, err := salesforce.New(salesforce.Config{Orgs: orgs, RedirectURI: redirectURI, Now: f.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// jwt signs a token; header and claims replace members of a correct one, nil removes.
func (f *fake) jwt(header, claims map[string]any) string {
	return f.sign(jwt.SigningMethodRS256, signingKey, header, claims)
}

func (f *fake) sign(method jwt.SigningMethod, key any, header, claims map[string]any) string {
	now := f.now.Unix()
	h := merged(map[string]any{"alg": method.Alg(), "typ": "JWT", "kid": "k1", "tty": "sfdc-core-token",
		"tnk": "core/usa1s/" + orgID, "ver": "1.0"}, header)
	c := merged(map[string]any{"iss": f.URL, "aud": []string{f.URL, "https://api.salesforce.com"}, "sub": "uid:" + userID,
		"scp": "refresh_token mcp_api", "client_id": clientID, "iat": now, "nbf": now - 15, "exp": now + 1800,
		"mty": "oauth", "sfi": "x", "roles": []string{}, "hsc": false}, claims)
	return signRaw(method, key, marshal(h), marshal(c))
}

func signRaw(method jwt.SigningMethod, key any, header, claims string) string {
	text := b64(header) + "." + b64(claims)
	signature, err := method.Sign(text, key)
	if err != nil {
		panic(err)
	}
	return text + "." + b64(string(signature))
}

func (f *fake) tokenAnswer(access string) map[string]any {
	return map[string]any{"access_token": access, "refresh_token": "5Aep861newRefreshTokenOfAPlausibleLength", "signature": "c2ln",
		"token_format": "jwt", "scope": "refresh_token mcp_api", "instance_url": "https://elsewhere.example",
		"id": "https://elsewhere.example/id/x/y", "token_type": "Bearer", "issued_at": "1767225600000"}
}

func (f *fake) answer(w http.ResponseWriter, body map[string]any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	json.NewEncoder(w).Encode(body)
}

// answerWith makes the token endpoint answer with this access token.
func (f *fake) answerWith(access string) {
	f.set(func() {
		f.token = func(w http.ResponseWriter, r *http.Request) { f.answer(w, f.tokenAnswer(access)) }
	})
}

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

func oauthError(code, description string) http.HandlerFunc {
	return status(400, marshal(map[string]string{"error": code, "error_description": description}), "Content-Type", "application/json")
}

func jwkOf(kid string, key *rsa.PrivateKey) map[string]any {
	return map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())}
}

func serveKeys(keys ...map[string]any) http.HandlerFunc {
	return status(200, marshal(map[string]any{"keys": keys}), "Content-Type", "application/json")
}

func merged(base, changes map[string]any) map[string]any {
	out := maps.Clone(base)
	for name, v := range changes {
		if v == nil {
			delete(out, name)
		} else {
			out[name] = v
		}
	}
	return out
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
