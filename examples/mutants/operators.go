package main

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
)

// machinery are calls whose errors tell of a broken machine, not of somebody to refuse.
var machinery = regexp.MustCompile(`^(Query.*|Exec.*|Scan|Err|Close|RowsAffected|Affected|Tx|View|Begin.*|Commit|Marshal.*|Read|ReadAll|Write.*|Copy|Random|Execute.*|Next.*|Lock|ForUpdate|NewCipher|NewGCM|Hostname)$`)

// steps are calls and fields whose absence somebody could use.
var steps = regexp.MustCompile(`(?i)(erase|void|revoke|delete|forget|record|audit|append|end|close|spend|block|stop|count|epoch|invalidate|expire|sweep|settle|cancel|clear|reset|refuse|deny|limit|bind|zero|header|set$|^add$|^del$|^set|maxage|secure|httponly|samesite)`)

// check makes the mutants of a check that ends in return, continue, break or panic.
func (f *finder) check(n *ast.IfStmt) {
	if !leaves(n.Body) || f.machineError(n) {
		return
	}
	f.add("let", n.Cond, "false && ("+f.textOf(n.Cond)+")")
	f.add("negate", n.Cond, "!("+f.textOf(n.Cond)+")")
}

func leaves(b *ast.BlockStmt) bool {
	if len(b.List) == 0 {
		return false
	}
	switch last := b.List[len(b.List)-1].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		return true
	case *ast.ExprStmt:
		call, ok := last.X.(*ast.CallExpr)
		return ok && callee(call) == "panic"
	}
	return false
}

// passedOn is a check that only passes an error on.
var passedOn = regexp.MustCompile(`^err != nil( && !errors\.Is\(err, (sql\.ErrNoRows|fs\.ErrNotExist)\))?$`)

// machineError says whether the check only passes on an error of the machinery.
func (f *finder) machineError(n *ast.IfStmt) bool {
	if !passedOn.MatchString(f.textOf(n.Cond)) {
		return false
	}
	if assigned, ok := n.Init.(*ast.AssignStmt); ok && len(assigned.Rhs) == 1 {
		call, ok := assigned.Rhs[0].(*ast.CallExpr)
		return ok && machinery.MatchString(callee(call))
	}
	return n.Init == nil && machinery.MatchString(lastCall(f.source[:f.offset(n.Pos())]))
}

var called = regexp.MustCompile(`(\w+)(?:\[[^\]]*\])?\(`)

// lastCall is the name of the function in the last assignment to err before a check.
func lastCall(before []byte) string {
	at := assignedErr.FindAllIndex(before, -1)
	if len(at) == 0 {
		return ""
	}
	if m := called.FindSubmatch(before[at[len(at)-1][1]:]); m != nil {
		return string(m[1])
	}
	return ""
}

var assignedErr = regexp.MustCompile(`\berr :?= `)

// callee is the bare name of what is called.
func callee(call *ast.CallExpr) string {
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		return fn.Name
	case *ast.SelectorExpr:
		return fn.Sel.Name
	case *ast.IndexExpr:
		return callee(&ast.CallExpr{Fun: fn.X})
	}
	return ""
}

// logs says whether a call only writes to the log.
func logs(call *ast.CallExpr) bool {
	return slices.Contains([]string{"Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext", "WarnContext", "ErrorContext", "Log", "LogAttrs"}, callee(call))
}

var swapped = map[token.Token]struct{ operator, with string }{
	token.LAND: {"connective", "||"}, token.LOR: {"connective", "&&"},
	token.EQL: {"equality", "!="}, token.NEQ: {"equality", "=="},
	token.LSS: {"bound", "<="}, token.LEQ: {"bound", "<"}, token.GTR: {"bound", ">="}, token.GEQ: {"bound", ">"},
}

// binary makes the mutants of conditions and comparisons.
func (f *finder) binary(n *ast.BinaryExpr, stack []ast.Node) {
	swap, ok := swapped[n.Op]
	if !ok {
		return
	}
	if n.Op == token.LAND || n.Op == token.LOR {
		for _, operand := range []ast.Expr{n.X, n.Y} {
			if inner, ok := operand.(*ast.BinaryExpr); ok && inner.Op == n.Op {
				continue // its own operands are mutated one by one
			}
			if n.Op == token.LOR {
				f.add("operand", operand, "false && ("+f.textOf(operand)+")")
			} else {
				f.add("operand", operand, "(true || ("+f.textOf(operand)+"))")
			}
		}
	} else if f.textOf(n.Y) == "nil" || swap.operator == "bound" && isLoop(n, stack) {
		return // negate has the one, a loop that overruns panics
	}
	at := f.offset(n.OpPos)
	f.edit(swap.operator, at, at+len(n.Op.String()), swap.with)
}

