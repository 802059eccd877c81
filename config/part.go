package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sfmcp-proxy/authproxy/nearest"
)

// What a command needs of the configuration that must work though the rest of it is wrong.
var (
	// ForKeys is what leads to the sealing keys.
	ForKeys = []string{"keys_file", "keys_from", "key_service"}
	// ForPolicies is what says what rules mean.
	ForPolicies = []string{"servers", "groups", "policies", "policies_dir", "calendars", "approvals.escalate", "console.roles"}
	// ForCutoff is what taking access away needs, and reading what is stored.
	ForCutoff = []string{"public_url", "database", "keys_file", "keys_from", "key_service", "audit.dir"}
)

// LoadPart reads the file and the environment as [Load] does, for a command that needs these keys alone. What is
// wrong with others comes as wrong; in their place c has what they have when they are left out, or what
// they are. An error is [Problems] with what is needed: a name that is unknown, and near to one that is
// needed, is one of them. Where the environment names the key file, and no more is needed than [ForKeys], there
// may be no file.
func LoadPart(file string, environ []string, needs ...string) (c *Config, wrong Problems, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && slices.Equal(needs, ForKeys) && slices.ContainsFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, envName("keys_file")+"=") }) {
		text, err = []byte("{}"), nil
	}
	if err != nil {
		return nil, nil, Problems{{Source: file, Key: "(file)", Found: reason(err), Want: "a readable configuration file"}}
	}
	p := &part{file: file, needs: needs}
	if text, err = p.prune(text); err != nil {
		return nil, nil, err
	}
	if environ, err = p.pruneEnvironment(environ); err != nil {
		return nil, nil, err
	}
	c, err = decode(text, environ)
	if err != nil {
		return nil, nil, Problems{{Source: file, Key: "(file)", Found: err.Error(), Want: "values of the documented types"}}
	}
	c.partial = true
	c.complete(filepath.Dir(file))
	found := c.readSecrets()
	_, more := c.readPolicies()
	found = append(append(found, more...), c.Validate()...)
	for i := range found {
		if found[i].Source == "" {
			found[i].Source, found[i].Line = locate(file, found[i].Key, p.lines, environ)
		}
	}
	accepted := *c
	accepted.Production = false // what only production refuses keeps nobody from taking access away
	if problems := accepted.Validate().inside(needs...); len(problems) > 0 {
		return nil, nil, found.inside(needs...)
	}
	c.leaveOut(found)
	return c, append(p.wrong, found...), nil
}

// part is what is read of a file of which some is wrong.
type part struct {
	file  string
	needs []string
	lines map[string]int
	wrong Problems
}

// prune takes out of the file what cannot be read.
func (p *part) prune(text []byte) ([]byte, error) {
	in, root := inspectTree(p.file, text, reflect.TypeFor[Config]())
	p.lines, p.wrong = in.lines, in.problems
	if needed := p.needed(in.problems, names(reflect.TypeFor[Config]())); len(needed) > 0 {
		return nil, needed
	}
	if len(in.problems) == 0 {
		return text, nil
	}
	in.prune(root)
	return yaml.Marshal(root)
}

// pruneEnvironment takes out of the environment what names no key, or cannot be read.
func (p *part) pruneEnvironment(environ []string) ([]string, error) {
	problems := inspectEnv(environ)
	if needed := p.needed(problems, envNames()); len(needed) > 0 {
		return nil, needed
	}
	p.wrong = append(p.wrong, problems...)
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(problems, func(problem Problem) bool { return problem.Key == name || envName(problem.Key) == name })
	}), nil
}

// needed are the problems of what is needed. names are those that one may have been meant to be: a
// database whose key is misspelt is not the one that the file would be read to name.
func (p *part) needed(problems Problems, names []string) (needed Problems) {
	for _, problem := range problems {
		meant := nearest.Name(problem.Key, names)
		isMeant := func(key string) bool {
			top, _, _ := strings.Cut(key, ".")
			return meant == top || meant == envName(key)
		}
		if problem.Key == "(file)" || len((Problems{problem}).inside(p.needs...)) > 0 || slices.ContainsFunc(p.needs, isMeant) && !strings.ContainsAny(problem.Key, ".[") {
			needed = append(needed, problem)
		}
	}
	return needed
}

// inside returns the problems of these keys, what is below them, and what holds them.
func (ps Problems) inside(keys ...string) (in Problems) {
	for _, p := range ps {
		if len((Problems{p}).Outside(keys...)) == 0 || slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, p.Key+".") }) {
			in = append(in, p)
		}
	}
	return in
}

// leaveOut puts what a key has when it is left out in the place of what the parts of the program would not
// be made with. Of servers and orgs package access leaves out what is wrong itself.
func (c *Config) leaveOut(problems Problems) {
	absent, err := decode([]byte("{}"), nil)
	if err != nil {
		panic(err) // the defaults are constants
	}
	has := func(key string) bool { return len(problems.inside(key)) > 0 }
	if has("lifetimes") {
		c.Lifetimes = absent.Lifetimes
	}
	if has("lifecycle") {
		c.Lifecycle = absent.Lifecycle
	}
	if has("registration") {
		c.Registration = absent.Registration
	}
	if has("console.providers") {
		c.Console.Providers = nil
	}
	var clients []Client
	for i, client := range c.Clients {
		if !has(fmt.Sprintf("clients[%d]", i)) {
			clients = append(clients, client)
		}
	}
	c.Clients = clients
}
