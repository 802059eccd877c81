package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"

	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/seal"
)

// envPrefix starts the name of every environment variable of the product.
const envPrefix = "SFMCP_"

// envElsewhere are variables with the prefix that are no configuration keys.
var envElsewhere = []string{seal.KeysVariable, "SFMCP_TEST_LARGE", "SFMCP_TEST_REQUIRE", "SFMCP_TEST_ROUNDS", "SFMCP_TEST_SOAK"}

// envName is the environment variable of a key.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// envNames are those of all keys that can come from the environment.
func envNames() (names []string) {
	for key := range defaults {
		names = append(names, envName(key))
	}
	slices.Sort(names)
	return names
}

// inspectEnv finds variables with our prefix that name no key: a misspelt override
// would otherwise leave the weaker setting of the file in force, unseen.
func inspectEnv(environ []string) (problems Problems) {
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
				problems = append(problems, Problem{Source: "environment " + name, Key: key, Found: quote(value), Want: expected(t)})
			}
		}
		if !known {
			problems = append(problems, Problem{Source: "environment", Key: name, Found: "a variable that names no key",
				Want: "the name of a key that is not in a list, such as " + envName("public_url") + nearest.Question(name, envNames())})
		}
	}
	return problems
}

// typeOf is what a key of defaults decodes into.
func typeOf(key string) reflect.Type {
	t := reflect.TypeFor[Config]()
	for name := range strings.SplitSeq(key, ".") {
		for _, f := range members(t) {
			if f.Tag.Get("mapstructure") == name {
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
	case t.Kind() == reflect.Float64:
		_, err = strconv.ParseFloat(text, 64)
	}
	return err == nil && decodes(text, t)
}

// decodes says whether [decode] would take it: of whatever kind the value of a key is, what that refuses is found here,
// by the name of the variable.
func decodes(text string, t reflect.Type) bool {
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{WeaklyTypedInput: true, DecodeHook: decodeHooks(), Result: reflect.New(t).Interface()})
	return err == nil && d.Decode(text) == nil
}
