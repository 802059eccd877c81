package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// namedPath is a file or folder of the project in a document: `authproxy/cutoff.go`.
	namedPath = regexp.MustCompile("`((?:cmd|authproxy|mcpforward|config|examples|\\.ci)/[A-Za-z0-9_./-]*[A-Za-z0-9])`")
	// namedPackage is a link to a package in a comment: [sfmcp-proxy/authproxy/policy].
	namedPackage = regexp.MustCompile(`\[sfmcp-proxy/([a-z0-9/-]+)[\].]`)
	// namedSource is a file in the text of a comment: authproxy/cutoff.go.
	namedSource = regexp.MustCompile(`\b((?:cmd|authproxy|mcpforward|config|examples)/[a-z0-9_/-]+\.go)\b`)
)

// A document that leads nowhere is worse than none: every file, folder and package that the
// documents and the tour name is there.
func TestDocumentsNameWhatExists(t *testing.T) {
	root := filepath.Join("..", "..")
	named := 0
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (strings.HasPrefix(name, ".") && file != root || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		patterns := []*regexp.Regexp{namedPath}
		switch {
		case name == "doc.go":
			patterns = []*regexp.Regexp{namedPackage, namedSource}
		case filepath.Ext(name) != ".md" || name == "CHANGELOG.md": // which tells of what was
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, pattern := range patterns {
			for _, found := range pattern.FindAllStringSubmatch(string(text), -1) {
				named++
				if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(found[1]))); err != nil {
					t.Errorf("%s names %s, which does not exist", file, found[1])
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if named < 100 {
		t.Errorf("the documents name %d files: they were not read", named)
	}
}
