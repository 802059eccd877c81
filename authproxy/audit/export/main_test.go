package export

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/destination"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/receiver"
	"sfmcp-proxy/authproxy/seal"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedDir); dir != "" {
		exportUntilKilled(dir)
	}
	dbtest.Main(m, "")
}

// site is one replica: a database, keys and a log.
type site struct {
	t   testing.TB
	dir string
	url string
	db  *db.DB
	log *audit.Log

	mu sync.Mutex
	at time.Time
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), url: dbtest.URL(t), at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	if err := seal.CreateKeyFile(filepath.Join(s.dir, "keys")); err != nil {
		t.Fatal(err)
	}
	s.db, s.log = s.open()
	return s
}

// open opens the site as another process would.
func (s *site) open() (*db.DB, *audit.Log) {
	s.t.Helper()
	d, err := db.Open(context.Background(), db.Config{URL: s.url})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { d.Close() })
	ring, err := seal.LoadKeyRing(filepath.Join(s.dir, "keys"))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := d.Claim(context.Background(), ring); err != nil {
		s.t.Fatal(err)
	}
	l, err := audit.New(audit.Config{Dir: filepath.Join(s.dir, "audit"), Name: "proxy.example", DB: d, Ring: ring, Now: s.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close(context.Background()) })
	return d, l
}

func (s *site) now() time.Time       { s.mu.Lock(); defer s.mu.Unlock(); return s.at }
func (s *site) pass(d time.Duration) { s.mu.Lock(); defer s.mu.Unlock(); s.at = s.at.Add(d) }

// append adds n entries about a person.
func (s *site) append(n int) {
	s.t.Helper()
	for i := range n {
		if _, err := s.log.Append(context.Background(), audit.Entry{Actor: actor.User("005xx000001Sv6AAAS"), Action: audit.ToolCall, Outcome: audit.OK, Org: "acme",
			Subject: "005xx000001Sv6AAAS", Username: "rep@acme.example", Source: "192.0.2.7", Tool: "soqlQuery", Class: "read", Arguments: fmt.Appendf(nil, `{"q":"canary%d"}`, i)}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// couriers send to these destinations, without pauses worth waiting for.
func (s *site) couriers(exports ...Export) *Couriers {
	return s.couriersOf(s.db, s.log, exports...)
}

func (s *site) couriersOf(d *db.DB, l *audit.Log, exports ...Export) *Couriers {
	k := New(Config{DB: d, Audit: l, Exports: exports, Version: "1.2.3", Now: s.now})
	for _, one := range k.all {
		one.pauses = [2]time.Duration{time.Millisecond, 5 * time.Millisecond}
	}
	return k
}

// plenty only decides how long a broken program takes to fail, so it leaves room for a busy machine.
const plenty = 2 * time.Minute

// run sends until done says that it is enough.
func (s *site) run(k *Couriers, done func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { k.Run(ctx); close(ended) }()
	for deadline := time.Now().Add(plenty); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Errorf("not done after %v: %+v", plenty, k.States())
			break
		}
	}
	cancel()
	<-ended
}

// size is how many entries the log has.
func (s *site) size() int64 { _, n := s.log.Heard(); return n }

// actions are those of the log's entries whose actions begin so.
func (s *site) actions(noun string) (all []audit.Entry) {
	s.t.Helper()
	if err := s.log.List(context.Background(), audit.Filter{Action: noun}, func(e audit.Entry) error { all = append(all, e); return nil }); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// to is an export to a destination, in batches of ten.
func to(d destination.Destination) Export {
	return Export{Name: "siem", Kind: "test", To: d, Format: JSON, Every: time.Millisecond, Entries: 10, Bytes: 1 << 20}
}

// taking is a receiver that keeps what it took.
type taking struct {
	mu    sync.Mutex
	taken []string // as it came
	// before is asked before a batch is kept, after when it was; an error is the answer.
	before, after func(texts []string) error
	attempts      int
}

// take keeps a batch.
func (r *taking) take(texts []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	if r.before != nil {
		if err := r.before(texts); err != nil {
			return err
		}
	}
	r.taken = append(r.taken, texts...)
	if r.after != nil {
		return r.after(texts)
	}
	return nil
}

// Send implements destination.Destination.
func (r *taking) Send(_ context.Context, b *destination.Batch) error {
	var texts []string
	for _, record := range b.Records {
		texts = append(texts, string(record.Text))
	}
	return r.take(texts)
}

func (r *taking) all() []string { r.mu.Lock(); defer r.mu.Unlock(); return slices.Clone(r.taken) }

// kept is what a receiver has that drops doubles by the key of an entry: the log and the number. What comes
// under one key must be one text, and new keys must come in order.
func kept(t testing.TB, texts []string) (seqs []int64) {
	t.Helper()
	known := map[string]string{}
	for _, text := range texts {
		var key struct {
			Log string
			Seq int64
		}
		if err := json.Unmarshal([]byte(text), &key); err != nil || key.Log == "" {
			t.Fatalf("%q: %v", text, err)
		}
		name := Key(key.Log, key.Seq)
		if before, twice := known[name]; twice {
			if before != text {
				t.Errorf("%s came twice, as\n%s\n%s", name, before, text)
			}
			continue
		}
		known[name] = text
		if n := len(seqs); n > 0 && key.Seq != seqs[n-1]+1 {
			t.Errorf("%d came behind %d", key.Seq, seqs[n-1])
		}
		seqs = append(seqs, key.Seq)
	}
	return seqs
}

// whole fails the test unless the texts are all entries up to number n.
func whollyTaken(t testing.TB, texts []string, n int64) {
	t.Helper()
	if seqs := kept(t, texts); int64(len(seqs)) < n || len(seqs) > 0 && seqs[0] != 1 {
		t.Errorf("%d of %d entries arrived", len(seqs), n)
	}
}

// toServer is a receiver of HTTP on this machine.
func toServer(t testing.TB, h http.HandlerFunc) (string, *receiver.Client) {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL, receiver.New(receiver.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AnyPort: true, HeadTime: 5 * time.Second, Now: time.Now})
}
