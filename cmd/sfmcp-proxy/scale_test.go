package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
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
)

var scaleRounds = flag.Int("scale", 0, "how many rounds TestThreeReplicasDoTheWorkOfThree measures; 0: it is skipped")

const (
	// share is how much of a processor a replica gets: so little that the database, the simulated Salesforce
	// and those who ask have enough of one machine with two.
	share = .12
	// asking is how many connections each replica is asked on, each with one call at a time.
	asking = 8
)

// Three replicas make at least two and a half times the calls of one, while what they share is not the limit:
// each may use [share] of a processor. A round measures one of them alone and then all, so that what
// else the machine does meets both.
func TestThreeReplicasDoTheWorkOfThree(t *testing.T) {
	if *scaleRounds == 0 {
		t.Skip("without -scale N there is nothing to do")
	}
	t.Setenv("SFMCP_LIMITS_CALLS_PER_MINUTE", "1000000")
	t.Setenv("SFMCP_LIMITS_CONCURRENT_CALLS", "10000")
	c := startCluster(t, 3)
	groups := make([]string, len(c.replicas))
	for i, r := range c.replicas {
		groups[i] = throttled(t, fmt.Sprintf("sfmcp-scale-%d", i), r.process.Process.Pid)
	}
	var ones, threes, ratios []float64
	for round := range *scaleRounds {
		at := round % len(c.replicas)
		one, three := c.callsPerSecond(c.replicas[at:at+1]), c.callsPerSecond(c.replicas)
		ones, threes, ratios = append(ones, one), append(threes, three), append(ratios, three/one)
		t.Logf("round %d: %.0f calls a second of one, %.0f of three", round+1, one, three)
	}
	for i, group := range groups {
		text, err := os.ReadFile(filepath.Join(group, "cpu.stat"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("replica %d waited for its share: %s", i+1, strings.Join(strings.Fields(string(text)), " "))
	}
	for _, all := range [][]float64{ones, threes, ratios} {
		slices.Sort(all)
	}
	middle := len(ratios) / 2
	t.Logf("median of %d rounds: %.0f calls a second of one, %.0f of three; %.2f times (%.2f to %.2f)", len(ratios), ones[middle], threes[middle], ratios[middle], ratios[0], ratios[len(ratios)-1])
	if ratios[middle] < 2.5 {
		t.Errorf("three replicas make %.2f times the calls of one", ratios[middle])
	}
}

// callsPerSecond is how many calls are answered when some replicas are asked as often as they answer.
func (c *cluster) callsPerSecond(of []*replica) float64 {
	c.t.Helper()
	const warm, measured = time.Second, 5 * time.Second
	ctx, stop := context.WithCancel(c.t.Context())
	defer stop()
	var asked sync.WaitGroup
	var answered atomic.Int64
	for _, r := range of {
		for range asking {
			client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, r.listen)
			}}}
			asked.Go(func() {
				defer client.CloseIdleConnections()
				for ctx.Err() == nil {
					if err := c.callBy(ctx, client); err == nil {
						answered.Add(1)
					} else if ctx.Err() == nil {
						c.t.Error(err)
						return
					}
				}
			})
		}
	}
	time.Sleep(warm)
	before, begun := answered.Load(), time.Now()
	time.Sleep(measured)
	n, took := answered.Load()-before, time.Since(begun)
	stop()
	asked.Wait()
	return float64(n) / took.Seconds()
}

// callBy makes a call over a client of HTTP, which must be answered well.
func (c *cluster) callBy(ctx context.Context, client *http.Client) error {
	const message = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getUserInfo","arguments":{}}}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.client.url, bytes.NewReader([]byte(message)))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + c.client.access,
		"Mcp-Session-Id": c.client.session, "MCP-Protocol-Version": latestSessions} {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"isError":false`)) {
		err = fmt.Errorf("answered %d: %.200s", resp.StatusCode, body)
	}
	return err
}

// throttled gives a process [share] of a processor, and returns the control group that does.
func throttled(t *testing.T, name string, pid int) (group string) {
	t.Helper()
	const period = 20_000 // microseconds
	quota := strconv.Itoa(int(share * period))
	group, files := filepath.Join("/sys/fs/cgroup/cpu", name), [][2]string{{"cpu.cfs_period_us", strconv.Itoa(period)}, {"cpu.cfs_quota_us", quota}}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil { // version 2
		group, files = filepath.Join("/sys/fs/cgroup", name), [][2]string{{"cpu.max", fmt.Sprintf("%s %d", quota, period)}}
	}
	err := os.MkdirAll(group, 0o755)
	for _, f := range append(files, [2]string{"cgroup.procs", strconv.Itoa(pid)}) {
		if err == nil {
			err = os.WriteFile(filepath.Join(group, f[0]), []byte(f[1]), 0o644)
		}
	}
	if err != nil {
		t.Skipf("processes cannot be given less of a processor here: %v", err)
	}
	t.Cleanup(func() { // its process still runs, and no group with one can be removed
		err := os.WriteFile(filepath.Join(filepath.Dir(group), "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
		if err == nil {
			err = os.Remove(group)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return group
}
