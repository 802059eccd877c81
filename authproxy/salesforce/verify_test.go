package salesforce_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/salesforce"
)

// refusals runs each token through a refresh and expects it to be refused, for the
// expected reason if one is given.
func refusals(t *testing.T, tokens func(f *fake) map[string]string) {
	t.Helper()
	f := newFake(t)
	c := f.client(t)
	for name, token := range tokens(f) {
		name, code, _ := strings.Cut(name, " => ")
		f.answerWith(token)
		got, err := c.Refresh(t.Context(), "acme", "5Aep1")
		if err == nil {
			t.Errorf("%s: accepted as %v", name, got)
			continue
		}
		e := failureOf(t, err)
		kind := salesforce.Refused
		switch code {
		case "unknown_key":
			kind = salesforce.Transient // it may be published in a minute
		case "expired", "not_yet_valid":
			kind = salesforce.Misconfigured // a clock
		}
		if e.Kind != kind || code != "" && e.Code != code {
			t.Errorf("%s: %v, expected %s, %s", name, e, kind, code)
		}
		if e.Received == nil {
			t.Errorf("%s: the refresh token that came with it is not handed over", name)
		}
	}
}

func TestRS04Algorithms(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := x509.MarshalPKCS1PublicKey(&signingKey.PublicKey)
	refusals(t, func(f *fake) map[string]string {
		good := f.jwt(nil, nil)
		parts := strings.Split(good, ".")
		return map[string]string{
			"none => wrong_algorithm":         f.sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil),
			"NoNe => wrong_algorithm":         f.jwt(map[string]any{"alg": "NoNe"}, nil),
			"no alg => wrong_algorithm":       f.jwt(map[string]any{"alg": nil}, nil),
			"HS256 by key => wrong_algorithm": f.sign(jwt.SigningMethodHS256, public, nil, nil),
			"RS512 => wrong_algorithm":        f.sign(jwt.SigningMethodRS512, signingKey, nil, nil),
			"PS256 => wrong_algorithm":        f.sign(jwt.SigningMethodPS256, signingKey, nil, nil),
			"PS256 as RS256 => bad_signature": f.sign(jwt.SigningMethodPS256, signingKey, map[string]any{"alg": "RS256"}, nil),
			"ES256 => wrong_algorithm":        f.sign(jwt.SigningMethodES256, ec, nil, nil),
			"ES256 zero => wrong_algorithm":   strings.Join([]string{b64(`{"alg":"ES256","kid":"k1"}`), parts[1], b64(string(make([]byte, 64)))}, "."),
			"crit => wrong_header":            f.jwt(map[string]any{"crit": []string{"exp"}}, nil),
			"b64 => wrong_header":             f.jwt(map[string]any{"b64": false}, nil),
			"JWE => opaque_token":             good + ".AAAA.BBBB",
			"nested => malformed_token":       signRaw(jwt.SigningMethodRS256, signingKey, `{"alg":"RS256","cty":"JWT","kid":"k1"}`, good),
			"no signature => bad_signature":   parts[0] + "." + parts[1] + ".",
			"other claims => bad_signature":   parts[0] + "." + b64(marshal(map[string]any{"sub": "uid:" + userID})) + "." + parts[2],
			"padded => bad_signature":         good + "==",
			"line end => malformed_token":     parts[0][:4] + "\n" + parts[0][4:] + "." + parts[1] + "." + parts[2],
		}
	})
}

