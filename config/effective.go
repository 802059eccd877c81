package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
)

// Write prints the configuration in force as YAML, every key with its value,
// secrets as "(set)", a password in a URL as "xxxxx".
func (c *Config) Write(w io.Writer) error {
	return printYAML(w, asYAML(reflect.ValueOf(*c), false))
}

// WriteOrigins prints it with where each value came from behind it: a line of the file, a variable of the
// environment, or nothing where it is the default.
func (c *Config) WriteOrigins(w io.Writer) error {
	n := asYAML(reflect.ValueOf(*c), false)
	c.origins.note(n, "")
	return printYAML(w, n)
}

// origins are where keys were set. They can be read while another file that says the same takes the
// place of the one that they are of.
type origins struct {
	of atomic.Pointer[map[string]string]
	// overridden says that the environment names another database than the file; empty: it does not.
	overridden string
}

func newOrigins(of map[string]string) *origins {
	o := &origins{}
	o.of.Store(&of)
	return o
}

// Same reports whether c says what other says, wherever in their files, and the files with secrets that it names hold
// what they held: a comment, or another order, changes nothing. If so, other has from then on where c was set.
func (c *Config) Same(other *Config) bool {
	mine := *c
	mine.origins = other.origins
	if !reflect.DeepEqual(&mine, other) {
		return false
	}
	if c.origins != nil && other.origins != nil {
		other.origins.of.Store(c.origins.of.Load())
	}
	return true
}

// note notes where the values of a mapping came from, whose keys begin so.
func (o *origins) note(n *yaml.Node, prefix string) {
	if o == nil {
		return
	}
	of := *o.of.Load()
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := prefix+n.Content[i].Value, n.Content[i+1]
		switch {
		case value.Kind == yaml.MappingNode:
			o.note(value, key+".")
		case value.Kind == yaml.SequenceNode && value.Style != yaml.FlowStyle: // its members stand on lines of their own
			n.Content[i].LineComment = of[key]
		default:
			value.LineComment = of[key]
		}
	}
}

// originsOf says of each key that was set where that was done, by the lines of the file and the
// environment.
func originsOf(lines map[string]int, environ []string) map[string]string {
	origins := map[string]string{}
	for key, line := range lines {
		origins[key] = fmt.Sprintf("line %d", line)
	}
	for key := range defaults {
		if source, line := locate("", key, nil, environ); line == 0 && source != "" {
			origins[key] = source
		}
	}
	return origins
}

func printYAML(w io.Writer, n *yaml.Node) error {
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return fmt.Errorf("printing configuration: %w", err)
	}
	return enc.Close()
}

// absent are the types whose keys say something by being absent, and the keys within them: one of
// a rule or budget does not restrict it, one of a checkpoint, an export or a target of notices is of
// another kind of place. Printed empty they would say otherwise.
var absent = []reflect.Type{reflect.TypeFor[policy.Rule](), reflect.TypeFor[reach.Declaration](), reflect.TypeFor[policy.Budget](), reflect.TypeFor[Checkpoint](), reflect.TypeFor[Notify](), reflect.TypeFor[Export]()}

// asYAML turns a value into YAML nodes, in the order of the struct's fields; sparse: without those
// that are empty.
func asYAML(v reflect.Value, sparse bool) *yaml.Node {
	switch x := v.Interface().(type) {
	case time.Duration:
		return text(shortDuration(x))
	case Bytes:
		return text(x.String())
	}
	switch v.Kind() {
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode}
		sparse = sparse || slices.Contains(absent, v.Type())
		for _, field := range members(v.Type()) {
			value := v.FieldByIndex(field.Index)
			child := asYAML(value, sparse)
			switch {
			case field.Tag.Get("secret") == "password":
				child = text(withoutPassword(value.String()))
			case field.Tag.Get("secret") != "" && value.String() != "":
				child = text("(set)")
			case value.IsZero() && sparse:
				continue
			}
			n.Content = append(n.Content, text(field.Tag.Get("mapstructure")), child)
		}
		return n
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n.Content = append(n.Content, asYAML(v.Index(i), sparse))
		}
		if v.Len() == 0 || v.Type().Elem().Kind() == reflect.String {
			n.Style = yaml.FlowStyle
		}
		return n
	}
	n := &yaml.Node{}
	if err := n.Encode(v.Interface()); err != nil {
		return text(fmt.Sprint(v.Interface()))
	}
	return n
}

// withoutPassword is a database or a URL as it may be shown.
func withoutPassword(url string) string {
	if url == "" {
		return ""
	}
	return db.Config{URL: url}.Redacted()
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

// shortDuration drops the zero units that Duration.String adds: 15m, not 15m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Differing names those of the keys, at the top of the file, whose values are others in b.
func (c *Config) Differing(b *Config, keys ...string) (differing []string) {
	x, y := reflect.ValueOf(*c), reflect.ValueOf(*b)
	for _, field := range members(x.Type()) {
		key := field.Tag.Get("mapstructure")
		if slices.Contains(keys, key) && !reflect.DeepEqual(x.FieldByIndex(field.Index).Interface(), y.FieldByIndex(field.Index).Interface()) {
			differing = append(differing, key)
		}
	}
	return differing
}
