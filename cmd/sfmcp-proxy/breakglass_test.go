package main

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// busyUser calls, and now and then refreshes its tokens, until it is stopped.
type busyUser struct {
	c      *mcpClient
	calls  atomic.Int64
	failed atomic.Pointer[string]
	stop   func()
}

func (d *demo) keepBusy(c *mcpClient) *busyUser {
	u, ended := &busyUser{c: c}, make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		pace := time.NewTicker(50 * time.Millisecond) // a user may not call as often as a program can
		defer pace.Stop()
		for i := 0; ; i++ {
			select {
			case <-ended:
				return
			case <-pace.C:
			}
			if i%5 == 0 {
				c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}})
			}
			r, err := c.post(d.t.Context(), "tools/call", map[string]any{"name": "getUserInfo", "arguments": map[string]any{}}, false)
			if err != nil || r.Status != http.StatusOK || r.Result.IsError {
				u.failed.CompareAndSwap(nil, &r.body)
			}
			u.calls.Add(1)
		}
	})
	u.stop = sync.OnceFunc(func() { close(ended); all.Wait() })
	d.t.Cleanup(u.stop)
	return u
}

// took waits until calls are refused, and returns how long after begin the last one began that was not.
func (c *mcpClient) refusedAfter(begin time.Time) (last time.Duration, calls int) {
	c.d.t.Helper()
	for deadline := time.Now().Add(plenty); time.Now().Before(deadline); calls++ {
		at := time.Since(begin)
		if c.call("getUserInfo", map[string]any{}).Status == http.StatusUnauthorized {
			return last, calls
		}
		last = at
	}
	c.d.t.Fatal("it is not refused")
	return 0, 0
}

// FT-52: the company's identity provider, or only its key set, is gone, before the proxy has ever asked it or
// after people have signed in by it. Nobody signs in to the console, and the page says why; somebody is cut
// off by a command on the host, for the next call that begins when the command is done; calls and tokens of
// others go on, and so do the other commands of an incident.
func TestFaultFT52CutOffWithoutTheIdentityProvider(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	for name, c := range map[string]struct {
		known bool // somebody has signed in before
		gone  companysim.Faults
	}{
		"never there": {false, companysim.Faults{Down: true}},
		"gone":        {true, companysim.Faults{Down: true}},
		"no keys":     {false, companysim.Faults{NoKeys: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startCompany(t)
			security := companysim.DefaultUsers()[1]
			b, back := d.stopped(), ""
			if c.known {
				back = d.callbackOf(b, security) // at the provider, and not back yet
				if page := d.open(d.browser(), "/console", security); page.Status != http.StatusOK {
					t.Fatalf("while it is there: status %d\n%s", page.Status, page.Body)
				}
				_, rest, _ := strings.Cut(d.must("session", "list", "--json"), `"id":"`)
				id, _, _ := strings.Cut(rest, `"`)
				d.must("session", "end", id)
			}
			bad := d.connect("sobject-all", rep)
			held := d.approvalURL(bad.call("createSobjectRecord", account("Bad Ltd")))
			others := d.keepBusy(d.connect("sobject-reads", manager))
			d.provider.SetFaults(c.gone)

			if back == "" && !c.gone.Down {
				back = d.callbackOf(b, security)
			}
			if back == "" {
				back = d.wayIn("/console", "")
			}
			d.notSignedIn("the console", b, d.goOn(b, back), http.StatusServiceUnavailable, "sign-in does not answer")
			if page := d.look(b, "/console"); page.Status == http.StatusOK && strings.Contains(page.Body, "Connections") {
				t.Errorf("the console without a sign-in: %s", page.Body)
			}

			block := exec.Command(os.Args[0], "user", "block", rep, "--config", d.ConfigFile)
			block.Env = append(os.Environ(), runAsProgram+"=1")
			out, err := block.CombinedOutput()
			done := time.Now()
			if err != nil || !strings.Contains(string(out), rep) {
				t.Fatalf("user block: %v\n%s", err, out)
			}
			if last, calls := bad.refusedAfter(done); calls != 0 {
				t.Errorf("%d calls after the command was done, the last %v later", calls, last)
			}
			if page, err := d.browser().Get(t.Context(), held); err != nil || strings.Contains(page.Body, "Bad Ltd") {
				t.Errorf("the call that waited: %v, %+v", err, page)
			}
			d.must("user", "list")
			d.must("session", "list")
			if log := d.must("audit", "list", "--action", "user.block", "--json"); !strings.Contains(log, rep) {
				t.Errorf("the log has %s", log)
			}
			others.stop()
			if failed := others.failed.Load(); others.calls.Load() == 0 || failed != nil {
				t.Errorf("%d calls of somebody else, of which one failed: %v", others.calls.Load(), failed)
			}
		})
	}
}
