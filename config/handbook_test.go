package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sfmcp-proxy/authproxy/policy"
	"strconv"
	"strings"
	"testing"
	"time"
)

const handbook = "../examples/handbook"

// keysOf lists every key of t with its type, in the words of the handbook's table.
func keysOf(t reflect.Type, prefix string, keys map[string]string) {
	for _, f := range members(t) {
		key := prefix + f.Tag.Get("mapstructure")
		switch {
		case f.Type == durationType:
			keys[key] = "duration"
		case f.Type == reflect.TypeFor[Bytes]():
			keys[key] = "size"
		case f.Type == reflect.TypeFor[policy.Amount]():
			keys[key] = "number or size"
		case f.Type.Kind() == reflect.Float64:
			keys[key] = "part"
		case f.Type.Kind() == reflect.Struct:
			keysOf(f.Type, key+".", keys)
		case f.Type.Kind() == reflect.Slice:
			keys[key] = "list"
			if f.Type.Elem().Kind() == reflect.Struct {
				keysOf(f.Type.Elem(), key+"[].", keys)
			}
		default:
			keys[key] = map[reflect.Kind]string{reflect.String: "text", reflect.Int: "number", reflect.Bool: "yes or no"}[f.Type.Kind()]
		}
	}
}

// The handbook's table has every key, with its type and its default, and no other.
func TestHandbookNamesEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(handbook, "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{} // key: type, default, meaning
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]*) \\| ?([^|]*)\\| ([^|]+) \\|$").FindAllStringSubmatch(string(text), -1) {
		if rows[row[1]] != nil {
			t.Errorf("%s is there twice", row[1])
		}
		rows[row[1]] = []string{row[2], strings.Trim(row[3], "` "), row[4]}
	}
	keys := map[string]string{}
	keysOf(reflect.TypeFor[Config](), "", keys)
	for key, kind := range keys {
		row := rows[key]
		if row == nil {
			t.Errorf("%s has no row", key)
			continue
		}
		if row[0] != kind {
			t.Errorf("%s is said to be a %s, and is a %s", key, row[0], kind)
		}
		value, known := defaults[key]
		if of := typeOf(key); !known && !strings.Contains(key, "[]") && !(of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct) {
			t.Errorf("%s cannot be set from the environment: it is not among the defaults", key)
		}
		if known && !sameDefault(row[1], value) {
			t.Errorf("%s is said to be %q by default, and is %v", key, row[1], value)
		}
	}
	for key := range rows {
		if keys[key] == "" {
			t.Errorf("%s has a row, and is no key", key)
		}
	}
}

// sameDefault compares what the table says with a value of defaults.
func sameDefault(said string, value any) bool {
	switch value := value.(type) {
	case []string:
		return said == "["+strings.Join(value, ", ")+"]"
	case bool:
		return said == map[bool]string{true: "true", false: "false"}[value]
	case string:
		a, err := time.ParseDuration(said)
		b, err2 := time.ParseDuration(value)
		return said == value || err == nil && err2 == nil && a == b
	case int:
		return said == strconv.Itoa(value)
	case float64:
		return said == strconv.FormatFloat(value, 'g', -1, 64)
	}
	return false
}

// What the handbook tells people to write loads in the place of the same keys of the
// README's pilot.
func TestHandbookConfigurationLoads(t *testing.T) {
	t.Parallel()
	pilot := pilotOf(t)
	head, rest, _ := strings.Cut(pilot, "policies:\n")
	_, clients, _ := strings.Cut(rest, "\nclients:\n")
	policies, _, _ := strings.Cut(rest, "\nclients:\n")
	for page, whole := range map[string]func(block string) string{
		"policies.md": func(block string) string {
			return strings.Replace(head, "policy: read-only", "policy: sales", 1) + block + "\nclients:\n" + clients
		},
		"clients.md": func(block string) string { return head + "policies:\n" + policies + "\n" + block },
	} {
		blocks := yamlBlocks(t, filepath.Join(handbook, page))
		if len(blocks) == 0 {
			t.Errorf("%s has no YAML block", page)
		}
		for _, block := range blocks {
			if _, err := load(t, whole(block)); err != nil {
				t.Errorf("%s:\n%v", page, err)
			}
		}
	}
}
