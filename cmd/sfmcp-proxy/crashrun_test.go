package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
	"sfmcp-proxy/examples/salesforcesim/records"
)

// How much TestFaultFT10CrashesAndRaces and TestFaultFT10CrashesOnSQLite do; see there.
var (
	crashesWanted = flag.Int("crashes", 0, "how often TestFaultFT10Crashes… kills a process; 0: 15 times on PostgreSQL")
	racesWanted   = flag.Int("races", 0, "how many races TestFaultFT10Crashes… runs; 0: 100 on PostgreSQL")
)

// fleet is the HTTP of clients and browsers that choose which replica they speak to.
type fleet struct {
	public  string // host and port of the public URL
	direct  []*http.Transport
	turn    atomic.Int64
	outside http.RoundTripper
}

type fleetPlace struct{}

// at has the requests of a context go to one replica.
func at(ctx context.Context, place int) context.Context {
	return context.WithValue(ctx, fleetPlace{}, place)
}

func newFleet(c *cluster) *fleet {
	f := &fleet{public: strings.TrimPrefix(c.PublicURL, "http://"), outside: &http.Transport{MaxIdleConnsPerHost: 32}}
	for _, r := range c.replicas {
		f.direct = append(f.direct, &http.Transport{MaxIdleConnsPerHost: 32, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, r.listen)
		}})
	}
	return f
}

// RoundTrip sends what is for the proxy to the replica of the request's context, or to each in turn.
func (f *fleet) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != f.public {
		return f.outside.RoundTrip(r)
	}
	place, ok := r.Context().Value(fleetPlace{}).(int)
	if !ok {
		place = int(f.turn.Add(1))
	}
	return f.direct[place%len(f.direct)].RoundTrip(r)
}

// crashRun is three processes under load that are killed and started again while people and programs
// race each other, and what each of those was told.
type crashRun struct {
	*cluster
	company        *companyDemo
	security       [2]string // tokens of two administrators
	crashes, races int       // wanted
	begun          time.Time

	killed, reads, loginsLost atomic.Int64

	mu          sync.Mutex
	done        map[string]int // races, by kind
	repeats     map[string]int // what had to be asked for again, by what it was
	started     []time.Duration
	kills       map[int][]time.Time // when the process of a place was gone
	writes      []*racedWrite
	cuts        []cut
	revoked     int // acknowledged ends of one connection
	blocks      int // acknowledged blocks
	unblocks    int // acknowledged, each of a person who was blocked
	definitions int // acknowledged decisions about a definition
	redeemed    int // codes
	rotated     int // refresh tokens of ours
}

// cut is an access token whose end was acknowledged.
type cut struct {
	client *mcpClient
	at     time.Time
}

// racedWrite is one call that waited for a person, and what people and its client were told of it.
type racedWrite struct {
	name, approval              string
	approved, denied, countered bool // acknowledged to whoever decided so
	done, unsure                bool // told to the client
	cut                         bool // its connection was ended, so nobody asks for it again
	anew                        bool // it was held once more; see crashLog.open
}

// ended says whether nothing is to come of it any more that its client waits for.
func (w *racedWrite) ended() bool { return w.done || w.unsure || w.denied || w.countered || w.cut }

// crashWorkers is how many users work at a time, each with two people who decide about their calls.
const crashWorkers = 6

// racers is how many ask at once in a race: each another replica, where there are as many.
const racers = 3

// crashWorker is one user: an MCP client with two connections, and two approvers' browsers.
type crashWorker struct {
	*crashRun
	user, subject string
	browser       *salesforcesim.Browser
	approvers     [2]crashApprover
	writing       *mcpClient
	reading       *mcpClient
	ids           *rand.Rand
	n             int
	checked       int // of the run's cuts, those of this worker that were looked at
	ended         []cut
}

// crashApprover is somebody of the company who decides.
type crashApprover struct {
	*salesforcesim.Browser
	who companysim.User
}

