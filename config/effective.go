package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
)

// Write prints the configuration in force as YAML, every key with its value,
// secrets as "(set)", a password in a URL as "xxxxx".
func (c *Config) Write(w io.Writer) error {
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(asYAML(reflect.ValueOf(*c), false)); err != nil {
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
		for i := range v.NumField() {
			field := v.Type().Field(i)
			value := v.Field(i)
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
	for i := range x.NumField() {
		key := x.Type().Field(i).Tag.Get("mapstructure")
		if slices.Contains(keys, key) && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			differing = append(differing, key)
		}
	}
	return differing
}
