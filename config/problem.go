package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Problem is one thing wrong with the configuration.
type Problem struct {
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

func (p Problem) String() string {
	at := p.Source
	if p.Line > 0 {
		at = fmt.Sprintf("%s:%d", p.Source, p.Line)
	}
	if p.Want == "" {
		return fmt.Sprintf("%s: %s: %s", at, p.Key, p.Found)
	}
	return fmt.Sprintf("%s: %s: found %s, expected %s", at, p.Key, p.Found, p.Want)
}

// Problems is every problem that was found, in the order of the file.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, problem := range ps {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Outside returns the problems of other keys than these and what is below them.
func (ps Problems) Outside(keys ...string) (out Problems) {
	for _, p := range ps {
		if !slices.ContainsFunc(keys, func(key string) bool {
			rest, below := strings.CutPrefix(p.Key, key)
			return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
		}) {
			out = append(out, p)
		}
	}
	return out
}

func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
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

func quote(s string) string {
	if s == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", s)
}
