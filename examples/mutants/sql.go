package main

import (
	"go/ast"
	"regexp"
	"strings"
)

var (
	// fragment is text with conditions of SQL in it.
	fragment = regexp.MustCompile(`\bWHERE\s|\sAND\s`)
	sqlWord  = regexp.MustCompile(`\b[A-Z]{2,}\b|[()']`)
	// ends are the words at which a condition is over.
	ends = map[string]bool{"WHERE": true, "AND": true, "OR": true, "ORDER": true, "GROUP": true, "LIMIT": true, "RETURNING": true, "UNION": true,
		"ON": true, "SET": true, "FOR": true, "HAVING": true, "FROM": true, "JOIN": true, "THEN": true, ")": true}
)

// sql makes the mutants of the conditions in a string that holds SQL: one condition is not
// asked for any more.
func (f *finder) sql(n *ast.BasicLit) {
	if !fragment.MatchString(n.Value) {
		return
	}
	at := f.offset(n.Pos())
	for _, c := range conditions(n.Value) {
		f.edit("condition", at+c[0], at+c[1], "(TRUE OR "+n.Value[c[0]:c[1]]+")")
	}
}

// conditions finds what stands after WHERE, AND and OR, at whatever depth of brackets, in a
// string literal with its quotes.
func conditions(literal string) (found [][2]int) {
	starts := []int{-1} // for each open bracket, where a condition began
	quoted, between := false, false
	finish := func(end int) {
		last := len(starts) - 1
		if from := starts[last]; from >= 0 {
			text := strings.TrimRight(literal[from:end], " \t\n`\"")
			if trimmed := strings.TrimLeft(text, " \t\n"); trimmed != "" {
				found = append(found, [2]int{from + len(text) - len(trimmed), from + len(text)})
			}
		}
		starts[last] = -1
	}
	for _, at := range sqlWord.FindAllStringIndex(literal, -1) {
		word := literal[at[0]:at[1]]
		if word == "'" {
			quoted = !quoted
		}
		if quoted || word == "'" {
			continue
		}
		if word == "BETWEEN" || between && word == "AND" {
			between = !between
			continue
		}
		if ends[word] {
			finish(at[0])
		}
		switch word {
		case "(":
			starts = append(starts, -1)
		case ")":
			starts = starts[:max(1, len(starts)-1)]
		case "WHERE", "AND", "OR":
			starts[len(starts)-1] = at[1]
		}
	}
	for len(starts) > 0 {
		finish(len(literal))
		starts = starts[:len(starts)-1]
	}
	return found
}
