package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sfmcp-proxy/authproxy/clientdoc"
)

// fuzzed is what the assertions of FuzzAssertion are for, and when.
const (
	fuzzedClient = "https://client.example/c"
	fuzzedNow    = 1_800_000_000
)

// FuzzAssertion signs whatever header and claims with the client's key and edits the whole
// afterwards. What is accepted is unedited, says under exact names who made it, for whom and
// for how long, and is accepted once.
func FuzzAssertion(f *testing.F) {
	claims := fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":"https://proxy.example","exp":%d,"jti":"j1"}`, fuzzedClient, fuzzedClient, fuzzedNow+60)
	for _, header := range []string{
		`{"alg":"ES256","kid":"e"}`, `{"alg":"ES256"}`, `{"alg":"none","kid":"e"}`, `{"alg":"HS256","kid":"e"}`, `{"alg":"none","alg":"ES256"}`,
		`{"ALG":"ES256"}`, `{"alg":"ES256","kid":1}`, `{"alg":"ES256","crit":["exp"]}`, `{"alg":"ES256","b64":false}`, `["ES256"]`,
	} {
		f.Add(header, claims, uint16(0), "")
	}
	for _, text := range []string{
		fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":["https://proxy.example/oauth/token"],"exp":%d,"nbf":1,"iat":1,"jti":"j"}`, fuzzedClient, fuzzedClient, fuzzedNow+300),
		fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":["https://proxy.example","https://evil.example"],"exp":%d,"jti":"j"}`, fuzzedClient, fuzzedClient, fuzzedNow),
		fmt.Sprintf(`{"iss":"x","iss":%q,"ſub":%q,"aud":"https://proxy.example","exp":1e300,"jti":""}`, fuzzedClient, fuzzedClient),
		`{"exp":"4102444800"}`, `{}`, `null`, `[]`, `{"exp":-1}`, "{\"x\":\"\xff\"}", claims + "x",
	} {
		f.Add(`{"alg":"ES256","kid":"e"}`, text, uint16(0), "")
	}
	for _, inserted := range []string{"\n", "\r", "=", ".", "A", " ", "+", "\x00"} {
		f.Add(`{"alg":"ES256","kid":"e"}`, claims, uint16(4), inserted)
		f.Add(`{"alg":"ES256","kid":"e"}`, claims, uint16(0xffff), inserted)
		f.Add(`{"alg":"ES256","kid":"e"}`, claims, uint16(0xfffe), inserted)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	s, client := signer(f, key)
	f.Fuzz(func(t *testing.T, header, claims string, at uint16, inserted string) {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		signature, err := jwt.SigningMethodES256.Sign(text, key)
		if err != nil {
			t.Fatal(err)
		}
		signed := text + "." + base64.RawURLEncoding.EncodeToString(signature)
		i := max(0, min(int(at), len(signed)-(0xffff-int(at)))) // from the end too
		assertion := signed[:i] + inserted + signed[i:]
		_ = AssertedBy(assertion)
		err = s.VerifyAssertion(t.Context(), client, assertion)
		if err != nil {
			if _, ok := errors.AsType[*AssertionError](err); !ok {
				t.Fatalf("a failure of ours: %v", err)
			}
			return
		}
		if assertion != signed {
			t.Fatalf("accepted with %q at %d", inserted, i)
		}
		if wrong := misread(header, claims); wrong != "" {
			t.Fatalf("accepted with %s: %s %s", wrong, header, claims)
		}
		if AssertedBy(assertion) != fuzzedClient {
			t.Fatalf("accepted of %q: %s", AssertedBy(assertion), claims)
		}
		if s.VerifyAssertion(t.Context(), client, assertion) == nil {
			t.Fatal("accepted a second time")
		}
		if _, err := s.db.Writes.ExecContext(t.Context(), `DELETE FROM client_assertions`); err != nil { // for the next input
			t.Fatal(err)
		}
	})
}

// signer is a store and a client that signs with key, whose id is "e".
func signer(f *testing.F, key *ecdsa.PrivateKey) (*Store, Client) {
	c := config(f)
	c.Now = func() time.Time { return time.Unix(fuzzedNow, 0) }
	c.Documents = clientdoc.New(clientdoc.Config{AllowHosts: []string{"client.example"}})
	s, err := New(c)
	if err != nil {
		f.Fatal(err)
	}
	public, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		f.Fatal(err)
	}
	coordinate := base64.RawURLEncoding.EncodeToString
	jwks := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"e","x":%q,"y":%q}]}`, coordinate(public[1:33]), coordinate(public[33:]))
	return s, Client{ID: fuzzedClient, Name: "C", Kind: Document, ReadAt: s.now(), methods: []string{clientdoc.MethodPrivateKeyJWT},
		metadata: &clientdoc.Metadata{Methods: []string{clientdoc.MethodPrivateKeyJWT}, JWKS: []byte(jwks)}}
}

// misread reads header and claims once more, by exact names, and says what an accepted
// assertion may not have; "" if it is as it should be.
func misread(header, claims string) string {
	var h, c map[string]json.RawMessage
	if json.Unmarshal([]byte(header), &h) != nil || json.Unmarshal([]byte(claims), &c) != nil {
		return "no JSON"
	}
	text := func(members map[string]json.RawMessage, name string) (s string) {
		if json.Unmarshal(members[name], &s) != nil {
			return "(no text)"
		}
		return s
	}
	var audience []string
	if json.Unmarshal(c["aud"], &audience) != nil {
		audience = []string{text(c, "aud")}
	}
	expires, err := strconv.ParseFloat(string(c["exp"]), 64)
	switch kid, named := h["kid"]; {
	case text(h, "alg") != "ES256", named && string(kid) != "null" && text(h, "kid") != "e":
		return "another algorithm or key"
	case h["crit"] != nil || h["b64"] != nil:
		return "an extension"
	case text(c, "iss") != fuzzedClient || text(c, "sub") != fuzzedClient:
		return "another client"
	case len(audience) != 1 || audience[0] != "https://proxy.example" && audience[0] != "https://proxy.example/oauth/token":
		return "another audience"
	case err != nil || expires < fuzzedNow-clockSkew.Seconds() || expires > fuzzedNow+(assertionLife+clockSkew).Seconds()+1:
		return "another time"
	case text(c, "jti") == "" || text(c, "jti") == "(no text)":
		return "no id"
	}
	return ""
}
