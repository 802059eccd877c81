package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runOn runs a command on a configuration file of that text, with further arguments.
func runOn(t *testing.T, text string, args ...string) (status int, out, errOut string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status = run(t.Context(), append(args, "--config", file), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestCheckSaysFirstWhetherItIsRight(t *testing.T) {
	t.Parallel()
	const right = "configuration is right: 1 server, 2 orgs, 0 groups, 1 policy, 0 clients; 4 notes\n"
	status, out, errOut := runOn(t, twoOrgs, "check")
	if status != exitDone || !strings.HasPrefix(out, right+"public_url: ") || strings.Count(errOut, "note: ") != 4 || strings.Count(errOut, "\n") != 4 {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
	if status, out, errOut = runOn(t, twoOrgs, "check", "--quiet"); status != exitDone || out != right || errOut != "" {
		t.Errorf("quiet: status %d\n%s%s", status, out, errOut)
	}
	wrong := strings.NewReplacer("policy: read-only", "policy: read-onyl", "effect: allow", "effect: alow").Replace(twoOrgs)
	for _, args := range [][]string{{"check"}, {"check", "--quiet"}} {
		status, out, errOut = runOn(t, wrong, args...)
		if status != exitUsage || out != "configuration is wrong: 2 problems\n" || strings.Count(errOut, "\n") != 2 || !strings.Contains(errOut, "servers[0].policy: ") || !strings.Contains(errOut, "policies[0].rules[0].effect: ") {
			t.Errorf("%v, wrong: status %d\n%s%s", args, status, out, errOut)
		}
	}
	for name, text := range map[string]string{"empty": "", "no YAML": "\tx: [", "one unknown key": twoOrgs + "prodution: true\n"} {
		if status, out, errOut = runOn(t, text, "check"); status != exitUsage || out != "configuration is wrong: 1 problem\n" || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errOut)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"check", "--config", "/nonexistent.yaml"}, &stdout, &stderr); status != exitUsage || !strings.HasPrefix(stdout.String(), "configuration is wrong: 1 problem\n") {
		t.Errorf("no file: status %d\n%s%s", status, &stdout, &stderr)
	}
	if status, _, _ := runOn(t, twoOrgs, "check", "--quite"); status != exitUsage {
		t.Errorf("mistyped flag: status %d", status)
	}
}

// A key file that a start refuses is said in the first line.
func TestCheckSaysThatTheProxyWillNotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"keys": 0o644, "sfmcp-proxy.yaml": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(twoOrgs), mode); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), []string{"check", "--quiet", "--config", filepath.Join(dir, "sfmcp-proxy.yaml")}, &stdout, &stderr)
	if status != exitDone || !strings.Contains(stdout.String(), "; the proxy will not start; 5 notes\n") || stderr.String() != "" {
		t.Errorf("status %d\n%s%s", status, &stdout, &stderr)
	}
}
