package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// soak is the product as a process under load, with a bad network between it and Salesforce.
type soak struct {
	*demo
	network *badNetwork
	proxy   *replica
	stop    chan struct{}
	load    sync.WaitGroup

	good, told, refused atomic.Int64 // reads: answered, answered with why not, answered 401
	writes, unknown     int
	signedIn            int
}

// caller is one user's connection, which many workers use.
type caller struct {
	username, other string
	client          atomic.Pointer[mcpClient]
	cutAt           atomic.Pointer[time.Time] // when it was cut off; nil while it is not
	lost            atomic.Bool               // a worker was told to sign in again
}

func startSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{network: startBadNetwork(t), stop: make(chan struct{})}
	s.network.calm.Store(true)
	dir, public := t.TempDir(), freePort(t)
	s.network.to = freePort(t)
	sim, err := salesforcesim.Listen(salesforcesim.Config{BaseURL: "http://" + s.network.from, Listen: s.network.to,
		Callbacks: []string{"http://" + public + "/oauth/callback"},
		Orgs:      []salesforcesim.Org{{Name: "acme", ID: salesforcesim.OrgID, DailyAPILimit: 1 << 30}}}) // 200 calls a second reach 100,000 in minutes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	dbtest.SQLite(t, dir)
	s.proxy = &replica{t: t, file: filepath.Join(dir, "proxy.yaml"), listen: public, adminL: freePort(t)}
	if err := demonstration.WriteConfig(s.proxy.file, demonstration.Addresses{
		PublicURL: "http://" + public, Listen: public, AdminListen: s.proxy.adminL, SalesforceURL: sim.BaseURL()}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.proxy.file)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "calls_per_minute: 6000", "calls_per_minute: 60000", 1))
	if err := os.WriteFile(s.proxy.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(s.proxy.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(c.KeysFile); err != nil {
		t.Fatal(err)
	}
	s.demo = &demo{t: t, dir: dir, Setup: setupOf(c, sim, s.proxy.file)}
	s.proxy.start()
	return s
}

// calmly does what a person does, whom a bad network keeps waiting and who then tries again: here
// it does not happen, because nothing is to be learned from it.
func (s *soak) calmly(do func()) {
	s.network.calm.Store(true)
	defer s.network.calm.Store(false)
	do()
}

func (s *soak) signIn(c *caller) {
	s.calmly(func() {
		c.client.Store(s.connect("sobject-all", c.username))
		s.signedIn++
	})
	c.lost.Store(false)
	c.cutAt.Store(nil)
}

// read has a worker ask who its user is, at a steady pace, until the soak stops.
func (s *soak) read(c *caller, pace time.Duration, first int) {
	s.load.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for id := first; ; id++ {
			select {
			case <-s.stop:
				return
			case <-tick.C:
			}
			own, begun := *c.client.Load(), time.Now()
			own.id = id
			r, err := own.post(s.t.Context(), "tools/call", userInfo, false)
			if cut := c.cutAt.Load(); err == nil && cut != nil && begun.After(cut.Add(time.Second)) && r.Status != http.StatusUnauthorized {
				s.t.Errorf("G5: %s was cut off at %v, and a call of %v was answered: %d %s", c.username, cut, begun, r.Status, r.body)
			}
			switch {
			case err != nil:
				s.t.Errorf("G9: a call had no answer: %v", err)
			case r.Status == http.StatusUnauthorized:
				s.refused.Add(1)
				if own.access == c.client.Load().access {
					c.lost.Store(true)
				}
			case r.Status != http.StatusOK && r.Status != http.StatusServiceUnavailable:
				s.t.Errorf("an answer of status %d: %s", r.Status, r.body)
			case strings.Contains(r.body, c.other):
				s.t.Errorf("G4: %s got what is of %s: %s", c.username, c.other, r.body)
			case r.Error == nil && !r.Result.IsError && strings.Contains(r.body, c.username) && strings.Contains(r.body, fmt.Sprintf(`"id":%d`, id+1)):
				s.good.Add(1)
			case r.Error == nil && !r.Result.IsError && r.Status == http.StatusOK:
				s.t.Errorf("an answer that is neither: %s", r.body)
			default:
				s.told.Add(1)
			}
		}
	})
}

// write makes one record as clients do: it is asked for, approved, and asked for until the client is
// told how it ended.
func (s *soak) write(c *caller, b *salesforcesim.Browser) {
	s.t.Helper()
	s.writes++
	name := fmt.Sprintf("Soak %d Ltd", s.writes)
	create := map[string]any{"name": "createSobjectRecord", "arguments": account(name)}
	approved, done := false, false
	own := *c.client.Load() // which the workers read
	for tries := 0; tries < 60 && !done; tries++ {
		own.id = 1_000_000_000 + 100*s.writes + tries
		r, err := own.post(s.t.Context(), "tools/call", create, false)
		switch {
		case err != nil:
			s.t.Errorf("G9: a write had no answer: %v", err)
		case strings.Contains(r.text(), toldDone):
			done = true
		case strings.Contains(r.text(), toldUnsure):
			s.unknown++
			done = true
		case strings.Contains(r.text(), "/approvals/") && !approved:
			s.calmly(func() { s.insistOnApproval(b, s.approvalURL(r)) })
			approved = true
		case r.Status == http.StatusUnauthorized:
			s.signIn(c)
			own = *c.client.Load()
		default:
			time.Sleep(50 * time.Millisecond) // as a client does
		}
	}
	if n := s.named("Account", name); n > 1 || !approved && n > 0 {
		s.t.Errorf("G2: %d records of %s, approved: %v", n, name, approved)
	}
	if !done {
		s.t.Errorf("%s: nobody was told how it ended", name)
	}
}

