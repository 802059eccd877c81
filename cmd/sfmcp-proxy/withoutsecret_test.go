package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
)

// needWhole are the commands for which the whole configuration has to be right, with its secrets: those that serve, send
// something, give access, are judged by the rules, or remove by age.
var needWhole = []string{
	"serve", "check", "doctor", "healthcheck", "demo", "salesforce-sim",
	"approval approve", "approval counter", "approval resolve", "tools accept", "console token create", "user unlink",
	"user unblock", "client unblock", "stop off",
	"audit prune", "export test", "export move", "notice test", "budget list", "migrate sqlite-to-postgres", "reconcile",
	"policy test", "policy who-can", "policy diff", "policy coverage", "policy replay", "review proposal", "review start",
}

// askedWith is what commands that do without are given. They may find nothing, and must have looked.
var askedWith = map[string]string{
	"approval deny": "apr_1 --as somebody", "approval show": "apr_1", "approval evidence": "apr_1", "audit copy": "DIR/copy", "audit log close": "host/audit/1 --why gone",
	"audit prove": "1", "audit show": "1", "audit tiles": "DIR/tiles", "client block": "nobody", "client revoke": "nobody",
	"console token revoke": "apt_1", "erase subject": "005xx000001Sv6AAAS --why asked", "evidence": "--user 005xx000001Sv6AAAS --output DIR/pack", "evidence verify": "DIR/none",
	"grant revoke": "gnt_1", "incident contain": "--user 005xx000001Sv6AAAS --reason stolen", "review decide": "keep --user x --server sales --as somebody --reason x",
	"session end": "x", "tools diff": "sales t", "tools reject": "sales t", "tools show": "sales t",
	"user block": "005xx000001Sv6AAAS", "user revoke": "005xx000001Sv6AAAS", "user show": "005xx000001Sv6AAAS",
	"key generate": "", "key reencrypt": "--previous FILE",
}

// SR-ST-4: where a secret of the proxy is not there, as that of a stopped unit of systemd, whatever reads what is stored, stops,
// or blocks works, and every other command is in the list of those for which it matters.
func TestReadingNeedsNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, defaultConfig)
	text := strings.Replace(twoOrgs, "client_id: key,", "client_id: key, client_secret_file: gone,", 1)
	if !rounds.AreMany(t) { // how far they come without keys tells the same, and they open no database for it
		text = strings.Replace(text, "keys_file: keys", "keys_from: credential", 1)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	begin := []string{"user", "block", "005xx000001Sv6AAAS"}
	const refused = "salesforce.orgs[0].client_secret_file"
	ask := func(words []string) (int, string) {
		var out strings.Builder
		return run(t.Context(), append(words, "--config", file), &out, &out), out.String()
	}
	if status, out := ask(begin); rounds.AreMany(t) && status != exitDone {
		t.Fatalf("%v: %d %s", begin, status, out)
	}
	whole := []string{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			walk(child)
		}
		flag := cmd.Flags().Lookup("config")
		name := strings.TrimPrefix(cmd.CommandPath(), "sfmcp-proxy ")
		if cmd.HasSubCommands() || flag == nil || strings.HasPrefix(flag.Usage, "taken and not read") || slices.Contains(needWhole, name) {
			if slices.Contains(needWhole, name) {
				whole = append(whole, name)
			}
			return
		}
		words := append(strings.Fields(name), strings.Fields(strings.ReplaceAll(strings.ReplaceAll(askedWith[name], "DIR", dir), "FILE", file))...)
		status, out := ask(words)
		if strings.Contains(out, "in the configuration\n") {
			t.Errorf("%v: status %d: %s", words, status, out)
		}
	}
	walk(newRoot())
	for _, name := range needWhole {
		if !slices.Contains(whole, name) {
			t.Errorf("there is no command %q", name)
		}
	}
	for _, words := range [][]string{{"budget", "list"}, {"doctor"}} {
		if status, out := ask(words); status == exitDone || !strings.Contains(out, refused) {
			t.Errorf("%v does without the secret: %d %s", words, status, out)
		}
	}
}
