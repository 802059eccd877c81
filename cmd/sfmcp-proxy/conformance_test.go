package main

import (
	"encoding/json"
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
// what it asks, and returns the status of every check by its id.
func conform(d *demo, args ...string) map[string]string {
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
	files, err := filepath.Glob(filepath.Join(results, "*", "checks.json"))
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[string]string{}
	for _, file := range files {
		var checks []struct{ ID, Status, ErrorMessage string }
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &checks)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			statuses[c.ID] = strings.TrimSpace(c.Status + " " + c.ErrorMessage)
		}
	}
	return statuses
}

// Everything that the suite demands of an authorization server holds, whether the
// client names the resource or leaves it to a proxy of one server.
func TestConformanceAuthorization(t *testing.T) {
	t.Parallel()
	nodePackages(t)
	d := oneServer(t)
	want := map[string]string{
		"authorization-server-metadata":      "SUCCESS",
		"authorization-server-metadata-cimd": "SUCCESS",
		"authorization-code-grant":           "SUCCESS",
	}
	for name, args := range map[string][]string{"no resource": nil, "a resource": {"--resource", d.MCPURLs["sobject-reads"]}} {
		if diff := cmp.Diff(want, conform(d, args...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
