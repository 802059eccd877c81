package awskms

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/authproxy/seal/awskms/mototest"
)

// credentials are those of nobody: moto does not ask who calls.
func credentials(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"} {
		t.Setenv(name, value)
	}
}

// newKey has moto make a key.
func newKey(t *testing.T, address string) (arn string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "TrentService.CreateKey")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20130524/eu-central-1/kms/aws4_request, SignedHeaders=host, Signature=x")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s %v", got.StatusCode, text, err)
	}
	var answer struct{ KeyMetadata struct{ Arn string } }
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.KeyMetadata.Arn
}

// FT-54: a ring that AWS KMS encrypts is made, read, rotated; with another key of the service, or
// without it, nothing starts, and the error says which key.
func TestFaultFT54RingUnderAKeyOfOtherPeople(t *testing.T) {
	if !mototest.Required() {
		t.Skip("moto takes seconds to start: .ci/run runs this")
	}
	credentials(t)
	address, stop := mototest.Start(t)
	arn := newKey(t, address)
	other := newKey(t, address)
	with := func(c Config) seal.Source {
		s, err := Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return seal.Source{File: filepath.Join(t.TempDir(), "keys"), Service: s}
	}
	source := with(Config{Key: arn, Endpoint: address})
	if err := source.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	running, err := source.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if changed, err := running.Reload(); !changed || err != nil || len(running.IDs()) != 2 {
		t.Errorf("after a rotation: %t %v", changed, err)
	}
	elsewhere := with(Config{Key: other, Endpoint: address})
	elsewhere.File = source.File
	if _, err := elsewhere.Load(t.Context()); err == nil || !strings.Contains(err.Error(), other) {
		t.Errorf("with another key of the service: %v", err)
	}
	if err := source.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := source.Load(t.Context()); err == nil || !strings.Contains(err.Error(), arn) {
		t.Errorf("without the service: %v", err)
	}
	if changed, err := running.Reload(); changed || err == nil || len(running.IDs()) != 2 {
		t.Errorf("what runs: %t %v %v", changed, err, running.IDs())
	}
	http.DefaultClient.CloseIdleConnections()
}

// FT-54: who cannot reach the service, or gets no sensible answer, is told what was asked, and
// what to look at. Nothing secret is in it.
func TestFaultFT54OutOfReach(t *testing.T) {
	credentials(t)
	sick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusForbidden) }))
	gone := httptest.NewServer(nil)
	gone.Close()
	defer sick.Close()
	for name, address := range map[string]string{"refused": gone.URL, "not AWS": sick.URL} {
		s, err := Open(t.Context(), Config{Key: "arn:aws:kms:eu-central-1:123456789012:key/k", Endpoint: address})
		if err != nil {
			t.Fatal(err)
		}
		err = seal.Source{File: filepath.Join(t.TempDir(), "keys"), Service: s}.Create(t.Context())
		if err == nil || !strings.Contains(err.Error(), "AWS KMS in eu-central-1") || !strings.Contains(err.Error(), "kms:Decrypt") || strings.Contains(err.Error(), "AKIAEXAMPLE") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRegionOf(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"arn:aws:kms:eu-central-1:123456789012:key/k": "eu-central-1", "arn:aws:s3:eu-central-1:1:x": "", "alias/proxy": "", "": "", "arn:aws:kms:": "",
	} {
		if got := RegionOf(key); got != want {
			t.Errorf("%q: %q", key, got)
		}
	}
}
