package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the README tells people to write must load.
func TestReadmeConfigurationLoads(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d YAML blocks in the README, want the pilot and the policy for writes", len(blocks))
	}
	secret := filepath.Join(t.TempDir(), "salesforce")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	pilot := strings.Replace(blocks[0][1], "/run/secrets/salesforce", secret, 1)
	if _, err := load(t, pilot); err != nil {
		t.Errorf("the pilot:\n%v", err)
	}
	// The second block replaces the first one's policies.
	head, _, _ := strings.Cut(pilot, "policies:\n")
	_, clients, _ := strings.Cut(pilot, "\nclients:\n")
	writes := strings.Replace(head, "policy: read-only", "policy: confirm-writes", 1) + blocks[1][1] + "\nclients:\n" + clients
	if _, err := load(t, writes); err != nil {
		t.Errorf("confirmed writes:\n%v", err)
	}
}
