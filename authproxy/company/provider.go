package company

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sfmcp-proxy/authproxy/jwks"
)

const (
	// requestTime bounds one request to a provider, from name resolution to last byte.
	requestTime = 10 * time.Second
	// maxAnswer bounds an answer of a provider, in bytes.
	maxAnswer = 1 << 20
	// metadataFor is how long metadata is used before it is asked for again.
	metadataFor = time.Hour
	// pause is the least time between two requests for metadata that fail.
	pause = 5 * time.Second
	// maxKeys of a key set; large providers publish a handful.
	maxKeys = 32
)

// provider is a Provider with what its metadata says.
type provider struct {
	Provider
	config *Config
	http   *http.Client

	asking sync.Mutex // held while the provider is asked, and needed to change what follows
	mu     sync.Mutex // held for moments alone

	found   *found
	triedAt time.Time
}

// found is what metadata says (OpenID Connect Discovery 3).
type found struct {
	at       time.Time
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	keys     *jwks.Remote
	keysURL  string
	// userInfoURL is where more claims are to be had; "": nowhere.
	userInfoURL string
}

func newProvider(p Provider, c *Config) *provider {
	client := &http.Client{Transport: capped{c.HTTP.Transport}, Timeout: requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &provider{Provider: p, config: c, http: client}
}

// metadata returns what the provider says of itself, asked at most once an hour while it
// answers. What it said before counts while it does not: a sign-in then fails at the exchange.
// Nobody waits for the answer to somebody else's question who has an older one.
func (p *provider) metadata(ctx context.Context) (*found, error) {
	known, good := p.known()
	switch {
	case good:
		return known, nil
	case known == nil:
		p.asking.Lock()
	case !p.asking.TryLock():
		return known, nil
	}
	defer p.asking.Unlock()
	if known, good = p.known(); good { // meanwhile
		return known, nil
	}
	now := p.config.Now()
	if since := now.Sub(p.triedAt); p.triedAt.IsZero() || since < 0 || since >= pause {
		p.triedAt = now
		f, err := p.discover(context.WithoutCancel(ctx))
		if err == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.found = f
			return f, nil
		}
		p.config.Log.WarnContext(ctx, "the identity provider's metadata is not to be had", "issuer", p.Issuer, "error", err)
	}
	if known == nil {
		return nil, fmt.Errorf("%w: no metadata", ErrUnavailable)
	}
	return known, nil
}

// known is what the provider said last, nil if nothing, and whether that need not be asked for again.
func (p *provider) known() (f *found, good bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found, p.found != nil && p.config.Now().Sub(p.found.at).Abs() < metadataFor
}

func (p *provider) discover(ctx context.Context) (*found, error) {
	of, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), p.Issuer) // sees that it names this issuer
	if err != nil {
		return nil, err
	}
	var more struct {
		KeysURL string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := of.Claims(&more); err != nil {
		return nil, err
	}
	endpoint := of.Endpoint()
	for _, address := range []string{endpoint.AuthURL, endpoint.TokenURL, more.KeysURL, cmp.Or(of.UserInfoEndpoint(), more.KeysURL)} {
		if !p.mayBe(address) {
			return nil, fmt.Errorf("metadata names an endpoint that is not https, or no URL")
		}
	}
	// Said, because finding it out would spend a code (RFC 6749 2.3.1, OpenID Connect Discovery 3).
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if p.ClientSecret == "" || len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	f := &found{at: p.config.Now(), keysURL: more.KeysURL, userInfoURL: of.UserInfoEndpoint(), oauth: oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, RedirectURL: p.config.RedirectURI, Endpoint: endpoint,
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...),
	}}
	if p.found != nil && p.found.keysURL == f.keysURL { // keys that were fetched stay
		f.keys, f.verifier = p.found.keys, p.found.verifier
		return f, nil
	}
	algorithms := []string{jwks.RS256, jwks.ES256}
	f.keys = jwks.NewRemote(jwks.Config{URL: more.KeysURL, HTTP: p.http, Rules: jwks.Rules{Algorithms: algorithms, MaxKeys: maxKeys},
		Now: p.config.Now, Log: p.config.Log})
	f.verifier = oidc.NewVerifier(p.Issuer, f.keys, &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: algorithms, Now: p.config.Now})
	return f, nil
}

// mayBe reports whether an endpoint may be at that address.
func (p *provider) mayBe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(p.Issuer, "http:") && IsLoopback(u.Hostname())
}

// IsLoopback reports whether a host is this machine, where http can be read by nobody else.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// capped cuts answers that are longer than any good one; what is cut does not parse.
type capped struct{ base http.RoundTripper }

// RoundTrip is that of the base.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.base.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}
