package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// runSim runs the simulator's command and returns its URLs, all that it writes until the
// first user, and what ends it.
func runSim(t *testing.T, args ...string) (salesforce, control, text string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	log := &lockedBuffer{}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"salesforce-sim", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"}, args...), write, log)
		write.Close()
	}()
	lines := bufio.NewScanner(read)
	for !strings.Contains(text, "  user ") && lines.Scan() {
		text += lines.Text() + "\n"
	}
	go io.Copy(io.Discard, read)
	urls := regexp.MustCompile(`simulated Salesforce at (\S+), control at (\S+)`).FindStringSubmatch(text)
	if urls == nil {
		t.Fatalf("the simulator did not start: %q %s", text, log)
	}
	return urls[1], urls[2], text, func() {
		cancel()
		if status := <-ended; status != exitDone {
			t.Errorf("the simulator ended with status %d: %s", status, log)
		}
	}
}

// TestSimulatorOfFile: org, users, records and switches of a file, over TLS, and what
// happened is there after a restart.
func TestSimulatorOfFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, roots := selfSigned(t, dir)
	file := filepath.Join(dir, "sim.json")
	if err := os.WriteFile(file, []byte(`{
		"orgs": [{"name": "north", "users": [{"username": "ada@north.example", "password": "one"}],
			"records": [{"object": "Account", "fields": {"Name": "Only"}}]}],
		"switches": {"advertise_s256": true}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--config", file, "--state", filepath.Join(dir, "state"), "--tls-cert", cert, "--tls-key", key}
	salesforce, control, text, stop := runSim(t, args...)
	if !strings.HasPrefix(salesforce, "https://127.0.0.1:") || !strings.Contains(text, "org north:") || !strings.Contains(text, "user ada@north.example, password one") {
		t.Errorf("at %s, says %s", salesforce, text)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	if discovery := get(t, client, salesforce+"/.well-known/openid-configuration"); !strings.Contains(discovery, "S256") {
		t.Errorf("a switch of the file is off: %s", discovery)
	}
	if resp, err := http.Post(control+"/users/ada@north.example/freeze", "", nil); err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("freezing: %v %v", resp, err)
	} else {
		resp.Body.Close()
	}
	stop()

	_, control, _, stop = runSim(t, args...)
	defer stop()
	var users []struct{ Frozen bool }
	if err := json.Unmarshal([]byte(get(t, http.DefaultClient, control+"/users")), &users); err != nil || len(users) != 1 || !users[0].Frozen {
		t.Errorf("users after a restart: %+v %v", users, err)
	}
	var accounts []struct{ Name string }
	if err := json.Unmarshal([]byte(get(t, http.DefaultClient, control+"/records/Account")), &accounts); err != nil || len(accounts) != 1 || accounts[0].Name != "Only" {
		t.Errorf("accounts after a restart: %+v %v", accounts, err)
	}
}

// get reads an answer that must be 200.
func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, resp.Status, err)
	}
	return string(body)
}

// selfSigned writes a certificate for 127.0.0.1 and its key, and returns the roots that
// trust it.
func selfSigned(t *testing.T, dir string) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, roots
}
