package authproxy

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signText signs header and claims as they are written, with the client's own RSA key.
func signText(t *testing.T, header, claims string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	signature, err := signingKeys().rsa.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

const plainHeader = `{"alg":"RS256","kid":"r"}`

// claimText is a right assertion's claims, after an edit of their text.
func (p *published) claimText(t *testing.T, old, new string) string {
	t.Helper()
	text, err := json.Marshal(p.claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	if old != "" && !strings.Contains(string(text), old) {
		t.Fatalf("no %s in %s", old, text)
	}
	return strings.Replace(string(text), old, new, 1)
}

func (p *published) wantRefused(t *testing.T, form url.Values, what, assertion string) {
	t.Helper()
	r := p.post(t, "/oauth/token", withAssertion(form, assertion))
	if r.status != http.StatusUnauthorized || !strings.Contains(r.body, `"invalid_client"`) {
		t.Errorf("%s: %d %s", what, r.status, r.body)
	}
}

// RS-04 for assertions: what is not a plain JWS of an algorithm that is offered is
// refused before a key is looked for.
func TestRS04AssertionAlgorithms(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	form := p.redeem(p.newCode(t))
	good := p.asserted(t, nil)
	parts := strings.Split(good, ".")
	zero := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	claims := func() string { return p.claimText(t, "", "") }
	for what, assertion := range map[string]string{
		"NoNe":                base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"NoNe","kid":"r"}`)) + "." + parts[1] + ".",
		"none, signed":        signText(t, `{"alg":"none","kid":"r"}`, claims()),
		"no alg":              signText(t, `{"kid":"r"}`, claims()),
		"alg of a number":     signText(t, `{"alg":256,"kid":"r"}`, claims()),
		"alg twice":           signText(t, `{"alg":"none","alg":"RS256","kid":"r"}`, claims()),
		"ALG":                 signText(t, `{"ALG":"RS256","kid":"r"}`, claims()),
		"PS256 as RS256":      strings.Join([]string{parts[0], parts[1], strings.Split(sign(t, jwt.SigningMethodPS256, signingKeys().rsa, map[string]any{"kid": "r"}, p.claims(nil)), ".")[2]}, "."),
		"ES256, r = s = 0":    base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"e"}`)) + "." + parts[1] + "." + zero,
		"ES256, no signature": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"e"}`)) + "." + parts[1] + ".",
		"crit":                signText(t, `{"alg":"RS256","kid":"r","crit":["exp"]}`, claims()),
		"crit of null":        signText(t, `{"alg":"RS256","kid":"r","crit":null}`, claims()),
		"b64 false":           signText(t, `{"alg":"RS256","kid":"r","b64":false}`, claims()),
		"JWE":                 good + ".AAAA.BBBB",
		"nested":              signText(t, `{"alg":"RS256","cty":"JWT","kid":"r"}`, good),
		"padded":              good + "==",
		"line end":            parts[0][:4] + "\n" + parts[0][4:] + "." + parts[1] + "." + parts[2],
		"other claims":        parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(claims())) + "." + parts[2],
		"header of a list":    signText(t, `["RS256"]`, claims()),
	} {
		p.wantRefused(t, form, what, assertion)
	}
	p.tokens(t, withAssertion(form, good))
}

// RS-05 for assertions: a key is found by exactly the id that was published, in what was
// published, and however many ids come, the host is not asked for each.
func TestRS05AssertionKeyIDs(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	form := p.redeem(p.newCode(t))
	for what, header := range map[string]string{
		"path": `{"alg":"RS256","kid":"../../r"}`, "SQL": `{"alg":"RS256","kid":"r' OR '1'='1"}`, "other case": `{"alg":"RS256","kid":"R"}`, "NUL": `{"alg":"RS256","kid":"r\u0000"}`,
		"a number": `{"alg":"RS256","kid":1}`, "null": `{"alg":"RS256","kid":null}`, "twice": `{"alg":"RS256","kid":"x","kid":"r"}`, "KID": `{"alg":"RS256","KID":"r"}`,
		"x5u beside an unknown one": `{"alg":"RS256","kid":"x","x5u":"https://evil.example/c"}`,
	} {
		p.wantRefused(t, form, what, signText(t, header, p.claimText(t, "", "")))
	}
	for i := range 200 {
		p.wantRefused(t, form, "flood", sign(t, jwt.SigningMethodES256, signingKeys().ec, map[string]any{"kid": fmt.Sprint("x", i)}, p.claims(nil)))
	}
	if n := p.site.Hits("/jwks.json"); n > 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
	p.site.Publish("/jwks.json", strings.Replace(jwks(), `"keys":[`, `"keys":[`+strings.Replace(jwks()[len(`{"keys":[`):len(jwks())-2], `"r"`, `"r2"`, 1)+",", 1))
	p.clock.Add(2 * time.Hour)
	p.wantRefused(t, p.redeem(p.newCode(t)), "none with two RSA keys", signText(t, `{"alg":"RS256"}`, p.claimText(t, "", "")))
	if p.site.Hits("/jwks.json") < 2 {
		t.Error("the second set was never read")
	}
}

// RS-06 for assertions: a claim counts under its own name, once, and with its own type.
func TestRS06AssertionClaims(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	form := p.redeem(p.newCode(t))
	exp := fmt.Sprintf(`"exp":%d`, p.clock.Now().Add(time.Minute).Unix())
	aud := fmt.Sprintf(`"aud":%q`, p.PublicURL)
	for what, edit := range map[string][2]string{
		"exp of text":           {exp, `"exp":"4102444800"`},
		"exp huge":              {exp, `"exp":1e300`},
		"exp negative":          {exp, `"exp":-1`},
		"exp null":              {exp, `"exp":null`},
		"exp true":              {exp, `"exp":true`},
		"exp zero":              {exp, `"exp":0`},
		"exp twice":             {exp, `"exp":1,` + exp},
		"EXP":                   {exp, strings.Replace(exp, "exp", "EXP", 1)},
		"aud in a list of two":  {aud, fmt.Sprintf(`"aud":[%q,"https://evil.example"]`, p.PublicURL)},
		"aud with a path":       {aud, fmt.Sprintf(`"aud":%q`, p.PublicURL+"/oauth")},
		"aud as a prefix":       {aud, fmt.Sprintf(`"aud":%q`, p.PublicURL+".evil.example")},
		"aud in capitals":       {aud, fmt.Sprintf(`"aud":%q`, strings.ToUpper(p.PublicURL))},
		"aud twice":             {aud, `"aud":"https://evil.example",` + aud},
		"aud twice, ours first": {aud, aud + `,"aud":"https://evil.example"`},
		"AUD":                   {aud, strings.Replace(aud, "aud", "AUD", 1)},
		"aud and AUD":           {aud, `"AUD":"https://evil.example",` + aud},
		"aud with NUL":          {aud, strings.Replace(aud, "aud", `aud\u0000`, 1)},
		"aud of numbers":        {aud, `"aud":[1]`},
		"aud empty":             {aud, `"aud":[]`},
		"iss with slash":        {fmt.Sprintf(`"iss":%q`, p.id), fmt.Sprintf(`"iss":%q`, p.id+"/")},
		"ISS":                   {`"iss"`, `"ISS"`},
		"sub with long s":       {`"sub"`, `"ſub"`},
		"jti of a number":       {`"jti":"`, `"jti":5,"x":"`},
		"trailing text":         {`}`, `}x`},
		"invalid UTF-8":         {`"jti":"`, "\"x\":\"\xff\",\"jti\":\""},
	} {
		p.wantRefused(t, form, what, signText(t, plainHeader, p.claimText(t, edit[0], edit[1])))
	}
	p.tokens(t, withAssertion(form, signText(t, plainHeader, p.claimText(t, `}`, `,"name":{"aud":1,"AUD":2}}`))))
}

// RS-09: an assertion that is no JWT at all costs nothing.
func TestRS09AssertionOfAnyLength(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	for what, assertion := range map[string]string{
		"64 KB": strings.Repeat("a", 64<<10), "dots": strings.Repeat(".", 1_000_000), "five long parts": strings.Repeat(strings.Repeat("a", 100_000)+".", 5),
		"a deep header": base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 10_000))) + ".e30.c2ln",
	} {
		r := p.post(t, "/oauth/token", withAssertion(refreshForm("sfr_x", "client_id", p.id), assertion))
		if r.status != http.StatusUnauthorized && r.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s", what, r.status, r.body)
		}
	}
}

// AS-06: a client that authenticates, and is another one, spends nothing of the first's.
func TestAS06CodeOfAnotherClientThatSigns(t *testing.T) {
	t.Parallel()
	p := startPublished(t)
	p.newCode(t) // it is known from now on
	code := p.code(t)
	for range 6 {
		r := p.post(t, "/oauth/token", withAssertion(p.codeForm(code, "client_id", p.id), p.asserted(t, nil)))
		p.wantError(t, r, http.StatusBadRequest, invalidGrant)
	}
	p.opens(t, p.tokens(t, p.codeForm(code)).access, true)
}
