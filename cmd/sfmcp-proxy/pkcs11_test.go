//go:build pkcs11 && cgo

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sfmcp-proxy/authproxy/db/reseal"
	"sfmcp-proxy/authproxy/seal/pkcs11/pkcs11test"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// FT-54: a proxy whose keys a token encrypts is set up, serves, takes a rotation into use and
// seals anew, and starts again; without the token it goes on, and does not start.
func TestFaultFT54ServeWithKeysOfAToken(t *testing.T) {
	token := pkcs11test.New(t)
	token.NewKey("sealing", "AES:32", "--sensitive")
	dir, public := t.TempDir(), freePort(t)
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{"http://" + public + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	r := &replica{t: t, file: filepath.Join(dir, defaultConfig), listen: public, adminL: freePort(t)}
	if err := demonstration.WriteConfig(r.file, demonstration.Addresses{PublicURL: "http://" + public, Listen: r.listen, AdminListen: r.adminL, SalesforceURL: sim.BaseURL()}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, "\nkey_service: {kind: pkcs11, module: %s, token: %s, key: sealing, pin_file: %s}\n", pkcs11test.Library, pkcs11test.Label, token.PINFile)
	if err := os.WriteFile(r.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(r.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &demo{t: t, dir: dir, Setup: setupOf(c, sim, r.file)}
	d.must("key", "generate")
	d.must("check")
	r.start()
	client := d.connect("sobject-all", rep)
	works := func(when string) {
		t.Helper()
		if got := client.call("getUserInfo", map[string]any{}); got.Status != http.StatusOK {
			t.Errorf("%s: %d %s", when, got.Status, got.body)
		}
	}
	works("at first")

	first := keyCounts(d)
	if len(first) != 1 || first[0].SealedValues == 0 {
		t.Fatalf("%+v", first)
	}
	d.must("key", "rotate")
	eventually(t, plenty, "all is sealed with the new key", func() bool {
		now := keyCounts(d)
		return len(now) == 2 && now[0].Key != first[0].Key && now[0].SealedValues >= first[0].SealedValues && now[1].SealedValues == 0
	})
	works("after the rotation")
	r.restart()
	works("after a restart")

	token.TakeOut()
	works("without the token")
	if err := os.WriteFile(r.file, append(bytes.Clone(text), "contact: help@acme.example\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, plenty, "a configuration is taken into force without the token", func() bool { return strings.Contains(r.log.String(), "configuration reloaded") })
	if out, status := d.command("key", "rotate"); status != exitFailed || !strings.Contains(out, `see that "proxy" is put in`) {
		t.Errorf("a rotation without the token: %d %s", status, out)
	}
	if out, _ := d.command("check"); !strings.Contains(out, "the proxy will not start") || !strings.Contains(out, `see that "proxy" is put in`) {
		t.Errorf("check: %s", out)
	}
	r.process.Process.Signal(syscall.SIGTERM)
	if status, _ := ends(t, r.process, plenty); status != exitDone {
		t.Errorf("ended with status %d", status)
	}
	refuses(t, dir, "without the token", `see that "proxy" is put in`)
	token.PutIn()
	r.start()
	works("once the token is back")
	// Another key in the token, while the proxy runs; then it starts with that.
	token.NewKey("sealing-2027", "AES:32", "--sensitive")
	previous := filepath.Join(dir, "previous.yaml")
	if err := errors.Join(os.WriteFile(previous, text, 0o600), os.WriteFile(r.file, bytes.Replace(text, []byte("key: sealing,"), []byte("key: sealing-2027,"), 1), 0o600)); err != nil {
		t.Fatal(err)
	}
	if out, _ := d.command("check"); !strings.Contains(out, "this key does not open it") {
		t.Errorf("check before: %s", out)
	}
	d.must("key", "reencrypt", "--previous", previous)
	works("after another key has encrypted the file")
	r.restart()
	works("restarted with another key")
	keys, err := os.ReadFile(c.KeysFile)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string][]byte{"log": []byte(r.log.String()), "key file": keys} {
		if bytes.Contains(text, []byte(pkcs11test.PIN)) || bytes.Contains(text, []byte(first[0].Key+" ")) {
			t.Errorf("a secret is in the %s", what)
		}
	}
}

// keyCounts is what 'key status' says.
func keyCounts(d *demo) (counts []reseal.Count) {
	d.t.Helper()
	for line := range strings.Lines(d.must("key", "status", "--json")) {
		var c reseal.Count
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			d.t.Fatal(err)
		}
		counts = append(counts, c)
	}
	return counts
}