func TestRS05KeyID(t *testing.T) {
	t.Parallel()
	refusals(t, func(f *fake) map[string]string {
		mine := map[string]any{"jwk": jwkOf("k1", otherKey), "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert"}
		return map[string]string{
			"no kid => wrong_header":           f.jwt(map[string]any{"kid": nil}, nil),
			"kid of number => malformed_token": f.jwt(map[string]any{"kid": 1}, nil),
			"key in header => bad_signature":   f.sign(jwt.SigningMethodRS256, otherKey, mine, nil),
			"another key's kid => unknown_key": f.jwt(map[string]any{"kid": "../../k1"}, nil),
			"signed by other => bad_signature": f.sign(jwt.SigningMethodRS256, otherKey, nil, nil),
			"two kids => malformed_token":      signRaw(jwt.SigningMethodRS256, signingKey, `{"alg":"RS256","kid":"x","kid":"k1"}`, `{}`),
			"kid in another case => wrong_header": signRaw(jwt.SigningMethodRS256, signingKey,
				`{"alg":"RS256","typ":"JWT","tty":"sfdc-core-token","tnk":"core/x/`+orgID+`","KID":"k1"}`, `{}`),
		}
	})
}

func TestRS05OddKeyIDs(t *testing.T) {
	t.Parallel()
	// A key that is not published may be soon, so the token is not believed, and asked for
	// again later; a token that names none is refused for good.
	for name, kid := range map[string]any{"SQL": "k1' OR '1'='1", "NUL": "k1\x00", "path": "./k1", "long": strings.Repeat("k", 4096), "empty": "", "case": "K1"} {
		f := newFake(t)
		f.answerWith(f.jwt(map[string]any{"kid": kid}, nil))
		_, err := f.client(t).Refresh(t.Context(), "acme", "5Aep1")
		kind, code := salesforce.Transient, "unknown_key"
		if kid == "" {
			kind, code = salesforce.Refused, "wrong_header"
		}
		if e := failureOf(t, err); e.Kind != kind || e.Code != code || f.keyFetches > 2 {
			t.Errorf("%s: %v after %d fetches", name, e, f.keyFetches)
		}
	}
}

func TestRS06Claims(t *testing.T) {
	t.Parallel()
	refusals(t, func(f *fake) map[string]string {
		now := f.now.Unix()
		claim := func(name string, v any) string { return f.jwt(nil, map[string]any{name: v}) }
		raw := func(old, new string) string {
			token := strings.Split(f.jwt(nil, nil), ".")
			return signRaw(jwt.SigningMethodRS256, signingKey, decode(token[0]), strings.Replace(decode(token[1]), old, new, 1))
		}
		return map[string]string{
			"expired => expired":                     claim("exp", now-60),
			"exp text => wrong_time":                 claim("exp", "1767225600"),
			"exp fraction => wrong_time":             claim("exp", float64(now)+1800.5),
			"exp huge => wrong_time":                 raw(`"exp":`, `"exp":1e300,"was":`),
			"exp far => wrong_time":                  claim("exp", now+86401),
			"exp year 30000 => wrong_time":           claim("exp", int64(1)<<50),
			"exp negative => wrong_time":             claim("exp", -1),
			"exp absent => wrong_time":               claim("exp", nil),
			"exp null => wrong_time":                 raw(`"exp":`, `"exp":null,"was":`),
			"nbf absent => wrong_time":               claim("nbf", nil),
			"nbf future => not_yet_valid":            claim("nbf", now+61),
			"iat future => not_yet_valid":            claim("iat", now+61),
			"aud absent => wrong_audience":           claim("aud", nil),
			"aud other => wrong_audience":            claim("aud", []string{"https://api.salesforce.com"}),
			"aud prefix => wrong_audience":           claim("aud", f.URL+".evil.example"),
			"aud slash => wrong_audience":            claim("aud", f.URL+"/"),
			"aud upper => wrong_audience":            claim("aud", strings.ToUpper(f.URL)),
			"aud numbers => wrong_audience":          claim("aud", []any{1, f.URL}),
			"aud twice => malformed_token":           raw(`"aud":`, `"aud":["x"],"aud":`),
			"AUD => wrong_audience":                  raw(`"aud":`, `"AUD":`),
			"aud NUL => wrong_audience":              raw(`"aud":`, `"aud\u0000":`),
			"iss slash => wrong_issuer":              claim("iss", f.URL+"/"),
			"iss absent => wrong_issuer":             claim("iss", nil),
			"sub absent => wrong_subject":            claim("sub", nil),
			"sub bare => wrong_subject":              claim("sub", userID),
			"sub not a user => wrong_subject":        claim("sub", "uid:"+orgID),
			"sub checksum => wrong_subject":          claim("sub", "uid:"+strings.ToLower(userID)),
			"sub number => malformed_token":          claim("sub", 5),
			"trailing text => malformed_token":       raw(`}`, `}x`),
			"duplicate deep down => malformed_token": raw(`"hsc":false`, `"hsc":{"a":1,"a":2}`),
		}
	})
}

