package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"sfmcp-proxy/authproxy/policy"
)

// envPrefix starts the name of every environment variable of the product.
const envPrefix = "SFMCP_"

// envElsewhere are variables with the prefix that are no configuration keys.
var envElsewhere = []string{"SFMCP_TEST_REQUIRE"}

// Fault is one thing wrong with the configuration.
type Fault struct {
	// Source is the file, or "environment".
	Source string
	// Line in the file, 0 if it does not come from one line.
	Line int
	// Key is the dotted path, with list members by position: servers[0].org.
	Key string
	// Found is what stands there, in a few words; never a secret.
	Found string
	// Want is what was expected; empty where Found says all of it.
	Want string
}

func (f Fault) String() string {
	at := f.Source
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d", f.Source, f.Line)
	}
	if f.Want == "" {
		return fmt.Sprintf("%s: %s: %s", at, f.Key, f.Found)
	}
	return fmt.Sprintf("%s: %s: found %s, expected %s", at, f.Key, f.Found, f.Want)
}

// Faults is every fault that was found, in the order of the file.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// Load reads the file and the environment (a list of NAME=VALUE). A wrong
// configuration is returned as [Faults], all of them. Paths in the file are relative
// to the file's folder.
func Load(file string, environ []string) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, Faults{{Source: file, Key: "(file)", Found: reason(err), Want: "a readable configuration file"}}
	}
	faults, lines := inspect(file, text)
	faults = append(faults, inspectEnv(environ)...)
	if len(faults) > 0 {
		return nil, faults
	}
	c, err := decode(text, environ)
	if err != nil {
		return nil, Faults{{Source: file, Key: "(file)", Found: err.Error(), Want: "values of the documented types"}}
	}
	c.complete(filepath.Dir(file))
	faults = c.readSecrets()
	faults = append(faults, c.Validate()...)
	for i := range faults {
		faults[i].Source, faults[i].Line = locate(file, faults[i].Key, lines, environ)
	}
	if len(faults) > 0 {
		slices.SortStableFunc(faults, func(a, b Fault) int { return a.Line - b.Line })
		return nil, faults
	}
	return c, nil
}

func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// envName is the environment variable of a key.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// inspectEnv finds variables with our prefix that name no key: a misspelt override
// would otherwise leave the weaker setting of the file in force, unseen.
func inspectEnv(environ []string) (faults Faults) {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(envElsewhere, name) {
			continue
		}
		known := false
		for key := range defaults {
			if envName(key) != name {
				continue
			}
			known = true
			if t := typeOf(key); !readsAs(value, t) {
				faults = append(faults, Fault{Source: "environment " + name, Key: key, Found: quote(value), Want: expected(t)})
			}
		}
		if !known {
			faults = append(faults, Fault{Source: "environment", Key: name, Found: "a variable that names no key",
				Want: "the name of a key that is not in a list, such as " + envName("public_url")})
		}
	}
	return faults
}

// typeOf is what a key of defaults decodes into.
func typeOf(key string) reflect.Type {
	t := reflect.TypeFor[Config]()
	for name := range strings.SplitSeq(key, ".") {
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("mapstructure") == name {
				t = f.Type
				break
			}
		}
	}
	return t
}

// readsAs says whether the text of a variable can be decoded.
func readsAs(text string, t reflect.Type) bool {
	var err error
	switch {
	case t == durationType:
		_, err = time.ParseDuration(text)
	case t == reflect.TypeFor[Bytes]():
		_, err = ParseBytes(text)
	case t.Kind() == reflect.Bool:
		_, err = strconv.ParseBool(text)
	case t.Kind() == reflect.Int:
		_, err = strconv.Atoi(text)
	}
	return err == nil
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
	err := v.UnmarshalExact(c, viper.DecodeHook(mapstructure.ComposeDecodeHookFunc(
		mapstructure.StringToTimeDurationHookFunc(),
		mapstructure.StringToSliceHookFunc(","),
		func(from, to reflect.Type, value any) (any, error) {
			if s, ok := value.(string); ok && to == reflect.TypeFor[Bytes]() {
				return ParseBytes(s)
			}
			return value, nil
		},
	)))
	return c, err
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
	}
	for i := range c.Policies {
		if c.Policies[i].Mode == "" {
			c.Policies[i].Mode = string(policy.Enforce)
		}
	}
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
	c.TLS.CertFile = under(dir, c.TLS.CertFile)
	c.TLS.KeyFile = under(dir, c.TLS.KeyFile)
	c.TrustedCAFile = under(dir, c.TrustedCAFile)
	c.Console.OIDC.ClientSecretFile = under(dir, c.Console.OIDC.ClientSecretFile)
	if path, ok := strings.CutPrefix(c.Database, "sqlite:"); ok && path != "" {
		c.Database = "sqlite:" + under(dir, path)
	}
}

func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// readSecrets replaces each secret that is given as a file by the file's content.
func (c *Config) readSecrets() (faults Faults) {
	read := func(key, file string, into *string) {
		if file == "" {
			return
		}
		if *into != "" {
			faults = append(faults, Fault{Key: key, Found: "the secret both here and in " + key + "_file", Want: "one of the two"})
			return
		}
		text, err := os.ReadFile(file)
		if err != nil {
			faults = append(faults, Fault{Key: key + "_file", Found: reason(err), Want: "a readable file that holds the secret"})
			return
		}
		*into = strings.TrimRight(string(text), "\r\n")
		if *into == "" {
			faults = append(faults, Fault{Key: key + "_file", Found: "an empty file", Want: "the secret"})
		}
	}
	for i := range c.Salesforce.Orgs {
		o := &c.Salesforce.Orgs[i]
		read(fmt.Sprintf("salesforce.orgs[%d].client_secret", i), o.ClientSecretFile, &o.ClientSecret)
	}
	read("console.oidc.client_secret", c.Console.OIDC.ClientSecretFile, &c.Console.OIDC.ClientSecret)
	return faults
}

// locate finds where a key of the merged configuration was set: its line in the
// file, or its environment variable, or the nearest enclosing key.
func locate(file, key string, lines map[string]int, environ []string) (string, int) {
	for k := key; k != ""; {
		for _, entry := range environ {
			if name, _, _ := strings.Cut(entry, "="); name == envName(k) {
				return "environment " + name, 0
			}
		}
		if line, ok := lines[k]; ok {
			return file, line
		}
		cut := max(strings.LastIndexByte(k, '.'), strings.LastIndexByte(k, '['))
		if cut < 0 {
			break
		}
		k = k[:cut]
	}
	return file, 0
}

var durationType = reflect.TypeFor[time.Duration]()
