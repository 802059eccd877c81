package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/config"
)

// A draft is held against the calls that were made: what it would decide otherwise is told by
// user, tool and rule, what cannot be judged is counted, and nothing comes into force.
func TestReplay(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	for range 3 {
		c.call("soqlQuery", map[string]any{"q": "SELECT Name FROM Contact LIMIT 2"})
	}
	c.call("soqlQuery", map[string]any{"q": "SELECT Name FROM Account LIMIT 2"})
	c.call("soqlQuery", map[string]any{"q": "SELECT Name FROM Account WHERE Name = 'password=hunter2hunter2' LIMIT 2"})
	name := d.policyOf("sobject-all")
	draft := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(draft, []byte("rules:\n  - {effect: deny, objects: [Contact]}\n  - {effect: allow, classes: [read]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "result.json")
	text := strings.Join(strings.Fields(d.must("policy", "replay", "--policy", draft, "--since", "1h", "--out", out)), " ") // whatever the lines
	if !strings.Contains(text, "policy "+name+": 5 calls, 4 judged, 3 decided otherwise") || !strings.Contains(text, "1 not judged: a credential was taken out of the arguments") ||
		!strings.Contains(text, "allow → deny") || !strings.Contains(text, "rule 1 (deny objects") {
		t.Errorf("%s", text)
	}
	var results []analysis.Replay
	written, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(written, &results)
	}
	if err != nil || len(results) != 1 {
		t.Fatalf("%v\n%s", err, written)
	}
	r := results[0]
	if len(r.Changes) != 1 || r.Changes[0].Calls != 3 || r.Changes[0].Tool != "soqlQuery" || r.Changes[0].User != rep || r.Changes[0].Rule != "rule 1 (deny objects Contact)" || len(r.Changes[0].Examples) != 3 ||
		r.Version == "" || r.Catalogue == "" || r.First == 0 || r.Last <= r.First {
		t.Errorf("%+v", r)
	}
	// It is on record, and what was decided goes on.
	if entries := d.exported("policy.replay", new(int)); len(entries) != 1 || entries[0]["policy_version"] != r.Version {
		t.Errorf("%v", entries)
	}
	if answer := c.call("soqlQuery", map[string]any{"q": "SELECT Name FROM Contact LIMIT 1"}); strings.Contains(answer.text(), "not allowed") {
		t.Error("the draft is in force")
	}
	for _, wrong := range []struct{ args, says string }{
		{"policy replay", "--policy is required"},
		{"policy replay --policy " + draft + ".no", "a readable file that holds a policy"},
		{"policy replay --policy " + draft + " --out " + out, "file exists"},
		{"policy replay --policy " + draft + " --since yesterday", "--since"},
	} {
		if text, status := d.command(strings.Fields(wrong.args)...); status == exitDone || !strings.Contains(text, wrong.says) {
			t.Errorf("%s: status %d\n%s", wrong.args, status, text)
		}
	}
	other := filepath.Join(filepath.Dir(draft), "nobodys.yaml")
	if err := os.WriteFile(other, []byte("rules: [{effect: deny}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, status := d.command("policy", "replay", "--policy", other); status != exitUsage || !strings.Contains(text, `no server has a policy "nobodys"`) {
		t.Errorf("status %d\n%s", status, text)
	}
	// A whole configuration replays all its policies.
	if text := d.must("policy", "replay", "--policy", d.ConfigFile, "--since", "1h"); !strings.Contains(text, "0 decided otherwise") {
		t.Errorf("%s", text)
	}
}

// A call that came by a proxy which did not say for whom it asked is judged as it was then: as
// one of which nobody knows where it came from.
func TestReplayKnowsNoClientOfAProxy(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.TrustedProxies = []string{"10.0.0.0/8"}
	s := &stores{config: c}
	for source, want := range map[string]string{"10.1.2.3": "", "192.0.2.7": "192.0.2.7"} {
		e := audit.Entry{Tool: "getUserInfo", Source: source, Personal: audit.Erased} // nobody is looked up
		if call, err := (replaying{s}).recorded(t.Context(), e, nil); err != nil || call.Call.Source != want {
			t.Errorf("from %s: %q, %v", source, call.Call.Source, err)
		}
	}
}

// policyOf returns the policy of a server by the configuration.
func (d *demo) policyOf(server string) string {
	d.t.Helper()
	lines := strings.Split(d.configuration(), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "name: "+server) })
	for _, line := range lines[max(i, 0):] {
		if _, name, ok := strings.Cut(line, "policy: "); ok {
			name, _, _ = strings.Cut(name, ",")
			return strings.TrimSpace(name)
		}
	}
	d.t.Fatal("no policy of ", server)
	return ""
}

