package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// private writes a file of a mode.
func private(t *testing.T, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("canary-7f3a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

// certificate writes a certificate, and its key with a mode.
func certificate(t *testing.T, mode os.FileMode) (cert, key string) {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	fatal(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	fatal(err)
	cert, key = private(t, 0o600), private(t, 0o600)
	fatal(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	fatal(os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	fatal(os.Chmod(key, mode))
	return cert, key
}

// S9: what others may read is no secret.
func TestS9SecretFilesAreTheirOwners(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o620, 0o660, 0o666, 0o777} {
		file := private(t, mode)
		cert, key := certificate(t, mode)
		for name, c := range map[string]struct{ text, key, note string }{
			"client secret": {with("client_id: 3MVG9example", "client_id: x\n      client_secret_file: "+file), "salesforce.orgs[0].client_secret_file", "client_secret_file of org acme: "},
			"password file": {with("", "database: 'postgres://u@db.example.com/d?sslmode=verify-full&passfile="+file+"'"), "production", "passfile of database: "},
			"client key":    {with("", "database: 'postgres://u@db.example.com/d?sslmode=verify-full&sslcert="+cert+"&sslkey="+key+"'"), "production", "sslkey of database: "},
			"TLS key":       {with("", "tls: {cert_file: "+cert+", key_file: "+key+"}"), "tls.key_file", "tls.key_file: "},
		} {
			_, err := load(t, c.text+"production: true\n")
			problems, _ := errors.AsType[Problems](err)
			if len(problems) != 1 || problems[0].Key != c.key || !strings.Contains(problems[0].Found, "chmod 600 it") || len(problems.Outside("salesforce", "tls", "production")) > 0 {
				t.Errorf("%s, %04o: %v", name, mode, err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Error("the secret is shown")
			}
			pilot, err := load(t, c.text)
			if err != nil || !slices.ContainsFunc(pilot.Notes(), func(note string) bool { return strings.HasPrefix(note, c.note) }) {
				t.Errorf("%s, %04o, as a pilot: %v", name, mode, err)
			}
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if _, err := load(t, with("client_id: 3MVG9example", "client_id: x\n      client_secret_file: "+private(t, mode))+"production: true\n"); err != nil {
			t.Errorf("%04o: %v", mode, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(private(t, 0o644), link); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, with("client_id: 3MVG9example", "client_id: x\n      client_secret_file: "+link)+"production: true\n"); err == nil {
		t.Error("a link to a file that others may read is accepted")
	}
}

// S9: nor is one in a configuration file that others may read.
func TestS9SecretsInTheConfigurationFile(t *testing.T) {
	t.Parallel()
	for text, key := range map[string]string{
		with("client_id: 3MVG9example", "client_id: x\n      client_secret: canary-7f3a"):            "salesforce.orgs[0].client_secret",
		with("", "database: postgres://u:canary-7f3a@db.example.com/d?sslmode=verify-full"):          "production",
		with("", "database: postgres://u@db.example.com/d?sslmode=verify-full&password=canary-7f3a"): "production",
		good: "",
	} {
		file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
		if err := os.WriteFile(file, []byte(text+"production: true\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file, nil); err != nil {
			t.Errorf("%s, 0600: %v", key, err)
		}
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, nil)
		problems, _ := errors.AsType[Problems](err)
		if key == "" && err == nil {
			continue // without secrets anybody may read it
		}
		if len(problems) != 1 || problems[0].Key != key || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s, 0644: %v", key, err)
		}
	}
	// From the environment it is not in the file.
	file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, []byte(good+"production: true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, []string{"SFMCP_DATABASE=postgres://u:canary-7f3a@db.example.com/d?sslmode=verify-full"}); err != nil {
		t.Errorf("from the environment: %v", err)
	}
}

// S9: whoever opens the private listener in production says so.
func TestS9PrivateListenerIsOpenedOnPurpose(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:9090", ":9090", "[::]:9090", "192.0.2.1:9090", "admin.example:9090", "[::ffff:0.0.0.0]:9090"} {
		line := "admin_listen: '" + address + "'\n"
		_, err := load(t, good+line+"production: true\n")
		problems, _ := errors.AsType[Problems](err)
		if len(problems) != 1 || problems[0].Key != "admin_listen" {
			t.Errorf("%s: %v", address, err)
		}
		c, err := load(t, good+line)
		if err != nil || !strings.Contains(strings.Join(c.Notes(), "\n"), "admin_listen "+address+" can be reached from other machines") {
			t.Errorf("%s, as a pilot: %v", address, err)
		}
		c, err = load(t, good+line+"production: true\nadmin_listen_open: true\ntrusted_proxies: [10.0.0.0/8]\n")
		if err != nil || len(c.Notes()) > 0 {
			t.Errorf("%s, opened on purpose: %v", address, err)
		}
	}
	for _, address := range []string{"127.0.0.1:9090", "[::1]:9090", "localhost:9090", "127.0.0.2:9090"} {
		if _, err := load(t, good+"admin_listen: '"+address+"'\nproduction: true\n"); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// S9: networks that keep nobody out are noted.
func TestS9EveryAddressIsNoted(t *testing.T) {
	t.Parallel()
	for _, lines := range []string{
		"trusted_proxies: [0.0.0.0/0]\n", "trusted_proxies: ['::/0']\n",
		"trusted_proxies: [10.0.0.0/8]\nregistration: {metadata_documents: {allow_hosts: [chatgpt.com], allow_addresses: [0.0.0.0/0]}}\n",
	} {
		c, err := load(t, good+lines)
		if err != nil || len(c.Notes()) != 1 || !strings.Contains(c.Notes()[0], "which is every address") {
			t.Errorf("%s: %v", lines, err)
		}
	}
}
