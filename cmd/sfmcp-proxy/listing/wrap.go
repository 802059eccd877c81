package listing

import (
	"cmp"
	"strings"
)

// wrap breaks a sentence at spaces into lines of at most so many characters. Every line is
// indented, those after the first by two more. A word that is longer stays whole.
func wrap(text string, indent, width int) string {
	width = cmp.Or(width, DefaultWidth)
	var b strings.Builder
	used := 0
	for i, word := range strings.Fields(text) {
		length := shownWidth(word)
		switch {
		case i == 0:
			b.WriteString(strings.Repeat(" ", indent))
			used = indent
		case used+1+length > width:
			b.WriteString("\n" + strings.Repeat(" ", indent+2))
			used = indent + 2
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += length
	}
	return b.String()
}