// startCrashRun starts the processes on a database (see [newCluster]), the people and their connections.
func startCrashRun(t *testing.T, database string, size, crashes, races int) (*crashRun, []*crashWorker) {
	t.Helper()
	run := &crashRun{crashes: crashes, races: races, done: map[string]int{}, repeats: map[string]int{}, kills: map[int][]time.Time{}, begun: time.Now()}
	var users []salesforcesim.User
	var people []companysim.User
	for i := range crashWorkers {
		name := fmt.Sprintf("seller%d@acme.example", i)
		users = append(users, salesforcesim.User{ID: records.RecordID("005", i+1), Username: name, Password: "simulated-" + name, Name: name, Profile: "Sales User"})
		for j := range 2 {
			approver := fmt.Sprintf("approver%d-%d", i, j)
			people = append(people, companysim.User{Subject: "00u-" + approver, Username: approver + "@acme.example", Password: "approve-" + approver, Name: approver,
				Email: approver + "@acme.example", EmailVerified: true, Groups: []string{"sales-approvers"}})
		}
	}
	company := &companyDemo{}
	run.cluster = newCluster(t, database, size, salesforcesim.Config{Users: users,
		Orgs: []salesforcesim.Org{{Name: "acme", ID: salesforcesim.OrgID, DailyAPILimit: 1 << 30}}}, func(publicURL string) string {
		provider, err := companysim.Listen("127.0.0.1:0", companysim.Config{RedirectURIs: []string{publicURL + "/oauth/company/callback"}, Users: people})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { provider.Close() })
		company.provider, company.issuer = provider.Provider, provider.Issuer()
		return company.issuer
	})
	for _, u := range users {
		run.Users = append(run.Users, demonstration.User{Username: u.Username, Password: u.Password})
	}
	run.by = &http.Client{Transport: newFleet(run.cluster), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	company.demo, run.company = run.demo, company
	run.security = [2]string{company.apiToken("security", "first").secret, company.apiToken("security", "second").secret}
	var workers []*crashWorker
	for i, u := range users {
		w := &crashWorker{crashRun: run, user: u.Username, subject: u.ID, browser: run.demo.browser(), ids: rand.New(rand.NewPCG(uint64(i), uint64(crashes+races)))}
		w.approvers = [2]crashApprover{{company.member(people[2*i]), people[2*i]}, {company.member(people[2*i+1]), people[2*i+1]}}
		w.writing, w.reading = w.connected("sobject-reviewed"), w.connected("sobject-reads")
		if _, err := w.reading.post(t.Context(), "tools/list", nil, false); err != nil {
			t.Fatal(err)
		}
		workers = append(workers, w)
	}
	return run, workers
}

// FT-10, AP-16, D13: three processes on one PostgreSQL are killed with SIGKILL at random moments and started
// again, while users read and have logins at Salesforce renewed, approvers approve, deny and propose other
// values, clients spend approvals and redeem codes and refresh tokens at several processes at once, and
// administrators cut people off and let them in again, two at a time. At the end everything that anybody was
// told is held against the database, the records of the simulated Salesforce, which ends a login for a spent
// refresh token, and the audit logs of all three: nothing that was acknowledged is lost, and no effect is there twice.
//
//	go test ./cmd/sfmcp-proxy -run FT10CrashesAndRaces -v -timeout 3h -crashes 1000 -races 10000
func TestFaultFT10CrashesAndRaces(t *testing.T) {
	t.Parallel()
	crashes, races := *crashesWanted, *racesWanted
	if crashes == 0 && races == 0 {
		rounds.Thorough(t)
		crashes, races = 15, 100
	}
	crashAndRace(startCrashRun(t, dbtest.Postgres(t), 3, crashes, races))
}

// FT-07, FT-10: the same of one process on a SQLite file, whose audit log is appended to all the time.
//
//	go test ./cmd/sfmcp-proxy -run FT10CrashesOnSQLite -v -timeout 3h -crashes 1000 -races 10000
//
// Without these flags it is skipped: it takes half an hour, and a tenth of it says little.
func TestFaultFT10CrashesOnSQLite(t *testing.T) {
	if *crashesWanted == 0 && *racesWanted == 0 {
		t.Skip("without -crashes N there is nothing to do")
	}
	t.Parallel()
	crashAndRace(startCrashRun(t, "", 1, *crashesWanted, *racesWanted))
}

// crashAndRace lets everybody work until there were as many crashes and races as wanted.
func crashAndRace(run *crashRun, workers []*crashWorker) {
	var all, expiring sync.WaitGroup
	stop := make(chan struct{})
	expiring.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(700 * time.Millisecond): // how often logins expire
				run.expire()
			}
		}
	})
	all.Go(run.kill)
	for _, w := range workers {
		all.Go(w.work)
	}
	all.Wait()
	close(stop)
	expiring.Wait()
	run.settleAll(workers)
	run.say(run.account())
}

