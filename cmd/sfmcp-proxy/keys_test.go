package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/doctor"
)

// stopped is what a proxy leaves that has been used and stopped: its folder, and the
// client that it served.
func stopped(t *testing.T) (*demo, *mcpClient) {
	t.Helper()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	d.approvalURL(c.call("createSobjectRecord", account("Backup Ltd")))
	d.stop()
	return d, c
}

// refuses starts the proxy on a folder and expects it to end, with 1 or 2 and one line
// that says why, having made and changed nothing.
func refuses(t *testing.T, dir, what, because string) {
	t.Helper()
	before := readAll(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), plenty)
	defer cancel()
	var out lockedBuffer
	status := run(ctx, []string{"serve", "--config", filepath.Join(dir, defaultConfig)}, &out, &out)
	if status == exitDone || ctx.Err() != nil || !strings.Contains(out.String(), because) || strings.Contains(out.String(), "goroutine ") {
		t.Errorf("%s: status %d, want a refusal with %q:\n%s", what, status, because, out.String())
	}
	after := readAll(t, dir)
	if !bytes.Equal(before["keys"], after["keys"]) {
		t.Errorf("%s: the key file was written", what)
	}
	for _, name := range []string{"keys", "proxy.db"} {
		if _, was := before[name]; !was && after[name] != nil {
			t.Errorf("%s: %s was made", what, name)
		}
	}
}

