package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// private asks the private listener of a running process.
func (d *demo) private(path string) (int, string) {
	d.t.Helper()
	c, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.Get("http://" + c.AdminListen + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// inFlight is how many requests the process says that it is answering.
func (d *demo) inFlight() int {
	_, text := d.private("/metrics")
	_, rest, _ := strings.Cut(text, "\nsfmcp_http_requests_in_flight ")
	line, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.Atoi(line)
	return n
}

// ends waits for a process and returns its exit status, -1 for a signal.
func ends(t *testing.T, process *exec.Cmd, within time.Duration) (status int, took time.Duration) {
	t.Helper()
	begun := time.Now()
	done := make(chan struct{})
	go func() { process.Wait(); close(done) }()
	select {
	case <-done:
		return process.ProcessState.ExitCode(), time.Since(begun)
	case <-time.After(within):
		t.Fatalf("the process still runs after %s", within)
		return 0, 0
	}
}

// endsWell ends the process and looks that it takes that for an end in order.
func (d *demo) endsWell(process *exec.Cmd, signal os.Signal) {
	d.t.Helper()
	process.Process.Signal(signal)
	if status, _ := ends(d.t, process, plenty); status != exitDone {
		d.t.Errorf("ended with status %d\n%s", status, d.log)
	}
}

// burst makes calls all at once, each as an event stream that is quiet before its answer.
type burst struct {
	group  sync.WaitGroup
	failed atomic.Int64
}

func (b *burst) call(c *mcpClient, id int, tool string, arguments any) {
	own := *c
	own.id = id
	b.group.Go(func() {
		r, err := own.post(c.d.t.Context(), "tools/call", map[string]any{"name": tool, "arguments": arguments, "_meta": map[string]any{"progressToken": id}}, false)
		if err != nil || r.Status != http.StatusOK || !strings.Contains(r.body, `"isError":false`) {
			b.failed.Add(1)
			c.d.t.Errorf("%s %d: %d %.300s %v", tool, id, r.Status, r.body, err)
		}
	})
}

// FT-42: told to end while 200 event streams are open, ten of them approved writes. The
// process takes no more work at once, finishes what it has, and ends well in time; after
// a restart nothing is lost or done twice, and what waited for a person still waits.
func TestFaultFT42DrainsOnSIGTERM(t *testing.T) {
	t.Parallel()
	dir, listen, salesforce := t.TempDir(), freePort(t), freePort(t)
	d, process := startProcess(t, dir, listen, salesforce)
	c, other, b := d.connect("sobject-all", rep), d.connect("sobject-reads", salesforcesim.ManagerUsername), d.browser()
	name := func(i int) string { return fmt.Sprintf("Drained %d Ltd", i) }
	for i := range 10 {
		d.decide(b, d.approvalURL(c.call("createSobjectRecord", account(name(i)))), rep, "approve")
	}
	var pending []string
	for i := range 3 {
		pending = append(pending, d.approvalURL(c.call("createSobjectRecord", account(fmt.Sprintf("Waiting %d Ltd", i)))))
	}
	d.control("PATCH", "/faults", map[string]any{"framing": "sse", "progress_notifications": 1, "answers_held": true}, nil)
	var calls burst
	for i := range 100 {
		if i < 10 {
			calls.call(c, 1000+i, "createSobjectRecord", account(name(i)))
		} else {
			calls.call(c, 1000+i, "soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
		}
		calls.call(other, 2000+i, "soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
	}
	eventually(t, plenty, "200 calls are at Salesforce", func() bool {
		return d.inFlight() == 200 && len(d.recorded("tool=createSobjectRecord")) == 10
	})

	process.Process.Signal(syscall.SIGTERM)
	eventually(t, drainTime/2, "readyz says 503", func() bool { status, _ := d.private("/readyz"); return status == http.StatusServiceUnavailable })
	if n := d.inFlight(); n != 200 {
		t.Errorf("%d requests are in flight after the signal", n)
	}
	if speakPlainlyOnce(listen) {
		t.Error("a new connection is answered")
	}
	d.control("PATCH", "/faults", map[string]any{"answers_held": false}, nil)
	status, took := ends(t, process, plenty)
	calls.group.Wait()
	if status != exitDone || strings.Contains(d.log.String(), "were cut off") {
		t.Errorf("ended with status %d, %s after the last answer:\n%s", status, took, d.log)
	}
	if n := calls.failed.Load(); n > 0 {
		t.Errorf("%d of 200 calls failed\n%s", n, d.log)
	}

	d, _ = startProcess(t, dir, listen, salesforce)
	c.d = d
	for i := range 10 {
		c.call("createSobjectRecord", account(name(i))) // answered from the record
		if n := d.named("Account", name(i)); n != 1 {
			t.Errorf("%s: %d records", name(i), n)
		}
	}
	for i, want := range pending {
		if got := d.approvalURL(c.call("createSobjectRecord", account(fmt.Sprintf("Waiting %d Ltd", i)))); got != want {
			t.Errorf("pending approval %s is now %s", want, got)
		}
	}
	d.must("audit", "verify")
	d.accounted("createSobjectRecord")
}

// FT-42: what takes longer than the drain is cut off, its outcome is recorded as unknown,
// and the process ends within 30 s all the same.
func TestFaultFT42CutsOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	const drain = 3 * time.Second
	d, process := startCommand(t, exec.Command(os.Args[0]), t.TempDir(), freePort(t), freePort(t), shortDrain+"="+drain.String())
	c := d.connect("sobject-all", rep)
	d.decide(d.browser(), d.approvalURL(c.call("createSobjectRecord", account("Slow Ltd"))), rep, "approve")
	d.control("PATCH", "/faults", map[string]any{"answers_held": true}, nil)
	go c.post(t.Context(), "tools/call", map[string]any{"name": "createSobjectRecord", "arguments": account("Slow Ltd")}, false)
	eventually(t, plenty, "the call is at Salesforce", func() bool { return len(d.recorded("tool=createSobjectRecord")) == 1 })
	process.Process.Signal(syscall.SIGTERM)
	if most := longestDrain + closeTime + flushTime; most > 30*time.Second {
		t.Errorf("ending may take %s", most)
	}
	// On a slow machine it takes longer than that; the call itself would never end.
	if status, took := ends(t, process, plenty); status != exitDone || took < drain-time.Second {
		t.Errorf("ended with status %d after %s", status, took)
	}
	if out := d.must("audit", "export"); !strings.Contains(out, `"outcome":"outcome_unknown"`) && !strings.Contains(out, `"outcome":"unknown"`) {
		t.Errorf("the outcome of the write is not recorded as unknown:\n%s", out)
	}
}

// FT-42: the database is away while the process ends. How an approved write ended, whose answer comes meanwhile, is in the audit
// log, with the word that its approval does not say so.
func TestFaultFT42RecordsOutcomesWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, process := startCommand(t, exec.Command(os.Args[0]), dir, freePort(t), freePort(t), shortDrain+"=3s", shortBusy+"=300ms")
	c := d.connect("sobject-all", rep)
	d.decide(d.browser(), d.approvalURL(c.call("createSobjectRecord", account("Late Ltd"))), rep, "approve")
	d.control("PATCH", "/faults", map[string]any{"answers_held": true}, nil)
	go c.post(t.Context(), "tools/call", map[string]any{"name": "createSobjectRecord", "arguments": account("Late Ltd")}, false)
	eventually(t, plenty, "the call is at Salesforce", func() bool { return len(d.recorded("tool=createSobjectRecord")) == 1 })
	release := hold(t, dir)
	process.Process.Signal(syscall.SIGTERM)
	d.control("PATCH", "/faults", map[string]any{"answers_held": false}, nil)
	ends(t, process, plenty)
	release()
	entries := d.must("audit", "list", "--action", "tool.call", "--tool", "createSobjectRecord", "--json")
	if !strings.Contains(entries, `"intent":`) || !strings.Contains(entries, "how it ended could not be recorded with its approval") {
		t.Errorf("the outcome of the write is not recorded:\n%s\n%s", entries, d.log)
	}
	if !strings.Contains(d.log.String(), "people are asked what became of them") {
		t.Errorf("the log does not say what is left:\n%s", d.log)
	}
}

// FT-42: the unit of systemd and the composition wait for the longest shutdown_delay, and for all that ending takes after it, before
// they end a process by force; the chart's grace follows its delay (TestHelm).
func TestFaultFT42ExamplesWaitForTheEnd(t *testing.T) {
	t.Parallel()
	longest := config.MaxShutdownDelay + longestDrain + closeTime + flushTime + time.Second
	for file, setting := range map[string]string{filepath.Join("..", "..", "examples", "systemd", "sfmcp-proxy.service"): `(?m)^TimeoutStopSec=(\d+)$`, filepath.Join(composeDir, "compose.yaml"): `(?ms)^x-replica:.*?^  stop_grace_period: (\d+)s$`} {
		found := regexp.MustCompile(setting).FindStringSubmatch(read(t, file))
		if found == nil {
			t.Errorf("%s does not say how long it waits", file)
			continue
		}
		if seconds, err := strconv.Atoi(found[1]); err != nil || time.Duration(seconds)*time.Second < longest {
			t.Errorf("%s waits %s s, and a process may take %v", file, found[1], longest)
		}
	}
}

// FT-42: with shutdown_delay a process that is told to end says so on /readyz, and answers until the delay is
// over, on connections that it then closes.
func TestFaultFT42AnswersUntilTheDelayIsOver(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{time.Second, time.Minute} {
		t.Run(delay.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			dbtest.SQLite(t, dir)
			d, r := prepareServed(t, dir, "")
			r.before = []string{"env", "SFMCP_SHUTDOWN_DELAY=" + delay.String()}
			r.start()
			r.process.Process.Signal(syscall.SIGTERM)
			if delay < time.Minute {
				if status, took := ends(t, r.process, plenty); status != exitDone || took < delay/2 {
					t.Errorf("ended with status %d after %s\n%s", status, took, &r.log)
				}
				return
			}
			eventually(t, plenty, "readyz says 503", func() bool { status, _ := d.private("/readyz"); return status == http.StatusServiceUnavailable })
			resp, err := http.Get(d.PublicURL + "/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || !resp.Close {
				t.Errorf("status %d, and the connection is closed: %t", resp.StatusCode, resp.Close)
			}
		})
	}
}

// FT-42: a second signal ends the process at once, and not as if all were well.
func TestFaultFT42SecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	c := d.connect("sobject-reads", rep)
	d.control("PATCH", "/faults", map[string]any{"answers_held": true}, nil)
	go c.post(t.Context(), "tools/call", map[string]any{"name": "getUserInfo", "arguments": map[string]any{}}, false)
	eventually(t, plenty, "a call is in flight", func() bool { return d.inFlight() == 1 })
	process.Process.Signal(syscall.SIGTERM)
	eventually(t, plenty, "it drains", func() bool { return strings.Contains(d.log.String(), `"msg":"draining"`) })
	process.Process.Signal(syscall.SIGTERM)
	if status, took := ends(t, process, plenty); status == exitDone || took > drainTime/2 {
		t.Errorf("ended with status %d after %s", status, took)
	}
}

