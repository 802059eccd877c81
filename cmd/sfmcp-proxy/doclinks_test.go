package main

import (
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A link in the comment of a declaration that leads nowhere is shown as a word in brackets: what it named is gone, or was
// never there. Names that are not exported count as well, and so do members of a type; those of packages that are not ours
// are not looked at.
func TestDocumentLinksResolve(t *testing.T) {
	t.Parallel()
	declared, files := map[string]map[string]bool{}, map[string][]*ast.File{} // by package
	fset := token.NewFileSet()
	for pkg := range layer {
		paths, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pkg), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		declared[pkg] = map[string]bool{}
		for _, name := range paths {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			declare(declared[pkg], file)
			files[pkg] = append(files[pkg], file)
		}
	}
	links := 0
	for pkg, of := range files {
		imported := importsOf(of)
		for _, file := range of {
			for _, text := range docsOf(file) {
				for _, link := range linksIn(text.Text()) {
					links++
					if !resolves(declared, pkg, imported, link) {
						t.Errorf("%s: [%s] leads nowhere", fset.Position(text.Pos()), link)
					}
				}
			}
		}
	}
	if links < 500 {
		t.Errorf("comments have %d links: they were not read", links)
	}
}

// declare adds what a file declares: NAME, and TYPE.MEMBER for methods and fields.
func declare(names map[string]bool, file *ast.File) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names[d.Name.Name] = true
			} else {
				names[typeName(d.Recv.List[0].Type)+"."+d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names[name.Name] = true
					}
				case *ast.TypeSpec:
					names[spec.Name.Name] = true
					ast.Inspect(spec.Type, func(n ast.Node) bool {
						if field, ok := n.(*ast.Field); ok {
							for _, name := range field.Names {
								names[spec.Name.Name+"."+name.Name] = true
							}
							if len(field.Names) == 0 {
								names[spec.Name.Name+" has "+typeName(field.Type)] = true
							}
						}
						return true
					})
				}
			}
		}
	}
}

// has says whether a package declares what a link names, also by a type of the package that is embedded.
func has(declared map[string]bool, link string) bool {
	of, member, _ := strings.Cut(link, ".")
	if declared[link] {
		return true
	}
	for name := range declared {
		if embedded, ok := strings.CutPrefix(name, of+" has "); ok && declared[embedded+"."+member] {
			return true
		}
	}
	return false
}

// typeName is the name of a type that has methods.
func typeName(of ast.Expr) string {
	switch of := of.(type) {
	case *ast.StarExpr:
		return typeName(of.X)
	case *ast.IndexExpr:
		return typeName(of.X)
	case *ast.IndexListExpr:
		return typeName(of.X)
	case *ast.Ident:
		return of.Name
	}
	return ""
}

// importsOf are the paths that the files of a package import, by the name that they use: a comment may name what another
// file imports, as go doc does.
func importsOf(files []*ast.File) map[string]string {
	all := map[string]string{}
	for _, file := range files {
		for _, i := range file.Imports {
			at := strings.Trim(i.Path.Value, `"`)
			name := path.Base(at)
			if i.Name != nil {
				name = i.Name.Name
			}
			all[name] = at
		}
	}
	return all
}

// docsOf are the comments that go doc, or an editor, shows: of the package, of declarations and of members.
func docsOf(file *ast.File) (all []*ast.CommentGroup) {
	add := func(groups ...*ast.CommentGroup) {
		for _, g := range groups {
			if g != nil && strings.ContainsRune(g.Text(), '[') {
				all = append(all, g)
			}
		}
	}
	add(file.Doc)
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			add(d.Doc)
		case *ast.GenDecl:
			add(d.Doc)
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					add(spec.Doc, spec.Comment)
				case *ast.TypeSpec:
					add(spec.Doc, spec.Comment)
					ast.Inspect(spec.Type, func(n ast.Node) bool {
						if field, ok := n.(*ast.Field); ok {
							add(field.Doc, field.Comment)
						}
						return true
					})
				}
			}
		}
	}
	return all
}

// unexported is a link to a name that is not exported, which go doc takes for a package.
var unexported = regexp.MustCompile(`^[a-z]\w*(\.\w+)?$`)

// linksIn are the links in a comment, as they stand there: NAME, TYPE.NAME, PACKAGE.NAME, PACKAGE.TYPE.NAME, or the path of a package.
func linksIn(text string) (all []string) {
	p := comment.Parser{
		LookupPackage: func(name string) (string, bool) {
			if unexported.MatchString(name) {
				return name, true
			}
			return "", false
		},
		LookupSym: func(string, string) bool { return true },
	}
	walk := func(of []comment.Text) {
		for _, one := range of {
			if link, ok := one.(*comment.DocLink); ok {
				var parts []string
				for _, part := range []string{link.ImportPath, link.Recv, link.Name} {
					if part != "" {
						parts = append(parts, part)
					}
				}
				all = append(all, strings.Join(parts, "."))
			}
		}
	}
	for _, block := range p.Parse(text).Content {
		switch block := block.(type) {
		case *comment.Paragraph:
			walk(block.Text)
		case *comment.List:
			for _, item := range block.Items {
				for _, inside := range item.Content {
					if paragraph, ok := inside.(*comment.Paragraph); ok {
						walk(paragraph.Text)
					}
				}
			}
		}
	}
	return all
}

// resolves says whether a link in a comment of a package leads to something, or to what is not ours.
func resolves(declared map[string]map[string]bool, pkg string, imported map[string]string, link string) bool {
	if has(declared[pkg], link) {
		return true
	}
	at, name := link, ""
	if slash := strings.LastIndexByte(link, '/'); strings.Contains(link[slash+1:], ".") {
		dot := slash + 1 + strings.IndexByte(link[slash+1:], '.')
		at, name = link[:dot], link[dot+1:]
	}
	if full, ok := imported[at]; ok {
		at = full
	}
	if !strings.HasPrefix(at, module) {
		return strings.Contains(at, "/") || imported[at] != ""
	}
	of, ok := declared[strings.TrimPrefix(at, module)]
	return ok && (name == "" || has(of, name))
}