func isLoop(n ast.Node, stack []ast.Node) bool {
	loop, ok := stack[len(stack)-1].(*ast.ForStmt)
	return ok && loop.Cond == n
}

// returned makes the mutants of a return: no error, or the other verdict.
func (f *finder) returned(n *ast.ReturnStmt, stack []ast.Node) {
	results := resultsOf(stack)
	if len(results) != len(n.Results) || f.passesOn(stack) {
		return // named results, or a call with several
	}
	last := len(results) - 1
	for i, x := range n.Results {
		if results[i] == "bool" && results[last] == "error" && f.textOf(n.Results[last]) != "nil" {
			continue // beside an error the other results mean nothing
		}
		text := f.textOf(x)
		switch {
		case results[i] == "error" && text != "nil" && text != "err" && !machineCall(x):
			f.add("error", x, "func() error { _ = "+text+"; return nil }()")
		case results[i] == "bool" && text == "true":
			f.add("verdict", x, "false")
		case results[i] == "bool" && text == "false":
			f.add("verdict", x, "true")
		}
	}
}

// passesOn says whether a statement stands in a check that only passes on an error of the
// machinery.
func (f *finder) passesOn(stack []ast.Node) bool {
	if len(stack) < 2 {
		return false
	}
	check, ok := stack[len(stack)-2].(*ast.IfStmt)
	return ok && f.machineError(check)
}

// machineCall says whether an expression is a call whose error is one of the machinery.
func machineCall(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	return ok && machinery.MatchString(callee(call))
}

// resultsOf lists the types of the results of the function around a statement.
func resultsOf(stack []ast.Node) (types []string) {
	var list *ast.FieldList
	for _, n := range slices.Backward(stack) {
		if fn, ok := n.(*ast.FuncDecl); ok {
			list = fn.Type.Results
			break
		}
		if fn, ok := n.(*ast.FuncLit); ok {
			list = fn.Type.Results
			break
		}
	}
	if list == nil {
		return nil
	}
	for _, field := range list.List {
		name := ""
		if id, ok := field.Type.(*ast.Ident); ok {
			name = id.Name
		}
		for range max(1, len(field.Names)) {
			types = append(types, name)
		}
	}
	return types
}

// dropped makes the mutant that leaves out a statement with an effect.
func (f *finder) dropped(n ast.Stmt, stack []ast.Node) {
	if _, ok := stack[len(stack)-1].(*ast.BlockStmt); !ok {
		if _, ok := stack[len(stack)-1].(*ast.CaseClause); !ok {
			return // part of an if or a for
		}
	}
	name := ""
	switch n := n.(type) {
	case *ast.ExprStmt:
		call, ok := n.X.(*ast.CallExpr)
		if !ok || logs(call) || slices.Contains([]string{"panic", "Lock", "Unlock", "RLock", "RUnlock", "Done", "Wait"}, callee(call)) {
			return
		}
		name = callee(call)
	case *ast.AssignStmt:
		if n.Tok != token.ASSIGN && n.Tok != token.ADD_ASSIGN || len(n.Lhs) != 1 {
			return
		}
		switch left := n.Lhs[0].(type) {
		case *ast.SelectorExpr:
			name = left.Sel.Name
		case *ast.IndexExpr:
			name = "set"
		}
	}
	if steps.MatchString(name) {
		f.add("drop", n, "if false { "+f.textOf(n)+" }")
	}
}

// literal makes the mutants of numbers that bound something, and of SQL.
func (f *finder) literal(n *ast.BasicLit, stack []ast.Node) {
	switch n.Kind {
	case token.STRING:
		f.sql(n)
	case token.INT:
		if len(stack) == 0 || !boundary(stack) {
			return
		}
		if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil && v < 2 {
			f.add("constant", n, strconv.FormatInt(v+1, 10))
		} else {
			f.add("constant", n, "(2 * "+n.Value+")")
		}
	}
}

// boundary says whether a number stands in a constant or in a comparison of sizes.
func boundary(stack []ast.Node) bool {
	for _, n := range slices.Backward(stack) {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if swapped[n.Op].operator == "bound" {
				return true
			}
		case *ast.ParenExpr:
		case *ast.ValueSpec:
			decl, ok := stack[slices.Index(stack, ast.Node(n))-1].(*ast.GenDecl)
			return ok && decl.Tok == token.CONST
		default:
			return false
		}
	}
	return false
}
