package config

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
)

// Load reads the file and the environment (a list of NAME=VALUE). A wrong
// configuration is returned as [Problems], all of them, and comes along with them if it
// could be read at all: for what must work though some of it is wrong. Paths in the file
// are relative to the file's folder.
func Load(file string, environ []string) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, Problems{{Source: file, Key: "(file)", Found: reason(err), Want: "a readable configuration file"}}
	}
	problems, lines := inspect(file, text, reflect.TypeFor[Config]())
	problems = append(problems, inspectEnv(environ)...)
	if len(problems) > 0 {
		return nil, problems
	}
	c, err := decode(text, environ)
	if err != nil {
		return nil, Problems{{Source: file, Key: "(file)", Found: err.Error(), Want: "values of the documented types"}}
	}
	c.origins = newOrigins(originsOf(lines, environ))
	c.complete(filepath.Dir(file))
	c.overridden(text, lines, environ, filepath.Dir(file))
	problems = c.readSecrets()
	c.files = c.digestFiles()
	policyFiles, wrongPolicies := c.readPolicies()
	problems = append(problems, c.Validate()...)
	if c.Production {
		inline := c.inlineSecrets(file, func(key string) bool { source, _ := locate(file, key, lines, environ); return source == file })
		problems = append(problems, exposed(append(c.secretFiles(), inline...))...)
	}
	for i := range problems {
		if !problems[i].inPolicyFile(policyFiles) {
			problems[i].Source, problems[i].Line = locate(file, problems[i].Key, lines, environ)
		}
	}
	for _, problem := range wrongPolicies {
		if problem.Source == "" {
			problem.Source, problem.Line = locate(file, problem.Key, lines, environ)
		}
		problems = append(problems, problem)
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Or(strings.Compare(a.Source, b.Source), a.Line-b.Line) })
		return c, problems
	}
	return c, nil
}

func decode(text []byte, environ []string) (*Config, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	for key, value := range defaults {
		v.SetDefault(key, value)
	}
	if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
		return nil, err
	}
	for _, entry := range environ { // given, not read from the process: so tests need no global state
		name, value, _ := strings.Cut(entry, "=")
		for key := range defaults {
			if envName(key) == name {
				v.Set(key, value)
			}
		}
	}
	c := &Config{}
	return c, v.UnmarshalExact(c, viper.DecodeHook(decodeHooks()))
}

// decodeHooks read values that YAML has as text.
func decodeHooks() mapstructure.DecodeHookFunc {
	return mapstructure.ComposeDecodeHookFunc(
		mapstructure.StringToTimeDurationHookFunc(),
		mapstructure.StringToSliceHookFunc(","),
		func(from, to reflect.Type, value any) (any, error) {
			if s, ok := value.(string); ok && to == reflect.TypeFor[Bytes]() {
				return ParseBytes(s)
			} else if ok && to == reflect.TypeFor[policy.Amount]() {
				return ParseAmount(s)
			}
			return value, nil
		},
	)
}

// complete fills in what list members leave out and makes paths absolute, seen from
// the file's folder.
func (c *Config) complete(dir string) {
	for i := range c.Servers {
		s := &c.Servers[i]
		if s.Timeout == 0 {
			s.Timeout = defaultTimeout
		}
		if s.Title == "" {
			s.Title = s.Name
		}
		if s.ServerRequests == nil {
			s.ServerRequests = []string{}
		}
		if s.Declare == nil {
			s.Declare = []reach.Declaration{}
		}
	}
	c.completePolicies()
	for i := range c.Salesforce.Orgs {
		o := &c.Salesforce.Orgs[i]
		if o.Scopes == nil {
			o.Scopes = slices.Clone(defaultScopes)
		}
		if o.Issuer == "" {
			o.Issuer = o.LoginURL
		}
		if o.JWKSURL == "" {
			o.JWKSURL = o.Issuer + "/id/keys"
		}
		o.ClientSecretFile = under(dir, o.ClientSecretFile)
	}
	c.KeysFile = under(dir, c.KeysFile)
	c.KeyService.PINFile = under(dir, c.KeyService.PINFile)
	c.PoliciesDir = under(dir, c.PoliciesDir)
	c.TLS.CertFile = under(dir, c.TLS.CertFile)
	c.TLS.KeyFile = under(dir, c.TLS.KeyFile)
	c.TrustedCAFile = under(dir, c.TrustedCAFile)
	c.OutboundProxyPasswordFile = under(dir, c.OutboundProxyPasswordFile)
	c.Console.OIDC.ClientSecretFile = under(dir, c.Console.OIDC.ClientSecretFile)
	for i := range c.Console.Providers {
		c.Console.Providers[i].ClientSecretFile = under(dir, c.Console.Providers[i].ClientSecretFile)
	}
	if path, ok := strings.CutPrefix(c.Database, "sqlite:"); ok && path != "" {
		c.Database = "sqlite:" + under(dir, path)
	}
	c.completeAudit(dir)
	c.completeNotify(dir)
	c.completeExports(dir)
}

func (c *Config) completePolicies() {
	for i := range c.Policies {
		if c.Policies[i].Mode == "" {
			c.Policies[i].Mode = string(policy.Enforce)
		}
		if c.Policies[i].Taint == 0 {
			c.Policies[i].Taint = policy.DefaultTaint
		}
		if c.Policies[i].Budgets == nil {
			c.Policies[i].Budgets = []policy.Budget{}
		}
		c.escalate(c.Policies[i].Rules)
	}
}

func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// readSecrets replaces each secret that is given as a file by the file's content.
func (c *Config) readSecrets() (problems Problems) {
	read := func(key, file string, into *string) {
		if file == "" {
			return
		}
		if *into != "" {
			problems = append(problems, Problem{Key: key, Found: "the secret both here and in " + key + "_file", Want: "one of the two"})
			return
		}
		text, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, Problem{Key: key + "_file", Found: reason(err), Want: "a readable file that holds the secret"})
			return
		}
		secret, problem := secretOf(text)
		if problem == "" {
			*into = secret
		} else {
			problems = append(problems, Problem{Key: key + "_file", Found: problem, Want: "the secret, on one line"})
		}
	}
	for i := range c.Salesforce.Orgs {
		o := &c.Salesforce.Orgs[i]
		read(fmt.Sprintf("salesforce.orgs[%d].client_secret", i), o.ClientSecretFile, &o.ClientSecret)
	}
	read("outbound_proxy_password", c.OutboundProxyPasswordFile, &c.OutboundProxyPassword)
	read("console.oidc.client_secret", c.Console.OIDC.ClientSecretFile, &c.Console.OIDC.ClientSecret)
	for i := range c.Console.Providers {
		o := &c.Console.Providers[i]
		read(fmt.Sprintf("console.providers[%d].client_secret", i), o.ClientSecretFile, &o.ClientSecret)
	}
	return problems
}

var durationType = reflect.TypeFor[time.Duration]()
