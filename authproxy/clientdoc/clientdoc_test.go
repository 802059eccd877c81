package clientdoc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAS42IdentifierShapes(t *testing.T) {
	t.Parallel()
	hosts := []string{"client.example", "127.0.0.1", "xn--bcher-kva.example"}
	f := New(Config{AllowHosts: hosts})
	for _, id := range []string{
		"https://client.example/c", "https://client.example/a/b.json", "https://client.example:8443/c", "https://127.0.0.1:8443/c", "https://xn--bcher-kva.example/c",
		"https://client.example/c/",
	} {
		if err := f.Allowed(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []string{
		"", "http://client.example/c", "HTTPS://client.example/c", "https://client.example", "https://client.example/", "https://client.example/c#f", "https://client.example/c#",
		"https://client.example/c?q", "https://client.example/c?", "https://client.example/a/../c", "https://client.example/./c", "https://client.example/%2e%2e/c", "https://client.example/%2E/c",
		"https://u@client.example/c", "https://u:p@client.example/c", "https://@client.example/c", "https://client.example:22/c", "https://client.example:443/c", "https://client.example:/c",
		"https://client.example:0/c", "https://client.example:65536/c", "https://client.example:08443/c", "https://client.example/" + strings.Repeat("a", 4096), "https://b\u00fccher.example/c",
		"https://Client.example/c", "https://client.example./c", "https://localhost./c", `https://client.example\c`, "https://client.example/c d", "https://client.example/\tc",
		"https:client.example/c", "https:///c", "//client.example/c", "https://other.example/c", "https://client.example.evil/c", "https://evil/https://client.example/c",
		"https://127.1/c", "https://2130706433/c", "https://0177.0.0.1/c", "https://0x7f.0.0.1/c", "https://0x7f000001/c", "https://[::1]/c", "https://[::ffff:127.0.0.1]/c", "https://[fe80::1%25eth0]/c",
	} {
		if err := f.Allowed(id); err == nil {
			t.Errorf("%q allowed", id)
		}
	}
}

func TestClientsOfThisDay(t *testing.T) {
	t.Parallel()
	both, none := []string{MethodNone, MethodPrivateKeyJWT}, []string{MethodNone}
	for file, want := range map[string]Metadata{
		"chatgpt":     {Name: "ChatGPT", RedirectURIs: []string{"https://chatgpt.com/connector_platform_oauth_redirect"}, Methods: both, JWKSURI: "https://chatgpt.com/oauth/jwks.json"},
		"codex":       {Name: "Codex", RedirectURIs: []string{"http://localhost/callback", "http://127.0.0.1/callback"}, Methods: none, ApplicationType: "native"},
		"claude":      {Name: "Claude", RedirectURIs: []string{"https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"}, Methods: none},
		"claude-code": {Name: "Claude Code", RedirectURIs: []string{"http://localhost/callback", "http://127.0.0.1/callback"}, Methods: none},
		"vscode": {Name: "Visual Studio Code", Methods: none, ApplicationType: "native", RedirectURIs: []string{"http://127.0.0.1:33418/", "http://localhost:33418/",
			"https://vscode.dev/redirect", "vscode://vscode.github-authentication/did-authenticate"}},
	} {
		body, err := os.ReadFile(filepath.Join("testdata", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		o, err := parseObject(body)
		if err != nil {
			t.Fatal(err)
		}
		id, err := o.text("client_id")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseDocument(id, body)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

const (
	testID    = "https://client.example/c.json"
	rsaKey    = `{"kty":"RSA","kid":"a","e":"AQAB","n":"` + modulus + `"}`
	modulus   = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	ecKey     = `{"kty":"EC","kid":"e","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`
	plainTail = `"client_name":"C","redirect_uris":["https://client.example/cb"]`
)

func TestAS41DocumentShapes(t *testing.T) {
	t.Parallel()
	document := func(id, rest string) string { return `{"client_id":"` + id + `",` + rest + `}` }
	for name, body := range map[string]string{
		"slash":               document(testID+"/", plainTail),
		"case":                document("https://client.example/C.json", plainTail),
		"query":               document(testID+"?x", plainTail),
		"no client_id":        "{" + plainTail + "}",
		"client_id a number":  `{"client_id":1,` + plainTail + `}`,
		"redirect_uris twice": document(testID, plainTail+`,"redirect_uris":["https://evil.example/"]`),
		"escaped twice":       document(testID, plainTail+`,"redirect\u005furis":["https://evil.example/"]`),
		"Redirect_URIs":       document(testID, plainTail+`,"Redirect_URIs":["https://evil.example/"]`),
		"twice, deep":         document(testID, plainTail+`,"x":{"a":1,"a":2}`),
		"client_secret":       document(testID, plainTail+`,"client_secret":"s"`),
		"secret expiry":       document(testID, plainTail+`,"client_secret_expires_at":0`),
		"client_secret_post":  document(testID, plainTail+`,"token_endpoint_auth_method":"client_secret_post"`),
		"plural secret":       document(testID, plainTail+`,"token_endpoint_auth_method":"none","token_endpoint_auth_methods_supported":["none","client_secret_jwt"]`),
		"other method":        document(testID, plainTail+`,"token_endpoint_auth_method":"tls_client_auth"`),
		"signs without keys":  document(testID, plainTail+`,"token_endpoint_auth_method":"private_key_jwt"`),
		"private key":         document(testID, plainTail+`,"jwks":{"keys":[`+strings.Replace(rsaKey, `"kid"`, `"d":"AA","kid"`, 1)+`]}`),
		"symmetric key":       document(testID, plainTail+`,"jwks":{"keys":[{"kty":"oct","k":"AA"}]}`),
		"jwks and jwks_uri":   document(testID, plainTail+`,"jwks_uri":"https://client.example/k","jwks":{"keys":[`+rsaKey+`]}`),
		"jwks_uri itself":     document(testID, plainTail+`,"jwks_uri":"`+testID+`"`),
		"jwks_uri http":       document(testID, plainTail+`,"jwks_uri":"http://client.example/k"`),
		"BOM":                 "\ufeff" + document(testID, plainTail),
		"trailing {}":         document(testID, plainTail) + "{}",
		"bad UTF-8":           document(testID, `"client_name":"`+"\xff"+`","redirect_uris":["https://client.example/cb"]`),
		"null":                "null", "list": "[]", "nothing": "", "no name": document(testID, `"redirect_uris":["https://client.example/cb"]`),
		"blank name":       document(testID, `"client_name":" ","redirect_uris":["https://client.example/cb"]`),
		"long name":        document(testID, `"client_name":"`+strings.Repeat("x", 101)+`","redirect_uris":["https://client.example/cb"]`),
		"no redirect_uris": document(testID, `"client_name":"C"`), "empty redirect_uris": document(testID, `"client_name":"C","redirect_uris":[]`),
		"redirect_uris text":  document(testID, `"client_name":"C","redirect_uris":"https://client.example/cb"`),
		"redirect_uris mixed": document(testID, `"client_name":"C","redirect_uris":["https://client.example/cb",1]`),
		"21 redirect_uris":    document(testID, `"client_name":"C","redirect_uris":["https://client.example/cb"`+strings.Repeat(`,"https://client.example/cb"`, 20)+`]`),
		"application type":    document(testID, plainTail+`,"application_type":"service"`),
	} {
		if m, err := ParseDocument(testID, []byte(body)); err == nil {
			t.Errorf("%s: accepted as %+v", name, m)
		}
	}
	for name, tt := range map[string]struct {
		rest string
		want []string
	}{
		"nothing said":       {plainTail, []string{MethodNone}},
		"null":               {plainTail + `,"token_endpoint_auth_method":null,"jwks_uri":null,"client_secret":null`, []string{MethodNone}},
		"signs alone":        {plainTail + `,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[` + ecKey + `]}`, []string{MethodPrivateKeyJWT}},
		"both, without keys": {plainTail + `,"token_endpoint_auth_methods_supported":["private_key_jwt","none"]`, []string{MethodNone}},
		"unknown members":    {plainTail + `,"x":{"y":[1,2]},"grant_types":["a","b"],"response_types":[]`, []string{MethodNone}},
	} {
		m, err := ParseDocument(testID, []byte(document(testID, tt.rest)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(tt.want, m.Methods); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzDocument(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	for _, seed := range []string{`{"client_id":"` + testID + `",` + plainTail + `,"jwks":{"keys":[` + rsaKey + `,` + ecKey + `]}}`, `{"client_id":"a","client_id":"b"}`, `null`, `[[[[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if m, err := ParseRegistration(body); err == nil && (len(m.RedirectURIs) == 0 || !cmp.Equal(m.Methods, []string{MethodNone}) || m.JWKSURI != "" || m.JWKS != nil) {
			t.Fatalf("registered as %+v", m)
		}
		m, err := ParseDocument(testID, body)
		if err != nil {
			return
		}
		if m.Name == "" || len(m.RedirectURIs) == 0 || len(m.Methods) == 0 || m.JWKS != nil && m.JWKSURI != "" {
			t.Fatalf("accepted as %+v", m)
		}
		for _, method := range m.Methods {
			if method != MethodNone && (method != MethodPrivateKeyJWT || m.JWKS == nil && m.JWKSURI == "") {
				t.Fatalf("methods %v of %+v", m.Methods, m)
			}
		}
		o, err := parseObject(body)
		if own, textErr := o.text("client_id"); err != nil || textErr != nil || own != testID {
			t.Fatalf("accepted with client_id %q, %v", own, err)
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	set, err := ParseKeys([]byte(`{"keys":[` + rsaKey + `,` + ecKey + `,{"kty":"OKP","crv":"Ed25519","x":"AA"},` + strings.Replace(rsaKey, `"a"`, `"b"`, 1) + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		kid, algorithm string
		want           bool
	}{{"a", "RS256", true}, {"e", "ES256", true}, {"", "ES256", true}, {"", "RS256", false} /* two */, {"a", "ES256", false}, {"e", "RS256", false}, {"x", "RS256", false}, {"a", "HS256", false}} {
		if key, err := set.Find(tt.kid, tt.algorithm); (key != nil) != tt.want || (err == nil) != tt.want {
			t.Errorf("key %q for %s found: %t, %v", tt.kid, tt.algorithm, key != nil, err)
		}
	}
	for name, body := range map[string]string{
		"no keys": `{"keys":[]}`, "no set": `[]`, "short RSA": `{"keys":[{"kty":"RSA","e":"AQAB","n":"AQAB"}]}`, "small exponent": `{"keys":[` + strings.Replace(rsaKey, "AQAB", "AQ", 1) + `]}`,
		"off the curve": `{"keys":[` + strings.Replace(ecKey, "4Etl", "5Etl", 1) + `]}`, "for encryption": `{"keys":[` + strings.Replace(rsaKey, `"kid"`, `"use":"enc","kid"`, 1) + `]}`,
		"other algorithm": `{"keys":[` + strings.Replace(rsaKey, `"kid"`, `"alg":"PS256","kid"`, 1) + `]}`, "33 keys": `{"keys":[` + rsaKey + strings.Repeat(","+rsaKey, 32) + `]}`,
		"symmetric beside": `{"keys":[` + rsaKey + `,{"kty":"oct","k":"AA"}]}`, "twice": `{"keys":[],"keys":[` + rsaKey + `]}`,
	} {
		if _, err := ParseKeys([]byte(body)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