// enough says whether there were as many crashes and races as wanted.
func (run *crashRun) enough() bool {
	run.mu.Lock()
	defer run.mu.Unlock()
	n := 0
	for _, kind := range run.done {
		n += kind
	}
	return n >= run.races && int(run.killed.Load()) >= run.crashes || run.late()
}

// late says that the time that the test may take is nearly over.
func (run *crashRun) late() bool {
	end, ok := run.t.Deadline()
	return ok && time.Until(end) < 2*time.Minute
}

// moment is how long processes live until the next kill. Where there is one alone, nobody answers while it starts, and one
// of four lives is long enough to take over a refresh of which another process died ([link.Store]); else
// whoever needs that login waits for ever.
func (run *crashRun) moment(moments *rand.Rand) time.Duration {
	most := 300
	if len(run.replicas) == 1 {
		if most = 1200; moments.IntN(4) == 0 {
			most = 8000
		}
	}
	return time.Duration(moments.IntN(most)) * time.Millisecond
}

// kill kills processes at random moments, mostly two at once, and notes how long each takes until it is ready again.
func (run *crashRun) kill() {
	moments := rand.New(rand.NewPCG(1, uint64(run.crashes)))
	for !run.late() && int(run.killed.Load()) < run.crashes {
		time.Sleep(run.moment(moments))
		victims := moments.Perm(len(run.replicas))[:min(1+min(moments.IntN(4), 1), len(run.replicas))]
		for _, i := range victims {
			_ = run.replicas[i].process.Process.Signal(syscall.SIGKILL)
		}
		var both sync.WaitGroup
		for _, i := range victims {
			both.Go(func() {
				r := run.replicas[i]
				_ = r.process.Wait()
				begun := time.Now()
				r.begin()
				for !r.ready() {
					if time.Since(begun) > plenty {
						run.t.Errorf("a process that was killed is not ready again after %v:\n%s", plenty, &r.log)
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
				run.mu.Lock()
				run.started, run.kills[i] = append(run.started, time.Since(begun)), append(run.kills[i], begun)
				run.mu.Unlock()
				run.killed.Add(1)
			})
		}
		both.Wait()
		if n := run.killed.Load(); n%100 < int64(len(victims)) {
			run.t.Logf("%v: %d crashes, races %v", time.Since(run.begun).Round(time.Second), n, run.counts())
		}
	}
}

func (run *crashRun) counts() map[string]int {
	run.mu.Lock()
	defer run.mu.Unlock()
	return maps.Clone(run.done)
}

// say prints the counts of the run.
func (run *crashRun) say(sums crashSums) {
	slices.Sort(run.started)
	quantile := func(q float64) time.Duration {
		if len(run.started) == 0 {
			return 0
		}
		return run.started[min(int(q*float64(len(run.started))), len(run.started)-1)].Round(time.Millisecond)
	}
	races := 0
	for _, n := range run.done {
		races += n
	}
	if killed := int(run.killed.Load()); killed < run.crashes || races < run.races {
		run.t.Errorf("the time was over after %d of %d crashes and %d of %d races", killed, run.crashes, races, run.races)
	}
	run.t.Logf(`%v, %d processes, %d users:
  crashes: %d; ready again after %v (p50), %v (p99)
  races: %d, of them %v
  reads answered: %d; what was repeated: %v
  calls that waited: %d; acknowledged: %d approved, %d denied, %d countered
  writes executed: %d; told done: %d; unknown: %d
  codes redeemed: %d; refresh tokens of ours rotated: %d
  acknowledged cuts of connections: %d, blocks: %d, unblocks: %d, decisions about definitions: %d
  refresh tokens of Salesforce's: %d issued, %d spent ones presented; logins lost: %d
  audit records verified: %d; intents whose process was killed before their end: %d
  calls that were about to be forwarded when their process was killed: %d, of whose approvals %d were ended for that
  lost or doubled effects: %d`,
		time.Since(run.begun).Round(time.Second), len(run.replicas), crashWorkers, run.killed.Load(), quantile(0.5), quantile(0.99), races, run.done,
		run.reads.Load(), run.repeats, len(run.writes), sums.approved, sums.denied, sums.countered, sums.executed, sums.done, sums.unsure,
		run.redeemed, run.rotated, len(run.cuts), run.blocks, run.unblocks, run.definitions, sums.issued, sums.reused, run.loginsLost.Load(), sums.records, sums.pending, sums.open, sums.ended, sums.wrong)
}
