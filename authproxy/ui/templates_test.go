package ui

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"text/template/parse"
)

// allPages has one value of every page struct; a test below fails for a template
// that none of them uses.
var allPages = []Page{
	ConsentPage{}, SignInPage{}, MessagePage{}, LandingPage{}, AccountPage{}, PersonPage{}, ApprovalsPage{}, ApprovalPage{}, EvidencePage{}, ConnectPage{}, ConsolePage{}, TogetherPage{},
}

// Templates fail when they run, and only in the branch that runs. This test walks
// every branch and compares each field with the struct that the page passes.
func TestTemplatesFitTheirPages(t *testing.T) {
	used := map[string]bool{}
	for _, page := range allPages {
		name := page.page().Template
		used[name] = true
		set, ok := pageTemplates()[name]
		if !ok {
			t.Errorf("%T: no template %q", page, name)
			continue
		}
		c := &checker{t: t, trees: map[string]*parse.Tree{}}
		for _, tmpl := range set.Templates() {
			c.trees[tmpl.Name()] = tmpl.Tree
		}
		c.template("content", reflect.TypeOf(page))
		c.trees["content"] = &parse.Tree{Root: &parse.ListNode{}} // the layout passes an interface
		c.template("layout.html", reflect.TypeFor[view]())
	}
	for name := range pageTemplates() {
		if !used[name] {
			t.Errorf("template %q belongs to no page", name)
		}
	}
}

func TestTemplateCheckerFindsAMissingField(t *testing.T) {
	for _, text := range []string{`{{.Nope}}`, `{{if .Title}}{{.Nope}}{{end}}`, `{{range .Links}}{{.Nope}}{{end}}`, `{{with .Viewer}}{{.Label.Nope}}{{end}}`,
		`{{range $i, $l := .Links}}{{$l.Nope}}{{end}}`, `{{range .Links}}{{$.Nope}}{{end}}`} {
		trees, err := parse.Parse("x", text, "", "", map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		c := &checker{trees: trees}
		c.template("x", reflect.TypeFor[MessagePage]())
		if len(c.problems) == 0 {
			t.Errorf("%s: no problem found", text)
		}
	}
}

type checker struct {
	t        *testing.T
	trees    map[string]*parse.Tree
	problems []string
}

type scope struct {
	dot  reflect.Type
	vars map[string]reflect.Type
}

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
	if c.t != nil {
		c.t.Errorf(format, args...)
	}
}

func (c *checker) template(name string, dot reflect.Type) {
	tree := c.trees[name]
	if tree == nil {
		c.problem("template %q is not defined", name)
		return
	}
	c.node(tree.Root, scope{dot: dot, vars: map[string]reflect.Type{"$": dot}})
}

func (c *checker) node(n parse.Node, s scope) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				c.node(child, s)
			}
		}
	case *parse.ActionNode:
		c.pipe(n.Pipe, s)
	case *parse.TemplateNode:
		c.template(n.Name, c.pipe(n.Pipe, s))
	case *parse.IfNode:
		c.pipe(n.Pipe, s)
		c.node(n.List, s)
		c.node(n.ElseList, s)
	case *parse.WithNode:
		c.node(n.ElseList, s)
		s.dot = c.pipe(n.Pipe, s)
		c.node(n.List, s)
	case *parse.RangeNode:
		c.node(n.ElseList, s)
		c.node(n.List, c.rangeScope(n, s))
	case *parse.TextNode, *parse.CommentNode:
	default:
		c.problem("template uses %T, which this test does not know", n)
	}
}

func (c *checker) rangeScope(n *parse.RangeNode, s scope) scope {
	over := c.pipe(n.Pipe, s)
	if over == nil || over.Kind() != reflect.Slice {
		c.problem("range over %v", over)
		return s
	}
	inner := scope{dot: over.Elem(), vars: map[string]reflect.Type{}}
	for k, v := range s.vars {
		inner.vars[k] = v
	}
	if decl := n.Pipe.Decl; len(decl) == 2 {
		inner.vars[decl[0].Ident[0]], inner.vars[decl[1].Ident[0]] = reflect.TypeFor[int](), over.Elem()
	}
	return inner
}

// pipe returns the type of the last command, as far as templates of ours need it.
func (c *checker) pipe(p *parse.PipeNode, s scope) reflect.Type {
	var result reflect.Type
	if p == nil {
		return nil
	}
	for _, command := range p.Cmds {
		for i, arg := range command.Args {
			typ := c.argument(arg, s)
			if i == 0 {
				result = typ
			}
		}
	}
	return result
}

func (c *checker) argument(n parse.Node, s scope) reflect.Type {
	switch n := n.(type) {
	case *parse.DotNode:
		return s.dot
	case *parse.FieldNode:
		return c.chain(s.dot, n.Ident)
	case *parse.VariableNode:
		return c.chain(s.vars[n.Ident[0]], n.Ident[1:])
	case *parse.PipeNode:
		return c.pipe(n, s)
	}
	return reflect.TypeFor[string]() // functions and literals
}

func (c *checker) chain(typ reflect.Type, names []string) reflect.Type {
	for _, name := range names {
		if typ == nil {
			return nil
		}
		if m, ok := typ.MethodByName(name); ok {
			typ = m.Type.Out(0)
			continue
		}
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			c.problem("%v has no field %s", typ, name)
			return nil
		}
		f, ok := typ.FieldByName(name)
		if !ok {
			c.problem("%v has no field %s", typ, name)
			return nil
		}
		typ = f.Type
	}
	return typ
}

// Every form must carry what its handler checks, and every page must be whole.
func TestPagesAreAccessible(t *testing.T) {
	for _, page := range allPages {
		html := rendered(t, filled(page, "x"))
		for _, want := range []string{`<html lang="en">`, `name="viewport"`, `<main id="content">`, "<h1>"} {
			if !strings.Contains(html, want) {
				t.Errorf("%T lacks %s", page, want)
			}
		}
		if strings.Count(html, "<h1>") != 1 {
			t.Errorf("%T has more than one h1", page)
		}
		// The one script is a file of ours, named by what it holds.
		for _, path := range []string{inboxPath, livePath} {
			html = strings.Replace(html, `<script defer src="`+path+`"></script>`, "", 1)
		}
		for _, banned := range []string{"<script", "style=", " onclick", "http://", "https://", "<iframe", "{{"} {
			if strings.Contains(html, banned) {
				t.Errorf("%T contains %s", page, banned)
			}
		}
		for form := range strings.SplitSeq(html, "<form ") {
			if form, ok := strings.CutPrefix(form, `method="post"`); ok &&
				!strings.Contains(form, `name="csrf_token"`) && !strings.Contains(form, `name="request"`) {
				t.Errorf("%T has a form without an anti-forgery field: %s", page, form)
			}
		}
	}
}
