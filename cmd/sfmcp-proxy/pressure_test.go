package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim"
)

var (
	userInfo  = map[string]any{"name": "getUserInfo", "arguments": map[string]any{}}
	recordsOf = map[string]any{"name": "soqlQuery", "arguments": map[string]any{"q": "SELECT Id, Name FROM Account LIMIT 5"}}
)

// AV-05: a client whose refresh token is dead and that does not stop asking is told so
// each time, and nobody behind the same address is refused anything for it.
func TestAV05DeadClientBehindASharedAddress(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	alive := d.connect("sobject-reads", rep)
	dead := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"sfr_" + strings.Repeat("x", 43)}, "client_id": {d.ClientID}}
	for i := range 500 {
		req, err := http.NewRequest("POST", d.PublicURL+"/oauth/token", strings.NewReader(dead.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i%250)) // of nobody we trust
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "invalid_grant") {
			t.Fatalf("attempt %d: %d %s", i, resp.StatusCode, body)
		}
	}
	alive.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {alive.refresh}, "client_id": {d.ClientID}})
	for range 100 { // as many people sign in from that address
		if code, _, _ := status(t, "GET", d.authorizeURL("sobject-reads"), nil); code >= 400 {
			t.Fatalf("a sign-in behind the same address: %d", code)
		}
	}
	d.connect("sobject-reads", salesforcesim.ManagerUsername) // authorization_code
}

// AV-09: nothing that is sent without a user's token uses up that user's limits or ends
// what the user has.
func TestAV09NobodyElseUsesUpAUsersLimits(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	link := d.approvalURL(c.call("createSobjectRecord", account("Victim Ltd")))
	tokens := []string{"", "sfa_" + strings.Repeat("x", 43), nearly(c.access), c.session, strings.ToUpper(c.access)}
	for i := range 300 {
		other := *c
		other.access = tokens[i%len(tokens)]
		if r, err := other.post(t.Context(), "tools/call", userInfo, false); err != nil || r.Status != http.StatusUnauthorized {
			t.Fatalf("token %d: %d %v", i%len(tokens), r.Status, err)
		}
	}
	b := d.browser()
	for range 50 { // the approval, without being signed in
		page, err := b.Get(t.Context(), link)
		if err != nil || strings.Contains(string(page.Body), "Victim Ltd") {
			t.Fatalf("%v: the page shows the call to a stranger", err)
		}
	}
	for range 50 { // the refresh token, nearly
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {nearly(c.refresh)}, "client_id": {d.ClientID}}
		if resp, err := http.PostForm(d.PublicURL+"/oauth/token", form); err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Fatal(resp, err)
		} else {
			resp.Body.Close()
		}
	}
	if r := c.send("tools/call", userInfo); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("the user afterwards: %d %s", r.Status, r.body)
	}
	c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}})
	d.decide(d.browser(), link, rep, "approve")
	if r := c.call("createSobjectRecord", account("Victim Ltd")); r.Result.IsError {
		t.Errorf("the approved call: %s", r.body)
	}
	if n := metricOf(d, `sfmcp_calls_limited_total{limit="user"}`); n != "0" {
		t.Errorf("%s calls were refused by the user's limits", n)
	}
}

