package main

import (
	"cmp"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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

// cluster is three processes on one PostgreSQL, each with its own network to it, its own copy of
// the keys and its own audit log, behind a load balancer; or one on a SQLite file.
type cluster struct {
	*demo
	replicas []*replica
	networks []*dbtest.Network // of those on PostgreSQL
	store    *db.DB            // by a way that is never cut
	keys     []byte            // of all of them
	browser  *salesforcesim.Browser
	client   *mcpClient

	reads, repeated, races, lost, unknown atomic.Int64
}

func startCluster(t *testing.T, size int, lines ...string) *cluster {
	t.Helper()
	c := newCluster(t, dbtest.Postgres(t), size, salesforcesim.Config{}, nil, lines...)
	c.signIn()
	return c
}

// newCluster starts the processes on a PostgreSQL, or one on a SQLite file of its own, if database is
// empty; nobody has signed in. company, if any, starts the company's identity provider for a proxy at publicURL,
// and returns its issuer.
func newCluster(t *testing.T, database string, size int, simulated salesforcesim.Config, company func(publicURL string) string, lines ...string) *cluster {
	t.Helper()
	public := freePort(t)
	simulated.Callbacks = []string{"http://" + public + "/oauth/callback"}
	simulated.Switches.RefreshReuse = "revoke_family" // a spent refresh token that comes ends the whole login
	sim, err := salesforcesim.Listen(simulated)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	c := &cluster{}
	at := demonstration.Addresses{PublicURL: "http://" + public, SalesforceURL: sim.BaseURL()}
	if company != nil {
		at.CompanyURL = company(at.PublicURL)
	}
	for range size {
		c.add(t, database, at, sim, lines)
	}
	if c.store, err = db.Open(t.Context(), db.Config{URL: cmp.Or(database, "sqlite:"+filepath.Join(c.dir, "proxy.db"))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.store.Close() })
	for _, r := range c.replicas {
		r.start()
	}
	balance(t, public, c.replicas)
	return c
}

// add makes one more process, which is not started, with the keys of the first one.
func (c *cluster) add(t *testing.T, database string, at demonstration.Addresses, sim *salesforcesim.Running, lines []string) {
	t.Helper()
	dir := t.TempDir()
	r := &replica{t: t, file: filepath.Join(dir, "proxy.yaml"), listen: freePort(t), adminL: freePort(t)}
	at.Listen, at.AdminListen = r.listen, r.adminL
	if err := demonstration.WriteConfig(r.file, at); err != nil {
		t.Fatal(err)
	}
	read, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(read)
	if database == "" {
		dbtest.SQLite(t, dir)
	} else {
		network := dbtest.Between(t, database)
		c.networks, text = append(c.networks, network), strings.Replace(text, "sqlite:proxy.db", network.URL(database), 1)
	}
	if err := os.WriteFile(r.file, []byte(text+"\n"+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := config.Load(r.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.replicas) == 0 {
		if err := seal.CreateKeyFile(settings.KeysFile); err != nil {
			t.Fatal(err)
		}
		if c.keys, err = os.ReadFile(settings.KeysFile); err != nil {
			t.Fatal(err)
		}
		c.demo = &demo{t: t, dir: dir, Setup: setupOf(settings, sim, r.file)}
	} else if err := os.WriteFile(settings.KeysFile, c.keys, 0o600); err != nil {
		t.Fatal(err)
	}
	c.replicas = append(c.replicas, r)
}

// signIn connects the user anew: at first, and where their Salesforce login was lost.
func (c *cluster) signIn() {
	c.t.Helper()
	c.client, c.browser = c.connect("sobject-all", rep), c.demo.browser()
	c.authorize(c.browser, "sobject-reads", rep)
}

// expire lets the access tokens of all logins expire, so that the next call renews one. Where a replica that
// is stopped has the row locked for longer than the database waits, nothing is to be renewed just then.
func (c *cluster) expire() {
	err := c.store.Tx(c.t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`UPDATE links SET access_expires_at = 1`); err != nil {
			return err
		}
		return c.store.RaiseAccessEpoch(c.t.Context(), tx)
	})
	if err != nil && db.FailureOf(err) != db.TooSlow {
		c.t.Error(err)
	}
}

// fault is something that happens to one replica in the middle of a round; over ends it.
type fault struct {
	name  string
	begin func(*cluster, int)
	over  func(*cluster, int)
	// loses: an answer of Salesforce's that is on its way to the replica may be lost. One that is
	// stalled for longer than its lease cannot be told from one that died.
	loses bool
}

// longStall is longer than a lease, shortStall is one that costs a default run little.
const longStall, shortStall = 9 * time.Second, 300 * time.Millisecond

// killed is the fault that ends a process.
const killed = "killed"

// faults, in their order.
func faults(stall time.Duration) []fault {
	signal := func(s syscall.Signal) func(*cluster, int) {
		return func(c *cluster, i int) { _ = c.replicas[i].process.Process.Signal(s) }
	}
	return []fault{
		{"stalled", signal(syscall.SIGSTOP), func(c *cluster, i int) {
			time.Sleep(stall) // this is the stall
			signal(syscall.SIGCONT)(c, i)
		}, stall >= longStall},
		{"partitioned", func(c *cluster, i int) { c.networks[i].Cut() }, func(c *cluster, i int) {
			eventually(c.t, plenty, "a replica without its database is not ready", func() bool { return !c.replicas[i].ready() })
			c.networks[i].Heal()
		}, false},
		{"database away", func(c *cluster, i int) { c.networks[i].Down() }, func(c *cluster, i int) {
			eventually(c.t, plenty, "a replica without its database is not ready", func() bool { return !c.replicas[i].ready() })
			c.networks[i].Heal()
		}, false},
		{killed, signal(syscall.SIGKILL), func(c *cluster, i int) {
			_ = c.replicas[i].process.Wait()
			c.replicas[i].start()
		}, true},
	}
}

// FT-20, FT-53: three replicas, of which one is stalled, cut off from the database or killed
// while logins are renewed and one approved write is asked for at all of them at once. No login
// is lost but with an answer that was lost, although Salesforce ends one for each spent refresh token that
// it is shown; no write is made twice, and every log is whole.
// SFMCP_TEST_ROUNDS=N runs N/10 rounds, from 50 on with stalls that are longer than a lease.
func TestFaultFT20FT53ThreeReplicas(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	c, times, stall := startCluster(t, 3), 4, shortStall
	if n := rounds.Count(t) / 10; n > times {
		times, stall = n, longStall
	}
	all, losing, kills := faults(stall), 0, 0
	for round := range times {
		f := all[round%len(all)]
		if f.name == killed {
			kills++
		}
		if f.loses {
			losing++
		}
		c.round(fmt.Sprintf("Round %d Ltd", round), f, round%len(c.replicas))
	}
	var tokens []struct{ Reused int }
	c.control("GET", "/tokens", nil, &tokens)
	if len(tokens) < times {
		t.Errorf("%d refresh tokens were issued: none was renewed", len(tokens))
	}
	reused := 0
	for _, token := range tokens {
		reused += token.Reused
	}
	t.Logf("%d rounds, %d of them with a kill, %d with that or a stall beyond the lease: %d reads, %d of them repeated; %d races for one write, %d with an answer that was lost; %d refresh tokens issued, %d logins lost, %d spent ones presented",
		times, kills, losing, c.reads.Load(), c.repeated.Load(), c.races.Load(), c.unknown.Load(), len(tokens), c.lost.Load(), reused)
	if lost := int(c.lost.Load()); lost > losing || reused > losing {
		t.Errorf("%d logins lost, %d spent tokens presented, in %d rounds that can lose an answer", lost, reused, losing)
	}
	for _, r := range c.replicas {
		verified := &demo{t: t}
		verified.ConfigFile = r.file
		verified.must("audit", "verify")
	}
	c.verifyTogether()
}

// verifyTogether verifies the logs of all replicas as one of them can, and fails with one of them away.
func (c *cluster) verifyTogether() {
	c.t.Helper()
	var others []string
	for _, r := range c.replicas[1:] {
		settings, err := config.Load(r.file, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		others = append(others, "--others", settings.Audit.Dir)
	}
	here := &demo{t: c.t}
	here.ConfigFile = c.replicas[0].file
	if len(c.replicas) == 1 {
		here.must("audit", "verify")
		return
	}
	if listed := here.must("audit", "log", "list", "--json"); strings.Count(listed, `"state":"open"`) != len(c.replicas) {
		c.t.Errorf("the roster:\n%s", listed)
	}
	if said := here.must(append([]string{"audit", "verify"}, others...)...); strings.Count(said, "all sound") != len(c.replicas)+1 {
		c.t.Errorf("all logs together:\n%s", said)
	}
	if said, status := here.command(append([]string{"audit", "verify"}, others[2:]...)...); status == exitDone || !strings.Contains(said, "is missing: entry") {
		c.t.Errorf("with one log away: status %d\n%s", status, said)
	}
}

// round asks for reads that need a renewed login, and three times for one approved write, while
// f happens to a replica.
func (c *cluster) round(name string, f fault, victim int) {
	c.t.Helper()
	create := map[string]any{"name": "createSobjectRecord", "arguments": account(name)}
	c.insistOnApproval(c.browser, c.approvalURL(c.hold(create)))
	c.expire()
	var all, faulty sync.WaitGroup
	var signInAgain, over atomic.Bool
	var told atomic.Int64
	faulty.Go(func() {
		defer over.Store(true)
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // anywhere in the middle
		f.begin(c, victim)
		f.over(c, victim)
	})
	for i := range 6 {
		own := *c.client
		own.id = 10_000 * (i + 1)
		all.Go(func() {
			for first := true; first || !over.Load() && !signInAgain.Load(); first = false {
				tries, good := own.tryFor(c, userInfo)
				c.reads.Add(1)
				if tries > 1 {
					c.repeated.Add(1)
				}
				if !good {
					signInAgain.Store(true)
				}
				time.Sleep(20 * time.Millisecond) // as a person would, who leaves others some time
			}
		})
	}
	all.Go(func() {
		for !over.Load() && !signInAgain.Load() {
			time.Sleep(100 * time.Millisecond)
			c.expire()
		}
	})
	for i := range 3 {
		own := *c.client
		own.id = 1_000_000 * (i + 1)
		all.Go(func() {
			for tries := 0; tries < 80 && !signInAgain.Load(); tries++ { // as clients do, whatever became of the call before
				if r, err := own.post(c.t.Context(), "tools/call", create, false); err == nil && strings.Contains(r.text(), toldDone) {
					told.Add(1)
					return
				}
				time.Sleep(250 * time.Millisecond)
			}
		})
	}
	all.Wait()
	faulty.Wait()
	for _, r := range c.replicas {
		eventually(c.t, plenty, "all replicas are ready again", r.ready)
	}
	c.races.Add(1)
	n := c.named("Account", name)
	switch {
	case n > 1, told.Load() > 0 && n != 1:
		c.t.Errorf("%s, %s: %d records, told %d times that it is done", name, f.name, n, told.Load())
	case told.Load() == 0 && n == 1:
		c.unknown.Add(1)
	case told.Load() == 0 && !signInAgain.Load() && !f.loses:
		c.t.Errorf("%s, %s: nobody was told that it is done, and there is no record", name, f.name)
	}
	if signInAgain.Load() {
		c.lost.Add(1)
		if !f.loses {
			c.t.Errorf("%s, %s: a login is lost%s%s", name, f.name, c.logins(), c.causes())
		}
		c.signIn()
	}
}

// hold asks for a write until it waits for a person; what a client is told to repeat meanwhile, it
// repeats.
func (c *cluster) hold(create any) (held reply) {
	c.t.Helper()
	for range 20 {
		r, err := c.client.post(c.t.Context(), "tools/call", create, false)
		if err == nil && strings.Contains(r.text(), "/approvals/") {
			return r
		}
		c.repeated.Add(1)
		c.t.Logf("a write that is to wait is repeated: %d %s %v%s", r.Status, r.body, err, c.causes())
		time.Sleep(100 * time.Millisecond)
	}
	c.t.Fatal("a write does not come to wait for a person")
	return held
}

// logins is how the database has them.
func (c *cluster) logins() (said string) {
	rows, err := c.store.Reads.Query(`SELECT subject, state, version, unanswered, why, failure_kind, failure_code, failure_text FROM links ORDER BY subject`)
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	for rows.Next() {
		var subject, state, why, kind, code, text string
		var version, unanswered int
		if err := rows.Scan(&subject, &state, &version, &unanswered, &why, &kind, &code, &text); err != nil {
			return err.Error()
		}
		said += fmt.Sprintf("\n  login of %s: %s, version %d, %d unanswered, %s, failure %s %s %s", subject, state, version, unanswered, why, kind, code, text)
	}
	return said
}

// causes is what each replica last said of something that failed.
func (c *cluster) causes() (said string) {
	for i, r := range c.replicas {
		last := ""
		for line := range strings.Lines(r.log.String()) {
			if strings.Contains(line, `"error":`) || strings.Contains(line, `"cause":`) {
				last = line
			}
		}
		said += fmt.Sprintf("\n  replica %d: %s", i, strings.TrimSpace(last))
	}
	return said
}

// tryFor repeats a read until it is answered, for a minute at most. False: the user has to sign
// in again.
func (c *mcpClient) tryFor(all *cluster, params any) (tries int, good bool) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		tries++
		r, err := c.post(all.t.Context(), "tools/call", params, false)
		switch {
		case err == nil && r.Status == http.StatusOK && !r.Result.IsError && r.Error == nil:
			return tries, true
		case err == nil && r.Status == http.StatusUnauthorized:
			return tries, false
		case time.Now().After(end):
			all.t.Errorf("a read was not answered for a minute: %d %s %v", r.Status, r.body, err)
			return tries, true
		}
	}
}