// On SIGHUP, which ends a program that does not care for it, the proxy looks at its files
// and goes on.
func TestHangUpDoesNotEndTheProxy(t *testing.T) {
	t.Parallel()
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	for range 3 {
		process.Process.Signal(syscall.SIGHUP)
	}
	if status, _ := d.private("/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d", status)
	}
	d.endsWell(process, syscall.SIGTERM)
}

// FT-46: the sealing key is rotated while calls are made and another process seals with
// the new one first. No call fails, and what was sealed before still opens.
func TestFaultFT46KeyIsRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	c, b := d.connect("sobject-all", rep), d.browser()
	held := d.approvalURL(c.call("createSobjectRecord", account("Rotated Ltd")))
	var load sync.WaitGroup
	stop := make(chan struct{})
	own := *c
	own.id = 10_000
	load.Go(func() {
		for made := 0; ; made++ {
			select {
			case <-stop:
				t.Logf("%d calls were made meanwhile", made)
				return
			default:
			}
			r, err := own.post(t.Context(), "tools/call", map[string]any{"name": "getUserInfo", "arguments": map[string]any{}}, false)
			if err != nil || r.Status != http.StatusOK || r.Result.IsError {
				t.Errorf("call %d: %d %s %v", made, r.Status, r.body, err)
				return
			}
		}
	})
	for range 2 {
		d.must("key", "rotate")
		d.must("stop", "writes") // seals the end of the audit log with the new key
		d.must("stop", "off")
		d.must("audit", "verify")
	}
	process.Process.Signal(syscall.SIGHUP)
	d.decide(b, held, rep, "approve")
	if r := c.call("createSobjectRecord", account("Rotated Ltd")); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("the write that was held before: %d %s", r.Status, r.body)
	}
	close(stop)
	load.Wait()
	d.must("audit", "verify")
}