// cutOff ends a user's connections and looks that their calls stop.
func (s *soak) cutOff(c *caller) {
	s.t.Helper()
	out, _ := s.command("user", "revoke", c.username) // what Salesforce confirms of it is up to the network
	now := time.Now()
	c.cutAt.Store(&now)
	if !strings.Contains(out, "connection") {
		s.t.Errorf("user revoke: %s", out)
	}
	time.Sleep(1500 * time.Millisecond) // the workers go on calling beyond the second in which it counts everywhere
	s.signIn(c)
}

// sample is what the process holds at one moment.
type sample struct{ goroutines, files, memory float64 }

func (s *soak) sample() (now sample) {
	s.t.Helper()
	resp, err := http.Get("http://" + s.proxy.adminL + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		for name, into := range map[string]*float64{"go_goroutines ": &now.goroutines, "process_open_fds ": &now.files, "process_resident_memory_bytes ": &now.memory} {
			if value, ok := strings.CutPrefix(line, name); ok {
				*into, _ = strconv.ParseFloat(strings.TrimSpace(value), 64)
			}
		}
	}
	return now
}

// FT-51: a steady load while the network to Salesforce is late, slow, in pieces and broken, while logins
// are renewed, users are cut off and come back, and writes are approved. The invariants hold, and
// what the process holds does not grow. SFMCP_TEST_SOAK says for how long (24h; by default a second): 200 calls a second.
func TestFaultFT51Soak(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	long, err := time.ParseDuration(cmp.Or(os.Getenv("SFMCP_TEST_SOAK"), "1s"))
	if err != nil {
		t.Fatalf("SFMCP_TEST_SOAK: %v", err)
	}
	s := startSoak(t)
	seller, manager := &caller{username: rep, other: "manager@acme.example"}, &caller{username: "manager@acme.example", other: rep}
	s.signIn(seller)
	s.signIn(manager)
	browser := s.demo.browser()
	s.calmly(func() { s.authorize(browser, "sobject-reads", rep) })
	before := s.sample()
	for worker := range 8 {
		c := seller
		if worker%2 == 1 {
			c = manager
		}
		s.read(c, 40*time.Millisecond, worker*100_000_000)
	}
	var samples []sample
	begun := time.Now()
	for turn := 0; turn == 0 || time.Since(begun) < long; turn++ {
		s.write(seller, browser)
		s.expireLogins()
		if turn%10 == 0 {
			s.cutOff(manager)
		}
		for _, c := range []*caller{seller, manager} {
			if c.lost.Load() {
				s.signIn(c)
			}
		}
		samples = append(samples, s.sample())
		if rest := long - time.Since(begun); rest > 0 {
			time.Sleep(min(rest, 3*time.Second)) // a person may have only so many pages in a minute
		}
	}
	close(s.stop)
	s.load.Wait()
	s.network.calm.Store(true)
	s.settled(before, samples, long)
	s.sums(long)
}

// settled checks that nothing of the load stays (G10) and that nothing grew under it.
func (s *soak) settled(before sample, samples []sample, long time.Duration) {
	s.t.Helper()
	eventually(s.t, plenty, "goroutines and files are as before the load", func() bool {
		now := s.sample()
		return now.goroutines <= before.goroutines*1.05+20 && now.files <= before.files*1.05+20
	})
	if long < time.Minute {
		return // memory that is not collected yet would say nothing
	}
	third := len(samples) / 3
	median := func(of []sample, part func(sample) float64) float64 {
		all := make([]float64, len(of))
		for i, one := range of {
			all[i] = part(one)
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	for name, part := range map[string]func(sample) float64{
		"goroutines": func(m sample) float64 { return m.goroutines },
		"files":      func(m sample) float64 { return m.files },
		"memory":     func(m sample) float64 { return m.memory },
	} {
		middle, end := median(samples[third:2*third], part), median(samples[2*third:], part)
		s.t.Logf("%s: %.0f in the second third, %.0f in the last", name, middle, end)
		if end > middle*1.1+20 {
			s.t.Errorf("G10: %s grow: %.0f in the second third, %.0f in the last", name, middle, end)
		}
	}
}

// sums checks what only the end can show, and says what happened.
func (s *soak) sums(long time.Duration) {
	s.t.Helper()
	var tokens []struct{ Reused int }
	s.control("GET", "/tokens", nil, &tokens)
	reused := 0
	for _, token := range tokens {
		reused += token.Reused
	}
	n := s.network
	s.t.Logf("%v: %d reads answered, %d told why not, %d refused; %d writes, %d of them with an unknown end; %d refresh tokens, %d spent ones presented, %d sign-ins; network: %d late, %d in pieces, %d slow, %d broken, %d of these while tokens were asked for",
		long, s.good.Load(), s.told.Load(), s.refused.Load(), s.writes, s.unknown, len(tokens), reused, s.signedIn,
		n.late.Load(), n.sliced.Load(), n.slow.Load(), n.reset.Load(), n.unsure.Load())
	if reused > int(n.unsure.Load()) {
		s.t.Errorf("G8: %d spent refresh tokens were presented, and %d answers can have been lost", reused, n.unsure.Load())
	}
	if good, told := s.good.Load(), s.told.Load(); good < 9*told || good == 0 {
		s.t.Errorf("the error budget: %d reads were answered, %d were not", good, told)
	}
	s.accounted("createSobjectRecord")
}
