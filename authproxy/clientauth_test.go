package authproxy

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/clientdoc/clientdoctest"
)

// signingKeys are a client's; making an RSA key takes a while.
var signingKeys = sync.OnceValue(func() (k struct {
	rsa, other *rsa.PrivateKey
	ec         *ecdsa.PrivateKey
}) {
	var err error
	for _, key := range []**rsa.PrivateKey{&k.rsa, &k.other} {
		if *key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	if k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic(err)
	}
	return k
})

func b64(n *big.Int) string {
	return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, (n.BitLen()+7)/8)))
}

// jwks is the client's key set: "r" for RS256, "e" for ES256.
func jwks() string {
	k := signingKeys()
	point, err := k.ec.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"r","use":"sig","alg":"RS256","n":%q,"e":"AQAB"},{"kty":"EC","kid":"e","crv":"P-256","x":%q,"y":%q}]}`,
		b64(k.rsa.N), base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:]))
}

// published is an authorization server that accepts documents, and a client that has
// one in the shape of ChatGPT's.
type published struct {
	*fixture
	site *clientdoctest.Site
	id   string
	jti  int
}

const bothMethods = `"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_methods_supported":["none","private_key_jwt"]`

func startPublished(t *testing.T) *published {
	t.Helper()
	p := &published{site: clientdoctest.Start(t)}
	p.fixture = start(t, change{clients: func(f *fixture, c *client.Config) {
		c.Documents = clientdoc.New(clientdoc.Config{AllowHosts: []string{clientdoctest.Address}, Roots: p.site.Roots, Now: f.clock.Now,
			AllowAddresses: []netip.Prefix{netip.MustParsePrefix(clientdoctest.AddressNetwork)}})
	}})
	p.id = p.site.URL(clientdoctest.Address, "/client.json")
	p.document(bothMethods)
	p.site.Publish("/jwks.json", jwks())
	return p
}

// document publishes the client's document; more are further members.
func (p *published) document(more string, redirectURIs ...string) {
	list := `"` + strings.Join(append([]string{testRedirect}, redirectURIs...), `","`) + `"`
	p.site.Publish("/client.json", fmt.Sprintf(`{"client_id":%q,"client_name":"ChatGPT","redirect_uris":[%s],"jwks_uri":%q,%s}`,
		p.id, list, p.site.URL(clientdoctest.Address, "/jwks.json"), more))
}

func (p *published) claims(change jwt.MapClaims) jwt.MapClaims {
	p.jti++
	now := p.clock.Now()
	c := jwt.MapClaims{"iss": p.id, "sub": p.id, "aud": p.PublicURL, "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "jti": fmt.Sprint("j", p.jti)}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// asserted is a right assertion, changed by claims.
func (p *published) asserted(t *testing.T, change jwt.MapClaims) string {
	return sign(t, jwt.SigningMethodRS256, signingKeys().rsa, map[string]any{"kid": "r"}, p.claims(change))
}

func withAssertion(form url.Values, assertion string) url.Values {
	return with(form, "client_assertion_type", assertionType, "client_assertion", assertion)
}

func (p *published) newCode(t *testing.T) string { return p.code(t, "client_id", p.id) }

func (p *published) redeem(code string) url.Values { return p.codeForm(code, "client_id", p.id) }

func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	k := signingKeys()
	first := p.tokens(t, withAssertion(p.redeem(p.newCode(t)), p.asserted(t, nil)))
	p.opens(t, first.access, true)
	second := p.tokens(t, withAssertion(refreshForm(first.refresh, "client_id", ""), // the assertion names the client
		sign(t, jwt.SigningMethodES256, k.ec, map[string]any{"kid": "e"}, p.claims(jwt.MapClaims{"aud": []string{p.PublicURL + "/oauth/token"}}))))
	third := p.tokens(t, withAssertion(refreshForm(second.refresh, "client_id", p.id), sign(t, jwt.SigningMethodES256, k.ec, nil, p.claims(nil)))) // the only one for ES256
	if r := p.post(t, "/oauth/revoke", withAssertion(url.Values{"client_id": {p.id}, "token": {third.refresh}}, p.asserted(t, nil))); r.status != http.StatusOK {
		t.Errorf("revocation: %d %s", r.status, r.body)
	}
	p.opens(t, third.access, false)
	if n := p.site.Hits("/client.json"); n != 1 {
		t.Errorf("the document was fetched %d times in a minute", n)
	}
	if n := p.site.Hits("/jwks.json"); n != 1 {
		t.Errorf("the keys were fetched %d times in a minute", n)
	}
}

func TestAS33Assertions(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	k := signingKeys()
	der, err := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	rs256 := func(key crypto.PrivateKey, header map[string]any, change jwt.MapClaims) string {
		return sign(t, jwt.SigningMethodRS256, key, header, p.claims(change))
	}
	kid := map[string]any{"kid": "r"}
	now := p.clock.Now()
	form := p.redeem(p.newCode(t))
	p.site.Publish("/evil.json", strings.Replace(jwks(), b64(k.rsa.N), b64(k.other.N), 1))
	evil := map[string]any{"kty": "RSA", "kid": "r", "n": b64(k.other.N), "e": "AQAB"}
	for name, assertion := range map[string]string{
		"alg none":          sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid, p.claims(nil)),
		"HS256, public key": sign(t, jwt.SigningMethodHS256, public, kid, p.claims(nil)),
		"HS256, its DER":    sign(t, jwt.SigningMethodHS256, der, kid, p.claims(nil)),
		"RS512":             sign(t, jwt.SigningMethodRS512, k.rsa, kid, p.claims(nil)),
		"PS256":             sign(t, jwt.SigningMethodPS256, k.rsa, kid, p.claims(nil)),
		"other key":         rs256(k.other, kid, nil),
		"unknown kid":       rs256(k.rsa, map[string]any{"kid": "x"}, nil),
		"kid of the EC key": rs256(k.rsa, map[string]any{"kid": "e"}, nil),
		"jwk header":        rs256(k.other, map[string]any{"kid": "r", "jwk": evil}, nil),
		"jku header":        rs256(k.other, map[string]any{"kid": "r", "jku": p.site.URL(clientdoctest.Address, "/evil.json")}, nil),
		"crit header":       rs256(k.rsa, map[string]any{"kid": "r", "crit": []string{"x"}, "x": 1}, nil),
		"wrong aud":         rs256(k.rsa, kid, jwt.MapClaims{"aud": "https://other.example"}),
		"aud with slash":    rs256(k.rsa, kid, jwt.MapClaims{"aud": p.PublicURL + "/"}),
		"aud is a resource": rs256(k.rsa, kid, jwt.MapClaims{"aud": p.Access.Resource("sales")}),
		"two audiences":     rs256(k.rsa, kid, jwt.MapClaims{"aud": []string{p.PublicURL, "https://other.example"}}),
		"no aud":            rs256(k.rsa, kid, jwt.MapClaims{"aud": nil}),
		"other iss":         rs256(k.rsa, kid, jwt.MapClaims{"iss": "https://other.example/c"}),
		"other sub":         rs256(k.rsa, kid, jwt.MapClaims{"sub": "https://other.example/c"}),
		"no sub":            rs256(k.rsa, kid, jwt.MapClaims{"sub": nil}),
		"exp in an hour":    rs256(k.rsa, kid, jwt.MapClaims{"exp": now.Add(time.Hour).Unix()}),
		"exp in 6 minutes":  rs256(k.rsa, kid, jwt.MapClaims{"exp": now.Add(6 * time.Minute).Unix()}),
		"expired":           rs256(k.rsa, kid, jwt.MapClaims{"exp": now.Add(-time.Minute).Unix()}),
		"no exp":            rs256(k.rsa, kid, jwt.MapClaims{"exp": nil}),
		"not yet":           rs256(k.rsa, kid, jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}),
		"issued later":      rs256(k.rsa, kid, jwt.MapClaims{"iat": now.Add(time.Minute).Unix()}),
		"no jti":            rs256(k.rsa, kid, jwt.MapClaims{"jti": nil}),
		"long jti":          rs256(k.rsa, kid, jwt.MapClaims{"jti": strings.Repeat("x", 257)}),
		"changed":           strings.Replace(p.asserted(t, nil), ".", ".A", 1),
		"too long":          p.asserted(t, jwt.MapClaims{"x": strings.Repeat("x", 8<<10)}),
		"nothing":           "", "no JWT": "x", "dots": "..",
	} {
		r := p.post(t, "/oauth/token", withAssertion(form, assertion))
		if r.status != http.StatusUnauthorized {
			t.Errorf("%s:", name)
		}
		p.wantError(t, r, http.StatusUnauthorized, invalidClient)
	}
	for name, pairs := range map[string][]string{
		"other assertion type": {"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
		"no assertion type":    {"client_assertion_type", ""},
		"a secret too":         {"client_secret", "s"},
		"another client":       {"client_id", "chatgpt"},
	} {
		r := p.post(t, "/oauth/token", with(withAssertion(p.redeem(form.Get("code")), p.asserted(t, nil)), pairs...))
		if r.status != http.StatusUnauthorized {
			t.Errorf("%s:", name)
		}
		p.wantError(t, r, http.StatusUnauthorized, invalidClient)
	}
	if p.site.Hits("/evil.json") != 0 {
		t.Error("a key set was fetched that the assertion named")
	}
	p.wantAudited(t, "client.authenticate", "denied", "client_assertion")
	p.tokens(t, withAssertion(form, p.asserted(t, nil))) // after all of that the code is still good
}

func TestAS33ReplayOnEveryReplica(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	other, err := New(p.Config)
	if err != nil {
		t.Fatal(err)
	}
	m := mux.NewRouter().SkipClean(true).UseEncodedPath()
	other.Register(m)
	replica := httptest.NewServer(m)
	t.Cleanup(replica.Close)
	assertion := p.asserted(t, nil)
	first := p.tokens(t, withAssertion(p.redeem(p.newCode(t)), assertion))
	for _, base := range []string{p.PublicURL, replica.URL} {
		r := p.post(t, base+"/oauth/token", withAssertion(refreshForm(first.refresh, "client_id", p.id), assertion))
		p.wantError(t, r, http.StatusUnauthorized, invalidClient)
	}
	p.clock.Add(2 * time.Minute)
	p.sweep(t)
	if n := p.count(t, `SELECT COUNT(*) FROM client_assertions`); n != 0 {
		t.Errorf("%d assertions are remembered after they expired", n)
	}
	p.wantError(t, p.post(t, "/oauth/token", withAssertion(refreshForm(first.refresh, "client_id", p.id), assertion)), http.StatusUnauthorized, invalidClient)
}

func TestAS34NoDowngrade(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	// What offers both may begin with none: ChatGPT does so where it finds none advertised.
	public := p.tokens(t, p.redeem(p.newCode(t)))
	p.opens(t, public.access, true)
	signed := p.tokens(t, withAssertion(refreshForm(public.refresh, "client_id", p.id), p.asserted(t, nil)))
	for name, form := range map[string]url.Values{
		"refresh": refreshForm(signed.refresh, "client_id", p.id), "code": p.redeem(p.newCode(t)),
	} {
		if r := p.post(t, "/oauth/token", form); r.status != http.StatusUnauthorized {
			t.Errorf("%s without an assertion: %d %s", name, r.status, r.body)
		}
	}
	p.wantError(t, p.post(t, "/oauth/revoke", url.Values{"client_id": {p.id}, "token": {signed.refresh}}), http.StatusUnauthorized, invalidClient)
	p.opens(t, signed.access, true)
	p.clock.Add(2 * time.Hour) // the document is read again
	if r := p.post(t, "/oauth/token", refreshForm(signed.refresh, "client_id", p.id)); r.status != http.StatusUnauthorized {
		t.Errorf("after another fetch: %d %s", r.status, r.body)
	}
	p.document(`"token_endpoint_auth_method":"none"`)
	p.clock.Add(2 * time.Hour)
	p.tokens(t, refreshForm(signed.refresh, "client_id", p.id)) // its owner has given signing up
}

func TestAS34OnlySigned(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	p.document(`"token_endpoint_auth_method":"private_key_jwt"`)
	code := p.newCode(t)
	p.wantError(t, p.post(t, "/oauth/token", p.redeem(code)), http.StatusUnauthorized, invalidClient)
	p.tokens(t, withAssertion(p.redeem(code), p.asserted(t, nil)))
	p.document(`"token_endpoint_auth_method":"none"`)
	p.clock.Add(2 * time.Hour)
	r := p.post(t, "/oauth/token", withAssertion(p.redeem(p.newCode(t)), p.asserted(t, nil)))
	p.wantError(t, r, http.StatusUnauthorized, invalidClient)
}

// A client whose keys change is asked for the new ones; one whose host is down goes on
// with the last good ones for a week.
func TestClientKeysRotate(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	k := signingKeys()
	have := p.tokens(t, withAssertion(p.redeem(p.newCode(t)), p.asserted(t, nil)))
	p.site.Publish("/jwks.json", strings.Replace(strings.Replace(jwks(), `"r"`, `"r2"`, 1), b64(k.rsa.N), b64(k.other.N), 1))
	next := func(key *rsa.PrivateKey, kid string) url.Values {
		return withAssertion(refreshForm(have.refresh, "client_id", p.id), sign(t, jwt.SigningMethodRS256, key, map[string]any{"kid": kid}, p.claims(nil)))
	}
	p.wantError(t, p.post(t, "/oauth/token", next(k.other, "r2")), http.StatusUnauthorized, invalidClient) // asked less than 30 s ago
	p.clock.Add(time.Minute)
	have = p.tokens(t, next(k.other, "r2"))
	p.wantError(t, p.post(t, "/oauth/token", next(k.rsa, "r")), http.StatusUnauthorized, invalidClient)
	p.site.Stop()
	p.clock.Add(6 * 24 * time.Hour)
	have = p.tokens(t, next(k.other, "r2"))
	p.clock.Add(24*time.Hour + time.Minute)
	p.wantError(t, p.post(t, "/oauth/token", next(k.other, "r2")), http.StatusUnauthorized, invalidClient)
}

// Keys that are published in another place replace those of the former one at once.
func TestClientKeysMove(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	k := signingKeys()
	p.site.Publish("/jwks.json", jwks(), "Cache-Control", "max-age=86400")
	have := p.tokens(t, withAssertion(p.redeem(p.newCode(t)), p.asserted(t, nil)))
	p.site.Publish("/moved.json", strings.Replace(jwks(), b64(k.rsa.N), b64(k.other.N), 1))
	p.site.Publish("/client.json", fmt.Sprintf(`{"client_id":%q,"client_name":"ChatGPT","redirect_uris":[%q],"jwks_uri":%q,%s}`,
		p.id, testRedirect, p.site.URL(clientdoctest.Address, "/moved.json"), bothMethods))
	p.clock.Add(2 * time.Hour)
	p.wantError(t, p.post(t, "/oauth/token", withAssertion(refreshForm(have.refresh, "client_id", p.id), p.asserted(t, nil))), http.StatusUnauthorized, invalidClient)
	p.tokens(t, withAssertion(refreshForm(have.refresh, "client_id", p.id), sign(t, jwt.SigningMethodRS256, k.other, map[string]any{"kid": "r"}, p.claims(nil))))
}

// Keys in the document itself are good as long as those beside it.
func TestClientKeysInDocument(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	p.site.Publish("/client.json", fmt.Sprintf(`{"client_id":%q,"client_name":"ChatGPT","redirect_uris":[%q],"token_endpoint_auth_method":"private_key_jwt","jwks":%s}`,
		p.id, testRedirect, jwks()))
	have := p.tokens(t, withAssertion(p.redeem(p.newCode(t)), p.asserted(t, nil)))
	p.site.Stop()
	p.clock.Add(7 * 24 * time.Hour)
	have = p.tokens(t, withAssertion(refreshForm(have.refresh, "client_id", p.id), p.asserted(t, nil)))
	p.clock.Add(time.Second)
	p.wantError(t, p.post(t, "/oauth/token", withAssertion(refreshForm(have.refresh, "client_id", p.id), p.asserted(t, nil))), http.StatusUnauthorized, invalidClient)
}