// Readers of JSON differ on names in another case: go-oidc takes them. A token that says
// one thing to it and another to us is refused, whichever of both is what we want to hear.
func TestClaimsReadInTwoWays(t *testing.T) {
	t.Parallel()
	refusals(t, func(f *fake) map[string]string {
		now := f.now.Unix()
		beside := func(name string, v any) string { return f.jwt(nil, map[string]any{name: v}) }
		instead := func(name, other string, v any) string {
			return f.jwt(nil, map[string]any{name: nil, other: v})
		}
		return map[string]string{
			"iss and iſs => malformed_token": beside("iſs", "https://evil.example"), // sorts behind, so that it is the last
			"exp and exP => expired":         f.jwt(nil, map[string]any{"exP": now + 1800, "exp": now - 3600}),
			"nbf of text => wrong_time":      beside("nbf", "1767225600"),
			"EXP => wrong_time":              instead("exp", "EXP", now+1800),
			"ISS => wrong_issuer":            instead("iss", "ISS", f.URL),
			"SUB => wrong_subject":           instead("sub", "SUB", "uid:"+userID),
			"Client_ID => wrong_client":      instead("client_id", "Client_ID", clientID),
		}
	})
}

func TestRS07TenantScopeClient(t *testing.T) {
	t.Parallel()
	refusals(t, func(f *fake) map[string]string {
		return map[string]string{
			"other org => wrong_org":         f.jwt(map[string]any{"tnk": "core/usa1s/" + otherOrgID}, nil),
			"no org => wrong_org":            f.jwt(map[string]any{"tnk": nil}, nil),
			"org elsewhere => wrong_org":     f.jwt(map[string]any{"tnk": orgID}, nil),
			"more parts => wrong_org":        f.jwt(map[string]any{"tnk": "core/x/" + orgID + "/" + otherOrgID}, nil),
			"other issuer => wrong_issuer":   f.jwt(nil, map[string]any{"iss": "https://other.my.salesforce.com"}),
			"no mcp_api => missing_scope":    f.jwt(nil, map[string]any{"scp": "refresh_token"}),
			"no scp => missing_scope":        f.jwt(nil, map[string]any{"scp": nil}),
			"wider => wider_scope":           f.jwt(nil, map[string]any{"scp": "refresh_token mcp_api api"}),
			"other type => wrong_token_type": f.jwt(map[string]any{"tty": "sfdc-site-token"}, nil),
			"typ => wrong_token_type":        f.jwt(map[string]any{"typ": "at+jwt"}, nil),
			"other client => wrong_client":   f.jwt(nil, map[string]any{"client_id": clientID + "2"}),
			"opaque => opaque_token":         "00Dxx0000001gPF!AQEAQexample",
			"oversized => opaque_token":      f.jwt(nil, map[string]any{"x": strings.Repeat("a", 20<<10)}),
		}
	})
}

func TestAnswerAroundTheTokenIsChecked(t *testing.T) {
	t.Parallel()
	for member, v := range map[string]any{"token_type": "mac", "scope": "refresh_token mcp_api full"} {
		f := newFake(t)
		answer := f.tokenAnswer(f.jwt(nil, nil))
		answer[member] = v
		f.token = status(200, marshal(answer))
		_, err := f.client(t).Refresh(t.Context(), "acme", "5Aep1")
		if e := failureOf(t, err); e.Kind != salesforce.Refused {
			t.Errorf("%s %v: %v", member, v, e)
		}
	}
}

