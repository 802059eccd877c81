package reach

import (
	"slices"
	"strings"
)

// maxFormula is the longest formula that is read, in bytes; Salesforce takes no longer ones.
const maxFormula = 15_000

// formulaPaths returns the fields that a formula names, in lower case, each as the path from the
// record that has the formula: Account.Owner.Name. Those of the user and of settings
// ($User.Email) begin with $. Texts, comments and functions are no fields.
func formulaPaths(formula string) (paths []string) {
	if len(formula) > maxFormula {
		formula = formula[:maxFormula]
	}
	formula = strings.ToLower(formula)
	for i := 0; i < len(formula); {
		c := formula[i]
		switch {
		case c == '\'' || c == '"':
			i = endOfText(formula, i)
		case strings.HasPrefix(formula[i:], "/*"):
			end := strings.Index(formula[i+2:], "*/")
			if end < 0 {
				return paths
			}
			i += end + 4
		case isLetter(c) || c == '$':
			end := i + 1
			for end < len(formula) && (isWordByte(formula[end]) || formula[end] == '.' || formula[end] == ':') {
				end++
			}
			path := strings.Trim(formula[i:end], ".:")
			isFunction := strings.HasPrefix(strings.TrimLeft(formula[end:], " \t\r\n"), "(")
			if !isFunction && !slices.Contains(paths, path) && len(paths) < maxShows {
				paths = append(paths, path)
			}
			i = end
		default:
			i++
		}
	}
	return paths
}

// endOfText returns where the text that begins at i ends: behind the next mark of the same kind
// without a backslash before it.
func endOfText(formula string, i int) int {
	mark := formula[i]
	for i++; i < len(formula); i++ {
		switch formula[i] {
		case '\\':
			i++
		case mark:
			return i + 1
		}
	}
	return len(formula)
}
