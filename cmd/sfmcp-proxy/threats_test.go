package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/config"
)

// The table of threats and requirements, and the heading of its part about bounds, whose
// rows have no ids.
const (
	threatsFile   = "authproxy/THREATS.md"
	boundsHeading = "## What one party can make us store"
)

var (
	// usedID is an id of the table wherever it stands.
	usedID = regexp.MustCompile(`\b(?:(?:SR|M)-[A-Z]{2}-[0-9]{1,2}|(?:AS|UI|CL|RS|FW|AP|AD|ST|AU|AV|SC|FT)-[0-9]{2}|[DG][0-9]{1,2}a?)\b`)
	// namedIDs are the ids at the beginning of a test's name: TestUI09UI14PageHeaders.
	namedIDs = regexp.MustCompile(`^Test((?:(?:AS|UI|CL|RS|FW|AP|AD|ST|AU|AV|SC|FT)[0-9]{2}|[CGKPSU][0-9]{1,2})+)[A-Z]`)
	oneID    = regexp.MustCompile(`([A-Z]+)([0-9]+)`)
	// threatRow is a row with an id: id, what, what stops it, test.
	threatRow = regexp.MustCompile(`(?m)^\| ([A-Z][A-Za-z0-9-]*[0-9]a?) \| (.*) \| (.*) \| (.*) \|$`)
	kindRow   = regexp.MustCompile(`(?m)^\| ([CPSU][0-9]{1,2}) \| (.*) \|$`)
	namedTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)(…?)`")
	namedFile = regexp.MustCompile("`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+)`")
	// untested are the ways to say why a row has no test.
	untested = regexp.MustCompile(`(?:not built|refused|no test): \S`)
)

// Whoever reads the tree can look up every id in it, and nothing in the table promises what
// is not there.
func TestThreatsAreInStep(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(threatsFile)))
	if err != nil {
		t.Fatal(err)
	}
	table, bounds, found := strings.Cut(string(text), boundsHeading)
	if !found {
		t.Fatalf("%s has no heading %q", threatsFile, boundsHeading)
	}
	tree := readTree(t, root)
	rows := map[string]string{} // id → tests
	for _, cells := range threatRow.FindAllStringSubmatch(table, -1) {
		id, what, stops, tests := cells[1], cells[2], cells[3], cells[4]
		if _, twice := rows[id]; twice {
			t.Errorf("%s has two rows", id)
		}
		if what == "" {
			t.Errorf("%s says nothing", id)
		}
		rows[id] = tests
		for _, file := range namedFile.FindAllStringSubmatch(stops, -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file[1]))); err != nil {
				t.Errorf("%s names %s, which does not exist", id, file[1])
			}
		}
		tree.checkTests(t, id, tests)
	}
	for id, tests := range rows {
		for _, other := range usedID.FindAllString(tests, -1) {
			if _, ok := rows[other]; !ok {
				t.Errorf("%s is tested by %s, which has no row", id, other)
			}
		}
		if !namedTest.MatchString(tests) && !usedID.MatchString(tests) && !untested.MatchString(tests) {
			t.Errorf("%s has neither a test nor a reason: %q", id, tests)
		}
	}
	for id, file := range tree.ids {
		if _, ok := rows[id]; !ok {
			t.Errorf("%s uses %s, which has no row", file, id)
		}
	}
	for test, ids := range tree.named {
		for _, id := range ids {
			if tests, ok := rows[id]; !ok || !names(tests, test) {
				t.Errorf("%s carries %s, whose row does not name it: %q", test, id, tests)
			}
		}
	}
	for line := range strings.Lines(bounds) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| endpoint") {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
			if last := strings.TrimSpace(cells[len(cells)-1]); len(cells) != 6 || last != "no test" && !namedTest.MatchString(last) {
				t.Errorf("a bound has neither a test nor says that it has none: %s", line)
			}
			tree.checkTests(t, "a bound", line)
		}
	}
	if len(rows) < 300 || len(tree.named) < 250 || len(tree.ids) < 100 {
		t.Errorf("%d rows, %d tests with ids, %d ids in use: they were not read", len(rows), len(tree.named), len(tree.ids))
	}
}

// names says whether the cell names the test, in full or by its beginning.
func names(cell, test string) bool {
	return slices.ContainsFunc(namedTest.FindAllStringSubmatch(cell, -1), func(n []string) bool {
		return n[1] == test || n[2] != "" && strings.HasPrefix(test, n[1])
	})
}

// tree is what the files of the project say.
type tree struct {
	ids   map[string]string   // id → a file that uses it
	tests []string            // names of all tests and fuzz targets
	named map[string][]string // test → ids in its name
}

// checkTests reports tests that a cell names and that do not exist.
func (tr *tree) checkTests(t *testing.T, row, cell string) {
	t.Helper()
	for _, n := range namedTest.FindAllStringSubmatch(cell, -1) {
		if !slices.ContainsFunc(tr.tests, func(test string) bool { return test == n[1] || n[2] != "" && strings.HasPrefix(test, n[1]) }) {
			t.Errorf("%s names %s%s, which does not exist", row, n[1], n[2])
		}
	}
}

// readTree reads every Go file and document below root.
func readTree(t *testing.T, root string) *tree {
	t.Helper()
	tr := &tree{ids: map[string]string{}, named: map[string][]string{}}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (strings.HasPrefix(name, ".") && file != root || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		if ext := filepath.Ext(name); entry.IsDir() || ext != ".go" && ext != ".md" || file == filepath.Join(root, filepath.FromSlash(threatsFile)) {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(text) {
			if !mayUseID(line) {
				continue
			}
			for _, id := range usedID.FindAll(line, -1) {
				tr.ids[string(id)] = file
			}
		}
		if strings.HasSuffix(name, "_test.go") {
			return tr.readTests(file, text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// mayUseID says whether a line may have what usedID looks for, which takes longer to find out: a digit behind a letter
// and a dash, or behind the letter of a decision or a goal.
func mayUseID(line []byte) bool {
	for i := 1; i < len(line); i++ {
		if line[i] < '0' || line[i] > '9' {
			continue
		}
		switch before := line[i-1]; {
		case before == 'D', before == 'G', before == '-' && i > 1 && 'A' <= line[i-2] && line[i-2] <= 'Z':
			return true
		}
	}
	return false
}

// readTests collects the tests of a file.
func (tr *tree) readTests(file string, text []byte) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range f.Decls {
		test, ok := d.(*ast.FuncDecl)
		if !ok || test.Recv != nil || !strings.HasPrefix(test.Name.Name, "Test") && !strings.HasPrefix(test.Name.Name, "Fuzz") {
			continue
		}
		tr.tests = append(tr.tests, test.Name.Name)
		ids := namedIDs.FindStringSubmatch(test.Name.Name)
		if ids == nil {
			continue
		}
		for _, id := range oneID.FindAllStringSubmatch(ids[1], -1) {
			if len(id[1]) == 2 {
				tr.named[test.Name.Name] = append(tr.named[test.Name.Name], id[1]+"-"+id[2])
			} else {
				tr.named[test.Name.Name] = append(tr.named[test.Name.Name], id[1]+id[2])
			}
		}
	}
	return nil
}

// Every key that a policy, a rule or a budget has stands in a row that says what it must not be
// got around by.
func TestKeysOfPoliciesHaveRows(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(threatsFile)))
	if err != nil {
		t.Fatal(err)
	}
	_, rows, found := strings.Cut(string(text), "## K: keys of policies")
	if rows, _, _ = strings.Cut(rows, "\n## "); !found {
		t.Fatal("no part about keys of policies")
	}
	keys := []string{"policies_dir", "policies_need_replay", "calendars", "definitions", "declare", "daily_calls"} // which stand elsewhere in the file
	for _, shape := range []reflect.Type{reflect.TypeFor[config.Policy](), reflect.TypeFor[policy.Rule](), reflect.TypeFor[policy.Budget]()} {
		for field := range shape.Fields() {
			if key := field.Tag.Get("mapstructure"); key != "name" && key != "rules" {
				keys = append(keys, key)
			}
		}
	}
	for _, key := range keys {
		if !strings.Contains(rows, "`"+key+"`") {
			t.Errorf("the key %s has no row", key)
		}
	}
}

// Each row of the table that came of what somebody met says which further inputs of its kind
// are tried, and no other row does.
func TestKindsAreInStep(t *testing.T) {
	read := func(file string) map[string][]string {
		text, err := os.ReadFile(filepath.Join("..", "..", "authproxy", file))
		if err != nil {
			t.Fatal(err)
		}
		rows := map[string][]string{}
		for _, cells := range kindRow.FindAllStringSubmatch(string(text), -1) {
			if rows[cells[1]] != nil {
				t.Errorf("%s has %s twice", file, cells[1])
			}
			rows[cells[1]] = strings.Split(cells[2], " | ")
		}
		return rows
	}
	threats, kinds := read("THREATS.md"), read("KINDS.md")
	for id := range threats {
		if kinds[id] == nil {
			t.Errorf("KINDS.md has no %s", id)
		}
	}
	for id, cells := range kinds {
		if threats[id] == nil || len(cells) != 2 || cells[0] == "" || cells[1] == "" {
			t.Errorf("KINDS.md: %s %q", id, cells)
		}
	}
	if len(kinds) < 40 {
		t.Errorf("%d kinds were read", len(kinds))
	}
}
