package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oneServer leaves the demonstration's configuration with its first server, so that a
// request without a resource has one meaning, and lets a host publish clients, so that
// the metadata say that documents are read.
func oneServer(t *testing.T) *demo {
	t.Helper()
	d := startEdited(t, func(text string) string {
		before, rest, first := strings.Cut(text, "  - name: sobject-all\n")
		_, after, second := strings.Cut(rest, "\npolicies:\n")
		if !first || !second {
			t.Fatalf("no second server before the policies in:\n%s", text)
		}
		return before + "\npolicies:\n" + after + "\nregistration: {metadata_documents: {allow_hosts: [client.example]}}\n"
	})
	if len(d.MCPURLs) != 1 {
		t.Fatalf("servers: %v", d.MCPURLs)
	}
	return d
}

// conform runs the authorization part of MCP's conformance suite, does in a browser
// what it asks, and returns how every check ended.
func conform(d *demo, args ...string) map[string]checked {
	t := d.t
	t.Helper()
	results := t.TempDir()
	script := filepath.Join(nodePackages(t), "@modelcontextprotocol", "conformance", "dist", "index.js")
	p := startNode(t, t.TempDir(), nil, script, append([]string{"authorization", "--url", d.PublicURL, "--client-id", d.ClientID,
		"--port", callbackPort(t), "--spec-version", "2026-07-28", "--output-dir", results}, args...)...)
	var said strings.Builder
	link := ""
	for p.out.Scan() {
		said.WriteString(p.out.Text() + "\n")
		if found := authorizeLink.FindString(p.out.Text()); found != "" {
			link = found
		}
		// It says the URL before it listens for the answer.
		if strings.HasPrefix(p.out.Text(), "Callback server started") {
			if err := d.finish(link, rep); err != nil {
				t.Fatalf("%v\n%s%s", err, &said, p.err)
			}
		}
	}
	if status := p.wait(); status != 0 {
		t.Errorf("status %d\n%s%s", status, &said, p.err)
	}
	return readChecks(t, results, "authorization-server-")
}

// checked is how one of the suite's checks ended.
type checked struct{ Status, ErrorMessage string }

// readChecks reads the results that the suite wrote, by "scenario/check"; the second of
// one id within a scenario has "#2" at its end. Folders are named as the prefix, the
// scenario, and the time.
func readChecks(t *testing.T, results, prefix string) map[string]checked {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(results, prefix+"*", "checks.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no results: %v", err)
	}
	all := map[string]checked{}
	for _, file := range files {
		scenario := strings.TrimPrefix(filepath.Base(filepath.Dir(file)), prefix)
		scenario = scenario[:len(scenario)-len("-2006-01-02T15-04-05-000Z")]
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var checks []struct {
			ID string
			checked
		}
		if err := json.Unmarshal(text, &checks); err != nil {
			t.Fatalf("%v in %s", err, file)
		}
		for _, c := range checks {
			name := scenario + "/" + c.ID
			for n := 2; all[name].Status != ""; n++ {
				name = fmt.Sprintf("%s/%s#%d", scenario, c.ID, n)
			}
			all[name] = c.checked
		}
	}
	return all
}

// Everything that the suite demands of an authorization server holds, whether the
// client names the resource or leaves it to a proxy of one server.
func TestConformanceAuthorization(t *testing.T) {
	t.Parallel()
	nodePackages(t)
	d := oneServer(t)
	want := map[string]checked{
		"authorization-server-metadata-endpoint/authorization-server-metadata":      {Status: "SUCCESS"},
		"authorization-server-metadata-endpoint/authorization-server-metadata-cimd": {Status: "SUCCESS"},
		"authorization-code-grant/authorization-code-grant":                         {Status: "SUCCESS"},
	}
	for name, args := range map[string][]string{"no resource": nil, "a resource": {"--resource", d.MCPURLs["sobject-reads"]}} {
		if diff := cmp.Diff(want, conform(d, args...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
