package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// The health of a container: ready is 0, anything else 1, never 2.
func TestU16Healthcheck(t *testing.T) {
	t.Parallel()
	pilot, err := os.ReadFile("testdata/pilot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	answers := func(ready, live int) string {
		m := http.NewServeMux()
		m.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(ready) })
		m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(live) })
		s := httptest.NewServer(m)
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, answers nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	everywhere := ":" + portOf(answers(200, 200))
	for name, tt := range map[string]struct {
		admin, more string
		live        bool
		want        int
		says        string
	}{
		"ready":                    {admin: answers(200, 200)},
		"all addresses":            {admin: everywhere},
		"all addresses of IPv4":    {admin: "0.0.0.0" + everywhere},
		"shutting down":            {admin: answers(503, 200), want: 1, says: "not ready"},
		"shutting down, but alive": {admin: answers(503, 200), live: true},
		"dead":                     {admin: answers(200, 500), live: true, want: 1, says: "not ready"},
		"redirected":               {admin: answers(302, 302), want: 1},
		"nobody listens":           {admin: nobodyListens, want: 1, says: "does not answer"},
		"no answer":                {admin: silent.Addr().String(), want: 1, says: "does not answer"},
		"no address":               {admin: "nonsense", want: 1, says: "admin_listen"},
		// What is wrong since the start is for check to say.
		"another key is wrong": {admin: answers(200, 200), more: "trusted_proxies: [nonsense]\n"},
		"the file is broken":   {admin: answers(200, 200), more: "unknown_key: 1\n", want: 1, says: "unknown_key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
			text := string(pilot) + "admin_listen: \"" + tt.admin + "\"\n" + tt.more
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"healthcheck", "--config", file}
			if tt.live {
				args = append(args, "--live")
			}
			var out, errOut bytes.Buffer
			began := time.Now()
			if status := run(t.Context(), args, &out, &errOut); status != tt.want || !strings.Contains(errOut.String(), tt.says) {
				t.Errorf("status %d, want %d: %s", status, tt.want, &errOut)
			}
			if tt.want == 0 && out.Len()+errOut.Len() > 0 {
				t.Errorf("prints %q, %q though all is well", &out, &errOut)
			}
			if took := time.Since(began); took > healthTime+5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// What is not set by the linker comes from the build's own record.
func TestU16VersionOfEveryBuild(t *testing.T) {
	t.Parallel()
	info := func(version, revision, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified},
		}}
	}
	for _, tt := range []struct {
		version, commit string
		info            *debug.BuildInfo
		want            string
	}{
		{"1.2.3", "abc", info("v0.0.0", "def", "true"), "1.2.3 abc"},
		{"", "", info("v0.0.0-2026", "def", "false"), "v0.0.0-2026 def"},
		{"", "", info("v0.0.0-2026+dirty", "def", "true"), "v0.0.0-2026+dirty def, with changes"},
		{"", "", info("(devel)", "", ""), " "},
		{"1.2.3", "", info("(devel)", "def", "false"), "1.2.3 def"},
	} {
		version, commit := identity(tt.version, tt.commit, tt.info)
		if got := version + " " + commit; got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

// A build for production has nothing of the simulated Salesforce in it.
func TestU16NoSimulatorInProduction(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-tags", "nosim", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if strings.Contains(dep, "salesforcesim") || strings.Contains(dep, "demonstration") {
			t.Errorf("%s is in it", dep)
		}
	}
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "go build -tags nosim ") {
		t.Error("the Dockerfile builds with the simulator")
	}
}

// Every base image is one that was fixed, and none that may be another tomorrow.
func TestU16BaseImagesByDigest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	bases := regexp.MustCompile(`(?m)^FROM (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(bases) != 2 {
		t.Errorf("%d base images", len(bases))
	}
	for _, base := range bases {
		if !regexp.MustCompile(`^[a-z0-9./:-]+@sha256:[0-9a-f]{64}( AS [a-z]+)?$`).MatchString(base[1]) {
			t.Errorf("%s: want image:tag@sha256:…", base[1])
		}
	}
}

// What the image is built of is named; all else stays out of the context.
func TestU16ContainerContext(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	var first string
	taken := map[string]bool{}
	for _, line := range lines {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if first == "" {
			first = line
		}
		if name, ok := strings.CutPrefix(line, "!"); ok {
			taken[name] = true
		}
	}
	if first != "*" {
		t.Errorf("it begins with %q, so that what is not named goes in", first)
	}
	out, err := exec.Command("go", "list", "-deps", "-tags", "nosim", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if rest, ours := strings.CutPrefix(dep, "sfmcp-proxy/"); ours {
			if top, _, _ := strings.Cut(rest, "/"); !taken[top] {
				t.Errorf("%s is needed and left out", dep)
			}
		}
	}
	for name := range taken {
		if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
