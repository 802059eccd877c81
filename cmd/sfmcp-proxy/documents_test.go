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
	// namedSource is a file in the text of a comment, with its folder or without:
	// authproxy/cutoff.go, consent.go.
	namedSource = regexp.MustCompile(`\b((?:[a-z0-9_-]+/)*[a-z0-9_]+\.go)\b`)
)

// A document that leads nowhere is worse than none: every file, folder and package that the
// documents and the tour name is there.
func TestDocumentsNameWhatExists(t *testing.T) {
	root := filepath.Join("..", "..")
	named, exists := map[string][]string{}, map[string]bool{} // by whom; which there are
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (strings.HasPrefix(name, ".") && file != root || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		path, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		exists[filepath.ToSlash(path)] = true
		exists[name] = true // a comment may leave the folder out
		patterns := []*regexp.Regexp{namedPath}
		switch {
		case name == "doc.go":
			patterns = []*regexp.Regexp{namedPackage, namedSource}
		case filepath.Ext(name) != ".md" || name == "CHANGELOG.md": // which says what was
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, pattern := range patterns {
			for _, found := range pattern.FindAllStringSubmatch(string(text), -1) {
				named[found[1]] = append(named[found[1]], file)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, by := range named {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path))); err != nil && !exists[path] {
			t.Errorf("%s names %s, which does not exist", by[0], path)
		}
	}
	if len(named) < 100 {
		t.Errorf("the documents name %d files: they were not read", len(named))
	}
}

// listedFile is a line of a list of files in the comment of a package.
var listedFile = regexp.MustCompile(`(?m)^//(?:\t| +- )[a-z_, .]*\.go\b`)

// A list of a package's files that lacks one sends whoever looks for it elsewhere: where a comment has
// such a list, it has every file.
func TestDocumentListsEveryFile(t *testing.T) {
	lists := 0
	for pkg := range layer {
		dir := filepath.Join("..", "..", filepath.FromSlash(pkg))
		text, err := os.ReadFile(filepath.Join(dir, "doc.go"))
		if err != nil || len(listedFile.FindAll(text, 2)) < 2 {
			continue // it has no list
		}
		lists++
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			if name == "doc.go" || strings.HasSuffix(name, "_test.go") {
				continue
			}
			if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).Match(text) {
				t.Errorf("the list of %s/doc.go lacks %s", pkg, name)
			}
		}
	}
	if lists < 6 {
		t.Errorf("%d packages have a list of their files: they were not found", lists)
	}
}

// The tour leads to every package of the product.
func TestTourNamesEveryPackage(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range layer {
		if pkg == "cmd/sfmcp-proxy" || strings.HasPrefix(pkg, "examples/") || strings.HasSuffix(pkg, "test") || strings.Contains(pkg, "test/") {
			continue
		}
		if !strings.Contains(string(text), "["+module+pkg+"]") {
			t.Errorf("doc.go does not name %s", pkg)
		}
	}
}

// The tour names the file in which each command of the first level begins.
func TestTourNamesTheFileOfEveryCommand(t *testing.T) {
	t.Parallel()
	tour, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name != "nosim.go" && !strings.HasSuffix(name, "_test.go") {
			sources[name] = string(text)
		}
	}
	_, root, _ := strings.Cut(sources["main.go"], "root.AddCommand(")
	root, _, _ = strings.Cut(root, "\n\t)\n")
	made := regexp.MustCompile(`\w+Command\(\)`).FindAllString(root, -1)
	if len(made) != len(newRoot().Commands()) {
		t.Fatalf("%d commands are added in main.go, but there are %d", len(made), len(newRoot().Commands()))
	}
	for _, function := range made {
		for name, text := range sources {
			if strings.Contains(text, "\nfunc "+function+" ") && !regexp.MustCompile(`[ (]`+regexp.QuoteMeta(name)+`\b`).Match(tour) {
				t.Errorf("doc.go does not name %s, which has %s", name, function)
			}
		}
	}
}
