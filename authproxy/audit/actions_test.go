package audit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The table has every constant, in order, with a sentence.
func TestActionsAreDescribed(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "actions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var constants []Action
	ast.Inspect(f, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.VAR { // the table
			return false
		}
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Action" {
			for _, v := range spec.Values {
				text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				constants = append(constants, Action(text))
			}
		}
		return true
	})
	var described []Action
	for _, d := range Actions() {
		described = append(described, d.Action)
		if !regexp.MustCompile(`^[a-z]+\.[a-z]+$`).MatchString(string(d.Action)) || d.When == "" || d.kind != acts && d.kind != looks || strings.HasSuffix(d.When, ".") {
			t.Errorf("%+v", d)
		}
	}
	if !slices.Equal(constants, described) || !slices.IsSorted(described) || len(described) != len(slices.Compact(slices.Clone(described))) {
		t.Errorf("constants %v\ntable %v", constants, described)
	}
}

// What a command records of its own reading, and what the log and the proxy note by themselves, is no act; what takes away or
// gives is one, and so is what nobody knows.
func TestActionsThatAct(t *testing.T) {
	t.Parallel()
	for _, a := range []Action{LogRead, LogExport, ReportMake, LogReconcile, PolicyReplay, EvidenceMake, DoctorList, DoctorQuery, StoreTamper,
		LogJoin, LogObserve, LogClock, LogCut, LogResume} {
		if a.Acts() {
			t.Errorf("%s counts as an act", a)
		}
	}
	for _, a := range []Action{UserBlock, UserUnblock, GrantRevoke, StopSet, ApprovalDecide, ReviewBegin, LinkRefresh, LogAcknowledge, "some.thing"} {
		if !a.Acts() {
			t.Errorf("%s counts as reading", a)
		}
	}
}

// No program names an action by a text of its own.
func TestEntriesUseTheConstants(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, filepath.Join("audit", "actions.go")) {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			if s, err := strconv.Unquote(text.Value); err == nil && slices.ContainsFunc(Actions(), func(d Described) bool { return string(d.Action) == s }) {
				t.Errorf("%s: %s, expected a constant of package audit", set.Position(text.Pos()), text.Value)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]bool{"tool.call": true, "tool.": true, "tool": false, "tool.c": false, "too.": false, "": false, ".": false} {
		if ToolCall.Matches(filter) != want {
			t.Errorf("tool.call matches %q: %v", filter, !want)
		}
	}
}
