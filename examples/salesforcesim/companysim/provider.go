package companysim

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"sfmcp-proxy/examples/salesforcesim/rsakey"
)

// ClientID and ClientSecret are those of the one client, if Config names no other.
const (
	ClientID     = "sfmcp-proxy"
	ClientSecret = "company-sim-secret"
)

// accessFor is how long an access token is good.
const accessFor = 5 * time.Minute

// MFA is the acr of whoever signed in with a second factor, Password of whoever did not.
const (
	MFA      = "urn:acme:mfa"
	Password = "urn:acme:password"
)

// User is a person of the company.
type User struct {
	Subject, Username, Password, Name, Email string
	EmailVerified                            bool
	Groups                                   []string
}

// DefaultUsers are an approver and a security person.
func DefaultUsers() []User {
	return []User{
		{Subject: "00u-approver", Username: "avery@acme.example", Password: "approve-Avery-1", Name: "Avery Okafor", Email: "avery@acme.example", EmailVerified: true, Groups: []string{"sales-approvers"}},
		{Subject: "00u-security", Username: "sasha@acme.example", Password: "secure-Sasha-1", Name: "Sasha Lindqvist", Email: "sasha@acme.example", EmailVerified: true, Groups: []string{"security-team"}},
		{Subject: "00u-auditor", Username: "ira@acme.example", Password: "audit-Ira-1", Name: "Ira Banerjee", Email: "ira@acme.example", EmailVerified: true, Groups: []string{"audit"}},
	}
}

// Config is what [New] needs.
type Config struct {
	Issuer       string // URL under which Handler is served
	RedirectURIs []string
	ClientID     string           // empty: [ClientID]
	ClientSecret string           // empty: [ClientSecret]
	Users        []User           // nil: [DefaultUsers]
	OfferUsers   bool             // the sign-in page offers Users as buttons, so that a demonstration needs no typing
	Now          func() time.Time // nil: time.Now
}

// Provider is the identity provider.
type Provider struct {
	config Config
	key    *rsa.PrivateKey

	mu       sync.Mutex
	users    map[string]User // by subject
	codes    map[string]code
	sessions map[string]login // by cookie
	access   map[string]code  // what was redeemed, by access token
	faults   Faults
}

// login is somebody's sign-in.
type login struct {
	subject string
	at      time.Time
	acr     string
}

// code stands for an authorization.
type code struct {
	login
	nonce, challenge, redirectURI string
	expires                       time.Time
}

// New returns a provider. All those of a process sign with one key, see [rsakey].
func New(c Config) (*Provider, error) {
	if c.ClientID == "" {
		c.ClientID, c.ClientSecret = ClientID, ClientSecret
	}
	if c.Users == nil {
		c.Users = DefaultUsers()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	key, err := rsakey.Nth("company", 0)
	if err != nil {
		return nil, err
	}
	p := &Provider{config: c, key: key, users: map[string]User{}, codes: map[string]code{}, sessions: map[string]login{}, access: map[string]code{}}
	for _, u := range c.Users {
		p.users[u.Subject] = u
	}
	return p, nil
}

// Issuer is the URL that names the provider.
func (p *Provider) Issuer() string { return p.config.Issuer }

// SetUser adds a person, or changes the one with that subject.
func (p *Provider) SetUser(u User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[u.Subject] = u
}

// SetFaults makes the provider answer wrongly from now on.
func (p *Provider) SetFaults(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
}

// Handler serves the provider; paths are below those of the issuer.
func (p *Provider) Handler() http.Handler {
	path := ""
	if u, err := url.Parse(p.config.Issuer); err == nil {
		path = u.Path
	}
	m := http.NewServeMux()
	m.HandleFunc("GET "+path+"/.well-known/openid-configuration", p.metadata)
	m.HandleFunc("GET "+path+"/keys", p.keys)
	m.HandleFunc(path+"/authorize", p.authorize)
	m.HandleFunc("POST "+path+"/token", p.token)
	m.HandleFunc("GET "+path+"/userinfo", p.userInfo)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.faults.Down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		m.ServeHTTP(w, r)
	})
}

func (p *Provider) metadata(w http.ResponseWriter, _ *http.Request) {
	issuer := p.config.Issuer
	if p.faults.OtherMetadataIssuer {
		issuer += "/other"
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": issuer, "authorization_endpoint": p.config.Issuer + "/authorize", "token_endpoint": p.config.Issuer + "/token",
		"jwks_uri": p.config.Issuer + "/keys", "userinfo_endpoint": p.config.Issuer + "/userinfo", "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"}, "authorization_response_iss_parameter_supported": true,
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	if p.faults.NoKeys {
		http.Error(w, "no keys", http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": []map[string]string{{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "company-1",
		"n": encode(p.key.N.Bytes()), "e": encode(big.NewInt(int64(p.key.E)).Bytes())}}})
}

// token redeems a code (RFC 6749 4.1.3, RFC 7636 4.6).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok || id != url.QueryEscape(p.config.ClientID) || secret != url.QueryEscape(p.config.ClientSecret) {
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	text := r.PostFormValue("code")
	c, ok := p.codes[text]
	delete(p.codes, text)
	if !ok || p.config.Now().After(c.expires) || r.PostFormValue("grant_type") != "authorization_code" ||
		r.PostFormValue("redirect_uri") != c.redirectURI || challengeOf(r.PostFormValue("code_verifier")) != c.challenge {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	token, err := p.sign(p.claims(c))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	access := random()
	c.expires = p.config.Now().Add(accessFor)
	p.access[access] = c
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(accessFor.Seconds()), "id_token": token}
	if p.faults.NoIDToken {
		delete(answer, "id_token")
	}
	writeJSON(w, http.StatusOK, answer)
}

// userInfo says what is known of whom an access token is for (OpenID Connect Core 5.3).
func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c, ok := p.access[token]
	if !ok || p.config.Now().After(c.expires) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	status := cmp.Or(p.faults.UserInfoStatus, http.StatusOK)
	if p.faults.UserInfo != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, p.faults.UserInfo)
		return
	}
	u := p.users[c.subject]
	known := map[string]any{"sub": u.Subject, "name": u.Name, "email": u.Email, "email_verified": u.EmailVerified}
	if p.faults.GroupsElsewhere {
		known["groups"] = u.Groups
	}
	if other, ok := p.faults.Claims["sub"]; ok {
		known["sub"] = other
	}
	writeJSON(w, status, known)
}

func (p *Provider) find(username, password string) (User, bool) {
	for _, u := range p.users {
		if u.Username == username && u.Password == password {
			return u, true
		}
	}
	return User{}, false
}

func (p *Provider) knows(redirectURI string) bool {
	return slices.Contains(p.config.RedirectURIs, redirectURI)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		fmt.Fprintln(w)
	}
}

func random() string { return rand.Text() + rand.Text() }

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
