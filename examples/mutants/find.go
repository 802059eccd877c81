package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one edit of one file: the bytes from start to end are replaced by text.
type mutant struct {
	// id is file:function:operator:number, the number counting within the function.
	id        string
	pkg, file string // both relative to the root of the module
	operator  string
	line      int
	source    []byte
	start     int
	end       int
	text      string
}

// mutated is the whole file after the edit.
func (m *mutant) mutated() []byte {
	return slices.Concat(m.source[:m.start], []byte(m.text), m.source[m.end:])
}

// before and after are the lines that the edit touches, without it and with it.
func (m *mutant) before() string { return m.lines(string(m.source[m.start:m.end])) }
func (m *mutant) after() string  { return m.lines(m.text) }

func (m *mutant) lines(middle string) string {
	from := bytes.LastIndexByte(m.source[:m.start], '\n') + 1
	to := len(m.source)
	if n := bytes.IndexByte(m.source[m.end:], '\n'); n >= 0 {
		to = m.end + n
	}
	return strings.Join(strings.Fields(string(m.source[from:m.start])+middle+string(m.source[m.end:to])), " ")
}

// find returns all mutants of the packages, in the order of files and lines.
func find(packages []string) ([]*mutant, error) {
	var all []*mutant
	for _, pkg := range packages {
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*.go"))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s: no Go files (run from the root of the module)", pkg)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			found, err := findIn(pkg, filepath.ToSlash(file), source)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// finder collects the mutants of one file.
type finder struct {
	pkg, file string
	source    []byte
	set       *token.FileSet
	found     []*mutant
	function  string
	counts    map[string]int
}

func findIn(pkg, file string, source []byte) ([]*mutant, error) {
	f := &finder{pkg: pkg, file: file, source: source, set: token.NewFileSet(), counts: map[string]int{}}
	tree, err := parser.ParseFile(f.set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range tree.Decls {
		f.function = "file"
		if fn, ok := d.(*ast.FuncDecl); ok {
			f.function = fn.Name.Name
			if ignoredFunction(fn) {
				continue
			}
		}
		ast.PreorderStack(d, nil, f.visit)
	}
	return f.found, nil
}

// ignoredFunction says whether a function only formats: what it prints is no defence.
func ignoredFunction(fn *ast.FuncDecl) bool {
	return slices.Contains([]string{"String", "Error", "LogValue", "Format", "GoString"}, fn.Name.Name)
}

func (f *finder) visit(n ast.Node, stack []ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.CallExpr:
		if logs(n) {
			return false
		}
	case *ast.IfStmt:
		f.check(n)
	case *ast.BinaryExpr:
		f.binary(n, stack)
	case *ast.ReturnStmt:
		f.returned(n, stack)
	case *ast.ExprStmt, *ast.AssignStmt:
		f.dropped(n.(ast.Stmt), stack)
	case *ast.BasicLit:
		f.literal(n, stack)
	}
	return true
}

// add keeps the mutant that replaces a node by text.
func (f *finder) add(operator string, n ast.Node, text string) {
	f.edit(operator, f.offset(n.Pos()), f.offset(n.End()), text)
}

func (f *finder) edit(operator string, start, end int, text string) {
	key := f.function + ":" + operator
	f.counts[key]++
	f.found = append(f.found, &mutant{
		id: fmt.Sprintf("%s:%s:%d", f.file, key, f.counts[key]), pkg: f.pkg, file: f.file, operator: operator,
		line: 1 + bytes.Count(f.source[:start], []byte("\n")), source: f.source, start: start, end: end, text: text,
	})
}

func (f *finder) offset(p token.Pos) int { return f.set.Position(p).Offset }

func (f *finder) textOf(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}