// What differs harmlessly passes: clocks within the leeway, 15-character ids, one aud.
func TestTokensThatPass(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := f.client(t)
	now := f.now.Unix()
	for name, token := range map[string]string{
		"expired within leeway": f.jwt(nil, map[string]any{"exp": now - 59}),
		"from a faster clock":   f.jwt(nil, map[string]any{"iat": now + 60, "nbf": now + 45}),
		"15-character ids":      f.jwt(map[string]any{"tnk": "core/x/" + orgID[:15]}, map[string]any{"sub": "uid:" + userID[:15]}),
		"aud as text":           f.jwt(nil, map[string]any{"aud": f.URL}),
		"less scope":            f.jwt(nil, map[string]any{"scp": "mcp_api"}),
		"longest lifetime":      f.jwt(nil, map[string]any{"exp": now + 720*60}),
		"keys in header":        f.jwt(map[string]any{"jku": "https://evil.example", "jwk": jwkOf("k1", otherKey)}, nil),
	} {
		f.answerWith(token)
		got, err := c.Refresh(t.Context(), "acme", "5Aep1")
		if err != nil || got.Subject != userID || got.OrgID != orgID {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// RS-08: a set with keys that must not count.
func TestRS08HostileKeys(t *testing.T) {
	t.Parallel()
	many := make([]map[string]any, 10_000)
	for i := range many {
		many[i] = jwkOf("k1", signingKey)
	}
	with := func(name string, v any) map[string]any {
		return merged(jwkOf("k1", signingKey), map[string]any{name: v})
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]map[string]any{
		"none":             {},
		"too many":         many,
		"for encryption":   {with("use", "enc")},
		"other algorithm":  {with("alg", "RS512")},
		"octets":           {{"kty": "oct", "kid": "k1", "k": "AAAA"}},
		"1024 bits":        {jwkOf("k1", small)},
		"512 bits":         {with("n", b64(strings.Repeat("\xff", 64)))},
		"even modulus":     {with("n", b64(strings.Repeat("\xff", 255)+"\xfe"))},
		"64 kbit":          {with("n", strings.Repeat("_", 64<<10/6))},
		"exponent 1":       {with("e", "AQ")},
		"exponent 2":       {with("e", "Ag")},
		"long exponent":    {with("e", "AQAAAAAAAAAB")},
		"no kid":           {with("kid", nil)},
		"modulus not text": {with("n", 5)},
	} {
		f := newFake(t)
		f.keys = serveKeys(keys...)
		_, err := f.client(t).Refresh(t.Context(), "acme", "5Aep1")
		if e := failureOf(t, err); e.Code != "keys_unavailable" || len(f.tokenForms) != 0 {
			t.Errorf("%s: %v after %d requests; expected keys_unavailable before the token is sent", name, e, len(f.tokenForms))
		}
	}
	for name, body := range map[string]http.HandlerFunc{
		"10 MB":           status(200, `{"keys":[],"x":"`+strings.Repeat("x", 10<<20)+`"}`, "Content-Type", "application/json"),
		"10 MB of blanks": status(200, strings.Repeat(" ", 10<<20)+marshal(map[string]any{"keys": []any{jwkOf("k1", signingKey)}}), "Content-Type", "application/json"),
		"empty object":    status(200, `{}`, "Content-Type", "application/json"),
		"nothing":         status(200, ``, "Content-Type", "application/json"),
		"null":            status(200, `{"keys":null}`, "Content-Type", "application/json"),
		"a page":          status(200, `<html>maintenance</html>`, "Content-Type", "text/html"),
		"deep":            status(200, `{"keys":`+strings.Repeat("[", 100_000), "Content-Type", "application/json"),
		"keys twice":      status(200, `{"keys":[],"keys":[`+marshal(jwkOf("k1", signingKey))+`]}`, "Content-Type", "application/json"),
		"a redirect":      status(302, "", "Location", "https://elsewhere.example/keys"),
	} {
		f := newFake(t)
		f.keys = body
		start := time.Now()
		_, err := f.client(t).Refresh(t.Context(), "acme", "5Aep1")
		if err == nil {
			t.Errorf("%s: believed", name)
			continue
		}
		if e := failureOf(t, err); e.Code != "keys_unavailable" || len(f.tokenForms) != 0 || time.Since(start) > 9*time.Second { // a second less than keys may take
			t.Errorf("%s: %v after %d requests and %v", name, e, len(f.tokenForms), time.Since(start))
		}
	}
	f := newFake(t)
	f.keys = serveKeys(jwkOf("k1", otherKey), jwkOf("k1", signingKey), jwkOf("k2", signingKey))
	_, err = f.client(t).Refresh(t.Context(), "acme", "5Aep1")
	if e := failureOf(t, err); e.Code != "ambiguous_key" {
		t.Errorf("one kid for two keys: %v", e)
	}
	f.answerWith(f.jwt(map[string]any{"kid": "k2"}, nil))
	if _, err := f.client(t).Refresh(t.Context(), "acme", "5Aep1"); err != nil {
		t.Errorf("the other key of that set: %v", err)
	}
}

// FT-27, RS-05: rotation costs one fetch, an unknown kid at most one in 30 s, an
// outage is bridged until the stated age, a removed key ends with the next fetch.
func TestFaultFT27KeyRotation(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := f.client(t)
	refresh := func() error {
		_, err := c.Refresh(t.Context(), "acme", "5Aep1")
		return err
	}
	pass := func(d time.Duration) {
		f.set(func() { f.now = f.now.Add(d) })
		f.mu.Lock()
		defer f.mu.Unlock()
		old := f.jwt(nil, nil)
		f.token = status(200, marshal(f.tokenAnswer(old)))
	}
	expect := func(step string, err error, code string, fetches int) {
		t.Helper()
		got := ""
		if err != nil {
			got = failureOf(t, err).Code
		}
		if got != code || f.keyFetches != fetches {
			t.Errorf("%s: %q after %d fetches, expected %q after %d", step, got, f.keyFetches, code, fetches)
		}
	}
	expect("first", refresh(), "", 1)
	expect("cached", refresh(), "", 1)
	f.set(func() { f.keys = serveKeys(jwkOf("k2", otherKey)) })
	f.answerWith(f.sign(jwt.SigningMethodRS256, otherKey, map[string]any{"kid": "k2"}, nil))
	expect("rotated", refresh(), "", 2)
	f.answerWith(f.jwt(nil, nil))
	err := refresh()
	expect("removed key, asked just now", err, "keys_unavailable", 2)
	if e := failureOf(t, err); e.Kind != salesforce.Transient || e.Received == nil {
		t.Errorf("the new refresh token must be kept while keys are not to be had: %+v", e)
	}
	for i := range rounds.Sized(t, 100, 1000) {
		f.answerWith(f.sign(jwt.SigningMethodRS256, otherKey, map[string]any{"kid": strings.Repeat("x", i+1)}, nil))
		refresh()
	}
	expect("flood of unknown kids", nil, "", 2)
	pass(31 * time.Second)
	expect("removed key", refresh(), "unknown_key", 3)

	f.set(func() { f.keys = serveKeys(jwkOf("k1", signingKey)) })
	pass(time.Hour)
	expect("back", refresh(), "", 4)
	f.set(func() { f.keys = status(500, "") })
	pass(11 * time.Hour)
	expect("outage, last good set", refresh(), "", 5)
	sent := len(f.tokenForms)
	pass(2 * time.Hour)
	expect("outage, set too old", refresh(), "keys_unavailable", 6)
	if len(f.tokenForms) != sent {
		t.Error("a refresh token was sent although no answer could have been verified")
	}
	f.set(func() { f.keys = serveKeys(jwkOf("k1", signingKey)) })
	pass(31 * time.Second)
	expect("healed", refresh(), "", 7)
}
