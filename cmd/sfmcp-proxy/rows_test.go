package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// attackRows are the attacks that each release answers for, by the areas and numbers of
// the security catalogue: authorization server, browser pages, client leg to Salesforce,
// resource server, store, forwarding, availability, faults. Another area is a line here.
var attackRows = map[string][]int{
	"AS": {1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 47, 51, 52},
	"UI": {1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18},
	"CL": {1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 16, 17},
	"RS": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 20, 21, 22, 23, 24},
	"ST": {1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14},
	"FW": {1, 2, 3, 6, 7, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 24, 25, 28, 29, 30, 31, 33, 34, 35, 36, 37, 38, 39, 40, 41, 43, 44, 45, 46},
	"AV": {1, 2, 3, 4, 5, 6, 7, 8, 9},
	"FT": {12, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 31, 42, 43, 44, 45, 46, 47, 48, 49, 50, 57},
}

// excuses are the documents that say why a row has no test, in a table under excusesTitle.
var excuses = []string{"authproxy/DESIGN.md", "cmd/sfmcp-proxy/DESIGN.md"}

const excusesTitle = "\n## Rows without a test\n"

// Every attack has a test with its id in the name (TestST06StolenDatabase), or a line in
// the table of excuses. Not both: an excuse that is no longer needed misleads.
func TestEveryAttackRowHasATest(t *testing.T) {
	tested := testedRows(t, filepath.Join("..", ".."))
	excused := map[string]string{}
	for _, document := range excuses {
		for _, id := range excusedRows(t, filepath.Join("..", "..", filepath.FromSlash(document))) {
			excused[id] = document
		}
	}
	for area, numbers := range attackRows {
		for _, n := range numbers {
			id := fmt.Sprintf("%s%02d", area, n)
			switch {
			case tested[id] == "" && excused[id] == "":
				t.Errorf("%s-%02d has no test Test%s…, and none of %v says why", area, n, id, excuses)
			case tested[id] != "" && excused[id] != "":
				t.Errorf("%s-%02d has a test in %s, and %s still says why it has none", area, n, tested[id], excused[id])
			}
		}
	}
	if len(tested) < 100 {
		t.Errorf("the test files name %d rows: they were not read", len(tested))
	}
}

var (
	leadingIDs = regexp.MustCompile(`^Test((?:[A-Z]{2}[0-9]{2})+)`)
	oneID      = regexp.MustCompile(`[A-Z]{2}[0-9]{2}`)
	tableRow   = regexp.MustCompile(`(?m)^\| ((?:[A-Z]{2}-[0-9]{2}(?:, )?)+) \|`)
)

// testedRows maps each id to a file with a test that carries it.
func testedRows(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && file != root {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			test, ok := d.(*ast.FuncDecl)
			if !ok || test.Recv != nil || len(test.Type.Params.List) != 1 {
				continue
			}
			if ids := leadingIDs.FindStringSubmatch(test.Name.Name); ids != nil {
				for _, id := range oneID.FindAllString(ids[1], -1) {
					found[id] = file
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// excusedRows are the ids in the first column of the document's table of excuses.
func excusedRows(t *testing.T, document string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), excusesTitle)
	if !found {
		t.Fatalf("%s has no heading%s", document, excusesTitle)
	}
	section, _, _ := strings.Cut(after, "\n## ")
	for _, row := range tableRow.FindAllStringSubmatch(section, -1) {
		for _, id := range strings.Split(row[1], ", ") {
			ids = append(ids, strings.Replace(id, "-", "", 1))
		}
	}
	return ids
}
