package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// AD-12: whatever else of the configuration is wrong, what takes access away acts, and says what is wrong. What
// leads to another database, or to none, it refuses.
func TestAD12CuttingOffNeedsLittleOfTheFile(t *testing.T) {
	p, file := configured(t, twoOrgs) // sets the environment: not parallel
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stop := func(args ...string) (string, int) {
		var out lockedBuffer
		status := run(t.Context(), append(args, "--config", file), &out, &out)
		return out.String(), status
	}
	const hook = "{name: x, kind: webhook, url: 'https://log.example/', token_file: gone}"
	all := []string{
		"exports: [" + hook + "]", "audit: {checkpoints: [{url: 'https://log.example/', token_file: gone}]}", "audit: {keep: soon}",
		"approvals: {notify: [{name: x, kind: webhook, url_file: gone}]}", "approvals: {mail: {password_file: gone}}", "approvals: 5",
		"registration: {metadata_documents: {allow_hosts: ['*'], allow_addresses: [x]}}", "registration: {dynamic: {enabled: perhaps}}",
		"lifetimes: {code: 1000h}", "lifetimes: {code: soon}", "lifecycle: {end_after: 1s}", "allowed_origins: [x]", "allowed_origins: x", "definitions: never",
		"clients: [{id: x, name: x, redirect_uris: [ftp://x]}]", "clients: [{id: x}, 5]", "unknown_key: 1", "console: {providers: [{issuer: x}, {issuer: x}]}",
		"production: true", "production: maybe", "limits: {connections: -1}", "calendars: [{name: x}]", "policies_dir: gone",
	}
	if !rounds.AreMany(t) {
		all = []string{all[0], all[2], all[6], all[8], all[14], all[len(all)-1]}
	}
	for _, wrong := range all {
		if err := os.WriteFile(file, []byte(string(whole)+"\n"+wrong+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, status := stop("stop", "writes"); status != exitDone || !strings.Contains(said, "note: the proxy will not start: ") || !strings.Contains(said, "writes are stopped") {
			t.Errorf("%s: status %d\n%s", wrong, status, said)
		}
		liftStop(t, p, access.StopWrites)
	}
	for _, c := range []struct {
		args []string
		want int
		says string
	}{
		{[]string{"stop", "status"}, exitDone, "\noff\n"}, {[]string{"session", "end", "x"}, exitFailed, "no session"}, {[]string{"approval", "deny", "x", "--as", "me"}, exitFailed, "no approval"},
		{[]string{"tools", "reject", "sales", "x"}, exitFailed, ""}, {[]string{"client", "revoke", "x"}, exitFailed, "no client"}, {[]string{"grant", "revoke", "x"}, exitFailed, "no live connection"},
		{[]string{"user", "revoke", "005xx000001Sv6AAAS"}, exitFailed, ""}, {[]string{"incident", "contain", "--user", "005xx000001Sv6AAAS"}, exitFailed, "confirmed"},
		{[]string{"approval", "approve", "x", "--as", "me"}, exitUsage, "policies_dir"}, {[]string{"tools", "accept", "sales", "x"}, exitUsage, "policies_dir"}, {[]string{"stop", "off"}, exitUsage, "policies_dir"},
	} {
		if said, status := stop(c.args...); status != c.want || !strings.Contains(said, c.says) {
			t.Errorf("%s: status %d\n%s", c.args, status, said)
		}
	}
	broken := strings.Replace(string(whole), "groups: [", "groups: [nobody, ", 1)
	for _, c := range []struct{ text, variable, says string }{
		{broken, "SFMCP_NOT_A_KEY", "SFMCP_NOT_A_KEY"},
		{strings.Replace(string(whole), "servers:", "servers: [{name: 5}]\nx:", 1), "", "servers[0].name"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c.variable != "" {
			t.Setenv(c.variable, "1")
		}
		if said, status := stop("stop", "all"); status != exitDone || !strings.Contains(said, c.says) {
			t.Errorf("%s: status %d\n%s", c.says, status, said)
		}
	}
	for _, wrong := range []string{"databse: sqlite:other.db", "keys_fil: other", "keys_from: nowhere", "database: 5", "audit: {dir: 5}", "audit: [x]", "key_service: {kind: x}", "a: [", "public_url: x"} {
		text := string(whole) + "\n" + wrong + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, status := stop("stop", "writes"); status != exitUsage {
			t.Errorf("%s: status %d\n%s", wrong, status, said)
		}
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SFMCP_DATABSE", "sqlite:other.db")
	if said, status := stop("stop", "writes"); status != exitUsage || !strings.Contains(said, "SFMCP_DATABASE") {
		t.Errorf("a misspelt variable: status %d\n%s", status, said)
	}
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "other*")); len(found) > 0 {
		t.Errorf("there is %s", found)
	}
}

// liftStop checks where the kill switch is, and lifts it.
func liftStop(t *testing.T, p *process, want access.Stop) {
	t.Helper()
	s := p.current.Load()
	s.access.AwaitProcesses()
	if mode, err := s.access.StopMode(t.Context()); err != nil || mode != want {
		t.Errorf("the kill switch is at %q: %v", mode, err)
	}
	if err := s.newCutoff(nil).Stop(t.Context(), access.StopOff, act("test")); err != nil {
		t.Fatal(err)
	}
}

// What makes and rotates the sealing keys needs what leads to them: not the secrets that the running proxy is
// given, nor, where a variable names the key file, a configuration.
func TestKeyCommandsNeedTheKeysAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), defaultConfig)
	text := strings.Replace(twoOrgs, `name: one, `, `name: one, client_secret_file: /run/credentials/gone, `, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys")
	t.Setenv("SFMCP_KEYS_FILE", keys)
	for _, args := range [][]string{{"key", "generate", "--config", file}, {"key", "rotate", "--config", file}, {"key", "rotate", "--config", filepath.Join(t.TempDir(), "none.yaml")}} {
		var out lockedBuffer
		if status := run(t.Context(), args, &out, &out); status != exitDone {
			t.Errorf("%s: status %d\n%s", args, status, &out)
		}
	}
	if text, err := os.ReadFile(keys); err != nil || strings.Count(strings.TrimSpace(string(text)), "\n") < 2 {
		t.Errorf("the key file: %v\n%d bytes", err, len(text))
	}
}
