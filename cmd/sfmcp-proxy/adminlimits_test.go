package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/console/api"
	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/config"
)

// AD-08: a first start can be taken over by nobody from the network. There is no page that sets anything up, no
// account before the configuration names one, and a key that is made once, by one of two who try at the same time.
func TestAD08NothingIsSetUpFromTheNetwork(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	for _, path := range []string{"/setup", "/install", "/init", "/first-run", "/admin", "/admin/setup", "/register", "/login", "/console/setup",
		"/console/users", "/api/setup", "/.env", "/config", "/keys"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
			got, header, _ := status(t, method, d.PublicURL+path, http.Header{"Authorization": {"Basic YWRtaW46YWRtaW4="}})
			if got != http.StatusNotFound && got != http.StatusMethodNotAllowed || header.Get("Set-Cookie") != "" || header.Get("Www-Authenticate") != "" {
				t.Errorf("%s %s: %d", method, path, got)
			}
		}
	}
	if got, header, body := status(t, http.MethodGet, d.PublicURL+"/console", http.Header{"Authorization": {"Basic YWRtaW46YWRtaW4="}}); got == http.StatusOK || strings.Contains(body, "Stop everything") {
		t.Errorf("the console with a usual password: %d %v", got, header)
	}

	dir := t.TempDir()
	text, err := os.ReadFile("testdata/pilot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file, keys := filepath.Join(dir, "sfmcp-proxy.yaml"), filepath.Join(dir, "first-keys")
	if err := os.WriteFile(file, []byte(withKeysFile(string(text), keys)), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	ended := make([]int, 8)
	for i := range ended {
		all.Go(func() {
			var out lockedBuffer
			ended[i] = run(t.Context(), []string{"key", "generate", "--config", file}, &out, &out)
		})
	}
	all.Wait()
	if n := len(slices.DeleteFunc(slices.Clone(ended), func(status int) bool { return status != exitDone })); n != 1 {
		t.Errorf("%d of %d made the key file: %v", n, len(ended), ended)
	}
	made, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	if status := run(t.Context(), []string{"key", "generate", "--config", file}, &out, &out); status == exitDone {
		t.Errorf("made once more:\n%s", &out)
	}
	if now, err := os.ReadFile(keys); err != nil || !bytes.Equal(now, made) {
		t.Errorf("the key file is another one: %v", err)
	}
}

// withKeysFile is a configuration with its keys there.
func withKeysFile(text, keys string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "keys_file:") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\nkeys_file: " + keys + "\n"
}

// AD-13: nobody who administers can switch the audit log off, take entries out of it or shorten what is kept below a
// day: there is no page, no route, no command and no key for it, and other keys are refused.
func TestAD13AuditCannotBeSwitchedOff(t *testing.T) {
	t.Parallel()
	for _, route := range team.Routes() {
		if strings.HasPrefix(route.Path, "/console/audit") && route.Method != http.MethodGet {
			t.Errorf("a page that does something to the log: %s %s", route.Method, route.Path)
		}
	}
	for _, route := range api.Routes() {
		if strings.Contains(route.Path, "/audit") && route.Method != http.MethodGet {
			t.Errorf("a route that does something to the log: %s %s", route.Method, route.Path)
		}
	}
	var out lockedBuffer
	if status := run(t.Context(), []string{"audit", "--help"}, &out, &out); status != exitDone {
		t.Fatalf("status %d\n%s", status, &out)
	}
	for _, word := range []string{"delete", "truncate", "disable", "clear", "purge"} {
		if strings.Contains(out.String(), "\n  "+word) {
			t.Errorf("there is a command %q:\n%s", word, &out)
		}
	}
	// What is old enough goes by audit.keep alone, whoever asks for it.
	var prune lockedBuffer
	run(t.Context(), []string{"audit", "prune", "--help"}, &prune, &prune)
	for line := range strings.Lines(prune.String()) {
		if flag := strings.TrimSpace(line); strings.HasPrefix(flag, "-") && !strings.HasPrefix(flag, "--config") && !strings.HasPrefix(flag, "-h, --help") && !strings.HasPrefix(flag, "--json") {
			t.Errorf("a flag says what goes: %s", flag)
		}
	}
	text, err := os.ReadFile("testdata/pilot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ keys, says string }{
		{"audit: {enabled: false}", "enabled"}, {"audit: {off: true}", "off"}, {"audit: {keep: 1h}", "audit.keep"}, {"audit: {keep: 0s}", "audit.keep"},
		{"audit: {checkpoint_every: 0s}", "audit.checkpoint_every"}, {"audit: {checkpoint_every: 24h}", "audit.checkpoint_every"}, {"audit: false", "audit"},
	} {
		file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
		if err := os.WriteFile(file, []byte(string(text)+"\n"+c.keys+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		loaded, err := config.Load(file, nil)
		if err == nil {
			err = loaded.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.keys, err)
		}
	}
}

// AD-13: a log that is led elsewhere, or put away, is missed: the proxy does not go on with an empty one.
func TestAD13AuditLogLedElsewhereIsMissed(t *testing.T) {
	t.Parallel()
	p, file := configured(t, twoOrgs)
	if _, err := p.current.Load().audit.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.StopSet, Outcome: audit.OK}); err != nil {
		t.Fatal(err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(twoOrgs+"audit: {dir: elsewhere}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	if status := run(t.Context(), []string{"serve", "--config", file}, &out, &out); status == exitDone || !strings.Contains(out.String(), "audit") {
		t.Errorf("status %d\n%s", status, &out)
	}
}
