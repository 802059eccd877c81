package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/viper"

	"sfmcp-proxy/authproxy/policy"
)

// Bounds of a folder of policies.
const (
	maxPolicyFiles = 200
	maxPolicyFile  = 1 << 20 // bytes
)

// policyFile is where a policy was read from that stands in a file of its own.
type policyFile struct {
	name  string
	lines map[string]int // of its keys
}

// ReadPolicy reads one policy from a file: its keys are those of a member of `policies` without
// the name, which is the name of the file without its ending. What is wrong with it is told
// with lines; what it refers to is not looked at.
func ReadPolicy(file string) (Policy, error) {
	p, _, problems := readPolicy(file)
	if len(problems) > 0 {
		return Policy{}, problems
	}
	return p, nil
}

func readPolicy(file string) (p Policy, from policyFile, problems Problems) {
	fail := func(found, want string) (Policy, policyFile, Problems) {
		return p, from, Problems{{Source: file, Key: "(file)", Found: found, Want: want}}
	}
	if about, err := os.Stat(file); err == nil && about.Size() > maxPolicyFile {
		return fail(fmt.Sprintf("%d bytes", about.Size()), fmt.Sprintf("a policy of at most %d", maxPolicyFile))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fail(reason(err), "a readable file that holds a policy")
	}
	problems, lines := inspect(file, text, reflect.TypeFor[Policy]())
	if line, named := lines["name"]; named {
		problems = append(problems, Problem{Source: file, Line: line, Key: "name", Found: "the key", Want: "no name: the policy is called like its file"})
	}
	if len(problems) > 0 {
		return p, from, problems
	}
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
		return fail(err.Error(), "YAML")
	}
	if err := v.UnmarshalExact(&p, viper.DecodeHook(decodeHooks())); err != nil {
		return fail(err.Error(), "values of the documented types")
	}
	p.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if p.Mode == "" {
		p.Mode = string(policy.Enforce)
	}
	return p, policyFile{file, lines}, nil
}

// readPolicies adds the policies of policies_dir to those of the file. It returns where each
// that it added came from, by its index.
func (c *Config) readPolicies() (from map[int]policyFile, problems Problems) {
	if c.PoliciesDir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(c.PoliciesDir)
	if err != nil {
		return nil, Problems{{Key: "policies_dir", Found: reason(err), Want: "a readable folder of policies"}}
	}
	var files []string
	for _, entry := range entries {
		// A leading dot is what editors and Kubernetes keep beside.
		if ext := filepath.Ext(entry.Name()); !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") && slices.Contains([]string{".yaml", ".yml"}, ext) {
			files = append(files, filepath.Join(c.PoliciesDir, entry.Name()))
		}
	}
	if len(files) == 0 || len(files) > maxPolicyFiles {
		return nil, Problems{{Key: "policies_dir", Found: fmt.Sprintf("%d files NAME.yaml in %s", len(files), c.PoliciesDir), Want: fmt.Sprintf("1 to %d", maxPolicyFiles)}}
	}
	from = map[int]policyFile{}
	for _, file := range files {
		p, source, wrong := readPolicy(file)
		if problems = append(problems, wrong...); len(wrong) == 0 {
			from[len(c.Policies)] = source
			c.Policies = append(c.Policies, p)
		}
	}
	return from, problems
}

// PolicyPlace is where a policy stands: its file in policies_dir, or the key of the configuration.
func (c *Config) PolicyPlace(name string) string {
	for _, ext := range []string{".yaml", ".yml"} {
		file := filepath.Join(c.PoliciesDir, name+ext)
		if _, err := os.Stat(file); err == nil && c.PoliciesDir != "" {
			return file
		}
	}
	return "policies, in the configuration file"
}

// inPolicyFile puts a problem of a policy that has a file of its own there.
func (p *Problem) inPolicyFile(from map[int]policyFile) bool {
	for i, source := range from {
		rest, ok := strings.CutPrefix(p.Key, fmt.Sprintf("policies[%d].", i))
		if !ok {
			continue
		}
		p.Key = rest
		p.Source, p.Line = locate(source.name, rest, source.lines, nil)
		return true
	}
	return false
}
