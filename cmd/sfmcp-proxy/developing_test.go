package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What is released, or is on its way to be, is called the same wherever it is named, and as the changelog says:
// between two releases it is none of those that are out.
func TestTheVersionIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for file, form := range map[string]string{
		"Dockerfile":                                    `(?m)^ARG VERSION=(\S+)$`,
		"examples/compose/compose.yaml":                 `(?:image: sfmcp-proxy:|VERSION: )([^\s,]+)`,
		"examples/helm/sfmcp-proxy/Chart.yaml":          `(?m)^(?:appV|v)ersion: (\S+)$`,
		"examples/helm/sfmcp-proxy/ci/full-values.yaml": `(?m)^  tag: (\S+)$`,
	} {
		found := regexp.MustCompile(form).FindAllStringSubmatch(read(t, filepath.Join("..", "..", file)), -1)
		if len(found) == 0 {
			t.Errorf("%s names no version", file)
		}
		for _, m := range found {
			if m[1] != developing {
				t.Errorf("%s names version %s, and version.go %s", file, m[1], developing)
			}
		}
	}
	changes := read(t, filepath.Join("..", "..", "CHANGELOG.md"))
	next, unreleased := strings.CutSuffix(developing, "-dev")
	first := regexp.MustCompile(`(?m)^## (\S+)`).FindStringSubmatch(changes)[1]
	if want := map[bool]string{true: "Unreleased", false: developing}[unreleased]; first != want {
		t.Errorf("version.go says %s, and the changelog begins with %s", developing, first)
	}
	if unreleased && strings.Contains(changes, "\n## "+next+" (") {
		t.Errorf("%s is out already", next)
	}
}