// ST-04: without the key that fits, a proxy with data does not start, whatever lies in
// the key's place; with it, it does.
func TestST04StartNeedsTheKey(t *testing.T) {
	t.Parallel()
	d, _ := stopped(t)
	path := filepath.Join(d.dir, "keys")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := func(b []byte) []byte { return []byte("k1 " + base64.RawURLEncoding.EncodeToString(b) + "\n") }
	for what, c := range map[string]struct {
		text    []byte
		mode    os.FileMode
		because string
	}{
		"another key":      {[]byte(seal.NewKeyLine()), 0o600, "does not fit this database"},
		"16 bytes":         {key([]byte("0123456789abcdef")), 0o600, "32 random bytes"},
		"all zero":         {key(make([]byte, 32)), 0o600, "32 random bytes"},
		"a text":           {key([]byte("this-is-an-example-key-change-me")), 0o600, "32 random bytes"},
		"empty":            {nil, 0o600, "holds no key"},
		"read by everyone": {good, 0o644, "chmod 600"},
		"read by a group":  {good, 0o640, "chmod 600"},
	} {
		if err := os.WriteFile(path, c.text, c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		refuses(t, d.dir, what, c.because)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refuses(t, d.dir, "no key", "the sealing keys are lost")
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	d.must("user", "list")
}

// ST-14: a copy of the database is of no use without the key. With it, it serves on
// another host; and what somebody changed in it meanwhile is found: in the audit log by
// verify, in a sealed value by its login being lost.
func TestST14Backup(t *testing.T) {
	t.Parallel()
	d, c := stopped(t)
	elsewhere := t.TempDir()
	if err := os.CopyFS(elsewhere, os.DirFS(d.dir)); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(elsewhere, "keys")
	good, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	refuses(t, elsewhere, "a backup without its key", "the sealing keys are lost")
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	refuses(t, elsewhere, "a backup with another key", "does not fit this database")

	if err := os.WriteFile(keys, good, 0o600); err != nil {
		t.Fatal(err)
	}
	restored := startDemoIn(t, elsewhere)
	c.d, c.url = restored, restored.MCPURLs["sobject-all"]
	if r := c.send("tools/list", map[string]any{}); r.Status != http.StatusUnauthorized {
		t.Errorf("under another public URL the tokens of the first are good: %d", r.Status)
	}
	if out := restored.must("audit", "verify"); !strings.Contains(out, "all sound") {
		t.Errorf("verify of a sound backup: %s", out)
	}
	for what, change := range map[string]func([]byte) []byte{
		"entry edited": func(segment []byte) []byte { return changeIn(t, segment, `{"seq":1,`, `"ok"`) },
		"entry removed": func(segment []byte) []byte {
			at := bytes.Index(segment, []byte(`{"seq":3,`))
			return append(bytes.Clone(segment[:at]), segment[at+bytes.IndexByte(segment[at:], '\n')+1:]...)
		},
	} {
		restoreLog := restored.tamper(change)
		if out, status := restored.command("audit", "verify"); status != exitFailed {
			t.Errorf("%s: verify ends with %d: %s", what, status, out)
		}
		restoreLog()
	}
	again := restored.connect("sobject-all", rep)
	restored.change(`UPDATE links SET sealed_access = substr(sealed_access, 1, 40) || 'AAAA' || substr(sealed_access, 45), sealed_refresh = substr(sealed_refresh, 1, 40) || 'AAAA' || substr(sealed_refresh, 45)`)
	if r := again.call("getUserInfo", map[string]any{}); r.Status != http.StatusUnauthorized {
		t.Errorf("with a login that was changed: %d %s", r.Status, r.body)
	}
}

// A key that was taken from the key file while logins need it is told, without ending
// them: put back, it opens them.
func TestDoctorMissesASealingKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startDemoIn(t, dir) // whose key the database is bound to
	first.must("key", "rotate")
	first.stop()
	d := startDemoIn(t, dir)
	d.connect("sobject-all", rep) // sealed with the second key
	d.stop()                      // before the rotation: a running proxy would seal the login with the third
	d.must("key", "rotate")
	path := filepath.Join(dir, "keys")
	// As if the proxy had been ended when it had sealed two values with the third key.
	d.sealAnew(path, "ring", "claim")
	d.sealAnew(path, "blocked", "blocked users")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keys := strings.SplitAfter(string(whole), "\n")
	if err := os.WriteFile(path, []byte(keys[0]+strings.Join(keys[2:], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		found, status := d.findings()
		if status != exitFailed || !(expected{"acme", "", "sealing", doctor.Fail, []string{"below the others"}}).in(found) {
			t.Errorf("status %d\n%s", status, showFindings(found))
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if row := d.user(rep); row.Salesforce != "active" {
		t.Errorf("the login is %s", row.Salesforce)
	}
	if found, _ := d.findings(); !(expected{"acme", "", "sealing", doctor.Good, nil}).in(found) {
		t.Errorf("with the key:\n%s", showFindings(found))
	}
}

// sealAnew seals a value of meta with the newest key.
func (d *demo) sealAnew(path, name, purpose string) {
	d.t.Helper()
	ring, err := seal.LoadKeyRing(path)
	if err != nil {
		d.t.Fatal(err)
	}
	store, place := d.database(), seal.Place{Table: "meta", Row: name, Purpose: purpose}
	var value string
	if err := store.Reads.QueryRowContext(d.t.Context(), `SELECT value FROM meta WHERE name = $1`, name).Scan(&value); err != nil {
		d.t.Fatal(err)
	}
	plain, err := ring.Open(place, value)
	if err == nil {
		value, err = ring.Seal(place, plain)
	}
	if err == nil {
		_, err = store.Writes.ExecContext(d.t.Context(), `UPDATE meta SET value = $1 WHERE name = $2`, value, name)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// FT-37: a database that is gone is no reason to begin with an empty one, in which nobody
// is blocked and nothing is stopped. Commands refuse as well.
func TestFaultFT37VanishedDatabaseIsMissed(t *testing.T) {
	t.Parallel()
	d, _ := stopped(t)
	d.must("user", "block", rep)
	aside := filepath.Join(t.TempDir(), "proxy.db")
	if err := os.Rename(filepath.Join(d.dir, "proxy.db"), aside); err != nil {
		t.Fatal(err)
	}
	refuses(t, d.dir, "without its database", "is gone")
	if err := os.WriteFile(filepath.Join(d.dir, "proxy.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		refuses(t, d.dir, "with an empty database", "the database is empty")
		if out, status := d.command("user", "revoke", rep); status != exitFailed || !strings.Contains(out, "put that one back") {
			t.Errorf("user revoke: status %d\n%s", status, out)
		}
	}
	if err := os.Rename(aside, filepath.Join(d.dir, "proxy.db")); err != nil {
		t.Fatal(err)
	}
	if out := d.must("user", "list", "--json"); !strings.Contains(out, `"blocked":true`) {
		t.Errorf("with its database:\n%s", out)
	}
	for _, name := range []string{"proxy.db", "keys.in-use"} {
		if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if out := d.must("user", "list", "--json"); out != "" {
		t.Errorf("anew:\n%s", out)
	}
}

// U15: whoever lost the key file is not led to make another one.
func TestU15LostKeyFile(t *testing.T) {
	t.Parallel()
	d, _ := stopped(t)
	keys := filepath.Join(d.dir, "keys")
	good, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(d.dir, defaultConfig)
	says := func(want int, args ...string) {
		t.Helper()
		var out bytes.Buffer
		status := run(t.Context(), append(args, "--config", file), &out, &out)
		if status != want || !strings.Contains(out.String(), "the sealing keys are lost: key file "+keys) || !strings.Contains(out.String(), "Put that file back") || strings.Contains(out.String(), "key generate") {
			t.Errorf("%v: status %d\n%s", args, status, &out)
		}
	}
	for _, note := range []bool{true, false} { // the database alone tells it, too
		if !note {
			if err := os.Remove(keys + ".in-use"); err != nil {
				t.Fatal(err)
			}
		}
		says(exitFailed, "serve")
		says(exitFailed, "user", "list")
		says(exitFailed, "key", "generate")
		says(exitFailed, "policy", "test", "--server", "sobject-all", "--user", "rep@acme.example", "--tool", "find")
		says(exitDone, "check")
	}
	if _, err := os.Stat(keys); err == nil {
		t.Error("another key was made")
	}
	if err := os.WriteFile(keys, good, 0o600); err != nil {
		t.Fatal(err)
	}
	d.must("user", "list")

	// Without a copy: what was is set aside, and the first day begins.
	for _, name := range []string{"keys", "keys.in-use", "proxy.db"} {
		if err := os.Rename(filepath.Join(d.dir, name), filepath.Join(t.TempDir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	d.must("key", "generate")
}
