package main

import (
	"cmp"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// everything is the Go SDK's server for MCP's conformance suite: it has everything
// that the suite looks for.
const everything = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server"

// buildEverything builds it from the SDK of go.mod.
func buildEverything(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "everything-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, everything).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", everything, err, out)
	}
	return program
}

// startEverything runs it until the test ends and returns its URL.
func startEverything(t *testing.T, program string, stateless bool) string {
	t.Helper()
	address := "127.0.0.1:" + callbackPort(t)
	cmd := exec.Command(program, "-http="+address, "-stateless="+strconv.FormatBool(stateless))
	said := &lockedBuffer{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	eventually(t, plenty, "the everything-server answers", func() bool {
		resp, err := http.Get("http://" + address)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	return "http://" + address
}

// startInFront runs the proxy with one more server, at upstream, of which everything
// is allowed. The Salesforce login is the simulator's; the server does not look at it.
func startInFront(t *testing.T, upstream string) *demo {
	t.Helper()
	return startEdited(t, func(text string) string {
		servers := "servers:\n  - name: everything\n    org: acme\n    upstream: " + upstream +
			"\n    policy: everything\n    groups: [\"*\"]\n    server_requests: [sampling, elicitation, roots]\n"
		policies := "policies:\n  - name: everything\n    mode: enforce\n    rules:\n" +
			"      - {effect: allow, tools: [\"*\", \"prompt:*\", \"resource:*\"]}\n"
		return strings.NewReplacer("servers:\n", servers, "policies:\n", policies).Replace(text)
	})
}

// suites are what runs of the suite for a protocol version. The suite has no frozen
// requirements of the oldest.
var suites = map[string][]string{
	"2025-06-18": {"--suite", "all", "--spec-version", "2025-06-18"},
	"2025-11-25": {"--requirements", "2025-11-25"},
	"2026-07-28": {"--requirements", "2026-07-28"},
}

// conformServer runs the suite for a protocol version against a server and returns how
// every check ended.
func conformServer(t *testing.T, address, version string) map[string]checked {
	t.Helper()
	// The suite insists on the name.
	address = strings.Replace(address, "//127.0.0.1:", "//localhost:", 1)
	results := t.TempDir()
	script := filepath.Join(nodePackages(t), "@modelcontextprotocol", "conformance", "dist", "index.js")
	patient, err := filepath.Abs(filepath.Join("testdata", "patient.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	p := startNode(t, t.TempDir(), []string{"NODE_OPTIONS=--import=" + patient}, script, append([]string{"server", "--url", address, "--output-dir", results}, suites[version]...)...)
	for p.out.Scan() {
	}
	p.wait() // the checks tell more than its status
	return readChecks(t, results, "server-")
}

// difference is how a check ends directly and through the proxy.
type difference struct{ direct, proxied string }

// expectedDifferences reads testdata/conformance: what ends otherwise through the
// proxy, and why.
func expectedDifferences(t *testing.T, version string) map[string]difference {
	t.Helper()
	file := filepath.Join("testdata", "conformance", version+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Reason string
		Checks map[string]string // by "scenario/check": "DIRECT, PROXY"
	}
	if err := yaml.Unmarshal(text, &groups); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	expected := map[string]difference{}
	for _, g := range groups {
		for check, ends := range g.Checks {
			direct, proxied, ok := strings.Cut(ends, ", ")
			if _, twice := expected[check]; twice || !ok || g.Reason == "" {
				t.Fatalf("%s: %s: wants one reason and two statuses", file, check)
			}
			expected[check] = difference{direct, proxied}
		}
	}
	return expected
}

// differences compares two runs; a check that was not made is "none".
func differences(direct, proxied map[string]checked) map[string]difference {
	out := map[string]difference{}
	for _, run := range []map[string]checked{direct, proxied} {
		for check := range run {
			if a, b := direct[check].Status, proxied[check].Status; a != b {
				out[check] = difference{cmp.Or(a, "none"), cmp.Or(b, "none")}
			}
		}
	}
	return out
}

// The suite's checks of a server end alike directly and behind the proxy, but for what
// testdata/conformance says. The server speaks sessions to the proxy, as Salesforce
// does, whatever the suite speaks. With SFMCP_TEST_CONFORMANCE_RUNS=20 the suite runs
// as often: a check that ends differently once fails. The suite gives up on some answers
// after half a second, so no other test runs meanwhile; but most of its time it waits for
// what must not come, so its runs are beside each other. The earlier versions are
// left to where nobody waits (SFMCP_TEST_ROUNDS=50 and more, as in .ci/run).
func TestConformanceServer(t *testing.T) {
	rounds.Thorough(t)
	nodePackages(t)
	runs, err := strconv.Atoi(cmp.Or(os.Getenv("SFMCP_TEST_CONFORMANCE_RUNS"), "1"))
	if err != nil {
		t.Fatal(err)
	}
	program := buildEverything(t)
	t.Run("versions", func(t *testing.T) { // ends with the last of them
		for version := range suites {
			if version != "2026-07-28" && !rounds.AreMany(t) {
				continue
			}
			t.Run(version, func(t *testing.T) {
				t.Parallel()
				conformsAlike(t, program, version, runs)
			})
		}
	})
}

// conformsAlike runs the suite for a version against the server, and as often as runs says
// against a proxy in front of another one.
func conformsAlike(t *testing.T, program, version string, runs int) {
	d := startInFront(t, startEverything(t, program, false))
	var direct map[string]checked
	var proxied []map[string]checked
	t.Run("both", func(t *testing.T) {
		t.Run("directly", func(t *testing.T) {
			t.Parallel()
			direct = conformServer(t, startEverything(t, program, version == "2026-07-28"), version)
		})
		t.Run("behind the proxy", func(t *testing.T) {
			t.Parallel()
			for range runs {
				token := d.authorize(d.browser(), "everything", rep).access
				// The suite cannot send a token.
				front := inFront(t, d.MCPURLs["everything"], func(r *http.Request, _ []byte) { r.Header.Set("Authorization", "Bearer "+token) })
				proxied = append(proxied, conformServer(t, front, version))
			}
		})
	})
	for check, c := range direct {
		// The server does not have the extension for tasks.
		if c.Status == "FAILURE" && !strings.HasPrefix(check, "tasks-") {
			t.Errorf("%s fails directly: %s", check, c.ErrorMessage)
		}
	}
	want := expectedDifferences(t, version)
	for run, proxied := range proxied {
		got := differences(direct, proxied)
		if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(difference{})); diff != "" {
			t.Errorf("run %d, what is different in %d checks (-want +got):\n%s", run+1, len(proxied), diff)
		}
		for check := range got {
			if want[check] != got[check] {
				t.Errorf("%s: %s", check, proxied[check].ErrorMessage)
			}
		}
	}
}
