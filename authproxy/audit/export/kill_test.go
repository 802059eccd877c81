package export

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/destination"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/receiver"
	"sfmcp-proxy/authproxy/seal"
)

// killedDir makes this program one that appends and exports until it is killed; the others say
// where its database and its receiver are.
const (
	killedDir      = "SFMCP_TEST_EXPORT_UNTIL_KILLED"
	killedDatabase = "SFMCP_TEST_EXPORT_DATABASE"
	killedReceiver = "SFMCP_TEST_EXPORT_RECEIVER"
)

// exportUntilKilled appends to a log and exports it to a webhook.
func exportUntilKilled(dir string) {
	err := func() error {
		ctx := context.Background()
		d, err := db.Open(ctx, db.Config{URL: os.Getenv(killedDatabase)})
		if err != nil {
			return err
		}
		ring, err := seal.LoadKeyRing(filepath.Join(dir, "keys"))
		if err != nil {
			return err
		}
		if err := d.Claim(ctx, ring); err != nil {
			return err
		}
		l, err := audit.New(audit.Config{Dir: filepath.Join(dir, "audit"), Name: "proxy.example", DB: d, Ring: ring, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		// Another one was killed, and its lease lasts a minute.
		if _, err := d.Writes.ExecContext(ctx, `UPDATE export_positions SET owner = '', owner_until = 0`); err != nil {
			return err
		}
		client := receiver.New(receiver.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AnyPort: true, HeadTime: 5 * time.Second, Now: time.Now})
		e := to(destination.NewWebhook(destination.WebhookConfig{URL: os.Getenv(killedReceiver), Client: client}))
		k := New(Config{DB: d, Audit: l, Exports: []Export{e}})
		k.all[0].pauses = [2]time.Duration{time.Millisecond, 2 * time.Millisecond}
		go k.Run(ctx)
		for {
			for range 1 + rand.IntN(5) {
				if _, err := l.Append(ctx, audit.Entry{Actor: actor.User("005xx000001Sv6AAAS"), Action: audit.ToolCall, Outcome: audit.OK, Org: "acme", Subject: "005xx000001Sv6AAAS"}); err != nil {
					return err
				}
			}
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// wild is a webhook that takes batches, and sometimes answers an error, breaks off, or takes a batch and
// breaks off.
type wild struct {
	mu    sync.Mutex
	texts []string
	tame  bool
	came  chan struct{}
}

// ServeHTTP implements http.Handler.
func (h *wild) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	mood := rand.IntN(10)
	if mood == 0 && !h.tame {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if mood == 1 && !h.tame {
		panic(http.ErrAbortHandler)
	}
	var b struct{ Entries []json.RawMessage }
	if err := json.Unmarshal(body, &b); err != nil {
		panic(err)
	}
	for _, e := range b.Entries {
		h.texts = append(h.texts, string(e))
	}
	select {
	case h.came <- struct{}{}:
	default:
	}
	if mood == 2 && !h.tame {
		panic(http.ErrAbortHandler)
	}
}

// FT-07: a process that appends and exports is killed at any moment, again and again, and its receiver has
// moods: no entry is lost, and those that come twice have the key that they had.
func TestFaultFT07KilledWhileItExports(t *testing.T) {
	t.Parallel()
	if dbtest.OnPostgres() {
		t.Skip("once is enough: it starts many programs")
	}
	s := newSite(t)
	h := &wild{came: make(chan struct{}, 1)}
	address, _ := toServer(t, h.ServeHTTP)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range max(rounds.Count(t)/2, 5) {
		child := exec.Command(self)
		child.Env = append(os.Environ(), killedDir+"="+s.dir, killedDatabase+"="+s.url, killedReceiver+"="+address)
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-h.came:
		case <-time.After(plenty):
			t.Errorf("a child sent nothing for %v", plenty)
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		_ = child.Process.Kill()
		_ = child.Wait()
		select {
		case <-h.came:
		default:
		}
	}
	h.mu.Lock()
	h.tame = true
	h.mu.Unlock()
	d, l := s.open()
	if _, err := d.Writes.Exec(`UPDATE export_positions SET owner = '', owner_until = 0`); err != nil {
		t.Fatal(err)
	}
	_, client := toServer(t, http.NotFound)
	e := to(destination.NewWebhook(destination.WebhookConfig{URL: address, Client: client}))
	k := s.couriersOf(d, l, e)
	_, size := l.Heard()
	s.run(k, func() bool { st := k.States()[0]; return st.Sends && st.Behind == 0 && st.Problem == "" })
	h.mu.Lock()
	defer h.mu.Unlock()
	if size < 10 {
		t.Errorf("the log has %d entries", size)
	}
	whollyTaken(t, h.texts, size)
	t.Logf("%d entries, %d came", size, len(h.texts))
}
