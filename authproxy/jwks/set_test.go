package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// testKeys are made once: RSA keys cost.
var testKeys = sync.OnceValue(func() (k struct {
	rsa, other *rsa.PrivateKey
	ec         *ecdsa.PrivateKey
}) {
	for _, into := range []**rsa.PrivateKey{&k.rsa, &k.other} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		*into = key
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	k.ec = ec
	return k
})

var bothAlgorithms = Rules{Algorithms: []string{RS256, ES256}, MaxKeys: 8}

// published is a key as its owner publishes it, with members changed; nil removes one.
func published(key crypto.PublicKey, kid string, changes map[string]any) string {
	text, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid})
	if err != nil {
		panic(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		panic(err)
	}
	for name, v := range changes {
		if members[name] = v; v == nil {
			delete(members, name)
		}
	}
	if text, err = json.Marshal(members); err != nil {
		panic(err)
	}
	return string(text)
}

func documentOf(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, kid string) *jose.JSONWebSignature {
	t.Helper()
	options := (&jose.SignerOptions{}).WithHeader("kid", kid)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(`{"sub":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func compact(t *testing.T, algorithm jose.SignatureAlgorithm, key any, kid string) string {
	t.Helper()
	text, err := sign(t, algorithm, key, kid).CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRS08KeysThatDoNotCount(t *testing.T) {
	t.Parallel()
	k := testKeys()
	good := published(&k.rsa.PublicKey, "r", nil)
	with := func(name string, v any) string {
		return published(&k.rsa.PublicKey, "x", map[string]any{name: v})
	}
	long := base64.RawURLEncoding.EncodeToString([]byte("\x01" + strings.Repeat("\xff", 1024)))
	for what, key := range map[string]string{
		"for encryption": with("use", "enc"), "other algorithm": with("alg", "PS256"), "unknown type": with("kty", "AKP"), "no type": with("kty", nil),
		"RSA key for ES256": with("alg", ES256), "modulus not text": with("n", 5), "no modulus": with("n", nil), "short modulus": with("n", "AQAB"),
		"even modulus": with("n", base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 255)+"\xfe"))), "8200 bits": with("n", long),
		"exponent 1": with("e", "AQ"), "exponent 2": with("e", "Ag"), "long exponent": with("e", "AQAAAAAAAAAB"), "kid not text": with("kid", 5),
		"off the curve": published(&k.ec.PublicKey, "x", map[string]any{"x": base64.RawURLEncoding.EncodeToString(make([]byte, 32))}),
		"long point":    published(&k.ec.PublicKey, "x", map[string]any{"x": strings.Repeat("A", 44)}),
		"other curve":   published(&k.ec.PublicKey, "x", map[string]any{"crv": "P-384"}),
		"Ed25519":       `{"kty":"OKP","crv":"Ed25519","kid":"x","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	} {
		set, err := Parse([]byte(documentOf(good, key)), bothAlgorithms)
		if err != nil || set.Len() != 1 {
			t.Errorf("%s: %d keys, %v; want the good one beside it alone", what, set.Len(), err)
		}
		if _, err := Parse([]byte(documentOf(key)), bothAlgorithms); err == nil {
			t.Errorf("%s: a set of it alone is accepted", what)
		}
	}
	for what, document := range map[string]string{
		"nothing": "", "null": "null", "list": "[]", "no keys": `{}`, "keys null": `{"keys":null}`, "empty": documentOf(), "keys twice": `{"keys":[],"keys":[` + good + `]}`,
		"a key of text": documentOf(good, `"x"`), "member twice": documentOf(strings.Replace(good, `"kty"`, `"kty":"RSA","kty"`, 1)), "too many": documentOf(good, strings.Repeat(good+",", 7)+good),
		"symmetric beside": documentOf(good, `{"kty":"oct","k":"AAAA"}`), "private beside": documentOf(good, with("d", "AAAA")), "trailing": documentOf(good) + "{}",
		"deep": `{"keys":` + strings.Repeat("[", 100_000),
	} {
		if set, err := Parse([]byte(document), bothAlgorithms); err == nil {
			t.Errorf("%s: accepted with %d keys", what, set.Len())
		}
	}
	noID := documentOf(published(&k.rsa.PublicKey, "", nil))
	if _, err := Parse([]byte(noID), Rules{Algorithms: []string{RS256}, MaxKeys: 1, NeedKeyID: true}); err == nil {
		t.Error("a key without an id counts though one is needed")
	}
	if _, err := Parse([]byte(documentOf(published(&k.ec.PublicKey, "e", nil))), Rules{Algorithms: []string{RS256}, MaxKeys: 1}); err == nil {
		t.Error("a key for ES256 counts though RS256 alone is allowed")
	}
}

// Certificates say nothing here: a key counts by what it is, whatever came with it.
func TestCertificatesAreNotRead(t *testing.T) {
	t.Parallel()
	set, err := Parse([]byte(documentOf(published(&testKeys().rsa.PublicKey, "r",
		map[string]any{"x5c": []string{"no certificate"}, "x5u": "::", "x5t": "?", "key_ops": []string{"verify"}}))), bothAlgorithms)
	if err != nil || set.Len() != 1 {
		t.Errorf("%d keys, %v", set.Len(), err)
	}
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	k := testKeys()
	set, err := Parse([]byte(documentOf(published(&k.rsa.PublicKey, "r", nil), published(&k.ec.PublicKey, "e", nil),
		published(&k.rsa.PublicKey, "twice", nil), published(&k.other.PublicKey, "twice", nil))), bothAlgorithms)
	if err != nil {
		t.Fatal(err)
	}
	good := compact(t, jose.RS256, k.rsa, "r")
	parts := strings.Split(good, ".")
	for what, tc := range map[string]struct {
		token string
		want  error
	}{
		"RS256":               {good, nil},
		"ES256":               {compact(t, jose.ES256, k.ec, "e"), nil},
		"no kid, one EC key":  {compact(t, jose.ES256, k.ec, ""), nil},
		"no kid, three RSA":   {compact(t, jose.RS256, k.rsa, ""), ErrAmbiguousKey},
		"kid of two keys":     {compact(t, jose.RS256, k.rsa, "twice"), ErrAmbiguousKey},
		"unknown kid":         {compact(t, jose.RS256, k.rsa, "R"), ErrUnknownKey},
		"kid of the other":    {compact(t, jose.RS256, k.rsa, "e"), ErrUnknownKey},
		"other key":           {compact(t, jose.RS256, k.other, "r"), ErrSignature},
		"PS256":               {compact(t, jose.PS256, k.rsa, "r"), ErrSignature},
		"HS256 by public key": {compact(t, jose.HS256, k.rsa.N.Bytes(), "r"), ErrSignature},
		"none":                {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"r"}`)) + "." + parts[1] + ".", ErrSignature},
		"JSON form":           {sign(t, jose.RS256, k.rsa, "r").FullSerialize(), ErrSignature},
		"other payload":       {parts[0] + ".e30." + parts[2], ErrSignature},
		"white space":         {good + " ", ErrSignature},
		"four parts":          {good + ".AAAA", ErrSignature},
		"nothing":             {"", ErrSignature},
	} {
		payload, err := set.VerifySignature(t.Context(), tc.token)
		if !errors.Is(err, tc.want) || (err == nil) != (string(payload) == `{"sub":"x"}`) {
			t.Errorf("%s: %q, %v; want %v", what, payload, err, tc.want)
		}
	}
	// RS-05: a key in the header is not looked at.
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k.other}, (&jose.SignerOptions{EmbedJWK: true}).WithHeader("kid", "r"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.VerifySignature(t.Context(), token); !errors.Is(err, ErrSignature) && !errors.Is(err, ErrUnknownKey) {
		t.Errorf("a token that brings its key: %v", err)
	}
	if _, err := (Set{}).VerifySignature(t.Context(), good); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("the empty set: %v", err)
	}
}

// Whatever is published, what counts is a strong key for an allowed algorithm, and errors
// do not quote the document.
func FuzzParse(f *testing.F) {
	k := testKeys()
	f.Add([]byte(documentOf(published(&k.rsa.PublicKey, "r", nil), published(&k.ec.PublicKey, "e", nil))))
	for _, seed := range []string{`{"keys":[{"kty":"oct","k":"AA"}]}`, `{"keys":[],"keys":[]}`, `null`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		set, err := Parse(document, bothAlgorithms)
		if err != nil {
			if len(err.Error()) > 100 {
				t.Fatalf("error of %d bytes", len(err.Error()))
			}
			return
		}
		if len(set.keys) == 0 || len(set.keys) > bothAlgorithms.MaxKeys {
			t.Fatalf("%d keys", len(set.keys))
		}
		for _, k := range set.keys {
			switch key := k.key.(type) {
			case *rsa.PublicKey:
				if k.algorithm != RS256 || key.N.BitLen() < 2048 || key.N.BitLen() > 8192 {
					t.Fatalf("a key of %d bits for %s", key.N.BitLen(), k.algorithm)
				}
			case *ecdsa.PublicKey:
				if _, err := key.Bytes(); err != nil || k.algorithm != ES256 {
					t.Fatalf("%v for %s", err, k.algorithm)
				}
			default:
				t.Fatalf("a key of type %T", key)
			}
		}
	})
}
