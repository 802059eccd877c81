package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// yamlBlocks are the blocks of YAML in a page.
func yamlBlocks(t *testing.T, page string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// pilotOf is the README's first block, with a secret that is there.
func pilotOf(t *testing.T) string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "salesforce")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(yamlBlocks(t, "../README.md")[0], "/run/secrets/salesforce", secret, 1)
}

// What the README tells people to write must load.
func TestReadmeConfigurationLoads(t *testing.T) {
	t.Parallel()
	blocks := yamlBlocks(t, "../README.md")
	if len(blocks) != 2 {
		t.Fatalf("%d YAML blocks in the README, want the pilot and the policy for writes", len(blocks))
	}
	pilot := pilotOf(t)
	if _, err := load(t, pilot); err != nil {
		t.Errorf("the pilot:\n%v", err)
	}
	// The second block replaces the first one's policies.
	head, _, _ := strings.Cut(pilot, "policies:\n")
	_, clients, _ := strings.Cut(pilot, "\nclients:\n")
	writes := strings.Replace(head, "policy: read-only", "policy: confirm-writes", 1) + blocks[1] + "\nclients:\n" + clients
	if _, err := load(t, writes); err != nil {
		t.Errorf("confirmed writes:\n%v", err)
	}
}
