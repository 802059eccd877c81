package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/console/api"
	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/config"
)

// pilotWith loads the configuration of a pilot with a replacement.
func pilotWith(t *testing.T, old, by string) *config.Config {
	t.Helper()
	text, err := os.ReadFile("testdata/pilot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, by, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What a reload changes for whom is in the log; what changes nothing is not.
func TestPolicyChangeIsRecorded(t *testing.T) {
	t.Parallel()
	pilot := pilotWith(t, "", "")
	if entries := policyChanges(pilot, pilotWith(t, "title: Sales", "title: Sales pilot")); len(entries) != 0 {
		t.Errorf("%+v", entries)
	}
	entries := policyChanges(pilot, pilotWith(t, "objects: [User, Profile]", "objects: [Profile]"))
	if len(entries) != 1 {
		t.Fatalf("%d entries", len(entries))
	}
	e := entries[0]
	if e.Action != audit.PolicyChange || e.Server != "sales" || e.Object != "confirm-writes" || e.PolicyVersion == "" ||
		!strings.Contains(e.Reason, "every user of sales: read User (at most 2000 records) with find and soqlQuery: denied → allowed") {
		t.Errorf("%+v", e)
	}
	// A server that was not there had nothing to allow.
	none := *pilot
	none.Servers = nil
	if entries := policyChanges(&none, pilot); len(entries) != 1 || !strings.Contains(entries[0].Reason, "denied → allowed") {
		t.Errorf("%+v", entries)
	}
}

// AD-17: a policy that comes back as it was is a change like any other, with another version and
// what it takes back; and nothing that answers requests, or programs with a token, changes a policy.
func TestAD17EveryChangeOfAPolicyIsRecorded(t *testing.T) {
	t.Parallel()
	first, second := pilotWith(t, "", ""), pilotWith(t, "objects: [User, Profile]", "objects: [Profile]")
	there, back := policyChanges(first, second), policyChanges(second, first)
	if len(there) != 1 || len(back) != 1 || there[0].PolicyVersion == back[0].PolicyVersion || !strings.Contains(back[0].Reason, "allowed → denied") {
		t.Errorf("there %+v, back %+v", there, back)
	}
	for _, route := range team.Routes() {
		if route.Method != http.MethodGet && strings.HasPrefix(route.Path, "/console/policy") && route.Path != "/console/policy/try" {
			t.Errorf("%s %s: %s", route.Method, route.Path, route.Does)
		}
	}
	for _, route := range api.Routes() {
		if route.Method != http.MethodGet && strings.Contains(route.Path, "polic") && !strings.HasSuffix(route.Path, "/try") {
			t.Errorf("%s %s", route.Method, route.Path)
		}
	}
}
