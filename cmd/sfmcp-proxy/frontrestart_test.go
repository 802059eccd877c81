package main

import (
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

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
	takenIn := []string{"request_buffers"}
	if version, _ := exec.Command(caddy.program, "version").Output(); strings.Contains(string(version), "2.6.2") {
		takenIn = []string{"buffer_requests", "max_buffer_size"}
	}
	for _, line := range takenIn { // as the file says
		caddy.replace = append(caddy.replace, "# "+line, line)
	}
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

// answers serves an address with nothing but answers, until its end is called.
func answers(t *testing.T, address string) (end func()) {
	t.Helper()
	var listener net.Listener
	eventually(t, plenty, address+" is free", func() (free bool) {
		var err error
		listener, err = net.Listen("tcp", address)
		return err == nil
	})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return func() { server.Close() }
}

// RS-22: while replicas are restarted one right after the other, no front of the examples refuses a request that one of
// them would take, whatever it has seen fail a moment ago.
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
			ask := func() int {
				resp, err := client.Post("https://"+at.public+"/mcp/sales", "application/json", strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				return resp.StatusCode
			}
			eventually(t, plenty, name+" passes requests on", func() bool { return ask() == http.StatusOK })
			for round := range 3 {
				for _, r := range replicas {
					ends[r]()
					for range 2 * len(replicas) {
						if status := ask(); status != http.StatusOK {
							t.Fatalf("round %d, while %s is away: %d", round, r, status)
						}
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
