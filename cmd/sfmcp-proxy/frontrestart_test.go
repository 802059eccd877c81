package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy/db/dbtest"
)

// stands are the addresses that the examples give replicas: one, and the three of the composition.
var stands = []string{"172.30.231.11:8080", "172.30.231.12:8080", "172.30.231.13:8080"}

// inFrontOf is each front of the examples with the lines for one replica written once for each of several.
func inFrontOf(t *testing.T, replicas []string) map[string]front {
	t.Helper()
	all := fronts()
	for name, one := range map[string]string{
		"nginx": `(?m)^ *server 127\.0\.0\.1:8080.*\n`,
		"envoy": `(?m)^ *- endpoint:\n( {18}.*\n)+`,
	} {
		f := all[name]
		said := regexp.MustCompile(one).FindString(read(t, filepath.Join("../../examples", f.files[len(f.files)-1])))
		if said == "" {
			t.Fatalf("%s: no line for a replica", name)
		}
		each := ""
		for _, r := range replicas { // readiness of those is asked where they listen
			each += strings.NewReplacer("127.0.0.1:8080", r, "8080", portOf(r), "9090", portOf(r)).Replace(said)
		}
		f.replace = append([]string{said, each}, f.replace...)
		all[name] = f
	}
	caddy := all["caddy"]
	caddy.replace = append([]string{"reverse_proxy 127.0.0.1:8080", "reverse_proxy " + strings.Join(replicas, " ")}, caddy.replace...)
	all["caddy"] = caddy
	compose := all["nginx"]
	compose.files, compose.main = []string{"compose/balancer.conf", "nginx/sfmcp-proxy.conf"}, ""
	compose.args = []string{"-c", "DIR/balancer.conf", "-p", "DIR"}
	compose.replace = append([]string{"/etc/nginx/sfmcp-proxy.conf", "DIR/sfmcp-proxy.conf", "/tmp/", "DIR/", "127.0.0.1:8081", freePort(t)}, compose.replace...)
	for i, stand := range stands {
		compose.replace = append(compose.replace, stand, replicas[i])
	}
	all["compose"] = compose
	return all
}

// sentWith is the header with which a request of this test says what its body is.
const sentWith = "X-Sent"

// answers serves an address with nothing but answers, to requests that have their own body, until its end is called.
func answers(t *testing.T, address string) (end func()) {
	t.Helper()
	var listener net.Listener
	eventually(t, plenty, address+" is free", func() (free bool) {
		var err error
		listener, err = net.Listen("tcp", address)
		return err == nil
	})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != r.Header.Get(sentWith) {
			http.Error(w, fmt.Sprintf("the body of another: %s, %v", body, err), http.StatusConflict)
		}
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return func() { server.Close() }
}

// isOldCaddy is about Debian's: the file says what that does not do.
func isOldCaddy(program string) bool {
	version, _ := exec.Command(program, "version").Output()
	return strings.Contains(string(version), "2.6.2")
}

// RS-22: while replicas are restarted one right after the other, no front of the examples refuses a request that one of
// them would take, however many come at once and whatever it has seen fail a moment ago, and none sends the body of another.
func TestRS22FrontsFindTheReplicaThatAnswers(t *testing.T) {
	t.Parallel()
	replicas := []string{freePort(t), freePort(t), freePort(t)}
	for name, f := range inFrontOf(t, replicas) {
		t.Run(name, func(t *testing.T) {
			program, err := exec.LookPath(f.program)
			need(t, f.part, err == nil, f.how)
			authority, at := dbtest.NewAuthority(t), place{public: freePort(t), dir: t.TempDir()}
			writeCertificate(t, authority.Sign(t, "127.0.0.1", time.Now().Add(time.Hour)), filepath.Join(at.dir, "mcp.crt"), filepath.Join(at.dir, "mcp.key"))
			ends := map[string]func(){}
			for _, r := range replicas {
				ends[r] = answers(t, r)
			}
			f.start(t, program, at)
			client := trusting(t, authority, clientAddress, nil)
			loses := name == "caddy" && isOldCaddy(program) // and says 502, whether or not a replica answers
			var asked atomic.Int64
			ask := func() error {
				body := fmt.Sprintf(`{"id":%d}`, 100_000+asked.Add(1)) // as long as the others
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+at.public+"/mcp/sales", strings.NewReader(body))
				if err != nil {
					return err
				}
				req.Header = http.Header{"Content-Type": {"application/json"}, sentWith: {body}}
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				said, err := io.ReadAll(resp.Body)
				if resp.StatusCode == http.StatusOK || loses && resp.StatusCode == http.StatusBadGateway {
					return err
				}
				return fmt.Errorf("%d %s %v", resp.StatusCode, said, err)
			}
			eventually(t, plenty, name+" passes requests on", func() bool { return ask() == nil })
			for round := range 3 {
				for _, r := range replicas {
					ends[r]()
					var all errgroup.Group
					for range 4 * len(replicas) {
						all.Go(ask)
					}
					if err := all.Wait(); err != nil {
						t.Fatalf("round %d, while %s is away: %v", round, r, err)
					}
					ends[r] = answers(t, r)
				}
			}
			for _, end := range ends {
				end()
			}
		})
	}
}
