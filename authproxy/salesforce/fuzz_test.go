package salesforce

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	fuzzedIssuer = "https://acme.my.salesforce.com"
	fuzzedOrg    = "00Dxx0000001gPFEAY"
	fuzzedUser   = "005xx000001Sv6AAAS"
	fuzzedNow    = 1_800_000_000
)

// answered is a network on which every request has one answer.
type answered string

func (a answered) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(bytes.NewReader([]byte(a)))}, nil
}

// FuzzAccessToken signs whatever header and claims with the org's key and edits the whole
// afterwards. What is accepted is unedited, says under exact names that it is an access token
// of this org for this client with no wider scope, and its user and time are those that it says.
func FuzzAccessToken(f *testing.F) {
	header := `{"alg":"RS256","typ":"JWT","kid":"k1","tty":"sfdc-core-token","tnk":"core/usa1s/` + fuzzedOrg + `","ver":"1.0"}`
	claims := fmt.Sprintf(`{"iss":%q,"aud":[%q,"https://api.salesforce.com"],"sub":"uid:%s","scp":"refresh_token mcp_api","client_id":"3MVG9","iat":%d,"nbf":%d,"exp":%d}`,
		fuzzedIssuer, fuzzedIssuer, fuzzedUser, fuzzedNow, fuzzedNow-15, fuzzedNow+1800)
	edit := func(in, old, new string) string { return strings.Replace(in, old, new, 1) }
	for _, h := range []string{
		header, edit(header, "RS256", "none"), edit(header, "RS256", "HS256"), edit(header, `"alg"`, `"ALG"`), edit(header, "k1", "k2"), edit(header, "k1", "k3"), edit(header, `"kid"`, `"kid":"x","kid"`), edit(header, fuzzedOrg, fuzzedOrg[:15]),
		edit(header, fuzzedOrg, "00Dxx0000001gPGEAY"), edit(header, "core/usa1s/", ""), edit(header, `"ver":"1.0"`, `"crit":["exp"]`), edit(header, `"ver":"1.0"`, `"b64":false`),
		edit(header, "sfdc-core-token", "sfdc-site-token"), `{}`, `[]`, `null`,
	} {
		f.Add(h, claims, uint16(0), "")
	}
	for _, c := range []string{
		edit(claims, `"exp":`, `"exp":1,"exp":`), edit(claims, `"exp":`, `"EXP":`), edit(claims, `"exp":1`, `"exp":1e300,"x":1`), edit(claims, `"exp":1`, `"exp":-1`), edit(claims, "uid:", ""),
		edit(claims, fuzzedUser, fuzzedUser[:15]), edit(claims, "mcp_api", "mcp_api api"), edit(claims, "3MVG9", "3MVG9x"), edit(claims, `"iss"`, `"ISS"`), edit(claims, `"sub"`, `"ſub"`),
		edit(claims, `"aud":[`, `"aud":["x",`), edit(claims, fuzzedIssuer, fuzzedIssuer+"/"), `{}`, claims + "x",
	} {
		f.Add(header, c, uint16(0), "")
	}
	for _, inserted := range []string{"\n", "\r", "=", ".", "A", " ", "+", "\x00"} {
		f.Add(header, claims, uint16(4), inserted)
		f.Add(header, claims, uint16(0xffff), inserted)
		f.Add(header, claims, uint16(0xfffe), inserted)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	o := orgWithKey(f, key)
	f.Fuzz(func(t *testing.T, header, claims string, at uint16, inserted string) {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		sum := sha256.Sum256([]byte(text))
		signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		signed := text + "." + base64.RawURLEncoding.EncodeToString(signature)
		i := max(0, min(int(at), len(signed)-(0xffff-int(at)))) // from the end too
		token := signed[:i] + inserted + signed[i:]
		who, err := o.verify(context.Background(), token, time.Unix(fuzzedNow, 0))
		if err != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok || who != nil {
				t.Fatalf("%v, %v", who, err)
			}
			// An unknown key is not asked for at every token.
			if h, _, _ := decodeJWT(token); e.Code == noKeys && (h == nil || h.KeyID == "k1") {
				t.Fatalf("the key is there, and not found: %v", err)
			}
			return
		}
		if token != signed {
			t.Fatalf("accepted with %q at %d", inserted, i)
		}
		if wrong := misread(who, header, claims); wrong != "" {
			t.Fatalf("accepted with %s: %s %s", wrong, header, claims)
		}
	})
}

func orgWithKey(f *testing.F, key *rsa.PrivateKey) *org {
	keys := fmt.Sprintf(`{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"k1","n":%q,"e":%q}]}`,
		base64.RawURLEncoding.EncodeToString(key.N.Bytes()), base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()))
	c, err := New(Config{
		Orgs: []Org{{Name: "acme", LoginURL: fuzzedIssuer, OrgID: fuzzedOrg, ClientID: "3MVG9"}}, HTTP: &http.Client{Transport: answered(keys)},
		RedirectURI: "https://proxy.example/oauth/callback", Now: func() time.Time { return time.Unix(fuzzedNow, 0) }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.Fatal(err)
	}
	return c.orgs["acme"]
}

// misread reads header and claims once more, by exact names, and says what an accepted
// token may not have; "" if it is as it should be.
func misread(who *identity, header, claims string) string {
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
	seconds := func(name string) int64 {
		n, err := strconv.ParseInt(string(c[name]), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	var audience []string
	if json.Unmarshal(c["aud"], &audience) != nil {
		audience = []string{text(c, "aud")}
	}
	_, tenant, _ := strings.Cut(strings.TrimPrefix(text(h, "tnk"), "core/"), "/")
	scopes := strings.Fields(text(c, "scp"))
	wide := slices.ContainsFunc(scopes, func(s string) bool { return s != scopeMCP && s != scopeRefresh })
	skew := int64(leeway / time.Second)
	switch {
	case text(h, "alg") != "RS256" || text(h, "kid") != "k1" || text(h, "typ") != "JWT" || text(h, "tty") != coreTokenType:
		return "another kind, algorithm or key"
	case h["crit"] != nil || h["b64"] != nil:
		return "an extension"
	case tenant != fuzzedOrg && tenant != fuzzedOrg[:15]:
		return "another org"
	case text(c, "iss") != fuzzedIssuer || !slices.Contains(audience, fuzzedIssuer) || text(c, "client_id") != "3MVG9":
		return "another issuer, audience or client"
	case wide || !slices.Contains(scopes, scopeMCP) || who.scope != text(c, "scp"):
		return "another scope"
	case seconds("exp") <= fuzzedNow-skew || seconds("exp") > fuzzedNow+int64(maxLifetime/time.Second) || who.expiresAt.Unix() != seconds("exp"):
		return "another end"
	case seconds("nbf") <= 0 || seconds("nbf") > fuzzedNow+skew || seconds("iat") <= 0 || seconds("iat") > fuzzedNow+skew:
		return "another beginning"
	case !strings.HasPrefix(who.subject, "005") || len(who.subject) != 18 || !strings.HasPrefix(text(c, "sub"), "uid:"+who.subject[:15]):
		return "another user"
	}
	return ""
}
