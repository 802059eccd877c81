package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

const composeDir = "../../examples/compose"

// composition is what compose.yaml says, as far as it is looked at.
type composition struct {
	Services map[string]composeService `yaml:"services"`
	Configs  map[string]composeFile    `yaml:"configs"`
	Secrets  map[string]composeFile    `yaml:"secrets"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
}

type composeFile struct {
	File string `yaml:"file"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	User        string            `yaml:"user"`
	ReadOnly    bool              `yaml:"read_only"`
	Privileged  bool              `yaml:"privileged"`
	CapAdd      []string          `yaml:"cap_add"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Restart     string            `yaml:"restart"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Configs     []composeMount    `yaml:"configs"`
	Secrets     []composeMount    `yaml:"secrets"`
	Volumes     []string          `yaml:"volumes"`
	Tmpfs       []string          `yaml:"tmpfs"`
	Ports       []string          `yaml:"ports"`
	Networks    yaml.Node         `yaml:"networks"`
	MemLimit    string            `yaml:"mem_limit"`
	PidsLimit   int               `yaml:"pids_limit"`
	Healthcheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
}

// composeMount is a configuration or a secret in a container; where it is a name alone, a secret lies
// in /run/secrets.
type composeMount struct {
	Source string `yaml:"source"`
	Target string `yaml:"target"`
}

func (m *composeMount) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		m.Source, m.Target = node.Value, "/run/secrets/"+node.Value
		return nil
	}
	type plain composeMount
	return node.Decode((*plain)(m))
}

func readComposition(t *testing.T) (c composition) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(composeDir, "compose.yaml"))), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// SR-SC-2: what the composition grants its containers is no more than they need.
func TestComposeGrantsLittle(t *testing.T) {
	t.Parallel()
	c := readComposition(t)
	replicas := 0
	for name, s := range c.Services {
		if strings.HasPrefix(name, "replica-") {
			replicas++
		}
		uid, _, _ := strings.Cut(s.User, ":")
		if uid == "" || uid == "0" || uid == "root" || s.Privileged || len(s.CapAdd) > 0 || !s.ReadOnly ||
			!slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is root, privileged, or may write its image: %+v", name, s)
		}
		ours := strings.HasPrefix(s.Image, "sfmcp-proxy:")
		if !ours && !regexp.MustCompile(`^[a-z]+:[0-9][a-z0-9.-]+@sha256:[0-9a-f]{64}$`).MatchString(s.Image) || ours && !regexp.MustCompile(`:[0-9]+\.[0-9]+\.[0-9]+(-dev)?$`).MatchString(s.Image) {
			t.Errorf("%s runs %s, which may be another image tomorrow", name, s.Image)
		}
		if s.Restart != "" && (len(s.Healthcheck.Test) == 0 || s.MemLimit == "" || s.PidsLimit == 0) {
			t.Errorf("%s stays, and has no health check or takes what it wants", name)
		}
		if (len(s.Ports) > 0) != (name == "balancer") {
			t.Errorf("%s publishes %v", name, s.Ports)
		}
		for variable, value := range s.Environment {
			if regexp.MustCompile(`(?i)password|secret|token|key`).MatchString(variable) && variable != "SFMCP_KEYS_FROM" && !strings.HasPrefix(value, "/run/secrets/") {
				t.Errorf("%s has %s in its environment, which whoever inspects the container reads", name, variable)
			}
		}
		for _, m := range s.Secrets {
			if m.Source == "pgpass-owner" && name != "schema" {
				t.Errorf("%s has the password of the role that owns the schema", name)
			}
			if c.Secrets[m.Source].File == "" {
				t.Errorf("%s: no secret %s", name, m.Source)
			}
		}
	}
	if replicas != 3 || !c.Networks["back"].Internal || c.Networks["front"].Internal {
		t.Errorf("%d replicas, networks %+v", replicas, c.Networks)
	}
}

// The composition, each container as a process here: the same programs, commands, variables, files and
// secrets, at addresses and paths of this machine. A person connects through the balancer; a replica is
// killed under load, and comes back; a new sealing key is made by the lines of the README, and a backup is made and put back by
// those of the handbook. No read fails that is repeated, an approved write is made once, and all logs verify together.
func TestComposeRuns(t *testing.T) {
	rounds.Thorough(t) // three replicas and a database server
	t.Parallel()
	h := startComposition(t)
	d, client := h.d, h.d.connect("sales", rep)
	create := map[string]any{"name": "createSobjectRecord", "arguments": account("Composed Ltd")}
	b := d.browser()
	d.decide(b, d.approvalURL(client.call("createSobjectRecord", account("Composed Ltd"))), rep, "approve")

	var load sync.WaitGroup
	var over atomic.Bool
	var reads, repeated atomic.Int64
	for i := range 3 {
		own := *client
		own.id = 10_000 * (i + 1)
		load.Go(func() {
			for first := true; first || !over.Load(); first = false {
				if own.insist(t, userInfo) > 1 {
					repeated.Add(1)
				}
				reads.Add(1)
			}
		})
	}
	victim := h.replicas["replica-2"]
	eventually(t, plenty, "calls are under way", func() bool { return reads.Load() > 20 })
	if err := victim.process.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = victim.process.Wait()
	at := reads.Load()
	eventually(t, plenty, "the others answer", func() bool { return reads.Load() > at+20 })
	for range 5 { // as clients do, whatever became of the call before
		if r, err := client.post(t.Context(), "tools/call", create, false); err == nil && strings.Contains(r.text(), toldDone) {
			break
		}
	}
	h.start("replica-2") // as "restart: unless-stopped" has it
	if keys := h.rotatesKeys(); keys != 2 {
		t.Errorf("%d keys", keys)
	}
	over.Store(true)
	load.Wait()
	t.Logf("%d reads, %d of them repeated", reads.Load(), repeated.Load())
	if n := d.named("Account", "Composed Ltd"); n != 1 {
		t.Errorf("%d records of one approved write", n)
	}
	h.isHealthy()
	h.verifiesTogether()
	h.servesWithoutOwning()
	h.isRestored(client)
}