// policies_need_replay: another policy comes into force only after it was held against the
// log, as it is.
func TestPolicyNeedsReplay(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.PoliciesNeedReplay = true
	p, err := openProcess(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	ctx, end := context.WithCancel(t.Context())
	p.current.Load().work(ctx, &g)
	defer func() {
		end()
		if err := errors.Join(g.Wait(), p.close()); err != nil {
			t.Error(err)
		}
	}()
	name := d.policyOf("sobject-all")
	const rules = "rules:\n  - {effect: allow, classes: [read], max_rows: 7}\n"
	draft := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(draft, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := config.ReadPolicy(draft)
	if err != nil {
		t.Fatal(err)
	}
	p.reread = func() (*config.Config, error) {
		next := *c
		next.Policies = slices.Clone(c.Policies)
		next.Policies[slices.IndexFunc(next.Policies, func(p config.Policy) bool { return p.Name == name })] = read
		next.PoliciesNeedReplay = false // which is no way around
		return &next, nil
	}
	if _, err := p.takeOver(ctx, &g); err == nil || !strings.Contains(err.Error(), "policies_need_replay: no replay") || !strings.Contains(err.Error(), name) {
		t.Fatalf("taken into force without a replay: %v", err)
	}
	// A replay of other rules is none of these.
	if err := os.WriteFile(draft, []byte(strings.Replace(rules, "7", "8", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.must("policy", "replay", "--policy", draft)
	if _, err := p.takeOver(ctx, &g); err == nil {
		t.Fatal("taken into force with a replay of other rules")
	}
	if err := os.WriteFile(draft, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	d.must("policy", "replay", "--policy", draft)
	if changed, err := p.takeOver(ctx, &g); err != nil || !changed {
		t.Errorf("%v, %v", changed, err)
	}
}

// What is declared of a server's tools, and which policy it has, are part of what calls come to:
// a policy that was replayed in front of something else was not replayed.
func TestPolicyNeedsReplayInFrontOfItsServers(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.PoliciesNeedReplay = true
	opened, err := openStores(t.Context(), c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := opened.close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	text, policies := d.configuration(), filepath.Join(d.dir, "policies")
	if err := os.Mkdir(policies, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(policies, "drafts.yaml"), []byte("rules: [{effect: allow}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, edited := range map[string]string{
		"a declaration":            strings.Replace(text, "    policy: custom-tools\n", "    policy: custom-tools\n    declare: [{tool: createCase, class: read}]\n", 1),
		"another policy in force":  strings.Replace(text, "policy: confirm-writes", "policy: read-only", 1),
		"a policy that is a draft": strings.Replace(text, "policy: confirm-writes", "policy: drafts", 1) + "policies_dir: policies\n",
	} {
		file := filepath.Join(d.dir, "edited.yaml")
		if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
			t.Fatal(err)
		}
		next, err := config.Load(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		now := &product{stores: opened}
		if err := now.replayed(t.Context(), next); err == nil || !strings.Contains(err.Error(), " in front of ") {
			t.Errorf("%s: %v", what, err)
		}
		d.must("policy", "replay", "--policy", file)
		if err := now.replayed(t.Context(), next); err != nil {
			t.Errorf("%s, replayed: %v", what, err)
		}
	}
}
