package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// drill is a proxy on PostgreSQL that a Prometheus watches by the rules of
// examples/observability, with times that a test can wait for.
type drill struct {
	*demo
	r       *replica
	network *dbtest.Network // to the database
	store   *db.DB          // by another way
	watch   string          // host and port of Prometheus
	sink    string          // where the destination of exports listens once it is there
	drilled []string        // alerts
}

func startDrill(t *testing.T) *drill {
	t.Helper()
	prometheus, err := exec.LookPath("prometheus")
	need(t, "promtool", err == nil, "Debian package prometheus")
	database, public := dbtest.Postgres(t), freePort(t)
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{"http://" + public + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	dir := t.TempDir()
	d := &drill{r: &replica{t: t, file: filepath.Join(dir, defaultConfig), listen: public, adminL: freePort(t)},
		network: dbtest.Between(t, database), sink: freePort(t)}
	if err := demonstration.WriteConfig(d.r.file, demonstration.Addresses{PublicURL: "http://" + public, Listen: public, AdminListen: d.r.adminL, SalesforceURL: sim.BaseURL()}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(d.r.file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("sqlite:proxy.db", d.network.URL(database),
		"  - name: confirm-writes\n", "  - name: confirm-writes\n    budgets: [{who: user, what: calls, window: day, time_zone: "+zoneAtNoon()+", limit: 40}]\n").Replace(string(text)) +
		"\naudit: {dir: audit}\nexports: [{name: collector, kind: webhook, url: 'http://" + d.sink + "/', allow_addresses: [127.0.0.0/8]}]\n"
	if err := os.WriteFile(d.r.file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(d.r.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(c.KeysFile); err != nil {
		t.Fatal(err)
	}
	if d.store, err = db.Open(t.Context(), db.Config{URL: database}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.store.Close() })
	d.r.start()
	d.demo = &demo{t: t, dir: dir, Setup: setupOf(c, sim, d.r.file)}
	d.startPrometheus(prometheus)
	return d
}

// startPrometheus starts one on the rules as they are, but for how long a state has to last,
// over how long a rise is looked for, and from when on something is late or slow.
func (d *drill) startPrometheus(program string) {
	d.t.Helper()
	rules := readExample(d.t, "alerts.yaml")
	for _, shorter := range []struct{ from, to string }{
		{`(?m)^ +for: \w+\n`, ""}, {`\[\d+[mh]\]`, "[8s]"}, {`> 900`, "> 1"}, {`> 10'`, "> 0.5'"}, {`> 3'`, "> 0'"},
	} {
		whole := regexp.MustCompile(shorter.from)
		if !whole.MatchString(rules) {
			d.t.Fatalf("the rules have no %s any more", shorter.from)
		}
		rules = whole.ReplaceAllString(rules, shorter.to)
	}
	dir := d.t.TempDir()
	conf := strings.NewReplacer("15s", "250ms, evaluation_interval: 250ms", "127.0.0.1:9090", d.r.adminL).Replace(readExample(d.t, "prometheus.yaml"))
	for name, text := range map[string]string{"alerts.yaml": rules, "prometheus.yaml": conf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	d.watch = freePort(d.t)
	var log lockedBuffer
	process := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+d.watch)
	process.Stderr = &log
	if err := process.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { process.Process.Kill(); process.Wait() })
	eventually(d.t, plenty, "Prometheus sees the proxy", func() bool { return len(d.query(`up == 1`)) == 1 })
	var firing []string
	defer func() {
		if d.t.Failed() {
			d.t.Logf("these fire: %v\n%s", firing, &log)
		}
	}()
	// Rules do not wait here, so one answer that a busy machine gives late is a proxy that is down for a moment.
	eventually(d.t, plenty, "nothing fires before anything was done", func() bool {
		firing = d.firing()
		return len(firing) == 0 || slices.Equal(firing, []string{"SfmcpEvidenceBehind"})
	})
}

// query asks Prometheus and returns the alertname of each series.
func (d *drill) query(expression string) (names []string) {
	resp, err := http.Get("http://" + d.watch + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return nil
	}
	for _, r := range answer.Data.Result {
		names = append(names, r.Metric["alertname"])
	}
	return names
}

func (d *drill) firing() []string {
	names := d.query(`ALERTS{alertstate="firing"}`)
	slices.Sort(names)
	return slices.Compact(names)
}

// alert is a drill: what makes the alert fire, what its runbook has one do, and that it is over then.
func (d *drill) alert(name string, makeIt, runbook func()) {
	d.t.Helper()
	d.drilled = append(d.drilled, name)
	begun := time.Now()
	makeIt()
	eventually(d.t, plenty, name+" fires", func() bool { // or has: a rise is seen for seconds, and this may be late
		return len(d.query(fmt.Sprintf(`max_over_time(ALERTS{alertname=%q,alertstate="firing"}[%dms])`, name, time.Since(begun).Milliseconds()+1))) > 0
	})
	fired := time.Since(begun)
	runbook()
	defer func() { d.t.Logf("%s: fired after %v, over after %v", name, fired, time.Since(begun)) }()
	eventually(d.t, plenty, name+" is over", func() bool { return len(d.query("up == 1")) == 1 && !slices.Contains(d.firing(), name) })
}

// says runs a command of a runbook whatever its status, and expects words in what it prints.
func (d *drill) says(want string, args ...string) string {
	d.t.Helper()
	out, _ := d.command(args...)
	if !strings.Contains(out, want) {
		d.t.Errorf("sfmcp-proxy %s: expected %q in\n%s", strings.Join(args, " "), want, out)
	}
	return out
}

// change changes rows behind the proxy's back, as time and faults would.
func (d *drill) change(statement string) {
	d.t.Helper()
	if err := d.store.Tx(d.t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(statement); err != nil {
			return err
		}
		return d.store.RaiseAccessEpoch(d.t.Context(), tx)
	}); err != nil {
		d.t.Fatal(err)
	}
	d.store.AwaitWatchers()
}

// switches sets how the simulated Salesforce misbehaves; none: not at all.
func (d *drill) switches(s salesforcesim.Switches) {
	d.t.Helper()
	d.control("PUT", "/faults", s, nil)
}

// TestRunbooks makes each alert fire, in a Prometheus, by what it is about, has done what its
// runbook (examples/handbook/alerts.md) says, and sees that it is over. Not drilled is what no
// test can: Salesforce's own pages, and the weeks before a certificate ends.
func TestRunbooks(t *testing.T) {
	rounds.Thorough(t)
	t.Parallel()
	d := startDrill(t)
	d.drillProcess()
	d.drillSalesforce()
	d.drillPeople()
	d.drillStores()
	d.drillCertificate()
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(readExample(t, "alerts.yaml"), -1) {
		if !slices.Contains(d.drilled, m[1]) {
			t.Errorf("%s has no drill", m[1])
		}
	}
}
