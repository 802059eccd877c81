package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/config"
)

// twoOrgs is a configuration with two orgs that nothing answers for.
const twoOrgs = `
public_url: http://127.0.0.1:1
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
database: sqlite:proxy.db
keys_file: keys
salesforce:
  orgs:
    - {name: one, login_url: "http://127.0.0.1:9", org_id: 00Dxx0000001gPFEAY, client_id: key, insecure_http: true}
    - {name: two, login_url: "http://127.0.0.1:9", org_id: 00Dxx0000002gPGEAY, client_id: key, insecure_http: true}
servers:
  - {name: sales, org: one, upstream: "http://127.0.0.1:9/platform/mcp/v1/platform/sobject-reads", policy: read-only, groups: ["*"]}
policies:
  - {name: read-only, mode: enforce, rules: [{effect: allow, classes: [read]}]}
`

// configured writes a configuration and a key file, and opens the product on them.
func configured(t testing.TB, text string) (*process, string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(c.KeysFile); err != nil {
		t.Fatal(err)
	}
	p, err := openProcess(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.close() })
	return p, file
}

// A proxy whose listener fails ends and says why, rather than live on and answer nothing.
func TestServeEndsWhenAListenerFails(t *testing.T) {
	t.Parallel()
	p, _ := configured(t, twoOrgs)
	p.config.TLS.CertFile, p.config.TLS.KeyFile = "gone.pem", "gone.key"
	ctx, cancel := context.WithTimeout(t.Context(), plenty)
	defer cancel()
	if err := p.serve(ctx, func() {}); err == nil || ctx.Err() != nil {
		t.Errorf("ended with %v, after it was told to: %v", err, ctx.Err())
	}
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := p.listen("admin_listen", held.Addr().String()); err == nil || !strings.Contains(err.Error(), "name another address under admin_listen") {
		t.Errorf("an address that is taken: %v", err)
	}
}

// One user id can be a person in several orgs: what fails in one is still done in the others.
func TestUserCommandsTryEveryOrg(t *testing.T) {
	t.Parallel()
	const id = "005xx000001Sv6AAAS"
	p, file := configured(t, twoOrgs)
	a := p.current.Load()
	if err := a.grants.SeeUser(t.Context(), "one", id); err != nil {
		t.Fatal(err)
	}
	if _, err := a.cutoff.BlockUser(t.Context(), "two", id, act("blocked")); err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	if status := run(t.Context(), []string{"user", "unblock", id, "--config", file}, &out, &out); status != exitDone { // they were blocked in one of the orgs
		t.Errorf("status %d\n%s", status, &out)
	}
	if blocked, err := a.grants.Blocked(t.Context(), "two", id); err != nil || blocked {
		t.Errorf("still blocked: %t, %v\n%s", blocked, err, &out)
	}
	if status := run(t.Context(), []string{"user", "block", id, "--config", file}, &out, &out); status != exitDone {
		t.Errorf("blocking: %d\n%s", status, &out)
	}
	for _, org := range []string{"one", "two"} {
		if blocked, err := a.grants.Blocked(t.Context(), org, id); err != nil || !blocked {
			t.Errorf("blocked in org %s: %t, %v", org, blocked, err)
		}
	}
	if text := out.String(); !strings.Contains(text, "unblocked "+id+" in org two") || !strings.Contains(text, "not blocked in org one") {
		t.Errorf("says %s", text)
	}
}

// AD-12: access is taken away also while Salesforce's settings are wrong, what leads there, the policy, or
// the company's sign-in, so that nobody who administers can be locked out of that; it is on record. Access
// is not given back so, and nothing starts.
func TestAD12CuttingOffNeedsNoSalesforce(t *testing.T) {
	t.Parallel()
	const id = "005xx000001Sv6AAAS"
	p, file := configured(t, twoOrgs)
	grants := p.current.Load().grants
	if err := grants.SeeUser(t.Context(), "one", id); err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(twoOrgs, `name: one, login_url: "http://127.0.0.1:9"`, `name: one, client_secret_file: gone, login_url: "https://login.example/?x"`, 1) +
		"trusted_ca_file: sfmcp-proxy.yaml\ntls: {cert_file: gone.pem, key_file: gone.pem}\n" +
		"console: {oidc: {issuer: \"http://gone.example\", client_id: x, client_secret_file: gone}, roles: []}\n"
	broken = strings.Replace(broken, "mode: enforce", "mode: perhaps", 1)
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		command string
		want    int
		says    string
	}{
		{"serve", exitUsage, "login_url"},
		{"user revoke " + id, exitFailed, "reached nobody"},
		{"user block " + id, exitDone, "Salesforce is not told"},
		{"client revoke nobody", exitFailed, "no client"},
		{"grant revoke nothing", exitFailed, "no live connection"},
		{"stop all", exitDone, "note: the proxy will not start"},
		{"stop writes", exitDone, "writes are stopped"},
		{"stop off", exitUsage, "login_url"},
		{"user unblock " + id, exitUsage, "client_secret_file"},
	} {
		var out lockedBuffer
		if status := run(t.Context(), append(strings.Fields(c.command), "--config", file), &out, &out); status != c.want || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: status %d\n%s", c.command, status, &out)
		}
	}
	if blocked, err := grants.Blocked(t.Context(), "one", id); err != nil || !blocked {
		t.Errorf("blocked: %t, %v", blocked, err)
	}
	for action, want := range map[audit.Action]int{audit.UserBlock: 1, audit.StopSet: 2} {
		n := 0
		if err := p.current.Load().audit.List(t.Context(), audit.Filter{Action: string(action), Outcome: audit.OK}, func(audit.Entry) error { n++; return nil }); err != nil || n < want {
			t.Errorf("%s is recorded %d times: %v", action, n, err)
		}
	}
}

// FT-12: a panic in work beside requests costs that round of it.
func TestFaultFT12PanicsOfSweepersAreSurvived(t *testing.T) {
	t.Parallel()
	p, _ := configured(t, twoOrgs)
	a := p.current.Load()
	ctx, cancel := context.WithCancel(t.Context())
	var swept atomic.Int64
	a.sweepers = []func(context.Context) error{
		func(context.Context) error { panic("boom") },
		func(context.Context) error { swept.Add(1); cancel(); return nil },
	}
	a.sweepLoop(ctx)
	if swept.Load() != 1 {
		t.Error("one sweeper's panic kept the others from their work")
	}
}

// What the command line does is recorded as done there.
func TestCommandLineIsTheSource(t *testing.T) {
	t.Parallel()
	_, file := configured(t, twoOrgs)
	var out lockedBuffer
	for _, args := range [][]string{{"stop", "writes"}, {"audit", "list", "--json"}} {
		if status := run(t.Context(), append(args, "--config", file), &out, &out); status != exitDone {
			t.Fatalf("%v: %d %s", args, status, &out)
		}
	}
	if !strings.Contains(out.String(), `"source":"command line"`) {
		t.Error(out.String())
	}
}

// The demonstration runs on any loopback address.
func TestDemoOnIPv6(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here: ", err)
	} else {
		l.Close()
	}
	d := startDemo(t, "--listen", "[::1]:0")
	c := d.connect("sobject-reads", rep)
	if r := c.send("tools/call", userInfo); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("%d %s", r.Status, r.body)
	}
}
