package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// replica is one process of several on one database.
type replica struct {
	t                    *testing.T
	file, listen, adminL string
	before               []string // a program with its arguments that runs it; none: it runs by itself
	process              *exec.Cmd
	log                  lockedBuffer
}

// begin runs the process.
func (r *replica) begin() {
	r.t.Helper()
	command := append(slices.Clone(r.before), os.Args[0], "serve", "--config", r.file)
	r.process = exec.Command(command[0], command[1:]...)
	r.process.Env = append(os.Environ(), runAsProgram+"=1")
	r.process.Stderr = &r.log
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	process := r.process
	r.t.Cleanup(func() { process.Process.Kill() })
}

// start runs the process and waits until it is ready.
func (r *replica) start() {
	r.t.Helper()
	r.begin()
	defer func() {
		if r.t.Failed() {
			r.t.Logf("what %s says:\n%s", r.file, &r.log)
		}
	}()
	eventually(r.t, plenty, "the replica is ready", r.ready)
}

func (r *replica) ready() bool {
	resp, err := http.Get("http://" + r.adminL + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (r *replica) restart() {
	r.t.Helper()
	r.process.Process.Signal(syscall.SIGTERM)
	if status, _ := ends(r.t, r.process, plenty); status != exitDone {
		r.t.Errorf("ended with status %d\n%s", status, &r.log)
	}
	r.start()
}

// FT-43: two processes on one database are restarted one after the other, behind a load
// balancer. Clients that repeat a read that failed see none fail; no
// write is lost or made twice; sessions go on.
func TestFaultFT43RollingRestart(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	dir, public := t.TempDir(), freePort(t)
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{"http://" + public + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	var replicas []*replica
	for i := range 2 {
		r := &replica{t: t, file: filepath.Join(dir, fmt.Sprintf("replica-%d.yaml", i)), listen: freePort(t), adminL: freePort(t)}
		if err := demonstration.WriteConfig(r.file, demonstration.Addresses{
			PublicURL: "http://" + public, Listen: r.listen, AdminListen: r.adminL, SalesforceURL: sim.BaseURL(),
		}); err != nil {
			t.Fatal(err)
		}
		replicas = append(replicas, r)
	}
	c, err := config.Load(replicas[0].file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CreateKeyFile(c.KeysFile); err != nil {
		t.Fatal(err)
	}
	for _, r := range replicas {
		r.start()
	}
	balance(t, public, replicas)
	d := &demo{t: t, dir: dir, Setup: setupOf(c, sim, replicas[0].file)}
	client, b := d.connect("sobject-all", rep), d.browser()
	d.authorize(b, "sobject-reads", rep) // signs the browser in

	var load sync.WaitGroup
	var reads, repeated atomic.Int64
	stop := make(chan struct{})
	for i := range 3 {
		own := *client
		own.id = 10_000 * (i + 1)
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if tries := own.insist(t, userInfo); tries > 1 {
					repeated.Add(1)
				}
				reads.Add(1)
			}
		})
	}
	var names []string
	write := func() {
		name := fmt.Sprintf("Rolling %d Ltd", len(names))
		create := map[string]any{"name": "createSobjectRecord", "arguments": account(name)}
		held, err := client.post(t.Context(), "tools/call", create, false)
		if err != nil || !strings.Contains(held.body, "/approvals/") {
			return // not asked for: nothing to lose
		}
		names = append(names, name)
		d.insistOnApproval(b, d.approvalURL(held))
		for range 5 { // as clients do, whatever became of the call before
			if r, err := client.post(t.Context(), "tools/call", create, false); err == nil && strings.Contains(r.text(), toldDone) {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Errorf("%s was not made", name)
	}
	for _, r := range replicas {
		write()
		done := make(chan struct{})
		go func() { defer close(done); r.restart() }()
		for restarting := true; restarting; {
			write()
			select {
			case <-done:
				restarting = false
			default:
			}
		}
	}
	write()
	close(stop)
	load.Wait()
	t.Logf("%d reads, %d of them repeated; %d writes", reads.Load(), repeated.Load(), len(names))
	for _, name := range names {
		if n := d.named("Account", name); n != 1 {
			t.Errorf("%s: %d records", name, n)
		}
	}
	d.must("audit", "verify")
}

// insistOnApproval approves as a person does who loads a page that does not come again,
// and looks whether a click counted whose answer did not come.
func (d *demo) insistOnApproval(b *salesforcesim.Browser, link string) {
	d.t.Helper()
	last := ""
	for range 10 {
		page, err := b.Get(d.t.Context(), link)
		if err == nil {
			last = page.Body
		}
		if err == nil && strings.Contains(page.Body, "ask the assistant to repeat") {
			return
		}
		if err == nil {
			_, err = b.Choose(d.t.Context(), page, "decision", "approve")
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
	d.t.Errorf("%s: not approved\n%s", link, last)
}

// insist makes a read and repeats it if it failed, a few times; it returns how often. That a user makes more calls than they
// may is no failure: the longer a replica takes to start, the more there are.
func (c *mcpClient) insist(t *testing.T, params any) (tries int) {
	for tries = 1; tries <= 4; tries++ {
		r, err := c.post(t.Context(), "tools/call", params, false)
		for end := time.Now().Add(plenty); err == nil && strings.Contains(r.body, "Too many calls") && time.Now().Before(end); {
			time.Sleep(time.Second)
			r, err = c.post(t.Context(), "tools/call", params, false)
		}
		if err == nil && r.Status == http.StatusOK && !r.Result.IsError {
			return tries
		}
		if tries == 4 {
			t.Errorf("a read failed 4 times: %d %s %v", r.Status, r.body, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return tries
}

// balance is a load balancer: it sends each request to the next replica that takes its
// connection.
func balance(t *testing.T, public string, replicas []*replica) {
	t.Helper()
	var turn atomic.Int64
	dial := func(ctx context.Context, network, _ string) (conn net.Conn, err error) {
		first := int(turn.Add(1))
		for i := range replicas {
			r := replicas[(first+i)%len(replicas)]
			if conn, err = new(net.Dialer).DialContext(ctx, network, r.listen); err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: public})
			p.Out.Host = p.In.Host
		},
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
	}
	server := &http.Server{Addr: public, Handler: proxy}
	go server.ListenAndServe()
	t.Cleanup(func() { server.Close() })
	eventually(t, plenty, "the load balancer answers", func() bool { return speakPlainlyOnce(public) })
}