// nearly is a token in which one character is another.
func nearly(token string) string {
	at, other := len(token)/2, "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

// metricOf is one line of the private listener's metrics.
func metricOf(d *demo, name string) string {
	_, text := d.private("/metrics")
	_, rest, _ := strings.Cut(text, "\n"+name+" ")
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

// startLimited runs the demonstration in a process of its own, under a shell's limits.
func startLimited(t *testing.T, before string, environ ...string) (*demo, *exec.Cmd) {
	t.Helper()
	return startCommand(t, exec.Command("/bin/sh", "-c", before+` exec "$0" "$@"`, os.Args[0]), t.TempDir(), freePort(t), freePort(t), environ...)
}

// FT-47: with few files to open, connections beyond half of them are shed or make idle
// ones give way; calls are made meanwhile and afterwards, and the process does not spin.
func TestFaultFT47FewFileDescriptors(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d, _ := startLimited(t, "ulimit -n 256;")
	c := d.connect("sobject-reads", rep)
	address := strings.TrimPrefix(d.PublicURL, "http://")
	var open []net.Conn
	flood := func(from byte, n int, request string) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, from)}}
		for range n {
			conn, err := dialer.Dial("tcp", address)
			if err != nil {
				t.Skipf("no such address here: %v", err)
			}
			t.Cleanup(func() { conn.Close() })
			io.WriteString(conn, request)
			open = append(open, conn)
		}
	}
	flood(2, 200, "GET / HTTP/1.1\r\nHost: x\r\n") // never finished
	for from := range byte(8) {
		flood(3+from, 30, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") // and then idle
	}
	cpu := func() float64 {
		var seconds float64
		fmt.Sscan(metricOf(d, "process_cpu_seconds_total"), &seconds)
		return seconds
	}
	// It has nothing to do but these connections: on no machine does that take long.
	before, begun := cpu(), time.Now()
	time.Sleep(time.Second)
	if used := cpu() - before; used > time.Since(begun).Seconds()*.8 {
		t.Errorf("%.1f s of processor time in %s", used, time.Since(begun))
	}
	for range 20 {
		if r := c.send("tools/call", recordsOf); r.Status != http.StatusOK || r.Result.IsError {
			t.Fatalf("a call meanwhile: %d %s", r.Status, r.body)
		}
	}
	for _, conn := range open {
		conn.Close()
	}
	eventually(t, plenty, "new connections are taken again", func() bool { return speakPlainlyOnce(address) })
	for _, why := range []string{"source", "idle"} {
		if n := metricOf(d, `sfmcp_connections_closed_total{why="`+why+`"}`); n == "" {
			t.Errorf("nothing was shed (%s): the test tests nothing", why)
		}
	}
}

// raceDetector says whether the race detector watches, of which the runtime does not tell.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// FT-47: answers of 2 MB, more at a time than memory holds. Some calls are refused, the
// process lives, and recovers.
func TestFaultFT47LittleMemory(t *testing.T) {
	rounds.Thorough(t)
	t.Parallel()
	d, process := startLimited(t, "", "GOMEMLIMIT=48MiB")
	c := d.connect("sobject-reads", rep)
	d.control("PATCH", "/faults", map[string]any{"big_answer": true}, nil)
	var group sync.WaitGroup
	var refused, made, other atomic.Int64
	for i := range 24 {
		group.Go(func() {
			own := *c
			own.id = 1000 * (i + 1)
			for range 2 {
				switch r, err := own.post(t.Context(), "tools/call", recordsOf, false); {
				case err == nil && r.Status == http.StatusServiceUnavailable:
					refused.Add(1)
				case err == nil && r.Status == http.StatusOK:
					made.Add(1)
				default:
					other.Add(1)
					t.Logf("%d %.200s %v", r.Status, r.body, err)
				}
			}
		})
	}
	group.Wait()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.Process.Pid))
	if err != nil {
		t.Skip("no /proc here")
	}
	_, peak, _ := strings.Cut(string(text), "VmHWM:")
	peak, _, _ = strings.Cut(peak, "\n")
	t.Logf("%d made, %d refused, %d otherwise; most memory%s", made.Load(), refused.Load(), other.Load(), peak)
	var kib int
	most := 256 << 10
	if raceDetector() { // which remembers every access
		most *= 2
	}
	if fmt.Sscan(peak, &kib); kib > most {
		t.Errorf("%d KiB were in use", kib)
	}
	if other.Load() > 0 {
		t.Error("some calls were neither made nor refused")
	}
	d.control("PUT", "/faults", map[string]any{}, nil)
	eventually(t, plenty, "calls are made again", func() bool {
		r, err := c.post(t.Context(), "tools/call", userInfo, false)
		return err == nil && r.Status == http.StatusOK && !r.Result.IsError
	})
}
