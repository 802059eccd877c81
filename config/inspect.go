package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/policy"
)

// inspect holds the YAML tree of a file against the shape of a type and returns
// every problem, and the line of every key for later ones.
func inspect(file string, text []byte, shape reflect.Type) (Problems, map[string]int) {
	in, _ := inspectTree(file, text, shape)
	return in.problems, in.lines
}

// inspectTree is inspect, and returns the tree.
func inspectTree(file string, text []byte, shape reflect.Type) (*inspector, *yaml.Node) {
	in := &inspector{file: file, lines: map[string]int{}, wrong: map[*yaml.Node]bool{}}
	var doc, more yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(text))
	err := documents.Decode(&doc)
	if err == nil {
		err = documents.Decode(&more)
	}
	switch {
	case len(more.Content) > 0:
		in.problem(more.Content[0], "(file)", "a second document after ---", "one: what follows would not count")
		return in, &doc
	case err != nil && !errors.Is(err, io.EOF):
		at := &yaml.Node{}
		found := strings.TrimPrefix(err.Error(), "yaml: ")
		if _, err := fmt.Sscanf(found, "line %d:", &at.Line); err == nil {
			_, found, _ = strings.Cut(found, ": ")
		}
		in.problem(at, "(file)", strings.TrimPrefix(found, "found "), "YAML")
		return in, &doc
	case len(doc.Content) == 0:
		in.problem(nil, "(file)", "an empty file", "a configuration")
		return in, &doc
	}
	in.value(doc.Content[0], "", shape, "")
	return in, &doc
}

type inspector struct {
	file     string
	problems Problems
	lines    map[string]int
	wrong    map[*yaml.Node]bool // nodes that problems are about
}

// prune takes out of a tree what problems are about: a pair, if its key or its value is.
func (in *inspector) prune(n *yaml.Node) {
	var kept []*yaml.Node
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i+step <= len(n.Content); i += step {
		if whole := n.Content[i : i+step]; !slices.ContainsFunc(whole, func(part *yaml.Node) bool { return in.wrong[part] }) {
			in.prune(whole[step-1])
			kept = append(kept, whole...)
		}
	}
	n.Content = kept
}

func (in *inspector) problem(n *yaml.Node, key, found, want string) {
	f := Problem{Source: in.file, Key: key, Found: found, Want: want}
	if n != nil {
		f.Line = n.Line
		in.wrong[n] = true
	}
	if key == "" {
		f.Key = "(file)"
	}
	in.problems = append(in.problems, f)
}

// value checks one node against the type that the key decodes into.
func (in *inspector) value(n *yaml.Node, key string, t reflect.Type, need string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		in.problem(n, key, "a YAML anchor or alias", "the value itself")
		return
	}
	switch {
	case t.Kind() == reflect.Struct:
		in.mapping(n, key, t)
	case t.Kind() == reflect.Slice:
		in.sequence(n, key, t, need)
	default:
		in.scalar(n, key, t, need)
	}
}

// unknown says that there is no such key: which is near, or else which there are. In an emergency each command says it.
func (in *inspector) unknown(n *yaml.Node, path string, known []string) {
	if question := nearest.Question(n.Value, known); question != "" {
		in.problem(n, path, "found an unknown key"+question, "")
		return
	}
	in.problem(n, path, "an unknown key", "one of "+strings.Join(known, ", "))
}

func (in *inspector) mapping(n *yaml.Node, key string, t reflect.Type) {
	if n.Kind != yaml.MappingNode {
		in.problem(n, key, describe(n), "keys and values")
		return
	}
	fields := map[string]reflect.StructField{}
	for _, f := range members(t) {
		fields[f.Tag.Get("mapstructure")] = f
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, child := n.Content[i], n.Content[i+1]
		path := strings.TrimPrefix(key+"."+name.Value, ".")
		field, known := fields[name.Value]
		switch {
		case !known:
			in.unknown(name, path, names(t))
		case seen[name.Value]:
			in.problem(name, path, "the key a second time", "it once")
		default:
			in.lines[path] = name.Line
			in.value(child, path, field.Type, field.Tag.Get("need"))
		}
		seen[name.Value] = true
	}
}

func (in *inspector) sequence(n *yaml.Node, key string, t reflect.Type, need string) {
	if n.Kind != yaml.SequenceNode {
		in.problem(n, key, describe(n), "a list")
		return
	}
	if len(n.Content) == 0 && need == "value" {
		in.problem(n, key, "an empty list", "at least one entry, or no such key")
	}
	for i, child := range n.Content {
		path := fmt.Sprintf("%s[%d]", key, i)
		in.lines[path] = child.Line
		in.value(child, path, t.Elem(), "value")
	}
}

func (in *inspector) scalar(n *yaml.Node, key string, t reflect.Type, need string) {
	want := expected(t)
	ok := n.Kind == yaml.ScalarNode
	if ok {
		switch {
		case n.Tag == "!!null":
			ok = false
		case t == durationType:
			d, err := time.ParseDuration(n.Value)
			ok = err == nil
			if ok && need == "time" && d == 0 { // which would come out as the default
				ok, want = false, "more than 0, or no such key"
			}
		case t == reflect.TypeFor[Bytes]():
			_, err := ParseBytes(n.Value)
			ok = err == nil
		case t == reflect.TypeFor[policy.Amount]():
			a, err := ParseAmount(n.Value)
			ok = err == nil && a > 0
		case t.Kind() == reflect.Float64:
			part, err := strconv.ParseFloat(n.Value, 64)
			ok = err == nil && (n.Tag == "!!float" || n.Tag == "!!int") && part > 0 && part <= 1
		case t.Kind() == reflect.Bool:
			ok = n.Tag == "!!bool"
		case t.Kind() == reflect.Int:
			i, err := strconv.Atoi(n.Value)
			ok = err == nil && n.Tag == "!!int" && strconv.Itoa(i) == n.Value // 010 is eight to YAML
			if ok && need == "value" && i == 0 {
				ok, want = false, "at least 1, or no such key" // which would not restrict anything
			}
		default:
			ok = n.Tag == "!!str"
			if ok && need == "value" && strings.TrimSpace(n.Value) == "" {
				ok, want = false, "a value that is not empty"
			}
		}
	}
	if !ok && (strings.HasSuffix(key, "_secret") || strings.HasSuffix(key, "_password") || key == "outbound_proxy") {
		in.problem(n, key, "a value of another kind (not shown)", want)
	} else if !ok {
		in.problem(n, key, describe(n), want)
	}
}

func expected(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration such as 90s, 15m, 720h"
	case t == reflect.TypeFor[Bytes]():
		return "a size such as 512KiB, 1MiB"
	case t == reflect.TypeFor[policy.Amount]():
		return "a whole number of at least 1, or a size such as 50MiB"
	case t.Kind() == reflect.Float64:
		return "a part of the whole, more than 0 and at most 1, such as 0.8"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	}
	return "text (in quotes where YAML reads it otherwise)"
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!null" || n.Value == "" {
		return "nothing"
	}
	if len(n.Value) > 60 {
		return fmt.Sprintf("%q…", n.Value[:60])
	}
	return strconv.Quote(n.Value)
}

func names(t reflect.Type) []string {
	var out []string
	for _, f := range members(t) {
		out = append(out, f.Tag.Get("mapstructure"))
	}
	return out
}

// members are the fields of a struct that are keys of the configuration.
func members(t reflect.Type) (all []reflect.StructField) {
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() {
			all = append(all, f)
		}
	}
	return all
}
